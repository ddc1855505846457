//! Faults of a message, and where in it they are.

use std::{fmt, str::FromStr};

use netlab_proto::{suggest::nearest, text::is_hidden};

use crate::model::name::NameError;

/// One thing that is wrong with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where: field names joined by dots, list items as `[0]`, map keys as they are, or as
    /// `["br0.100"]` (a JSON string) where they hold anything but letters, digits, `-` and `_`.
    pub path: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            return f.write_str(&self.message);
        }
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// Everything that is wrong with a message; at most [`Faults::MAX`].
#[derive(Debug, Clone, PartialEq, Eq, Default, thiserror::Error)]
pub struct Faults(pub Vec<Fault>);

impl Faults {
    /// Most faults that are kept.
    pub const MAX: usize = 1000;
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fault) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            fault.fmt(f)?;
        }
        Ok(())
    }
}

/// Collects faults.
#[derive(Debug, Default)]
pub struct Sink(Vec<Fault>);

/// Faults that may carry a suggestion: a search through 4,096 names for each of 1,000 faults
/// would take seconds.
const SUGGESTIONS: usize = 100;

impl Sink {
    /// Notes a fault, if there is room.
    pub(crate) fn add(&mut self, path: &Path, message: impl Into<String>) {
        if self.0.len() < Faults::MAX {
            self.0.push(Fault { path: path.0.clone(), message: message.into() });
        }
    }

    /// How many faults there are so far.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Parses a text; a fault that quotes it if it is refused.
    pub(crate) fn parse<T: FromStr<Err = NameError>>(&mut self, path: &Path, text: &str) -> Option<T> {
        let parsed = text.parse();
        self.keep_text(path, text, parsed)
    }

    /// Unwraps a result; a fault that names the value if it is an error.
    pub(crate) fn keep<T>(&mut self, path: &Path, value: &str, result: Result<T, NameError>) -> Option<T> {
        result.map_err(|error| self.add(path, format!("{value} {error}"))).ok()
    }

    /// The same of what a text was read as; a fault quotes it.
    pub(crate) fn keep_text<T>(
        &mut self,
        path: &Path,
        text: &str,
        result: Result<T, NameError>,
    ) -> Option<T> {
        result.map_err(|error| self.add(path, format!("{} {error}", shown(text)))).ok()
    }

    /// `; did you mean "x"?` for the nearest of the names, or nothing.
    pub(crate) fn suggest<'a>(&self, text: &str, names: impl Iterator<Item = &'a str>) -> String {
        if self.0.len() >= SUGGESTIONS {
            return String::new();
        }
        let near = nearest(text, names);
        near.map(|name| format!("; did you mean {}?", shown(name))).unwrap_or_default()
    }

    /// The faults so far as an error, if there are any.
    pub(crate) fn finish(&self) -> Result<(), Faults> {
        if self.0.is_empty() { Ok(()) } else { Err(Faults(self.0.clone())) }
    }
}

/// A place in a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path(String);

impl Path {
    /// The message itself.
    pub(crate) fn root() -> Self {
        Self(String::new())
    }

    /// A field of it.
    pub(crate) fn field(&self, name: &str) -> Self {
        if self.0.is_empty() {
            return Self(name.to_owned());
        }
        self.and([".", name])
    }

    /// A large lab has many paths, and names few of them in a fault: they are put together by hand.
    fn and<const N: usize>(&self, parts: [&str; N]) -> Self {
        let mut whole =
            String::with_capacity(self.0.len() + parts.iter().map(|part| part.len()).sum::<usize>());
        whole.push_str(&self.0);
        whole.extend(parts);
        Self(whole)
    }

    /// An item of a list.
    pub(crate) fn index(&self, index: usize) -> Self {
        self.and(["[", &index.to_string(), "]"])
    }

    /// An entry of a map.
    pub(crate) fn key(&self, key: &str) -> Self {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        if !key.is_empty() && key.len() <= MAX_SHOWN && key.bytes().all(plain) {
            return self.field(key);
        }
        Self(format!("{}[{}]", self.0, shown(key)))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Most characters of a client's text that a fault repeats.
const MAX_SHOWN: usize = 80;

/// A text of the client as a JSON string, cut where it is long.
pub(crate) fn shown(text: &str) -> String {
    let mut out = String::from("\"");
    for (i, c) in text.chars().enumerate() {
        match c {
            _ if i == MAX_SHOWN => {
                out.push('…');
                break;
            }
            '"' | '\\' => out.extend(['\\', c]),
            c if is_hidden(c) || (c != ' ' && c.is_whitespace()) => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    out.extend(format!("\\u{unit:04x}").chars());
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// The first four of some items for a message: `a, b, c, d and 3 more`.
pub(crate) fn listed<T>(mut items: impl Iterator<Item = T>, show: impl FnMut(T) -> String) -> String {
    let head = items.by_ref().take(4).map(show).collect::<Vec<_>>().join(", ");
    match items.count() {
        0 => head,
        more => format!("{head} and {more} more"),
    }
}
