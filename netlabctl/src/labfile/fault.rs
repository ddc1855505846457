//! What is wrong with a lab file, and where.

use std::{collections::BTreeSet, rc::Rc};

/// Most faults that are told of one file.
const MOST: usize = 1000;

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Position {
    /// Which file: 0 is the lab file, others are included.
    pub(crate) file: u16,
    /// Line, from 1.
    pub(crate) line: usize,
    /// Column in characters, from 1.
    pub(crate) column: usize,
}

impl Position {
    /// The first character of a file.
    pub(crate) const START: Self = Self { file: 0, line: 1, column: 1 };
}

/// One thing that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fault {
    /// Where.
    pub(crate) at: Position,
    /// What is wrong and what to do.
    pub(crate) message: String,
    /// Which of the things it is that one line stands for.
    member: Option<Rc<str>>,
}

impl Fault {
    /// A fault at a place.
    pub(crate) fn new(at: Position, message: impl Into<String>) -> Self {
        Self { at, message: message.into(), member: None }
    }

    /// Says of which member of a line it is, unless that is known better already.
    pub(crate) fn of(&mut self, member: &Rc<str>) {
        self.member.get_or_insert_with(|| Rc::clone(member));
    }
}

/// Writes faults as `FILE:LINE:COLUMN: message`, in the order of the file. What is wrong in many members of one
/// line is told once.
pub(crate) fn lines(files: &[String], mut faults: Vec<Fault>) -> Vec<String> {
    faults.sort();
    let same = |a: &Fault, b: &Fault| (a.at, &a.message) == (b.at, &b.message);
    let all: Vec<&[Fault]> = faults.chunk_by(same).collect();
    let name = |at: Position| files.get(usize::from(at.file)).map_or("", String::as_str);
    let mut lines: Vec<String> = all
        .iter()
        .take(MOST)
        .map(|group| {
            let Fault { at, message, .. } = &group[0];
            let Position { line, column, .. } = at;
            format!("{}:{line}:{column}: {}{message}", name(*at), members(group))
        })
        .collect();
    if let Some(left_out) = all.len().checked_sub(MOST).filter(|left_out| *left_out > 0) {
        lines.push(format!("{}: and {left_out} more faults", name(Position::START)));
    }
    lines
}

fn members(group: &[Fault]) -> String {
    let members: BTreeSet<&str> = group.iter().filter_map(|fault| fault.member.as_deref()).collect();
    match (members.first(), members.len()) {
        (None, _) => String::new(),
        (Some(first), 1) => format!("{first}: "),
        (Some(first), several) => format!("{first} and {} more: ", several - 1),
    }
}
