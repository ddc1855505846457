//! Why something is not permitted.

use std::{net::IpAddr, sync::Arc};

use crate::model::LabName;

/// Why something is not permitted, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The caller has no business with netlabd.
    #[error(
        "user {uid} may not use netlabd; join group netlab (as root: usermod --append --groups netlab USER) and log in again"
    )]
    Outsider {
        /// The caller.
        uid: u32,
    },
    /// A certificate that says nothing of a role, of somebody whom the configuration does not name.
    #[error(
        "the name {name:?} of the client certificate is not known here; add it to [tls.users] of netlabd's \
         configuration, or use a certificate with a role (netlabctl pki issue client NAME --role member)"
    )]
    Unknown {
        /// The name in the certificate.
        name: Arc<str>,
    },
    /// The lab is somebody else's.
    #[error(
        "lab {lab} belongs to {owner}; ask them or a member of group netlab-admin, or use a lab of your own"
    )]
    NotOwner {
        /// The lab.
        lab: LabName,
        /// Its owner in words, for example `alice (uid 1000)`.
        owner: String,
    },
    /// A ping from the host to elsewhere.
    #[error(
        "{address} is no address of lab {lab}: from the host, members may ping their labs only; ping from a node, or \
         ask a member of group netlab-admin"
    )]
    Ping {
        /// The lab.
        lab: LabName,
        /// Where to.
        address: IpAddr,
    },
    /// The lab would touch more of the host than the policy allows.
    #[error("{}", .0.iter().map(|violation| violation.message.as_str()).collect::<Vec<_>>().join("; "))]
    Host(Vec<Violation>),
    /// A quota is used up.
    #[error(
        "quota {quota}: {used} of {limit} are in use and {asked} more are asked for; give some back, or ask an \
         administrator to raise it in netlabd's configuration"
    )]
    Quota {
        /// Its name in the configuration.
        quota: &'static str,
        /// How many are in use.
        used: u64,
        /// How many more are asked for.
        asked: u64,
        /// How many are allowed.
        limit: u32,
    },
}

/// One thing of the host that a lab may not touch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The field of the lab, for example `host.interfaces.lab0.addresses[0]`.
    pub path: String,
    /// What is not allowed and what to do.
    pub message: String,
}
