//! Chooses, runs and reports tests.

use std::{fmt, num::NonZero, str::FromStr, thread};

use crate::cases::{self, Test};

pub mod here;
pub mod private;
pub mod report;
pub mod uml;

use report::Report;

/// A kernel to run tests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// The kernel of this machine.
    Native,
    /// User-mode Linux, built with every feature that the tests need.
    Uml,
}

impl fmt::Display for Ground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Native => "native",
            Self::Uml => "uml",
        })
    }
}

impl FromStr for Ground {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "native" => Ok(Self::Native),
            "uml" => Ok(Self::Uml),
            _ => Err(format!("{text:?} is no ground: native or uml")),
        }
    }
}

/// One of several equal parts of the tests, for kernels that run side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Which, from 0.
    pub index: usize,
    /// Of how many.
    pub of: usize,
}

impl Part {
    /// All of it.
    pub const WHOLE: Self = Self { index: 0, of: 1 };
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no part: K/N with K below N");
        let (index, of) = text.split_once('/').ok_or_else(wrong)?;
        let part = Self { index: index.parse().map_err(|_| wrong())?, of: of.parse().map_err(|_| wrong())? };
        if part.index < part.of { Ok(part) } else { Err(wrong()) }
    }
}

/// The tests whose name has one of `filters` in it (all without filters), and of these one part.
pub fn chosen(filters: &[String], part: Part) -> Vec<Test> {
    let wanted =
        |test: &Test| filters.is_empty() || filters.iter().any(|filter| test.name.contains(filter.as_str()));
    cases::all()
        .into_iter()
        .filter(wanted)
        .enumerate()
        .filter(|(n, _)| n % part.of == part.index)
        .map(|(_, test)| test)
        .collect()
}

/// How many tests run at a time: one more than there are processors, since each waits for something at times.
fn at_once() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get) + 1
}

/// Runs tests on each ground, one ground after the other, and prints the table. False if one failed, or
/// if one ran nowhere.
pub fn run(grounds: &[Ground], filters: &[String]) -> bool {
    let tests = chosen(filters, Part::WHOLE);
    let names: Vec<&str> = tests.iter().map(|test| test.name).collect();
    if names.is_empty() {
        eprintln!("netlab-tests: no test is called so; --list prints all names");
        return false;
    }
    let dir = tempfile::tempdir().expect("making a temporary folder");
    let file = |ground: &Ground| dir.path().join(ground.to_string());
    let mut reports: Vec<(Ground, Report)> = Vec::new();
    for ground in grounds {
        let elsewhere = reports.last().map(|(ground, _)| file(ground));
        let report = match ground {
            Ground::Native => {
                here::run(*ground, Part::WHOLE, &file(ground), elsewhere.as_deref(), filters);
                Report::read(&[file(ground)])
            }
            Ground::Uml => {
                let at_once = at_once().min(4);
                Report::read(&uml::run(dir.path(), at_once, names.len(), elsewhere.as_deref(), filters))
            }
        };
        reports.push((*ground, report));
    }
    let good = report::table(&names, &reports);
    if filters.is_empty() {
        report::features(&tests, &reports);
    }
    good
}
