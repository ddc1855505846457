//! Why a request about a lab is refused. Nothing was changed then.

use crate::{feature::Feature, model::LabName, platform::Failure, policy::Denied, store};

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such lab.
    #[error("there is no lab {0}")]
    NotFound(LabName),
    /// What is kept of it cannot be read.
    #[error(
        "the stored record of lab {0} cannot be read (netlabd's log says why): the lab keeps running unmanaged; an administrator can delete it, which removes what is left of it"
    )]
    Unreadable(LabName),
    /// There is one already.
    #[error("{}", exists(lab, owner, *own))]
    Exists {
        /// The lab.
        lab: LabName,
        /// Its owner in a word.
        owner: String,
        /// Whether the caller may use it.
        own: bool,
    },
    /// It is on its way out.
    #[error("lab {0} is being deleted; try again when it is gone")]
    Deleting(LabName),
    /// It was changed meanwhile.
    #[error(
        "lab {lab} is at generation {found}, not {expected}: it was changed meanwhile; get it and try again"
    )]
    Stale {
        /// The lab.
        lab: LabName,
        /// What the request expected.
        expected: u64,
        /// What is.
        found: u64,
    },
    /// It is another one than the request is about.
    #[error(
        "lab {lab} is {found}, not {expected}: another one was made under its name; get it and try again"
    )]
    Other {
        /// The lab.
        lab: LabName,
        /// The uid that the request expected.
        expected: String,
        /// What is.
        found: String,
    },
    /// No change of it waits to be confirmed.
    #[error("no change of lab {0} waits to be confirmed; it may have been rolled back already")]
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

fn exists(lab: &LabName, owner: &str, own: bool) -> String {
    if own {
        format!("there is a lab {lab} already; change it, or delete it first")
    } else {
        format!("lab {lab} is {owner}'s; give yours another name")
    }
}

/// What a lab must be for a request to be done to it; the default is any lab.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// Its generation; 0: any.
    pub generation: u64,
    /// Its uid; empty: any.
    pub uid: String,
}

impl Expected {
    /// Only a generation.
    pub fn generation(generation: u64) -> Self {
        Self { generation, uid: String::new() }
    }

    /// Whether a lab is what is expected.
    ///
    /// # Errors
    /// It was changed, or made again.
    pub(super) fn check(&self, lab: &LabName, record: &store::Record) -> Result<(), Error> {
        if !self.uid.is_empty() && self.uid != record.uid {
            return Err(Error::Other {
                lab: lab.clone(),
                expected: self.uid.clone(),
                found: record.uid.clone(),
            });
        }
        if self.generation != 0 && self.generation != record.generation {
            let (expected, found) = (self.generation, record.generation);
            return Err(Error::Stale { lab: lab.clone(), expected, found });
        }
        Ok(())
    }
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
    /// An interface or a bridge of the host on which something of the lab is to be does not exist.
    ParentNotFound,
    /// It belongs to something else already.
    ParentTaken,
    /// Its MTU does not fit.
    ParentMtu,
    /// It is set up otherwise than what is to be there needs.
    ParentUnfit,
    /// The host ran out of something that finding out takes.
    Exhausted,
    /// The kernel lacks this feature.
    FeatureMissing(Feature),
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
            Self::ParentUnfit => "PARENT_UNFIT",
            Self::Exhausted => "HOST_EXHAUSTED",
            Self::FeatureMissing(_) => "FEATURE_MISSING",
            Self::Ipv6Advertised => "HOST_IPV6_ADVERTISED",
        }
    }
}
