//! What clients ask of nodes: commands, their namespaces, and how they look.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use netlab_proto::v1::{DetachedCommand, NodeStatus};

use super::{Linux, detached, inspect, probe};
use crate::{
    feature::Feature,
    model::{LabName, NodeName},
    plan::Target,
    platform::{Failure, Nodes},
    policy::EACH,
    sandbox::{Child, Command, IdRange, Limits},
};

impl Nodes for Linux {
    fn features(&self) -> Vec<Feature> {
        probe::features()
    }

    fn bounds(&self) -> Result<&Path, &str> {
        self.commands.bounds()
    }

    fn run(
        &self,
        lab: &LabName,
        node: &NodeName,
        first_id: u32,
        limits: Limits,
        command: Command,
    ) -> Result<Child, Failure> {
        let ids = IdRange { base: first_id, count: EACH };
        self.commands.run(&self.namespaces, lab, node, ids, limits, command)
    }

    fn note_detached(&self, lab: &LabName, child: &Child, command: &DetachedCommand) -> std::io::Result<()> {
        detached::note(&self.commands.detached_dir(lab), child.monitor(), command)
    }

    fn detached(&self, lab: &LabName) -> Vec<DetachedCommand> {
        detached::running(&self.commands.detached_dir(lab))
    }

    fn inspect(&self, lab: &LabName, target: &Target) -> Result<Vec<NodeStatus>, Failure> {
        inspect::inspect(self, self.host.as_fd(), lab, target)
    }

    fn namespace(&self, lab: &LabName, node: Option<&NodeName>) -> Result<Option<OwnedFd>, Failure> {
        let copy = |fd: BorrowedFd<'_>| {
            fd.try_clone_to_owned().map_err(|error| Failure::os(lab, "opening a namespace", &error))
        };
        match node {
            None => copy(self.host.as_fd()).map(Some),
            Some(node) => {
                self.namespaces.of(lab)?.nodes().get(node).map(|namespace| copy(namespace.fd())).transpose()
            }
        }
    }
}
