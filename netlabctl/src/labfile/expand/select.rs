//! Texts that stand for nodes, or for ends of links: `leaf[1-6]`, `h1-*`, `spine1:eth{n}`.

use netlab_proto::suggest::nearest;

use super::{
    draft::{Draft, LINKS},
    range,
};
use crate::labfile::{fault::Position, tree::Node, walk::show};

/// Most stars of one text.
const STARS: usize = 3;

/// A node, and what it is called here.
#[derive(Debug, Clone)]
pub(super) struct End {
    pub(super) node: String,
    /// What ranges and stars are in its name.
    pub(super) values: Vec<String>,
    /// Its interface, if one is said, with words in braces.
    pub(super) interface: Option<String>,
    /// Where it is written.
    pub(super) at: Position,
}

/// Whether a text stands for more than one.
pub(super) fn is_many(text: &str) -> bool {
    range::has(text) || text.contains('*')
}

/// The ends that one word of the file stands for.
pub(super) fn ends(node: &Node, lab: &mut Draft<'_>) -> Option<Vec<End>> {
    let Some(text) = node.word() else {
        lab.fault(node.at, format!("expected names of nodes, found {}", show(node)));
        return None;
    };
    read(text, node.at, lab).map_err(|why| lab.fault(node.at, why)).ok()
}

/// The same of a text.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(text: &str, at: Position, lab: &Draft<'_>) -> Result<Vec<End>, String> {
    let (names, interface) = match text.split_once(':') {
        Some((names, interface)) => (names, Some(interface.to_owned())),
        None => (text, None),
    };
    if names.matches('*').count() > STARS {
        return Err(format!("{text:?} has more than {STARS} stars"));
    }
    let mut all = Vec::new();
    for member in range::members(names, LINKS)? {
        let end = |node: &str, values: Vec<String>| End {
            node: node.to_owned(),
            values,
            interface: interface.clone(),
            at,
        };
        if !member.name.contains('*') {
            all.push(end(&member.name, member.values));
            continue;
        }
        let before = all.len();
        for entry in lab.nodes.iter().filter(|entry| entry.key.len() <= 64) {
            let mut stars = Vec::new();
            if matches(member.name.as_bytes(), entry.key.as_bytes(), &mut stars) {
                let values = member.values.iter().cloned().chain(stars).collect();
                all.push(end(&entry.key, values));
            }
        }
        if all.len() == before {
            return Err(format!("no node is called {}", member.name));
        }
        if all.len() > LINKS {
            return Err(format!("{text:?} stands for more than {LINKS} nodes"));
        }
    }
    Ok(all)
}

/// Whether a name fits; what each star stands for then.
fn matches(pattern: &[u8], name: &[u8], stars: &mut Vec<String>) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some((b'*', rest)) => (0..=name.len()).any(|length| {
            stars.push(String::from_utf8_lossy(&name[..length]).into_owned());
            let fits = matches(rest, &name[length..], stars);
            if !fits {
                stars.pop();
            }
            fits
        }),
        Some((first, rest)) => name.first() == Some(first) && matches(rest, &name[1..], stars),
    }
}

/// What to say of a node that is not there.
pub(super) fn unknown(name: &str, lab: &Draft<'_>) -> String {
    let near = nearest(name, lab.nodes.iter().map(|entry| entry.key.as_str()));
    let hint = near.map(|near| format!(", did you mean {near:?}?")).unwrap_or_default();
    format!("the lab has no node {name:?}{hint}")
}
