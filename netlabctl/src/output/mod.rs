//! What is written to the standard output.

mod message;
pub(crate) mod style;
pub(crate) mod table;
pub(crate) mod time;
pub(crate) mod xml;
mod yaml;

use std::{
    fmt::Write as _,
    io::{self, Write as _},
};

use netlab_proto::text::is_hidden;
use prost::Name;
use serde::Serialize;
use serde_json::Value;

use crate::{
    cli::Output,
    error::{FAILED, Failure},
};

/// Writes text and flushes it, so that a reader of a pipe has it at once.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    Ok(())
}

/// Writes one line.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    print(&format!("{text}\n"))
}

/// Writes an answer of the API: as the message itself, all its fields shown, or by `table` for people.
pub(crate) fn result<T: Serialize + Name>(
    format: Output,
    message: &T,
    table: impl FnOnce() -> String,
) -> Result<(), Failure> {
    write(format, Shape::Whole, || message::value(message), table)
}

/// Writes a result of this program's own, or a message with nothing but what is set in it.
pub(crate) fn own<T: Serialize>(
    format: Output,
    value: &T,
    table: impl FnOnce() -> String,
) -> Result<(), Failure> {
    write(format, Shape::Whole, || serde_json::to_value(value), table)
}

/// Writes one of many answers as it comes: a JSON object a line, or a YAML document each.
pub(crate) fn event<T: Serialize + Name>(
    format: Output,
    message: &T,
    table: impl FnOnce() -> String,
) -> Result<(), Failure> {
    write(format, Shape::OneOfMany, || message::value(message), table)
}

/// The same for a result of this program's own.
pub(crate) fn own_event(
    format: Output,
    value: &Value,
    table: impl FnOnce() -> String,
) -> Result<(), Failure> {
    write(format, Shape::OneOfMany, || Ok(value.clone()), table)
}

/// Whether an answer stands alone or in a stream.
enum Shape {
    Whole,
    OneOfMany,
}

fn write(
    format: Output,
    shape: Shape,
    value: impl FnOnce() -> serde_json::Result<Value>,
    table: impl FnOnce() -> String,
) -> Result<(), Failure> {
    print(&match (format, shape) {
        (Output::Table | Output::Wide | Output::Name | Output::Junit, _) => table(),
        (Output::Json, Shape::Whole) => {
            json(&value().and_then(|value| serde_json::to_string_pretty(&value)).map_err(failed)?)
        }
        (Output::Json, Shape::OneOfMany) => json(&value().map_err(failed)?.to_string()),
        (Output::Yaml, Shape::Whole) => yaml::write(&value().map_err(failed)?),
        (Output::Yaml, Shape::OneOfMany) => format!("---\n{}", yaml::write(&value().map_err(failed)?)),
    })
}

/// Writes what a command tells of a lab: the answer itself, or its name alone, or `table` for people.
pub(crate) fn lab<T: Serialize + Name>(
    format: Output,
    name: &str,
    message: &T,
    table: impl FnOnce() -> String,
) -> Result<(), Failure> {
    if format == Output::Name { line(&table::clean(name)) } else { result(format, message, table) }
}

/// The same of something that a command tells of a lab by itself.
pub(crate) fn lab_event(
    format: Output,
    name: &str,
    value: &Value,
    table: impl FnOnce() -> String,
) -> Result<(), Failure> {
    if format == Output::Name { line(&table::clean(name)) } else { own_event(format, value, table) }
}

/// Sets one of several answers apart from the one before: a document of its own in YAML.
pub(crate) fn one_of(format: Output, several: bool) -> Result<(), Failure> {
    if several && format == Output::Yaml { line("---") } else { Ok(()) }
}

/// JSON as a line, with what cannot be seen escaped in its strings (RFC 8259, section 7): it stands nowhere else.
fn json(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        if c == '\n' || !is_hidden(c) {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
    out.push('\n');
    out
}

#[allow(clippy::needless_pass_by_value)] // for map_err
fn failed(error: serde_json::Error) -> Failure {
    Failure::new(FAILED, format!("cannot write the answer: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_shows_all_that_it_holds() {
        let value = serde_json::json!({ "a\u{9b}": ["\u{202e}x\u{7f}\n", "ü", "\u{e0001}"] });
        let text = json(&serde_json::to_string_pretty(&value).unwrap());
        assert!(text.chars().all(|c| c == '\n' || !is_hidden(c)), "{text:?}");
        assert!(text.contains("\\u009b") && text.contains("\\u202e") && text.contains('ü'), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
