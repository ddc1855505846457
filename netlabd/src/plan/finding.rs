//! What was amiss: the causes among the operations of a repair.

use std::collections::BTreeSet;

use super::{Op, Plan, Spot};
use crate::model::{Endpoint, NodeName, Place};

impl Plan {
    /// What differs from what is wanted, in words. What is missing with a node or an interface that is missing
    /// itself goes without saying.
    pub fn findings(&self) -> Vec<String> {
        let missing = Missing::of(self);
        let causes = self.ops().filter(|op| !missing.explains(op)).map(Op::finding);
        self.conflicts.iter().cloned().chain(causes).collect()
    }
}

/// What is to be made anew.
struct Missing<'a> {
    nodes: BTreeSet<&'a NodeName>,
    links: BTreeSet<&'a Endpoint>,
    /// What is in the way of an interface of the same name.
    wrong: BTreeSet<&'a Spot>,
}

impl<'a> Missing<'a> {
    fn of(plan: &'a Plan) -> Self {
        let mut missing = Self { nodes: BTreeSet::new(), links: BTreeSet::new(), wrong: BTreeSet::new() };
        for op in plan.ops() {
            match op {
                Op::AddNode(node) => drop(missing.nodes.insert(node)),
                Op::AddVeth { a, b } => missing.links.extend([&a.at, &b.at]),
                Op::AddLink { at, .. } => drop(missing.links.insert(at)),
                Op::DeleteLink(spot) => drop(missing.wrong.insert(spot)),
                _ => {}
            }
        }
        missing
    }

    fn explains(&self, op: &Op) -> bool {
        match op {
            Op::AddNode(_)
            | Op::DeleteNode(_)
            | Op::PinNode(_)
            | Op::DeleteLink(_)
            | Op::Rename { .. }
            | Op::SetGuard(_) => false,
            Op::AddVeth { a, b } => {
                [a, b].into_iter().any(|end| self.has(&end.at.place) || self.is_wrong(&end.at))
            }
            Op::AddLink { at, .. } => self.has(&at.place) || self.is_wrong(at),
            Op::SetLink { at, .. }
            | Op::AddVlan { at, .. }
            | Op::DeleteVlan { at, .. }
            | Op::AddAddress { at, .. }
            | Op::RenewAddress { at, .. }
            | Op::MakeLinkLocal { at, .. }
            | Op::DeleteAddress { at, .. } => self.has(&at.place) || self.links.contains(at),
            Op::AddRoute { place, route } | Op::DeleteRoute { place, route } => {
                let through = Endpoint { place: place.clone(), interface: route.dev.clone() };
                self.has(place) || self.links.contains(&through)
            }
            Op::SetSysctl { place, key, .. } => {
                let of = key.interface().map(|interface| Endpoint { place: place.clone(), interface });
                self.has(place) || of.is_some_and(|at| self.links.contains(&at))
            }
            Op::SetNat { place, .. } => self.has(place),
        }
    }

    fn has(&self, place: &Place) -> bool {
        matches!(place, Place::Node(node) if self.nodes.contains(node))
    }

    fn is_wrong(&self, at: &Endpoint) -> bool {
        // Usually nothing is.
        let spot = || Spot { place: at.place.clone(), name: at.interface.as_str().to_owned() };
        !self.wrong.is_empty() && self.wrong.contains(&spot())
    }
}
