//! Checks: from all, to all, or from and to what ranges and stars stand for.

use std::rc::Rc;

use super::{
    draft::{CHECKS, Draft, of},
    fill,
    select::{self, End},
};
use crate::labfile::tree::{Entry, Node, Value};

/// The word for all nodes that have an address.
const ALL: &str = "all";

/// The checks that are written, one for each pair.
pub(super) fn write(checks: &Node, lab: &mut Draft<'_>) -> Vec<Rc<Node>> {
    let mut all = Vec::new();
    for item in checks.items() {
        let side =
            |key: &str| item.get(key).filter(|node| node.word().is_some_and(|word| is_many(word, lab)));
        let several = (side("from"), side("to"));
        if matches!(several, (None, None)) {
            all.push(Rc::clone(item));
        } else if let Err((at, why)) = many(item, several.0.is_some(), &mut all, lab) {
            lab.fault(at, why);
            return all;
        }
    }
    all
}

fn is_many(word: &str, lab: &Draft<'_>) -> bool {
    select::is_many(word) || (word == ALL && lab.node(ALL).is_none())
}

fn many(
    item: &Rc<Node>,
    from_many: bool,
    all: &mut Vec<Rc<Node>>,
    lab: &Draft<'_>,
) -> Result<(), (crate::labfile::fault::Position, String)> {
    // What is left out, the reader of the flat lab tells.
    let (Some(from), Some(to)) = (item.get("from"), item.get("to")) else {
        all.push(Rc::clone(item));
        return Ok(());
    };
    let words =
        |node: &Rc<Node>| node.word().map(str::to_owned).ok_or((node.at, "expected a node".to_owned()));
    let (source, target) = (words(from)?, words(to)?);
    let read = |word: &str, node: &Node| match word {
        ALL if is_many(word, lab) => Ok(with_addresses(node, lab)),
        // An address is no name of a node.
        word if !is_many(word, lab) => {
            Ok(vec![End { node: word.to_owned(), values: Vec::new(), interface: None, at: node.at }])
        }
        word => select::read(word, node.at, lab).map_err(|why| (node.at, why)),
    };
    for sender in read(&source, from)? {
        let filled = if from_many && source != ALL {
            fill::text(&target, &|word| fill::of_values(&sender.values, word)).map_err(|why| (to.at, why))?
        } else {
            None
        };
        for other in read(filled.as_deref().unwrap_or(&target), to)? {
            if sender.node == other.node {
                continue;
            }
            if all.len() >= CHECKS {
                let message =
                    format!("up to here the lab has more than {CHECKS} checks, the most; name fewer nodes");
                return Err((item.at, message));
            }
            all.push(check(item, &sender, &other).map_err(|why| (to.at, why))?);
        }
    }
    Ok(())
}

fn check(item: &Rc<Node>, from: &End, to: &End) -> Result<Rc<Node>, String> {
    let word = |end: &End| {
        let Some(said) = &end.interface else { return Ok(end.node.clone()) };
        let name = fill::text(said, &|word| fill::of_values(&end.values, word))?;
        Ok::<_, String>(format!("{}:{}", end.node, name.as_ref().unwrap_or(said)))
    };
    let (from_word, to_word) = (word(from)?, word(to)?);
    let keys = item.entries().iter().map(|entry| match entry.key.as_str() {
        "from" => Entry { node: Node::text(from.at, from_word.clone()), ..entry.clone() },
        "to" => Entry { node: Node::text(to.at, to_word.clone()), ..entry.clone() },
        _ => entry.clone(),
    });
    let node = item.with(Value::Map(keys.collect()));
    let label: Rc<str> = format!("checks, {from_word} to {to_word}").into();
    Ok(of(&node, Some(&label)))
}

/// All nodes that something can be sent to.
fn with_addresses(node: &Node, lab: &Draft<'_>) -> Vec<End> {
    let has = |entry: &&Entry| {
        let interfaces = entry.node.get("interfaces").map_or(&[][..], |all| all.entries());
        interfaces.iter().any(|interface| {
            interface.node.get("addresses").is_some_and(|addresses| !addresses.items().is_empty())
        })
    };
    let end =
        |entry: &Entry| End { node: entry.key.clone(), values: Vec::new(), interface: None, at: node.at };
    lab.nodes.iter().filter(has).map(end).collect()
}
