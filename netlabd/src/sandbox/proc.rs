//! A command's own `/proc`: of the lab's processes, and read-only but for the node's sysctls.
//!
//! Everything in `/proc/PID` that can be written serves who looks after a process from outside, such as
//! `oom_score_adj`: a command that could lower its own would outlive others when memory is short.

use rustix::{io::Errno, mount::MountFlags};

use super::attributes::{RDONLY, clone, put, set, set_at};
use crate::sys::mount::mount_new;

/// Where a network namespace has its sysctls; the kernel lets the lab's root write those of its own.
const SYSCTLS: &str = "/proc/sys/net";

/// How much kernel memory a node may keep for fragments that wait for their rest, and how long (ip-sysctl.rst): no
/// cgroup counts it. Which there are depends on the kernel's options and modules.
pub(crate) const FRAGMENTS: [&str; 13] = [
    "net/ipv4/ipfrag_high_thresh",
    "net/ipv4/ipfrag_low_thresh",
    "net/ipv4/ipfrag_time",
    "net/ipv4/ipfrag_max_dist",
    "net/ipv6/ip6frag_high_thresh",
    "net/ipv6/ip6frag_low_thresh",
    "net/ipv6/ip6frag_time",
    "net/netfilter/nf_conntrack_frag6_high_thresh",
    "net/netfilter/nf_conntrack_frag6_low_thresh",
    "net/netfilter/nf_conntrack_frag6_timeout",
    "net/ieee802154/6lowpan/6lowpanfrag_high_thresh",
    "net/ieee802154/6lowpan/6lowpanfrag_low_thresh",
    "net/ieee802154/6lowpan/6lowpanfrag_time",
];

/// Mounts it. The process is in the lab's process namespace and in the node's network namespace.
pub(super) fn mount() -> Result<(), Errno> {
    // The host's own, which is not to be seen any more.
    set_at("/proc", RDONLY)?;
    // Read-only by the mount: the file system is one for all of the lab's commands.
    mount_new("proc", "/proc", MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC, "")?;
    let sysctls = clone(SYSCTLS)?;
    set_at("/proc", RDONLY)?;
    put(&sysctls, SYSCTLS)?;
    for file in FRAGMENTS {
        let path = format!("/proc/sys/{file}");
        match clone(path.as_str()) {
            Ok(fixed) => {
                set(&fixed, RDONLY, 0)?;
                put(&fixed, path.as_str())?;
            }
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}
