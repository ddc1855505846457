//! Resource limits of the process, getrlimit(2), which the commands in nodes inherit.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Every node is held open: as many files as the kernel allows.
pub(super) fn raise_files() {
    const WANTED: u64 = 1 << 20;
    let limit = getrlimit(Resource::Nofile);
    let maximum = limit.maximum.map_or(WANTED, |maximum| maximum.max(WANTED));
    let raised = Rlimit { current: Some(WANTED.max(limit.current.unwrap_or(0))), maximum: Some(maximum) };
    if setrlimit(Resource::Nofile, raised).is_err() {
        let allowed = Rlimit { current: limit.maximum, maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, allowed) {
            tracing::warn!(%error, "the limit of open files stays low; large labs may fail");
        }
    }
}

/// Commands in nodes get a core limit of 1: with it, and not with 0, the kernel does not start the program of
/// `core_pattern` (core(5)), which is host root's.
pub(super) fn raise_core() {
    if getrlimit(Resource::Core).maximum == Some(0)
        && let Err(error) = setrlimit(Resource::Core, Rlimit { current: Some(1), maximum: Some(1) })
    {
        tracing::warn!(
            %error,
            "the core limit is 0: what crashes in a node starts the host's core_pattern program; start netlabd with a limit of 1 or more (LimitCORE=1)"
        );
    }
}
