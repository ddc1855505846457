//! What the API asks of the nodes of labs that run.

use std::{os::fd::OwnedFd, path::Path};

use netlab_proto::v1::{DetachedCommand, NodeStatus};

use super::{Failure, Kernel};
use crate::{
    feature::Feature,
    model::{LabName, NodeName},
    plan::Target,
    sandbox::{Child, Command, Limits},
};

/// Nodes, of the kernel or of a fake of it. All calls block.
pub trait Nodes: Kernel {
    /// All features that labs may need, in the order in which they are told.
    fn features(&self) -> Vec<Feature>;

    /// The cgroup below which the processes of labs are bounded, or why they are not.
    fn bounds(&self) -> Result<&Path, &str>;

    /// Runs a command in a node of a lab whose ids begin at `first_id`, whose processes are bounded.
    fn run(
        &self,
        lab: &LabName,
        node: &NodeName,
        first_id: u32,
        limits: Limits,
        command: Command,
    ) -> Result<Child, Failure>;

    /// Keeps that a command runs on without a client.
    fn note_detached(&self, lab: &LabName, child: &Child, command: &DetachedCommand) -> std::io::Result<()>;

    /// The commands of a lab that run on without a client, oldest first.
    fn detached(&self, lab: &LabName) -> Vec<DetachedCommand>;

    /// What is there of a lab, of which `target` is wanted, with states and counters.
    fn inspect(&self, lab: &LabName, target: &Target) -> Result<Vec<NodeStatus>, Failure>;

    /// The network namespace of a node, or of the host; `None` if there is no such node.
    fn namespace(&self, lab: &LabName, node: Option<&NodeName>) -> Result<Option<OwnedFd>, Failure>;
}
