//! What is wrong with a lab file, and where.

use std::fmt;

/// Most faults that are told of one file.
const MOST: usize = 1000;

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    /// Line, from 1.
    pub(crate) line: usize,
    /// Column in characters, from 1.
    pub(crate) column: usize,
}

impl Position {
    /// The first character of a file.
    pub(crate) const START: Self = Self { line: 1, column: 1 };
}

/// One thing that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fault {
    /// Where.
    pub(crate) at: Position,
    /// What is wrong and what to do.
    pub(crate) message: String,
}

impl Fault {
    /// A fault at a place.
    pub(crate) fn new(at: Position, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }
}

/// Writes faults as `FILE:LINE:COLUMN: message`, in the order of the file.
pub(crate) fn lines(file: &str, mut faults: Vec<Fault>) -> Vec<String> {
    faults.sort();
    faults.dedup();
    let left_out = faults.len().saturating_sub(MOST);
    let mut lines: Vec<String> =
        faults.iter().take(MOST).map(|fault| At { file, fault }.to_string()).collect();
    if left_out > 0 {
        lines.push(format!("{file}: and {left_out} more faults"));
    }
    lines
}

struct At<'a> {
    file: &'a str,
    fault: &'a Fault,
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fault { at: Position { line, column }, message } = self.fault;
        write!(f, "{}:{line}:{column}: {message}", self.file)
    }
}
