//! Mermaid, which Markdown on most forges shows as a picture.

use std::fmt::Write as _;

use super::{Topology, escape};

/// Writes a flowchart.
pub(super) fn write(topology: &Topology) -> String {
    let mut out = String::from("graph LR\n");
    for (i, each) in topology.boxes.iter().enumerate() {
        let name = format!("<b>{}</b>", escape(&each.name));
        let text: Vec<String> =
            std::iter::once(name).chain(each.lines.iter().map(|line| escape(line))).collect();
        let text = text.join("<br/>");
        let (open, close) = if each.host { ("[[", "]]") } else { ("[", "]") };
        let _ = writeln!(out, "  n{i}{open}\"{text}\"{close}");
    }
    for edge in &topology.edges {
        let (from, to) = (edge.from, edge.to);
        if edge.cable() {
            let note = if edge.note.is_empty() { "" } else { "<br/>" };
            let label = format!("{}{note}{}", escape(&edge.ends.join(" - ")), escape(&edge.note));
            let _ = writeln!(out, "  n{from} ---|\"{label}\"| n{to}");
        } else {
            let _ = writeln!(out, "  n{from} -.-|\"{}\"| n{to}", escape(&edge.label));
        }
    }
    out
}
