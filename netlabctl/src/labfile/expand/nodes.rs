//! Nodes: templates under them, ranges in their names.

use std::rc::Rc;

use super::{
    draft::{Draft, NODES, of},
    fill::{self, Filler},
    range,
    template::Templates,
};
use crate::labfile::tree::{Entry, Node};

/// Adds the nodes that are written; those that are none stay as they are, for what reads the flat lab.
pub(super) fn write(nodes: &Node, templates: &mut Templates<'_>, filler: &mut Filler, lab: &mut Draft<'_>) {
    for entry in nodes.entries() {
        let body = templates.under(&entry.node, lab);
        if !range::has(&entry.key) {
            add(Entry { node: body, ..entry.clone() }, lab);
            continue;
        }
        let members = match range::members(&entry.key, NODES) {
            Ok(members) => members,
            Err(why) => {
                lab.fault(entry.at, why);
                continue;
            }
        };
        if lab.nodes.len() + members.len() > NODES {
            let count = lab.nodes.len() + members.len();
            lab.fault(
                entry.at,
                format!("with {} the lab has {count} nodes; at most {NODES} are allowed", entry.key),
            );
            continue;
        }
        let varies = fill::mentions(&body);
        for member in members {
            let label: Rc<str> = format!("{}, {}", entry.key, member.name).into();
            let before = lab.faults.len();
            let node = if varies {
                filler.fill(&body, &|word| fill::of_values(&member.values, word), lab.faults)
            } else {
                Rc::clone(&body)
            };
            lab.faults[before..].iter_mut().for_each(|fault| fault.of(&label));
            add(Entry { key: member.name, at: entry.at, node: of(&node, Some(&label)) }, lab);
        }
    }
}

fn add(entry: Entry, lab: &mut Draft<'_>) {
    let (name, at, label) = (entry.key.clone(), entry.at, entry.node.member.clone());
    if let Err(first) = lab.add(entry) {
        let first = lab.place(first, at);
        let message = format!("{name:?} is here twice, first on {first}; leave it out of one");
        lab.fault_of(at, label.as_ref(), message);
    }
}
