//! Running tests on the running kernel, several at once.

use std::{
    fs::File,
    io::{Read, Seek},
    os::fd::AsFd,
    path::Path,
    process::{Command, Stdio},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use super::{
    Ground, Part, chosen, private,
    report::{Outcome, Report, Row, Writer},
};
use crate::{cases::Test, feature::Feature};

/// How long one test may take; far more than any needs, so that only a hung one is ended.
const LIMIT: Duration = Duration::from_secs(240);

/// The same, or as many seconds as `NETLAB_LIMIT` says.
fn limit() -> Duration {
    let given = std::env::var("NETLAB_LIMIT").ok().and_then(|text| text.parse().ok());
    given.map_or(LIMIT, Duration::from_secs)
}

/// Runs part of the tests and writes a report; `elsewhere` is that of another kernel. False if one failed.
pub fn run(ground: Ground, part: Part, report: &Path, elsewhere: Option<&Path>, filters: &[String]) -> bool {
    let kernel = rustix::system::uname().release().to_string_lossy().into_owned();
    let writer = Writer::create(report, &kernel);
    let features = match features() {
        Ok(features) => features,
        Err(error) => {
            eprintln!("netlab-tests: {ground}: {error}");
            return false;
        }
    };
    let elsewhere = elsewhere.map(|path| Report::read(&[path.to_owned()])).unwrap_or_default();
    let mut fit = Vec::new();
    for test in chosen(filters, part) {
        let done = (test.once && elsewhere.passed(test.name)).then(|| "passed elsewhere".to_owned());
        match done.or_else(|| unfit(&test, &features)) {
            None => fit.push(test),
            Some(why) => {
                writer.add(&Row { test: test.name.into(), outcome: Outcome::Unfit(why), seconds: 0.0 });
            }
        }
    }
    let queue = Mutex::new(fit.into_iter());
    let jobs = if ground == Ground::Uml { 1 } else { super::at_once() };
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                // The lock is let go before the test runs.
                let next = || queue.lock().expect("no thread panics with the queue").next();
                while let Some(test) = next() {
                    let row = run_one(&test);
                    println!(
                        "{ground:<7} {:<6} {:<50} {:>5.1} s",
                        row.outcome.word(),
                        test.name,
                        row.seconds
                    );
                    writer.add(&row);
                }
            });
        }
    });
    writer.all_passed()
}

/// Why a test cannot run on a kernel with these features.
fn unfit(test: &Test, has: &[Feature]) -> Option<String> {
    let missing =
        test.needs.iter().find(|feature| !has.contains(feature)).map(|feature| format!("lacks {feature}"));
    let present =
        test.lacks.iter().find(|feature| has.contains(feature)).map(|feature| format!("has {feature}"));
    missing.or(present)
}

fn features() -> Result<Vec<Feature>, String> {
    let output =
        private::command(&["--features"]).output().map_err(|error| format!("cannot run unshare: {error}"))?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(format!("no private host can be made here (it needs root): {why}"));
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().filter_map(Feature::shown_as).collect())
}

/// Runs one test in a private host; prints what it had to say if it failed, or if the environment variable
/// `NETLAB_SHOW` is set.
fn run_one(test: &Test) -> Row {
    let start = Instant::now();
    let mut output = tempfile::tempfile().expect("making a temporary file");
    let well = ends_well(private::command(&["--inside", test.name]), &output);
    let why = well.as_ref().map_or_else(String::as_str, |()| "passed");
    if well.is_err() || std::env::var_os("NETLAB_SHOW").is_some() {
        let mut said = String::new();
        output.rewind().expect("rewinding a file");
        let _ = output.read_to_string(&mut said);
        println!("---- {} {why} ----\n{said}---- end of {} ----", test.name, test.name);
    }
    let outcome = if well.is_ok() { Outcome::Passed } else { Outcome::Failed };
    Row { test: test.name.into(), outcome, seconds: start.elapsed().as_secs_f64() }
}

fn ends_well(mut command: Command, output: &File) -> Result<(), String> {
    let file = || output.as_fd().try_clone_to_owned().expect("cloning a descriptor");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(file())
        .stderr(file())
        .spawn()
        .map_err(|error| format!("could not be started: {error}"))?;
    let (start, limit) = (Instant::now(), limit());
    loop {
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            return if status.success() { Ok(()) } else { Err(format!("failed ({status})")) };
        }
        if start.elapsed() > limit {
            // Kills the namespaces' first process with it, and so all that the test has started.
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("did not end within {limit:?}"));
        }
        thread::sleep(Duration::from_millis(20));
    }
}
