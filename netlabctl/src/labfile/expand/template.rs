//! Templates: what several nodes have in common.

use std::{collections::HashMap, rc::Rc};

use netlab_proto::suggest::nearest;

use super::draft::Draft;
use crate::labfile::{
    keys::USE,
    tree::{Entry, Node, Value},
    walk::show,
};

/// All templates of a file.
pub(super) struct Templates<'t> {
    written: &'t [Entry],
    /// Those that others were put under already.
    whole: HashMap<&'t str, Rc<Node>>,
}

impl<'t> Templates<'t> {
    pub(super) fn read(root: &'t Node, lab: &mut Draft<'_>) -> Self {
        let templates = root.get("templates");
        if let Some(node) =
            templates.filter(|node| !node.is_nothing() && !matches!(node.value, Value::Map(_)))
        {
            lab.fault(node.at, format!("templates: expected a mapping of names, found {}", show(node)));
        }
        let mut all = Self { written: templates.map_or(&[], |node| node.entries()), whole: HashMap::new() };
        // Each once, also those that nobody uses.
        for entry in all.written {
            all.one(entry, &mut Vec::new(), lab);
        }
        all
    }

    /// A node with its templates under it.
    pub(super) fn under(&mut self, body: &Rc<Node>, lab: &mut Draft<'_>) -> Rc<Node> {
        self.apply(body, &mut Vec::new(), lab)
    }

    fn apply(&mut self, body: &Rc<Node>, open: &mut Vec<&'t str>, lab: &mut Draft<'_>) -> Rc<Node> {
        let Some(names) = body.get(USE) else { return Rc::clone(body) };
        let own = body.entries().iter().filter(|entry| entry.key != USE).cloned().collect();
        let own = body.with(Value::Map(own));
        let names = match &names.value {
            Value::List(items) => items.as_slice(),
            _ => std::slice::from_ref(names),
        };
        let mut all: Option<Rc<Node>> = None;
        for name in names.iter().filter(|name| !name.is_nothing()) {
            let Some(word) = name.word() else {
                lab.fault(name.at, format!("use: expected names of templates, found {}", show(name)));
                continue;
            };
            let written = self.written;
            let Some(entry) = written.iter().find(|entry| entry.key == word) else {
                let near = nearest(word, written.iter().map(|entry| entry.key.as_str()));
                let hint = near.map(|near| format!(", did you mean {near:?}?")).unwrap_or_default();
                lab.fault(name.at, format!("there is no template {word:?}{hint}"));
                continue;
            };
            if let Some(first) = open.iter().position(|open| *open == word) {
                let round = open[first..].join(", which uses ");
                lab.fault(name.at, format!("template {word:?} uses itself: {round}, which uses {word}"));
                continue;
            }
            let template = self.one(entry, open, lab);
            all = Some(all.map_or_else(|| Rc::clone(&template), |all| merge(&all, &template)));
        }
        all.map_or_else(|| Rc::clone(&own), |all| merge(&all, &own))
    }

    fn one(&mut self, entry: &'t Entry, open: &mut Vec<&'t str>, lab: &mut Draft<'_>) -> Rc<Node> {
        if let Some(whole) = self.whole.get(entry.key.as_str()) {
            return Rc::clone(whole);
        }
        open.push(&entry.key);
        let whole = self.apply(&entry.node, open, lab);
        open.pop();
        self.whole.insert(&entry.key, Rc::clone(&whole));
        whole
    }
}

/// One value over another: mappings join, of anything else the upper one stays.
fn merge(under: &Rc<Node>, over: &Rc<Node>) -> Rc<Node> {
    let (Value::Map(first), Value::Map(second)) = (&under.value, &over.value) else {
        // A key with nothing after it takes nothing away.
        return Rc::clone(if over.is_nothing() { under } else { over });
    };
    let mut places: HashMap<&str, usize> =
        first.iter().enumerate().map(|(i, e)| (e.key.as_str(), i)).collect();
    let mut all = first.clone();
    for entry in second {
        if let Some(at) = places.remove(entry.key.as_str()) {
            all[at].node = merge(&all[at].node, &entry.node);
            all[at].at = entry.at;
        } else {
            all.push(entry.clone());
        }
    }
    over.with(Value::Map(all))
}
