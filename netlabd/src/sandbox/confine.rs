//! From host root to a lab's root, with no way back: identity, capabilities, resource limits.

use rustix::{
    process::{
        DumpableBehavior, Resource, Rlimit, Signal, getrlimit, set_dumpable_behavior,
        set_parent_process_death_signal, setrlimit,
    },
    thread::{
        CapabilitySet, CapabilitySets, Gid, Uid, capabilities as held, set_capabilities,
        set_keep_capabilities, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
    },
};

use super::{
    error::Step,
    task::{At, TaskError},
};
use crate::sys::capabilities;

/// What the lab's root keeps: full power over the node's network and over its own files and processes.
const KEPT: CapabilitySet = CapabilitySet::NET_ADMIN
    .union(CapabilitySet::NET_RAW)
    .union(CapabilitySet::NET_BIND_SERVICE)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::CHOWN)
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::SYS_CHROOT);

/// Most open files of a process; few programs expect more than the soft limit.
const FILES: (u64, u64) = (1024, 65_536);

/// Becomes the owner of a user namespace that is yet to be made, who is nobody else's id; keeps the capabilities,
/// which it takes where ordinary users may make none.
pub(super) fn become_owner(id: u32) -> Result<(), TaskError> {
    let (uid, gid) = (Uid::from_raw(id), Gid::from_raw(id));
    let have = held(None).at(Step::Identity)?;
    set_keep_capabilities(true).at(Step::Identity)?;
    set_thread_groups(&[]).at(Step::Identity)?;
    set_thread_res_gid(gid, gid, gid).at(Step::Identity)?;
    set_thread_res_uid(uid, uid, uid).at(Step::Identity)?;
    let sets = CapabilitySets { effective: have.permitted, ..have };
    set_capabilities(None, sets).at(Step::Identity)?;
    set_keep_capabilities(false).at(Step::Identity)?;
    // The change of identity has cleared both.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).at(Step::Identity)?;
    set_parent_process_death_signal(Some(Signal::KILL)).at(Step::Identity)
}

/// Becomes user and group 0 of the lab's user namespace, which was entered before. Clears the parent
/// death signal.
pub(super) fn become_lab_root() -> Result<(), TaskError> {
    set_thread_groups(&[]).at(Step::Identity)?;
    set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT).at(Step::Identity)?;
    set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT).at(Step::Identity)?;
    // A change of identity may have made this process readable again; it still holds the daemon's fds.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).at(Step::Identity)
}

/// Drops all capabilities but those that the lab's root keeps, and any way to gain more.
pub(super) fn drop_capabilities() -> Result<(), TaskError> {
    keep(KEPT)
}

/// Drops all capabilities but those to send signals to the lab's processes, and to read their memory and descriptors.
pub(super) fn keep_care() -> Result<(), TaskError> {
    keep(CapabilitySet::KILL.union(CapabilitySet::SYS_PTRACE))
}

/// Drops all capabilities.
pub(super) fn drop_all_capabilities() -> Result<(), TaskError> {
    keep(CapabilitySet::empty())
}

fn keep(kept: CapabilitySet) -> Result<(), TaskError> {
    capabilities::keep(kept).at(Step::Capabilities)
}

/// Bounds what a single command may take, and how many processes its user id may have in the lab: that
/// holds also where no cgroup bounds them.
pub(super) fn limit_resources(processes: u32) -> Result<(), TaskError> {
    let set = |resource, soft: u64, hard: u64| {
        let hard = getrlimit(resource).maximum.map_or(hard, |now| hard.min(now));
        setrlimit(resource, Rlimit { current: Some(soft.min(hard)), maximum: Some(hard) }).at(Step::Limits)
    };
    set(Resource::Nproc, processes.into(), processes.into())?;
    set(Resource::Nofile, FILES.0, FILES.1)?;
    // Not 0: with 1 the kernel does not even start a core_pattern program, which is host root's. The filter of system
    // calls keeps it.
    set(Resource::Core, 1, 1)
}
