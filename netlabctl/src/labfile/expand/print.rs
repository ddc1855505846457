//! The flat lab as YAML, with comments that say where each part comes from.

use std::{fmt::Write as _, rc::Rc};

use netlab_proto::text::is_hidden;

use crate::labfile::{
    fault::Position,
    tree::{Entry, Node, Value},
    walk::{is_false, is_true},
};

/// Longest value that stands on one line with its key.
const WIDTH: usize = 100;

/// Writes the lab.
pub(crate) fn print(root: &Node, files: &[String]) -> String {
    let mut printer = Printer { files, out: String::new(), last: None };
    for entry in root.entries() {
        let _ = write!(printer.out, "{}:", word(&entry.key, true));
        match &entry.node.value {
            Value::Map(entries) if !entries.is_empty() && entry.key == "nodes" => {
                printer.out.push('\n');
                for node in entries {
                    printer.from(&node.node, node.at);
                    printer.entry(node, 1, true);
                }
            }
            Value::List(items) if !items.is_empty() => {
                printer.out.push('\n');
                for item in items {
                    printer.from(item, item.at);
                    printer.item(item, 1);
                }
            }
            _ => printer.value(&entry.node, 0, true),
        }
    }
    printer.out
}

struct Printer<'a> {
    files: &'a [String],
    out: String,
    /// The comment before.
    last: Option<String>,
}

impl Printer<'_> {
    /// A line that says where what follows comes from, where that is elsewhere than before.
    fn from(&mut self, node: &Node, at: Position) {
        let whole =
            node.member.as_deref().map(|member| member.split_once(", ").map_or(member, |(whole, _)| whole));
        let line = whole.map_or_else(|| self.place(at), |whole| format!("{whole} ({})", self.place(at)));
        if self.last.as_ref() != Some(&line) {
            let _ = writeln!(self.out, "  # {}", clean(&line));
            self.last = Some(line);
        }
    }

    fn place(&self, at: Position) -> String {
        format!("{}:{}", self.files.get(usize::from(at.file)).map_or("", String::as_str), at.line)
    }

    fn entry(&mut self, entry: &Entry, depth: usize, open: bool) {
        let _ = write!(self.out, "{:indent$}{}:", "", word(&entry.key, true), indent = depth * 2);
        self.value(&entry.node, depth, open);
    }

    /// What follows a key: on its line where it is short, unless it is to be `open`.
    fn value(&mut self, node: &Node, depth: usize, open: bool) {
        let mut line = String::new();
        flow(node, &mut line);
        match &node.value {
            Value::Map(entries) if !entries.is_empty() && (open || line.len() > WIDTH) => {
                self.out.push('\n');
                for entry in entries {
                    // Each interface on a line of its own.
                    let open = entry.key == "interfaces" && depth == 1;
                    self.entry(entry, depth + 1, open);
                }
            }
            Value::List(items) if !items.is_empty() && line.len() > WIDTH => {
                self.out.push('\n');
                for item in items {
                    self.item(item, depth + 1);
                }
            }
            _ => {
                let _ = writeln!(self.out, " {line}{}", self.origin(node, depth));
            }
        }
    }

    fn item(&mut self, item: &Node, depth: usize) {
        let mut line = String::new();
        flow(item, &mut line);
        let _ = writeln!(self.out, "{:indent$}- {line}", "", indent = depth * 2);
    }

    /// Where a part of a node comes from that the node's own lines do not say.
    fn origin(&self, node: &Node, depth: usize) -> String {
        let Some((member, at)) = given(node).filter(|_| depth > 1) else { return String::new() };
        format!("  # {} ({})", clean(member), self.place(at))
    }
}

/// The first part of a value that says whose it is.
fn given(node: &Node) -> Option<(&str, Position)> {
    let own = node.member.as_deref().map(|member| (member, node.at));
    own.or_else(|| match &node.value {
        Value::Map(entries) => entries.iter().find_map(|entry| given(&entry.node)),
        Value::List(items) => items.iter().find_map(|item: &Rc<Node>| given(item)),
        Value::Scalar { .. } => None,
    })
}

fn flow(node: &Node, out: &mut String) {
    match &node.value {
        Value::Map(entries) if entries.is_empty() => out.push_str("{}"),
        Value::Map(entries) => {
            for (i, entry) in entries.iter().enumerate() {
                let _ = write!(out, "{}{}: ", if i == 0 { "{ " } else { ", " }, word(&entry.key, true));
                flow(&entry.node, out);
            }
            out.push_str(" }");
        }
        Value::List(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i == 0 { "" } else { ", " });
                flow(item, out);
            }
            out.push(']');
        }
        Value::Scalar { .. } if node.is_nothing() => out.push_str("null"),
        Value::Scalar { text, plain } => out.push_str(&word(text, *plain)),
    }
}

/// A word without quotes where it had none and needs none.
fn word(text: &str, plain: bool) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "_./:-".contains(c);
    let bare = text.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'))
        && text.chars().all(safe)
        && !text.ends_with(':')
        && !matches!(text, "-" | "--" | "---" | "..." | "null" | "Null" | "NULL");
    if plain && (bare || is_true(text) || is_false(text)) {
        return text.to_owned();
    }
    let mut out = String::new();
    for c in serde_json::Value::String(text.to_owned()).to_string().chars() {
        match u32::from(c) {
            number if is_hidden(c) && number > 0xffff => _ = write!(out, "\\U{number:08x}"),
            number if is_hidden(c) => _ = write!(out, "\\u{number:04x}"),
            _ => out.push(c),
        }
    }
    out
}

/// A text that ends no comment.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || is_hidden(c) { ' ' } else { c }).collect()
}
