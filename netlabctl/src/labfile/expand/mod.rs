//! What is short in a lab file, written out: the daemon knows the flat lab only.
//!
//! From the tree of the file to another tree, whose values still say where in the file their author wrote them, and
//! which of several things that are written there as one they are. So all faults, the daemon's too, lead to the file.

mod checks;
mod conflict;
mod draft;
mod fill;
mod links;
mod networks;
mod nodes;
mod parameters;
mod pools;
mod print;
mod range;
mod routes;
mod select;
mod space;
mod template;
#[cfg(test)]
mod tests;
mod topology;

use std::rc::Rc;

use crate::labfile::{
    fault::Fault,
    keys::LAB,
    tree::{Entry, MOST_VALUES, Node, Value},
};
use draft::Draft;
pub(crate) use parameters::Setting;
pub(crate) use print::print;

/// Writes a lab out. What is no structure stays as it is.
pub(crate) fn flat(
    root: &Rc<Node>,
    settings: &[Setting],
    names: &[String],
    faults: &mut Vec<Fault>,
) -> Rc<Node> {
    if !matches!(root.value, Value::Map(_)) {
        return Rc::clone(root);
    }
    let mut filler = fill::Filler::new();
    let root = parameters::fill(root, settings, &mut filler, faults);
    let host = root.entries().iter().find(|entry| entry.key == "host").cloned();
    let mut lab = Draft::new(host, names, faults);
    let mut templates = template::Templates::read(&root, &mut lab);
    if let Some(nodes) = root.get("nodes") {
        nodes::write(nodes, &mut templates, &mut filler, &mut lab);
    }
    let mut pools = pools::Pools::read(&root, &mut lab);
    pools.addresses(&mut lab);
    networks::write(&root, &mut pools, &mut filler, &mut lab);
    if let Some(links) = root.get("links") {
        links::write(links, &mut pools, &mut lab);
    }
    conflict::find(&pools, &mut lab);
    routes::write(&root, &mut lab);
    let checks = root.get("checks").map(|checks| checks::write(checks, &mut lab));
    whole(&root, checks, lab)
}

/// Puts the parts together, in the order of the file.
fn whole(root: &Rc<Node>, mut checks: Option<Vec<Rc<Node>>>, mut lab: Draft<'_>) -> Rc<Node> {
    let nodes = std::mem::take(&mut lab.nodes);
    let links = std::mem::take(&mut lab.links);
    let networks = root.entries().iter().find(|entry| entry.key == "networks");
    let mut parts = [("nodes", Some(Value::Map(nodes))), ("links", Some(Value::List(links)))];
    let mut all = Vec::new();
    for entry in root.entries() {
        let part = parts.iter_mut().find(|(key, _)| *key == entry.key);
        let value = match (&entry.node.value, part) {
            (Value::Map(_), Some((_, value @ Some(Value::Map(_)))))
            | (Value::List(_), Some((_, value @ Some(Value::List(_))))) => value.take(),
            (Value::Scalar { .. }, Some((_, value))) if entry.node.is_nothing() => value.take(),
            (Value::List(_), None) if entry.key == "checks" => checks.take().map(Value::List),
            _ => None,
        };
        match (value, entry.key.as_str()) {
            (Some(value), _) => {
                let node = entry.node.with(value);
                all.push(Entry { node, ..entry.clone() });
            }
            (None, "host") => all.extend(lab.host.take()),
            (None, key) if LAB.contains(&key) || key.starts_with("x-") => {}
            (None, _) => all.push(entry.clone()),
        }
    }
    // What the file has none of, but its networks and pools do.
    for (key, value) in parts {
        let Some((entry, value)) = networks.zip(value) else { continue };
        if root.get(key).is_none() {
            let node = Rc::new(Node::new(entry.at, value));
            all.push(Entry { key: key.to_owned(), at: entry.at, node });
        }
    }
    all.extend(lab.host.take());
    let flat = root.with(Value::Map(all));
    let mut left = MOST_VALUES;
    if !count(&flat, &mut left) {
        lab.fault(root.at, format!("written out, the lab has more than {MOST_VALUES} values; split the lab"));
        return root.with(Value::Map(Vec::new()));
    }
    flat
}

/// Whether a value and all that is in it, repeated values each time, is no more than what is left.
fn count(node: &Node, left: &mut usize) -> bool {
    if *left == 0 {
        return false;
    }
    *left -= 1;
    match &node.value {
        Value::Scalar { .. } => true,
        Value::List(items) => items.iter().all(|item| count(item, left)),
        Value::Map(entries) => entries.iter().all(|entry| count(&entry.node, left)),
    }
}
