//! Files of other programs, known by their first keys: their faults as a lab file would be blind.

use super::{
    fault::{Fault, Position},
    tree::{Entry, Node, Value},
};

/// A program's file: what it is, and keys of which each must be there.
const MAPPINGS: [(&str, &[&str]); 11] = [
    ("a containerlab topology", &["topology"]),
    ("a Compose file", &["services"]),
    ("a netplan configuration", &["network"]),
    ("a Kubernetes manifest", &["apiVersion", "kind"]),
    ("a topology of ipspace netlab", &["provider"]),
    ("a topology of ipspace netlab", &["module"]),
    ("a topology of ipspace netlab", &["addressing"]),
    ("a tinet specification", &["node_configs"]),
    ("a MiniEdit (Mininet) topology", &["switches"]),
    ("an Ansible inventory", &["all"]),
    ("an nmstate state", &["interfaces"]),
];

/// What a tree that is no lab looks like.
pub(super) fn mapping(root: &Node) -> Option<Fault> {
    let entries = match &root.value {
        Value::Map(entries) => entries,
        Value::List(_) | Value::Scalar { .. } => return None,
    };
    let find = |key: &str| entries.iter().find(|entry| entry.key == key);
    // With mappings of nodes it is a lab with a key too many.
    let nodes = |entry: &Entry| matches!(entry.node.value, Value::Map(_));
    if find("nodes").is_some_and(nodes) {
        return None;
    }
    let (what, keys) = MAPPINGS.iter().find(|(_, keys)| keys.iter().all(|key| find(key).is_some()))?;
    find(keys[0]).map(|entry| looks_like(entry.at, what))
}

/// What a text that is not even YAML, or not the YAML of a mapping, looks like.
pub(super) fn text(text: &str) -> Option<Fault> {
    let first = text.trim_start();
    let what = if first.starts_with("#!") {
        "a script"
    } else if first.starts_with('<') && !first.starts_with("<<") {
        "XML"
    } else if text.lines().any(|line| line.starts_with("<<<<<<< ")) {
        let line = text.lines().position(|line| line.starts_with("<<<<<<< ")).unwrap_or_default() + 1;
        let at = Position { line, ..Position::START };
        return Some(Fault::new(at, "a conflict of a merge that is not resolved; resolve it"));
    } else if ["{%", "{{"].iter().any(|mark| text.contains(mark)) && !first.starts_with('{') {
        "a template; render it first"
    } else {
        return None;
    };
    Some(looks_like(Position::START, what))
}

fn looks_like(at: Position, what: &str) -> Fault {
    let message = format!(
        "this looks like {what}, not like a lab file, which has \"name\", \"nodes\" by name and \"links\""
    );
    Fault::new(at, message)
}
