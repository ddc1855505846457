//! What was amiss: the causes among the operations of a repair.

use std::collections::BTreeSet;

use super::{
    Op, Plan, Verb,
    item::{Item, Spot},
};
use crate::model::{Endpoint, NodeName, Place};

impl Plan {
    /// What differs from what is wanted, in words. What is missing with a node or an interface that is missing
    /// itself goes without saying.
    pub fn findings(&self) -> Vec<String> {
        let missing = Missing::of(self);
        let causes = self.ops().filter(|op| !op.item.get().is_explained(&missing)).map(Op::finding);
        self.conflicts.iter().cloned().chain(causes).collect()
    }
}

/// What is to be made anew.
pub(super) struct Missing<'a> {
    nodes: BTreeSet<&'a NodeName>,
    links: BTreeSet<&'a Endpoint>,
    /// What is in the way of an interface of the same name.
    wrong: BTreeSet<&'a Spot>,
}

impl<'a> Missing<'a> {
    fn of(plan: &'a Plan) -> Self {
        let mut missing = Self { nodes: BTreeSet::new(), links: BTreeSet::new(), wrong: BTreeSet::new() };
        for op in plan.ops() {
            missing.nodes.extend(op.makes_node());
            missing.links.extend(op.makes_links());
            if let (Verb::Delete, Item::Spot(spot)) = (op.verb, &op.item) {
                missing.wrong.insert(spot);
            }
        }
        missing
    }

    /// Whether a place is.
    pub(super) fn has(&self, place: &Place) -> bool {
        matches!(place, Place::Node(node) if self.nodes.contains(node))
    }

    /// Whether an interface is.
    pub(super) fn has_link(&self, at: &Endpoint) -> bool {
        self.links.contains(at)
    }

    /// Whether another interface had its name.
    pub(super) fn is_wrong(&self, at: &Endpoint) -> bool {
        // Usually nothing is.
        let spot = || Spot { place: at.place.clone(), name: at.interface.as_str().to_owned() };
        !self.wrong.is_empty() && self.wrong.contains(&spot())
    }
}
