//! What the reconciler and the API ask of the kernel: to look, to carry out a plan, to run commands in nodes.

#[doc(hidden)]
pub mod fake;
mod host;
mod nodes;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

pub use host::{HostLink, HostRoute, HostSocket, HostState};
pub use nodes::Nodes;

use crate::{
    feature::Feature,
    model::{LabName, Place, SysctlKey, observed::Observed, ruleset::Ruleset},
    plan::{Plan, Target},
};

/// Which lab is looked at or worked on.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The lab.
    pub lab: &'a LabName,
    /// First of the 65,536 user and group ids of its user namespace.
    pub first_id: u32,
    /// What is wanted; an observation answers for this and for all else that bears the lab's marks.
    pub target: &'a Target,
}

/// The kernel, or a fake of it. All calls block.
pub trait Kernel: Send + Sync + 'static {
    /// Looks at all that there is of a lab, and at what stands in its way on the host.
    fn observe(&self, scope: Scope<'_>) -> Result<Observed, Failure>;

    /// Takes in the events of all that has happened until now, and wakes the labs that they concern.
    fn catch_up(&self) {}

    /// Carries out a plan, stage by stage, and tells after each stage how many operations are done.
    /// Stops after the first stage with failures and returns them all.
    fn execute(&self, scope: Scope<'_>, plan: &Plan, done: &mut dyn FnMut(usize)) -> Vec<Failure>;

    /// Has the kernel act at once on the carriers of interfaces that a look showed, by place and index, lower ones
    /// first. Returns those that are not at work yet.
    fn hurry(&self, _: &LabName, _: Vec<(Place, u32)>) -> Vec<(Place, u32)> {
        Vec::new()
    }

    /// Looks at the host as a whole, for what a lab must not disturb.
    fn host(&self) -> Result<HostState, Failure>;

    /// The names of network namespaces, labs' and others'.
    fn pins(&self) -> Result<BTreeSet<String>, Failure>;

    /// Looks at the host's firewall: what may drop traffic of labs.
    fn firewall(&self) -> Result<Firewall, Failure>;

    /// Tries whether the kernel has a feature; `Err` tells in its own words why not.
    fn probe(&self, feature: Feature) -> Result<(), Failure>;

    /// The host's sockets that wait for whoever comes or are connected, but for those on and to the loopback.
    fn sockets(&self) -> Result<Vec<HostSocket>, Failure>;

    /// Reads sysctls of the host; one that does not exist is left out.
    fn host_sysctl(&self, key: &SysctlKey) -> Option<String>;

    /// The folders below a folder of `/proc/sys`, by name.
    fn host_sysctl_folder(&self, path: &str) -> Vec<String>;

    /// Writes a sysctl of the host.
    fn set_host_sysctl(&self, key: &SysctlKey, value: &str) -> Result<(), Failure>;

    /// Reads sysctls of a network namespace as it is when it is made; one that does not exist is left out.
    fn fresh_sysctls(&self, keys: &BTreeSet<SysctlKey>) -> Result<BTreeMap<SysctlKey, String>, Failure>;

    /// The labs of which the host bears marks, wanted or not.
    fn marked_labs(&self) -> Result<BTreeSet<LabName>, Failure>;

    /// The first ids of the user namespaces of all labs that hold one, wanted or not, as far as they are known.
    fn ids_in_use(&self) -> Result<BTreeSet<u32>, Failure>;

    /// Gives back what a lab without nodes still holds: its user namespace and folders.
    fn release(&self, lab: &LabName) -> Result<(), Failure>;
}

/// What went wrong with one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The object, for example `ns1:vxlan0`.
    pub object: String,
    /// What was tried and how the kernel answered, in its own words.
    pub message: String,
    /// The error number, where the kernel gave one.
    pub errno: Option<i32>,
    /// Whether the host had no thread or process to give: that passes.
    pub starved: bool,
}

impl Failure {
    /// A failure without an error number.
    pub fn new(object: impl fmt::Display, message: impl fmt::Display) -> Self {
        Self { object: object.to_string(), message: message.to_string(), errno: None, starved: false }
    }

    /// A failure of a system call: `what` names what was tried.
    pub fn os(object: impl fmt::Display, what: impl fmt::Display, error: &std::io::Error) -> Self {
        Self {
            object: object.to_string(),
            message: format!("{what}: {}", os_text(error)),
            errno: errno_of(error),
            starved: false,
        }
    }

    /// A thread that could not be started.
    pub fn no_thread(object: impl fmt::Display, error: &std::io::Error) -> Self {
        let what = "waiting for a thread: no more processes can be started on this host (pids.max, kernel.threads-max)";
        Self { starved: true, ..Self::os(object, what, error) }
    }

    /// A failure of the sandbox: a shortage of processes passes, like one of threads.
    pub fn sandbox(object: impl fmt::Display, error: &crate::sandbox::Error) -> Self {
        let errno = error.errno().map(rustix::io::Errno::raw_os_error);
        Self { starved: error.is_shortage(), errno, ..Self::new(object, error) }
    }

    /// Whether the host ran out of something: memory, descriptors, processes, or what a limit bounds.
    pub fn is_shortage(&self) -> bool {
        self.errno.is_some_and(is_shortage)
    }

    /// Whether a feature that failed so may be there all the same: room or rights were wanting, or a file system is
    /// read-only.
    pub fn tells_nothing(&self) -> bool {
        self.is_shortage() || matches!(self.errno, Some(libc::EPERM | libc::EROFS))
    }

    /// Whether the same again may work: shortages and races, not refusals.
    pub fn is_transient(&self) -> bool {
        let transient = [
            libc::EAGAIN,
            libc::EBUSY,
            libc::EEXIST,
            libc::EINTR,
            libc::ENETDOWN,
            libc::ENETUNREACH,
            libc::ENOBUFS,
            libc::ENODEV,
            libc::ENOENT,
            libc::ENOMEM,
            // A VLAN's MTU, while its parent has less.
            libc::ERANGE,
            libc::ESRCH,
        ];
        self.errno.is_some_and(|errno| transient.contains(&errno))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.object, self.message)
    }
}

impl std::error::Error for Failure {}

/// Whether a number of errno(3) says that something ran out: memory, descriptors, processes, or what a limit bounds.
pub fn is_shortage(errno: i32) -> bool {
    let shortages =
        [libc::EAGAIN, libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM, libc::ENOSPC, libc::EUSERS];
    shortages.contains(&errno)
}

/// The kernel's number in an error, be it wrapped in others.
pub fn errno_of(error: &std::io::Error) -> Option<i32> {
    let inner = || {
        let first: &dyn std::error::Error = error.get_ref()?;
        let mut causes = std::iter::successors(Some(first), |error| error.source());
        causes.find_map(|cause| {
            let os = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::raw_os_error);
            os.or_else(|| cause.downcast_ref::<rustix::io::Errno>().map(|errno| errno.raw_os_error()))
        })
    };
    error.raw_os_error().or_else(inner)
}

/// An error of the operating system in its own words, without the number that Rust adds.
pub fn os_text(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// The host's firewall, and what of the host decides how packets pass it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Firewall {
    /// All tables of nftables but our own.
    pub ruleset: Arc<Ruleset>,
    /// Tables of the old iptables, which nftables does not show.
    pub legacy: Vec<String>,
    /// The host's interfaces and their indices.
    pub interfaces: BTreeMap<String, u32>,
    /// The interfaces of its default routes, for IPv4 and for IPv6.
    pub uplinks: [BTreeSet<String>; 2],
    /// Whether what bridges carry passes the rules of IPv4, of IPv6
    /// (`net.bridge.bridge-nf-call-iptables`, `net.bridge.bridge-nf-call-ip6tables`).
    pub bridged: [bool; 2],
    /// Where the host sends what is not for itself.
    pub routes: Vec<HostRoute>,
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::sandbox::{Error, Step};

    #[test]
    fn a_number_is_found_behind_other_errors() {
        let step = || Error::Step { step: Step::Fork, errno: rustix::io::Errno::AGAIN };
        assert_eq!(errno_of(&io::Error::other(step())), Some(libc::EAGAIN));
        assert_eq!(errno_of(&io::Error::other(io::Error::other(step()))), Some(libc::EAGAIN));
        assert_eq!(errno_of(&io::Error::from_raw_os_error(libc::EPERM)), Some(libc::EPERM));
        assert_eq!(errno_of(&io::Error::other("words alone, No space left on device")), None);
        assert_eq!(Failure::sandbox("ns1", &step()).errno, Some(libc::EAGAIN));
    }
}
