//! Namespaces are let go.

use std::{collections::BTreeSet, io};

use super::{
    super::rtnl::{self, RouteSocket},
    Namespaces,
};
use crate::{
    model::{LabName, NodeName},
    platform::Failure,
};

/// What was let go.
#[derive(Debug, Default)]
pub(in crate::kernel) struct Removed {
    /// The identifiers that the namespaces had.
    pub(in crate::kernel) ids: Vec<i32>,
    /// What could not be let go, and why.
    pub(in crate::kernel) failures: Vec<Failure>,
}

impl Namespaces {
    /// Lets namespaces of nodes go, all at one moment: the kernel then takes them apart together. It frees
    /// each once nobody is in it.
    pub(in crate::kernel) fn remove(&self, lab: &LabName, nodes: &[&NodeName]) -> Result<Removed, Failure> {
        let open = self.of(lab)?;
        let known: Vec<_> = nodes
            .iter()
            .map(|node| (*node, open.nodes.get(*node).map(|namespace| namespace.inode)))
            .collect();
        let going: BTreeSet<_> = nodes.iter().copied().collect();
        let all = open.nodes.keys().all(|node| going.contains(node));
        // Held here they would live on.
        drop(open);
        let unpinned = self.pins.remove(lab, &known, all).map_err(|error| Failure::no_thread(lab, &error))?;
        let mut removed = Removed::default();
        let mut last_users = Vec::with_capacity(nodes.len());
        self.edit(lab, |namespaces| {
            for (node, unpinned) in nodes.iter().zip(unpinned) {
                match unpinned {
                    Ok(()) => last_users.extend(namespaces.nodes.remove(*node)),
                    Err(failure) => removed.failures.push(failure),
                }
            }
            removed.ids = last_users.iter().filter_map(|namespace| namespace.id).collect();
            let mut owners = self.owners();
            for id in &removed.ids {
                namespaces.by_id.remove(id);
                owners.remove(id);
            }
        });
        drop(last_users);
        Ok(removed)
    }

    /// Deletes our interfaces in those namespaces without owner that somebody still holds.
    pub(in crate::kernel) fn empty(&self, ids: &[i32]) -> io::Result<()> {
        let mut socket = RouteSocket::open()?;
        // Locked, so that no new namespace is given one of the identifiers meanwhile.
        let owners = self.owners();
        // One question instead of one request for each of a thousand nodes that are gone.
        let living = rtnl::living_ids(&mut socket)?.ok();
        let lives = |id: &i32| living.as_ref().is_none_or(|living| living.contains(id));
        let held = ids.iter().copied().filter(|id| !owners.contains_key(id) && lives(id));
        rtnl::empty_namespaces(&mut socket, held)
    }
}
