//! How much one user may have.

use std::ops::AddAssign;

use crate::model::Lab;

/// Something that runs on behalf of a caller and is counted while it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Session {
    /// A command in a node.
    Exec,
    /// A capture.
    Capture,
    /// A command that is to run on without a client, while it is started.
    Detached,
}

impl Session {
    /// The quota's name in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exec => "exec_sessions",
            Self::Capture => "captures",
            Self::Detached => "detached_commands",
        }
    }
}

/// What labs take of their owner's quotas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Labs.
    pub labs: u64,
    /// Nodes in all labs.
    pub nodes: u64,
    /// Links in all labs.
    pub links: u64,
}

impl Usage {
    /// What one lab takes.
    pub fn of(lab: &Lab) -> Self {
        Self { labs: 1, nodes: lab.nodes.len() as u64, links: lab.cables.len() as u64 }
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.labs += other.labs;
        self.nodes += other.nodes;
        self.links += other.links;
    }
}
