//! Why a request about a lab is refused. Nothing was changed then.

use crate::{exec::Failure, model::LabName, policy::Denied, store};

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such lab.
    #[error("there is no lab {0}")]
    NotFound(LabName),
    /// What is kept of it cannot be read.
    #[error(
        "what is kept of lab {0} cannot be read (netlabd's log says why): it runs on but is not looked after; delete-lab {0}, by an administrator, takes away what is left of it"
    )]
    Unreadable(LabName),
    /// There is one already.
    #[error("there is a lab {0} already; change it with apply-lab, or delete it first")]
    Exists(LabName),
    /// It is on its way out.
    #[error("lab {0} is being deleted; try again when it is gone")]
    Deleting(LabName),
    /// It was changed meanwhile.
    #[error(
        "lab {lab} is at generation {found}, not {expected}: it was changed meanwhile; look at it and apply again"
    )]
    Stale {
        /// The lab.
        lab: LabName,
        /// What the request expected.
        expected: u64,
        /// What is.
        found: u64,
    },
    /// No change of it waits to be confirmed.
    #[error("no change of lab {0} waits to be confirmed; it may have been put back already: see get-lab")]
    NothingToConfirm(LabName),
    /// It is not there to be used (yet).
    #[error("lab {0} is not ready: {1}")]
    NotReady(LabName, String),
    /// The caller may not do it.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The host cannot have it.
    #[error("{}", .0.iter().map(|refusal| refusal.message.as_str()).collect::<Vec<_>>().join("; "))]
    Refused(Vec<Refusal>),
    /// The desired state could not be kept.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The kernel could not be looked at.
    #[error(transparent)]
    Kernel(#[from] Failure),
    /// netlabd is stopping.
    #[error("netlabd is stopping; try again when it is back")]
    Stopping,
}

/// One thing that keeps the host from having a lab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Which kind of thing.
    pub reason: Reason,
    /// The field of the lab that is at fault, for example `host.interfaces.lab0`; may be empty.
    pub path: String,
    /// What is wrong and what to do.
    pub message: String,
}

/// Kinds of refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// An interface name of the host is taken.
    InterfaceTaken,
    /// An address range overlaps one that the host has.
    AddressOverlap,
    /// Something listens on a port of the host.
    PortTaken,
    /// A network namespace of that name exists.
    NamespaceTaken,
    /// A macvlan's parent does not exist.
    ParentNotFound,
    /// A macvlan's parent belongs to something else already.
    ParentTaken,
    /// A macvlan's parent has too small an MTU.
    ParentMtu,
    /// The kernel lacks a feature.
    FeatureMissing,
    /// Forwarding IPv6 would cut the host off.
    Ipv6Advertised,
}

impl Reason {
    /// The `reason` of `google.rpc.ErrorInfo`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InterfaceTaken => "HOST_INTERFACE_TAKEN",
            Self::AddressOverlap => "HOST_ADDRESS_OVERLAP",
            Self::PortTaken => "HOST_PORT_TAKEN",
            Self::NamespaceTaken => "NAMESPACE_TAKEN",
            Self::ParentNotFound => "PARENT_NOT_FOUND",
            Self::ParentTaken => "PARENT_TAKEN",
            Self::ParentMtu => "PARENT_MTU",
            Self::FeatureMissing => "FEATURE_MISSING",
            Self::Ipv6Advertised => "HOST_IPV6_ADVERTISED",
        }
    }
}
