//! The system call filter of everything that runs in a lab.
//!
//! It is the second wall: capabilities and the user namespace refuse most of this already. What it
//! adds is that kernel code behind rarely used calls cannot be reached at all.

use std::{collections::BTreeMap, sync::OnceLock};

use rustix::io::Errno;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};

use super::{
    error::Step,
    task::{At, TaskError},
};

/// Answered with EPERM: namespaces, mounts, and doors to much kernel code that no network tool needs.
const DENIED: &[libc::c_long] = &[
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_bpf,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_userfaultfd,
    libc::SYS_perf_event_open,
    libc::SYS_open_by_handle_at,
    libc::SYS_pidfd_getfd,
];

/// The socket families that network tools use, `domain` of `socket(2)`. Others are much kernel code (`AF_ALG`, `AF_KEY`,
/// `AF_XDP`, Bluetooth), or lead past the network namespace: `AF_VSOCK` to the hypervisor.
const FAMILIES: &[libc::c_int] =
    &[libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK, libc::AF_PACKET];

/// Every namespace flag of `clone(2)`; `CLONE_NEWTIME` shares its bit with the exit signal there.
const NEW_NAMESPACE: &[libc::c_int] = &[
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];

/// x86-64's second table of the same calls (`__X32_SYSCALL_BIT`), which a filter by number must name too.
#[cfg(target_arch = "x86_64")]
const TABLES: &[libc::c_long] = &[0, 0x4000_0000];
#[cfg(not(target_arch = "x86_64"))]
const TABLES: &[libc::c_long] = &[0];

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

static COMPILED: OnceLock<[BpfProgram; 4]> = OnceLock::new();

/// Compiles the filters, so that processes which are forked from this one need not.
pub(super) fn prepare() -> Result<(), TaskError> {
    compiled().map(drop)
}

fn compiled() -> Result<&'static [BpfProgram; 4], TaskError> {
    if let Some(filters) = COMPILED.get() {
        return Ok(filters);
    }
    let filters = filters().map_err(|_| (Step::Seccomp, Errno::INVAL))?;
    Ok(COMPILED.get_or_init(|| filters))
}

/// Installs the filters for this process and all it starts. They cannot be taken off.
pub(super) fn install() -> Result<(), TaskError> {
    compiled()?.iter().try_for_each(|filter| match seccompiler::apply_filter(filter) {
        Ok(()) => Ok(()),
        Err(seccompiler::Error::Prctl(error) | seccompiler::Error::Seccomp(error)) => {
            Err(error).at(Step::Seccomp)
        }
        Err(_) => Err((Step::Seccomp, Errno::INVAL)),
    })
}

fn filters() -> Result<[BpfProgram; 4], seccompiler::BackendError> {
    // clone3's flags lie in memory, out of a filter's reach: without it, libc falls back to clone.
    let absent = everywhere(&[libc::SYS_clone3]).collect();
    Ok([
        program(absent, libc::ENOSYS)?,
        program(denied()?, libc::EPERM)?,
        program(other_families()?, libc::EAFNOSUPPORT)?,
        // As if it were done: programs that turn core dumps off, such as gpg, end themselves where they cannot.
        program(core_limits()?, 0)?,
    ])
}

/// Rules for calls whatever their arguments.
fn everywhere(calls: &[libc::c_long]) -> impl Iterator<Item = (i64, Vec<SeccompRule>)> {
    TABLES.iter().flat_map(move |table| calls.iter().map(move |call| (call | table, Vec::new())))
}

fn denied() -> Result<Rules, seccompiler::BackendError> {
    let mut rules: Rules = everywhere(DENIED).collect();
    for table in TABLES {
        let flags: Result<Vec<_>, _> = NEW_NAMESPACE.iter().map(|flag| asks_for(*flag)).collect();
        rules.insert(libc::SYS_clone | table, flags?);
    }
    Ok(rules)
}

/// A rule for a first argument that has all bits of `flag`.
fn asks_for(flag: libc::c_int) -> Result<SeccompRule, seccompiler::BackendError> {
    let flag = u64::from(flag.cast_unsigned());
    SeccompRule::new(vec![word(0, SeccompCmpOp::MaskedEq(flag), flag)?])
}

/// Sockets of none of [`FAMILIES`].
fn other_families() -> Result<Rules, seccompiler::BackendError> {
    let none_of: Result<Vec<_>, _> =
        FAMILIES.iter().map(|family| word(0, SeccompCmpOp::Ne, u64::from(family.cast_unsigned()))).collect();
    let rule = SeccompRule::new(none_of?)?;
    let calls = everywhere(&[libc::SYS_socket, libc::SYS_socketpair]);
    Ok(calls.map(|(call, _)| (call, vec![rule.clone()])).collect())
}

/// Changes of `RLIMIT_CORE`. It is 1, and with 1 alone the kernel does not start the program of the host's
/// `core_pattern` (`core(5)`), which runs as the host's root; with 0 it does.
fn core_limits() -> Result<Rules, seccompiler::BackendError> {
    let core = u64::from(libc::RLIMIT_CORE);
    let set = SeccompRule::new(vec![word(0, SeccompCmpOp::Eq, core)?])?;
    // A new limit that is no null pointer; without one, it only asks.
    let new = SeccompCondition::new(2, SeccompCmpArgLen::Qword, SeccompCmpOp::Ne, 0)?;
    let both = SeccompRule::new(vec![word(1, SeccompCmpOp::Eq, core)?, new])?;
    let mut rules = Rules::new();
    for table in TABLES {
        rules.insert(libc::SYS_setrlimit | table, vec![set.clone()]);
        rules.insert(libc::SYS_prlimit64 | table, vec![both.clone()]);
    }
    Ok(rules)
}

/// A condition on an argument of 32 bits.
fn word(argument: u8, is: SeccompCmpOp, value: u64) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, is, value)
}

/// Compiles rules whose match answers `errno`. Calls of another architecture end the process.
fn program(rules: Rules, errno: libc::c_int) -> Result<BpfProgram, seccompiler::BackendError> {
    let answer = SeccompAction::Errno(errno.cast_unsigned());
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    SeccompFilter::new(rules, SeccompAction::Allow, answer, arch)?.try_into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_filters_compile() {
        assert!(filters().unwrap().iter().all(|filter| !filter.is_empty()));
        assert_eq!(denied().unwrap().len(), (DENIED.len() + 1) * TABLES.len());
    }
}
