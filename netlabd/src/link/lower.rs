//! What an interface stands on.

use crate::model::{lab::Place, name::IfName};

/// What an interface stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lower<N> {
    /// An interface of the same namespace.
    Here(N),
    /// An interface of the host: it is made from there and placed in its node (`IFLA_LINK_NETNSID`).
    Host(N),
}

impl<N> Lower<N> {
    /// The same by reference.
    pub fn as_ref(&self) -> Lower<&N> {
        match self {
            Self::Here(name) => Lower::Here(name),
            Self::Host(name) => Lower::Host(name),
        }
    }

    /// Which, for changing.
    pub fn name_mut(&mut self) -> &mut N {
        match self {
            Self::Here(name) | Self::Host(name) => name,
        }
    }

    /// Which.
    pub fn name(self) -> N {
        match self {
            Self::Here(name) | Self::Host(name) => name,
        }
    }

    /// Where that is; `at` is the place of what stands on it.
    pub fn place(&self, at: &Place) -> Place {
        match self {
            Self::Here(_) => at.clone(),
            Self::Host(_) => Place::Host,
        }
    }
}

/// What an interface is to stand on, by what its message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The kind's key.
    pub key: &'static str,
    /// The field below it.
    pub field: &'static str,
    /// What it names.
    pub lower: Lower<IfName>,
    /// [`LinkKind::TAKES_LOWER`](super::LinkKind::TAKES_LOWER).
    pub takes: bool,
    /// Whether it sends Ethernet frames through it: all do that the kernel is told of by `IFLA_LINK`.
    pub frames: bool,
    /// [`LinkKind::FOREIGN_LOWER`].
    pub foreign: bool,
}
