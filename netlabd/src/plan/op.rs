//! Operations: single changes to the kernel's state, as plain data, and plans made of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::{
    Target,
    item::{Item, Link, LinkChange, Namespace, Setting, Veth},
};
use crate::model::{Endpoint, Form, LabName, NodeName, Place};

/// What an operation does to its item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Makes something new.
    Add,
    /// Changes what is there.
    Set,
    /// Takes something away.
    Delete,
}

/// One change to the kernel's state: a verb and what it is done to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Op {
    /// What is done.
    pub verb: Verb,
    /// To what.
    pub item: Item,
}

impl Op {
    /// Makes an item.
    pub fn add(item: impl Into<Item>) -> Self {
        Self { verb: Verb::Add, item: item.into() }
    }

    /// Changes an item.
    pub fn set(item: impl Into<Item>) -> Self {
        Self { verb: Verb::Set, item: item.into() }
    }

    /// Takes an item away.
    pub fn delete(item: impl Into<Item>) -> Self {
        Self { verb: Verb::Delete, item: item.into() }
    }

    /// The place whose state it changes; for a veth pair that of its first end.
    pub fn place(&self) -> Place {
        self.item.get().at().place()
    }

    /// The nodes in which it changes something, save for what goes with a deleted interface.
    pub fn nodes(&self) -> impl Iterator<Item = NodeName> {
        let other = if let Item::Veth(pair) = &self.item { Some(pair.b.at.place.clone()) } else { None };
        let places = [self.place()].into_iter().chain(other);
        places.filter_map(|place| if let Place::Node(node) = place { Some(node) } else { None })
    }

    /// The node with the other end of a veth pair, which gets a carrier or loses it where this end is set up or down.
    pub fn peer_node(&self, target: &Target) -> Option<NodeName> {
        let Item::Setting(Setting { at, change: LinkChange::Up(_) }) = &self.item else { return None };
        let Form::Veth { peer } = &target.link(at)?.form else { return None };
        if let Place::Node(node) = &peer.place { Some(node.clone()) } else { None }
    }

    /// The node whose namespace it makes.
    pub fn makes_node(&self) -> Option<&NodeName> {
        match (self.verb, &self.item) {
            (Verb::Add, Item::Namespace(Namespace(node))) => Some(node),
            _ => None,
        }
    }

    /// The node whose namespace it takes away.
    pub fn deletes_node(&self) -> Option<&NodeName> {
        match (self.verb, &self.item) {
            (Verb::Delete, Item::Namespace(Namespace(node))) => Some(node),
            _ => None,
        }
    }

    /// The interfaces that it makes.
    pub fn makes_links(&self) -> impl Iterator<Item = &Endpoint> {
        let made = match &self.item {
            Item::Veth(Veth { a, b }) => [Some(&a.at), Some(&b.at)],
            Item::Link(Link { at, .. }) => [Some(at), None],
            _ => [None, None],
        };
        made.into_iter().flatten()
    }

    /// The object that it changes, for example `ns1:eth0`, or `ns1`.
    pub fn object(&self) -> String {
        self.item.get().at().to_string()
    }

    /// What was amiss where this operation is part of a repair, for example
    /// `ns1:eth0: address 192.0.2.1/24 is missing`.
    pub fn finding(&self) -> String {
        self.item.get().finding(self.verb)
    }

    /// Whether the kernel's refusal says only that somebody else has taken away already what is to go.
    pub fn is_done_already(&self, errno: i32) -> bool {
        self.item.get().is_done_already(self.verb, errno)
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.item.get().describe(self.verb))
    }
}

/// The `ip`, `bridge`, `sysctl` or `nft` line that does the same as `op` in a lab, for root on the
/// lab's host, marks included. Any name or value in it is one word for a POSIX shell, whatever it holds.
pub fn command(lab: &LabName, op: &Op) -> String {
    super::command::Hand { lab, exact: true }.line(op)
}

/// What is to be done, in stages: a stage begins when the one before is done. Operations of one
/// stage that concern one place keep their order; different places may be worked on at once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The stages, none of them empty.
    pub stages: Vec<Stage>,
    /// What stands in the way on the host and is not ours to touch, in words.
    pub conflicts: Vec<String>,
    /// What others added and what is left alone, in words, by place; places without any are left out.
    pub extras: BTreeMap<Place, BTreeSet<String>>,
}

/// One stage of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Its name, for progress.
    pub name: &'static str,
    /// What is to be done in it.
    pub ops: Vec<Op>,
}

impl Plan {
    /// Whether nothing is to be done and nothing stands in the way.
    pub fn is_empty(&self) -> bool {
        self.stages.is_empty() && self.conflicts.is_empty()
    }

    /// All operations in order.
    pub fn ops(&self) -> impl Iterator<Item = &Op> {
        self.stages.iter().flat_map(|stage| &stage.ops)
    }

    /// How many operations there are.
    pub fn len(&self) -> usize {
        self.stages.iter().map(|stage| stage.ops.len()).sum()
    }
}
