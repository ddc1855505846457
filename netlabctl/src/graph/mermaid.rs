//! Mermaid, which Markdown on most forges shows as a picture.

use std::fmt::Write as _;

use super::{Topology, escape};

/// Writes a flowchart.
pub(super) fn write(topology: &Topology) -> String {
    let mut out = String::from("graph LR\n");
    for (i, each) in topology.boxes.iter().enumerate() {
        let lines = each.lines.iter().map(|line| format!("<br/>{}", escape(line))).collect::<String>();
        let (open, close) = if each.host { ("[[", "]]") } else { ("[", "]") };
        let _ = writeln!(out, "  n{i}{open}\"<b>{}</b>{lines}\"{close}", escape(&each.name));
    }
    for edge in &topology.edges {
        let (from, to) = (edge.from, edge.to);
        if edge.cable() {
            let label = escape(&edge.ends.join(" - "));
            let _ = writeln!(out, "  n{from} ---|\"{label}\"| n{to}");
        } else {
            let _ = writeln!(out, "  n{from} -.-|\"{}\"| n{to}", escape(&edge.label));
        }
    }
    out
}
