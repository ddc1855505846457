//! YAML 1.2 that YAML 1.1 readers understand alike: whatever could be read as anything but the text
//! that it is, is quoted.

use std::fmt::Write as _;

use netlab_proto::text::is_hidden;
use serde_json::Value;

/// Words that some reader takes for a truth value, nothing or a number.
const RESERVED: [&str; 12] =
    ["true", "false", "yes", "no", "on", "off", "y", "n", "null", "nan", "inf", "none"];

/// Writes a value as one document, with a newline at its end.
pub(super) fn write(value: &Value) -> String {
    let mut text = String::new();
    block(value, 0, &mut text);
    text
}

fn block(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (i, (key, value)) in map.iter().enumerate() {
                if i > 0 {
                    indent(depth, out);
                }
                out.push_str(&scalar(key));
                out.push(':');
                below(value, depth, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    indent(depth, out);
                }
                out.push_str("- ");
                block(item, depth + 1, out);
            }
        }
        value => {
            out.push_str(&flow(value));
            out.push('\n');
        }
    }
}

/// What follows a key: on its line if it is one word, else on the lines below.
fn below(value: &Value, depth: usize, out: &mut String) {
    let nested = match value {
        Value::Object(map) => !map.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    if nested {
        out.push('\n');
        indent(depth + 1, out);
        block(value, depth + 1, out);
    } else {
        let _ = writeln!(out, " {}", flow(value));
    }
}

fn flow(value: &Value) -> String {
    match value {
        Value::Object(_) => "{}".to_owned(),
        Value::Array(_) => "[]".to_owned(),
        Value::String(text) => scalar(text),
        value => value.to_string(),
    }
}

fn scalar(text: &str) -> String {
    let word = |c: char| c.is_ascii_alphanumeric() || "_./-".contains(c);
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '/')
        && text.split(' ').all(|part| !part.is_empty() && part.chars().all(word))
        && !RESERVED.contains(&text.to_ascii_lowercase().as_str());
    // A JSON string is a YAML string in double quotes.
    if plain { text.to_owned() } else { escaped(&Value::String(text.to_owned()).to_string()) }
}

/// A string in double quotes with what cannot be seen written as YAML 1.2, 5.7 has it.
fn escaped(quoted: &str) -> String {
    let mut out = String::with_capacity(quoted.len());
    for c in quoted.chars() {
        match u32::from(c) {
            number if is_hidden(c) && number > 0xffff => _ = write!(out, "\\U{number:08x}"),
            number if is_hidden(c) => _ = write!(out, "\\u{number:04x}"),
            _ => out.push(c),
        }
    }
    out
}

fn indent(depth: usize, out: &mut String) {
    for _ in 0..depth {
        out.push_str("  ");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_and_mappings_nest() {
        let value = json!({
            "name": "vxlan",
            "nodes": { "ns1": { "addresses": ["192.0.2.1/24", "x"], "up": true } },
            "links": [ { "endpoints": ["a:b", "c:d"], "count": 1 }, [[1, 2], {}], {} ],
            "empty": [],
        });
        let expected = "\
name: vxlan
nodes:
  ns1:
    addresses:
      - \"192.0.2.1/24\"
      - x
    up: true
links:
  - endpoints:
      - \"a:b\"
      - \"c:d\"
    count: 1
  - - - 1
      - 2
    - {}
  - {}
empty: []
";
        assert_eq!(write(&value), expected);
    }

    #[test]
    fn what_could_be_misread_is_quoted() {
        let ambiguous = [
            "",
            " ",
            "no",
            "Yes",
            "NULL",
            "~",
            "1",
            "1.5",
            "0x1f",
            "1e3",
            "12:30",
            "2026-01-01",
            "a: b",
            "a #b",
            "- a",
            "a ",
            " a",
            "a  b",
            "{a}",
            "[a]",
            "&a",
            "*a",
            "!a",
            "|",
            ">",
            "%a",
            "@a",
            "`a`",
            "'a'",
            "\"a\"",
            "a\nb",
            "?",
            ".5",
            "-1",
            "---",
            "...",
            "=",
            "<<",
            ".nan",
        ];
        for text in ambiguous {
            let written = scalar(text);
            assert!(written.starts_with('"'), "{text:?} written as {written}");
            assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
        }
        for text in ["vxlan", "host", "ns1 is up", "/run/netns", "a-b_c.d"] {
            assert_eq!(scalar(text), text);
        }
    }

    #[test]
    fn what_is_written_is_what_a_yaml_reader_reads() {
        let value =
            json!({ "no": { "1": ["true", true, 7, "a\tb\"c\\", "\u{85}\u{2028}\u{7f}\u{e0001}", null] } });
        let text = write(&value);
        assert!(text.chars().all(|c| c == '\n' || !is_hidden(c)), "{text:?}");
        let mut parser = saphyr_parser::Parser::new_from_str(&text);
        let mut scalars = Vec::new();
        while let Some(event) = parser.next_event() {
            if let saphyr_parser::Event::Scalar(text, ..) = event.unwrap().0 {
                scalars.push(text.into_owned());
            }
        }
        let expected = ["no", "1", "true", "true", "7", "a\tb\"c\\", "\u{85}\u{2028}\u{7f}\u{e0001}", "null"];
        assert_eq!(scalars, expected);
    }
}
