//! The flat lab while it is being made.

use std::{collections::HashMap, rc::Rc};

use crate::labfile::{
    fault::{Fault, Position},
    place,
    tree::{Entry, Node, Value},
};

/// Most nodes of a lab, as netlabd has it.
pub(super) const NODES: usize = 4096;
/// Most links.
pub(super) const LINKS: usize = 10_000;
/// Most checks.
pub(super) const CHECKS: usize = 10_000;
/// Longest name of an interface in bytes.
pub(super) const INTERFACE: usize = 15;

/// What is made, and what is wrong.
pub(super) struct Draft<'a> {
    pub(super) nodes: Vec<Entry>,
    index: HashMap<String, usize>,
    /// Nodes that are networks: bridges without addresses.
    pub(super) networks: usize,
    pub(super) host: Option<Entry>,
    pub(super) links: Vec<Rc<Node>>,
    pub(super) faults: &'a mut Vec<Fault>,
    names: &'a [String],
}

impl<'a> Draft<'a> {
    pub(super) fn new(host: Option<Entry>, names: &'a [String], faults: &'a mut Vec<Fault>) -> Self {
        let (nodes, index, links) = (Vec::new(), HashMap::new(), Vec::new());
        Self { nodes, index, networks: 0, host, links, faults, names }
    }

    /// Says what is wrong at a place.
    pub(super) fn fault(&mut self, at: Position, message: impl Into<String>) {
        self.faults.push(Fault::new(at, message));
    }

    /// The same of one of several things that are written there as one.
    pub(super) fn fault_of(&mut self, at: Position, member: Option<&Rc<str>>, message: impl Into<String>) {
        let mut fault = Fault::new(at, message);
        if let Some(member) = member {
            fault.of(member);
        }
        self.faults.push(fault);
    }

    /// A line in words, for a message about `from`.
    pub(super) fn place(&self, at: Position, from: Position) -> String {
        place(self.names, at, from)
    }

    /// Adds a node; where there is one of that name, that one's place.
    pub(super) fn add(&mut self, entry: Entry) -> Result<(), Position> {
        if let Some(there) = self.node(&entry.key) {
            return Err(there.at);
        }
        self.index.insert(entry.key.clone(), self.nodes.len());
        self.nodes.push(entry);
        Ok(())
    }

    pub(super) fn node(&self, name: &str) -> Option<&Entry> {
        self.index.get(name).map(|at| &self.nodes[*at])
    }

    /// A node, or the host, to be changed.
    fn place_mut(&mut self, name: &str) -> Option<&mut Rc<Node>> {
        match self.index.get(name) {
            Some(at) => Some(&mut self.nodes[*at].node),
            None if name == "host" => self.host.as_mut().map(|host| &mut host.node),
            None => None,
        }
    }

    /// The addresses that an interface has, as they are written.
    pub(super) fn addresses(&self, node: &str, interface: &str) -> &[Rc<Node>] {
        let host = || self.host.as_ref().filter(|_| node == "host");
        let addresses = || {
            let place = &self.node(node).or_else(host)?.node;
            place.get("interfaces")?.get(interface)?.get("addresses")
        };
        addresses().map_or(&[], |addresses| addresses.items())
    }

    /// Gives an interface another address.
    pub(super) fn add_address(&mut self, node: &str, interface: &str, address: Rc<Node>) {
        self.add_to(node, &["interfaces", interface, "addresses"], address);
    }

    /// Gives a node another route.
    pub(super) fn add_route(&mut self, node: &str, route: Rc<Node>) {
        self.add_to(node, &["routes"], route);
    }

    fn add_to(&mut self, node: &str, path: &[&str], item: Rc<Node>) {
        let at = item.at;
        if node == "host" && self.host.is_none() {
            let node = Rc::new(Node::new(at, Value::Map(Vec::new())));
            self.host = Some(Entry { key: "host".to_owned(), at, node });
        }
        let Some(mut place) = self.place_mut(node) else { return };
        for key in path {
            let Some(below) = child(place, key, at) else { return };
            place = below;
        }
        let list = Rc::make_mut(place);
        if list.is_nothing() {
            list.value = Value::List(Vec::new());
        }
        if let Value::List(items) = &mut list.value {
            items.push(item);
        }
    }
}

/// The value of a key, made where there is none.
fn child<'t>(node: &'t mut Rc<Node>, key: &str, at: Position) -> Option<&'t mut Rc<Node>> {
    let node = Rc::make_mut(node);
    if node.is_nothing() {
        node.value = Value::Map(Vec::new());
    }
    let Value::Map(entries) = &mut node.value else { return None };
    let found = entries.iter().position(|entry| entry.key == key).unwrap_or_else(|| {
        entries.push(Entry { key: key.to_owned(), at, node: Node::text(at, "") });
        entries.len() - 1
    });
    Some(&mut entries[found].node)
}

/// A mapping of few keys, all written at one place.
pub(super) fn mapping(at: Position, entries: Vec<(&str, Rc<Node>)>) -> Rc<Node> {
    let entry = |(key, node): (&str, Rc<Node>)| Entry { key: key.to_owned(), at, node };
    Rc::new(Node::new(at, Value::Map(entries.into_iter().map(entry).collect())))
}

/// A list at a place.
pub(super) fn list(at: Position, items: Vec<Rc<Node>>) -> Rc<Node> {
    Rc::new(Node::new(at, Value::List(items)))
}

/// The same value, known to be one of several.
pub(super) fn of(node: &Node, member: Option<&Rc<str>>) -> Rc<Node> {
    let mut node = node.clone();
    node.member = member.map(Rc::clone).or(node.member);
    Rc::new(node)
}
