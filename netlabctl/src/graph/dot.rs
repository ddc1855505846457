//! Graphviz.

use std::fmt::Write as _;

use netlab_proto::text::{is_hidden, visible};

use super::Topology;

/// Writes an undirected graph.
pub(super) fn write(topology: &Topology) -> String {
    let mut out = format!("graph {} {{\n", quote(&topology.name));
    out.push_str("  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\"];\n");
    out.push_str("  edge [fontname=\"sans-serif\", fontsize=10];\n");
    for (i, each) in topology.boxes.iter().enumerate() {
        let label = std::iter::once(&each.name).chain(&each.lines).map(String::as_str).collect::<Vec<_>>();
        let style = if each.host { ", style=filled, fillcolor=\"#e8e8e8\"" } else { "" };
        let _ = writeln!(out, "  n{i} [label={}{style}];", quote(&label.join("\n")));
    }
    for edge in &topology.edges {
        let (from, to) = (edge.from, edge.to);
        let [tail, head] = edge.ends.each_ref().map(|end| quote(end));
        let kind = match (edge.cable(), edge.note.as_str()) {
            (true, "") => String::new(),
            (true, note) => format!(", label={}", quote(note)),
            (false, _) => format!(", style=dashed, label={}", quote(&edge.label)),
        };
        let _ = writeln!(out, "  n{from} -- n{to} [taillabel={tail}, headlabel={head}{kind}];");
    }
    out + "}\n"
}

/// A string in double quotes; its lines are centred.
fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c.is_whitespace() => out.push(' '),
            // Graphviz would read a single backslash as an escape of its own.
            c if is_hidden(c) => out.push_str(&visible(&c.to_string()).replace('\\', "\\\\")),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
