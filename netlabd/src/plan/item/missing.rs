//! What a plan makes anew: what is missing with it goes without saying.

use std::collections::BTreeSet;

use super::{Item, Spot};
use crate::{
    model::{Endpoint, NodeName, Place},
    plan::{Op, Verb},
};

/// What is to be made anew.
pub(in crate::plan) struct Missing<'a> {
    nodes: BTreeSet<&'a NodeName>,
    links: BTreeSet<&'a Endpoint>,
    /// What is in the way of an interface of the same name.
    wrong: BTreeSet<&'a Spot>,
}

impl<'a> Missing<'a> {
    /// What these operations make.
    pub(in crate::plan) fn of(ops: impl Iterator<Item = &'a Op>) -> Self {
        let mut missing = Self { nodes: BTreeSet::new(), links: BTreeSet::new(), wrong: BTreeSet::new() };
        for op in ops {
            missing.nodes.extend(op.makes_node());
            missing.links.extend(op.makes_links());
            if let (Verb::Delete, Item::Spot(spot)) = (op.verb, &op.item) {
                missing.wrong.insert(spot);
            }
        }
        missing
    }

    /// Whether a place is.
    pub(in crate::plan) fn has(&self, place: &Place) -> bool {
        matches!(place, Place::Node(node) if self.nodes.contains(node))
    }

    /// Whether an interface is.
    pub(in crate::plan) fn has_link(&self, at: &Endpoint) -> bool {
        self.links.contains(at)
    }

    /// Whether another interface had its name.
    pub(in crate::plan) fn is_wrong(&self, at: &Endpoint) -> bool {
        // Usually nothing is.
        let spot = || Spot { place: at.place.clone(), name: at.interface.as_str().to_owned() };
        !self.wrong.is_empty() && self.wrong.contains(&spot())
    }
}
