//! Namespaces are let go.

use std::io;

use super::{
    super::rtnl::{self, RouteSocket},
    NodeSpace, Spaces,
};
use crate::{
    failpoint,
    model::{LabName, NodeName},
    platform::Failure,
    sandbox,
    sys::netns,
};

/// Most pins taken away at once. The kernel waits for a grace period of RCU with each (`namespace_unlock`
/// in `fs/namespace.c`), and those who wait together share it.
const AT_ONCE: usize = 64;
/// Pins for which another thread pays.
const EACH: usize = 4;

/// What was let go.
#[derive(Debug, Default)]
pub(in crate::kernel) struct Removed {
    /// The identifiers that the namespaces had.
    pub(in crate::kernel) ids: Vec<i32>,
    /// What could not be let go, and why.
    pub(in crate::kernel) failures: Vec<Failure>,
}

impl Spaces {
    /// Lets namespaces of nodes go, all at one moment: the kernel then takes them apart together. It frees
    /// each once nobody is in it.
    pub(in crate::kernel) fn remove(&self, lab: &LabName, nodes: &[&NodeName]) -> Result<Removed, Failure> {
        let open = self.of(lab)?;
        let unpinned = netns::on_threads(
            AT_ONCE.min(nodes.len() / EACH),
            nodes,
            || (),
            |(), node| self.unpin(lab, node, open.nodes.get(*node)),
        )
        .map_err(|error| Failure::no_thread(lab, &error))?;
        drop(open);
        let mut removed = Removed::default();
        let mut last_users = Vec::with_capacity(nodes.len());
        self.edit(lab, |spaces| {
            for (node, unpinned) in nodes.iter().zip(unpinned) {
                match unpinned {
                    Ok(()) => last_users.extend(spaces.nodes.remove(*node)),
                    Err(failure) => removed.failures.push(failure),
                }
            }
            removed.ids = last_users.iter().filter_map(|space| space.id).collect();
            let mut owners = self.owners();
            for id in &removed.ids {
                spaces.by_id.remove(id);
                owners.remove(id);
            }
        });
        drop(last_users);
        Ok(removed)
    }

    /// Takes a node's pin away, unless it is somebody else's.
    fn unpin(&self, lab: &LabName, node: &NodeName, space: Option<&NodeSpace>) -> Result<(), Failure> {
        let path = self.pin_path(lab, node);
        if space.is_some_and(|space| self.is_pinned(lab, node, space)) || sandbox::is_bare(&path) {
            sandbox::unpin(&path).map_err(|error| Failure::sandbox(node, &error))?;
            failpoint::step("after a node is unpinned");
        }
        Ok(())
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
