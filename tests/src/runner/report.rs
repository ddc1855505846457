//! What came of the tests, in a file for the program that started them and as a table for people.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    sync::Mutex,
};

use serde_json::{Value, json};

use super::Ground;
use crate::{
    cases::{self, Test},
    feature::Feature,
};

/// What came of one test on one ground.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The test's name.
    pub test: String,
    /// What came of it.
    pub outcome: Outcome,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// What can come of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It ran and passed.
    Passed,
    /// It ran and failed.
    Failed,
    /// The ground is not what it needs; the text says why.
    Unfit(String),
}

impl Outcome {
    /// The outcome in one word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "FAILED",
            Self::Unfit(_) => "unfit",
        }
    }
}

/// Writes rows as they come, one JSON object a line: what has been written survives a dying kernel.
#[derive(Debug)]
pub struct Writer {
    file: Mutex<(File, bool)>,
}

impl Writer {
    /// Begins a report.
    pub fn create(path: &Path, kernel: &str) -> Self {
        let mut file = File::create(path).expect("making the report");
        writeln!(file, "{}", json!({ "kernel": kernel })).expect("writing the report");
        Self { file: Mutex::new((file, true)) }
    }

    /// Adds a row.
    pub fn add(&self, row: &Row) {
        let why = if let Outcome::Unfit(why) = &row.outcome { why } else { "" };
        let line =
            json!({ "test": row.test, "outcome": row.outcome.word(), "why": why, "seconds": row.seconds });
        let mut guard = self.file.lock().expect("no thread panics with the report");
        guard.1 &= row.outcome != Outcome::Failed;
        writeln!(guard.0, "{line}").expect("writing the report");
    }

    /// Whether no row so far is of a failed test.
    pub fn all_passed(&self) -> bool {
        self.file.lock().expect("no thread panics with the report").1
    }
}

/// All that came of one ground.
#[derive(Debug, Default)]
pub struct Report {
    /// The kernel's release.
    pub kernel: String,
    /// The rows, in no order.
    pub rows: Vec<Row>,
}

impl Report {
    /// Reads the reports of a ground's parts; a missing one is one without rows.
    pub fn read(paths: &[PathBuf]) -> Self {
        let mut report = Self::default();
        for path in paths {
            let text = fs::read_to_string(path).unwrap_or_default();
            for value in text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
                if let Some(kernel) = value["kernel"].as_str() {
                    kernel.clone_into(&mut report.kernel);
                } else if let Some(row) = row(&value) {
                    report.rows.push(row);
                }
            }
        }
        report
    }

    /// Whether a test passed there.
    pub fn passed(&self, test: &str) -> bool {
        self.of(test).is_some_and(|row| row.outcome == Outcome::Passed)
    }

    fn of(&self, test: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.test == test)
    }
}

fn row(value: &Value) -> Option<Row> {
    let outcome = match value["outcome"].as_str()? {
        "passed" => Outcome::Passed,
        "unfit" => Outcome::Unfit(value["why"].as_str()?.to_owned()),
        _ => Outcome::Failed,
    };
    Some(Row { test: value["test"].as_str()?.to_owned(), outcome, seconds: value["seconds"].as_f64()? })
}

/// Prints the table of tests and grounds. False if a test failed somewhere, ended without an outcome
/// (its kernel died), or ran nowhere.
///
/// A test of what happens on a kernel that lacks something may find that no kernel here lacks it: that
/// is printed, and is no failure.
pub fn table(tests: &[&str], reports: &[(Ground, Report)]) -> bool {
    let width = tests.iter().map(|test| test.len()).max().unwrap_or(0);
    let line = |first: &str, cells: Vec<String>| {
        let cells = cells.iter().fold(String::new(), |line, cell| line + &format!("{cell:<38}"));
        println!("{first:<width$}  {}", cells.trim_end());
    };
    println!();
    line("test", reports.iter().map(|(ground, report)| format!("{ground} ({})", report.kernel)).collect());
    let (mut failed, mut nowhere) = (0, 0);
    for test in tests {
        line(test, reports.iter().map(|(_, report)| cell(report.of(test))).collect());
        let outcomes: Vec<_> =
            reports.iter().map(|(_, report)| report.of(test).map(|row| &row.outcome)).collect();
        if outcomes.iter().any(|outcome| matches!(outcome, None | Some(Outcome::Failed))) {
            failed += 1;
        } else if !outcomes.contains(&Some(&Outcome::Passed)) && !needs_a_lack(test) {
            nowhere += 1;
        }
    }
    println!("\nThe slowest:");
    for (seconds, ground, test) in slowest(reports) {
        println!("{seconds:>6.1} s  {ground:<7} {test}");
    }
    println!("\n{} tests, {failed} failed, {nowhere} ran on no kernel", tests.len());
    failed == 0 && nowhere == 0
}

/// Prints which kernel ran what: for each feature that tests need, how many of them passed where, as a table in Markdown.
pub fn features(tests: &[Test], reports: &[(Ground, Report)]) {
    let line = |cells: &[String]| println!("| {} |", cells.join(" | "));
    let kernels = reports.iter().map(|(ground, report)| format!("{ground}, Linux {}", report.kernel));
    println!("\nWhat needs something of the kernel, and how many tests of it passed where:\n");
    line(&["needs".to_owned(), "option".to_owned()].into_iter().chain(kernels).collect::<Vec<_>>());
    println!("|{}", "---|".repeat(2 + reports.len()));
    for feature in Feature::all() {
        let of_it: Vec<&Test> = tests.iter().filter(|test| test.needs.contains(&feature)).collect();
        if of_it.is_empty() {
            continue;
        }
        let passed = |report: &Report| of_it.iter().filter(|test| report.passed(test.name)).count();
        let cells = reports.iter().map(|(_, report)| match passed(report) {
            0 => "-".to_owned(),
            count => count.to_string(),
        });
        let first = [feature.about().to_owned(), format!("`{}`", feature.option())];
        line(&first.into_iter().chain(cells).collect::<Vec<_>>());
    }
}

/// The ten tests that took longest: seconds, ground and name, the slowest first.
fn slowest(reports: &[(Ground, Report)]) -> Vec<(f64, Ground, &str)> {
    let mut all = Vec::new();
    for (ground, report) in reports {
        all.extend(report.rows.iter().map(|row| (row.seconds, *ground, row.test.as_str())));
    }
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    all.truncate(10);
    all
}

fn needs_a_lack(test: &str) -> bool {
    cases::all().iter().any(|one| one.name == test && !one.lacks.is_empty())
}

fn cell(row: Option<&Row>) -> String {
    match row {
        None => "FAILED (no outcome)".into(),
        Some(Row { outcome: Outcome::Unfit(why), .. }) => why.clone(),
        Some(Row { outcome, seconds, .. }) => format!("{} {seconds:.1} s", outcome.word()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(rows: &[(&str, Outcome)]) -> (Ground, Report) {
        let row = |(test, outcome): &(&str, Outcome)| Row {
            test: (*test).into(),
            outcome: outcome.clone(),
            seconds: 1.0,
        };
        (Ground::Native, Report { kernel: "1".into(), rows: rows.iter().map(row).collect() })
    }

    #[test]
    fn a_run_is_good_if_every_test_passed_somewhere_and_failed_nowhere() {
        let unfit = || Outcome::Unfit("lacks CONFIG_X".into());
        assert!(table(&["t"], &[report(&[("t", Outcome::Passed)]), report(&[("t", unfit())])]));
        assert!(!table(&["t"], &[report(&[("t", Outcome::Passed)]), report(&[("t", Outcome::Failed)])]));
        assert!(!table(&["t"], &[report(&[("t", unfit())]), report(&[("t", unfit())])]));
        assert!(!table(&["t"], &[report(&[("t", Outcome::Passed)]), report(&[])]));
    }

    #[test]
    fn the_slowest_come_first_whatever_their_ground() {
        let row = |test: &str, seconds| Row { test: test.into(), outcome: Outcome::Passed, seconds };
        let rows = |names: std::ops::Range<u8>| names.map(|n| row(&n.to_string(), f64::from(n))).collect();
        let native = Report { kernel: "1".into(), rows: rows(0..8) };
        let uml = Report { kernel: "2".into(), rows: rows(8..12) };
        let reports = [(Ground::Native, native), (Ground::Uml, uml)];
        let slowest = slowest(&reports);
        assert_eq!(slowest.len(), 10);
        assert_eq!(slowest[0], (11.0, Ground::Uml, "11"));
        assert_eq!(slowest[9], (2.0, Ground::Native, "2"));
    }

    #[test]
    fn a_report_survives_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let writer = Writer::create(file.path(), "6.12");
        let rows = [
            Row { test: "a".into(), outcome: Outcome::Passed, seconds: 0.5 },
            Row { test: "b".into(), outcome: Outcome::Unfit("lacks CONFIG_X".into()), seconds: 0.0 },
        ];
        for row in &rows {
            writer.add(row);
        }
        assert!(writer.all_passed());
        let read = Report::read(&[file.path().into(), "/nowhere".into()]);
        assert_eq!((read.kernel.as_str(), read.rows.as_slice()), ("6.12", rows.as_slice()));
    }
}
