//! What netlabd keeps of root's power (capabilities(7)).

use rustix::{
    io::Errno,
    thread::{CapabilitySet, capabilities},
};

use crate::sys::capabilities::keep;

/// Without these nothing works:
/// - `SYS_ADMIN`: namespaces, mounts of pins;
/// - `NET_ADMIN`: links, addresses, routes, rules;
/// - `NET_BROADCAST`: one socket that hears the events of all namespaces (`NETLINK_LISTEN_ALL_NSID`, netlink(7)).
///
/// Over what belongs to a lab the daemon has all capabilities all the same: its user namespace is owned by
/// user 0 (`user_namespaces(7)`).
const VITAL: CapabilitySet =
    CapabilitySet::SYS_ADMIN.union(CapabilitySet::NET_ADMIN).union(CapabilitySet::NET_BROADCAST);

/// Without these something does not work, and says so then:
/// - `NET_RAW`: captures and ICMP echo on the host;
/// - `SETUID`, `SETGID`: the id maps of new labs; the group of sockets;
/// - `DAC_OVERRIDE`: cgroups of labs; the root of cgroup v2 lets not even its owner write.
const NEEDED: CapabilitySet = CapabilitySet::NET_RAW
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::DAC_OVERRIDE);

/// What netlabd keeps where it has it; `NET_BIND_SERVICE` is for `--listen` below port 1024.
pub(super) const KEPT: CapabilitySet = VITAL.union(NEEDED).union(CapabilitySet::NET_BIND_SERVICE);

/// Why the capabilities cannot be dropped.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// Some that are needed are not there.
    #[error("netlabd lacks {0}; start it as root, and give its service or container these capabilities")]
    Missing(String),
    /// The kernel refused.
    #[error("giving up capabilities that are not needed: {0}")]
    Refused(#[from] Errno),
}

/// Drops all but [`KEPT`] of the calling thread, for good: no program that it starts gets them back. To be
/// called while the process has one thread.
///
/// # Errors
/// See [`Error`].
pub(super) fn drop_unneeded() -> Result<(), Error> {
    let have = capabilities(None)?.permitted;
    if !have.contains(VITAL) {
        return Err(Error::Missing(names(VITAL.difference(have))));
    }
    if !have.contains(NEEDED) {
        tracing::warn!(
            missing = names(NEEDED.difference(have)),
            "some capabilities are missing; not all will work"
        );
    }
    Ok(keep(KEPT.intersection(have))?)
}

fn names(set: CapabilitySet) -> String {
    set.iter_names().map(|(name, _)| format!("CAP_{name}")).collect::<Vec<_>>().join(", ")
}
