//! From a field path of the daemon to the place in the file.

use std::rc::Rc;

use super::{
    fault::{Fault, Position},
    tree::{Entry, Node, Value},
};

/// A place in the file, and which of the things it is that stand there as one.
pub(crate) struct Place {
    pub(crate) at: Position,
    pub(crate) member: Option<Rc<str>>,
}

impl Place {
    /// A fault at this place.
    pub(super) fn fault(self, message: String) -> Fault {
        let mut fault = Fault::new(self.at, message);
        if let Some(member) = &self.member {
            fault.of(member);
        }
        fault
    }
}

/// Finds the place of a path such as `nodes.ns1.interfaces.eth0.addresses[0]`. Where the file does
/// not hold it: the place of the nearest thing around it, and what is left of the path.
///
/// Map keys stand as they are or, with other characters, as `["br0.100"]`; an unquoted key that
/// holds dots is found too, as the longest key that fits.
pub(crate) fn locate<'a>(root: &Node, path: &'a str) -> (Place, &'a str) {
    let mut place = root.at;
    let mut member = None;
    let mut node = root;
    let mut rest = path;
    while !rest.is_empty() {
        member = node.member.as_ref().or(member);
        match &node.value {
            Value::Map(entries) => {
                let Some((entry, after)) = key(entries, rest) else { break };
                // The value where it is one word; else its key, where a reader begins to look.
                let scalar = matches!(entry.node.value, Value::Scalar { .. });
                place = if scalar { entry.node.at } else { entry.at };
                (node, rest) = (&entry.node, after);
            }
            Value::List(items) => {
                let Some((item, after)) = index(rest).and_then(|(i, after)| Some((items.get(i)?, after)))
                else {
                    break;
                };
                place = item.at;
                (node, rest) = (item, after);
            }
            Value::Scalar { .. } => break,
        }
    }
    let member = node.member.as_ref().or(member).map(Rc::clone);
    (Place { at: place, member }, rest.trim_start_matches('.'))
}

fn key<'a, 'p>(entries: &'a [Entry], rest: &'p str) -> Option<(&'a Entry, &'p str)> {
    if let Some(quoted) = rest.strip_prefix('[') {
        let mut values = serde_json::Deserializer::from_str(quoted).into_iter::<String>();
        let key = values.next()?.ok()?;
        let after = quoted[values.byte_offset()..].strip_prefix(']')?;
        return Some((entries.iter().find(|entry| entry.key == key)?, after));
    }
    let rest = rest.strip_prefix('.').unwrap_or(rest);
    let fits = |entry: &&Entry| {
        rest.strip_prefix(entry.key.as_str())
            .is_some_and(|after| after.is_empty() || after.starts_with(['.', '[']))
    };
    let entry = entries.iter().filter(fits).max_by_key(|entry| entry.key.len())?;
    Some((entry, &rest[entry.key.len()..]))
}

fn index(rest: &str) -> Option<(usize, &str)> {
    let (number, after) = rest.strip_prefix('[')?.split_once(']')?;
    Some((number.parse().ok()?, after))
}
