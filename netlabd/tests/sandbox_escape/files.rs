//! The host's files and devices.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::{
        fd::AsRawFd,
        unix::fs::{OpenOptionsExt, PermissionsExt, chown},
    },
};

use crate::{Probe, check, shell};

pub(crate) const PROBES: &[Probe] = &[
    ("read a secret file", || open("/srv/secret")),
    ("write a file", || fs::write("/srv/open", "changed")),
    ("create a file", || fs::write("/srv/created", "")),
    ("remove a file", || {
        fs::rename("/srv/open", "/srv/opened").and_then(|()| fs::rename("/srv/opened", "/srv/open"))
    }),
    ("chown a file", || chown("/srv/open", Some(0), Some(12345))),
    ("chmod a file", || fs::set_permissions("/srv/open", fs::Permissions::from_mode(0o666))),
    ("see the host's /dev/shm", || open("/dev/shm/secret")),
    ("see the host's /tmp", || open("/tmp/secret")),
    ("see the host's /run", || open("/run/netns/secret")),
    ("gain an id from a set-user-id program", || shell("test \"$(/srv/id -u)\" = 12345")),
    ("open a file by handle", by_handle),
    ("make a device", || shell("mknod /tmp/device c 1 5")),
    ("open a device that only root may", || open("/srv/zero")),
    ("open a device that everybody may", || open("/srv/device")),
    ("open a macvtap's device", || open("/dev/tap9")),
    ("open a FIFO in /dev", || open_to_write_at_once("/dev/fifo")),
    ("put a file into /dev", || fs::write("/dev/file", "").and_then(|()| fs::remove_file("/dev/file"))),
    ("open the own oom_score_adj for writing", || open_to_write("/proc/self/oom_score_adj")),
    ("open the own comm for writing", || open_to_write("/proc/self/comm")),
    ("open the bound of fragments for writing", || open_to_write("/proc/sys/net/ipv4/ipfrag_high_thresh")),
    ("open the bound of IPv6 fragments for writing", || {
        open_to_write("/proc/sys/net/ipv6/ip6frag_high_thresh")
    }),
    ("open how long fragments wait for writing", || open_to_write("/proc/sys/net/ipv4/ipfrag_time")),
    ("open /dev/kmsg for writing", || open_to_write("/dev/kmsg")),
    ("open /proc/sysrq-trigger for writing", || open_to_write("/proc/sysrq-trigger")),
    ("open kernel.panic for writing", || open_to_write("/proc/sys/kernel/panic")),
    ("open kernel.core_pattern for writing", || open_to_write("/proc/sys/kernel/core_pattern")),
    ("open vm.overcommit_memory for writing", || open_to_write("/proc/sys/vm/overcommit_memory")),
    ("open user.max_user_namespaces for writing", || open_to_write("/proc/sys/user/max_user_namespaces")),
    ("open a sysfs file for writing", || open_to_write("/sys/kernel/mm/transparent_hugepage/enabled")),
    ("leave the own cgroup", || open_to_write("/srv/cgroup/cgroup.procs")),
    ("change which cgroups have bounds", || open_to_write("/srv/cgroup/cgroup.subtree_control")),
    ("make a cgroup", || {
        fs::create_dir("/srv/cgroup/netlab-probe").and_then(|()| fs::remove_dir("/srv/cgroup/netlab-probe"))
    }),
    ("set a trusted attribute", || {
        shell("touch /tmp/a").and_then(|()| set_attribute(c"/tmp/a", c"trusted.netlab", b"1"))
    }),
    ("set file capabilities", || {
        shell("cp /usr/bin/id /tmp/b")?;
        // VFS_CAP_REVISION_2, effective, CAP_SYS_ADMIN.
        set_attribute(
            c"/tmp/b",
            c"security.capability",
            &[1, 0, 0, 2, 0, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        )
    }),
];

fn open(path: &str) -> io::Result<()> {
    File::open(path).map(drop)
}

/// Opens only: that suffices to show the right, and changes nothing.
fn open_to_write(path: &str) -> io::Result<()> {
    OpenOptions::new().write(true).open(path).map(drop)
}

/// Nobody reads a decoy's FIFO: that is told apart from not being there.
fn open_to_write_at_once(path: &str) -> io::Result<()> {
    OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(path).map(drop)
}

fn set_attribute(path: &std::ffi::CStr, name: &std::ffi::CStr, value: &[u8]) -> io::Result<()> {
    // SAFETY: C strings, and a value of the length that is stated.
    check(unsafe {
        libc::syscall(libc::SYS_setxattr, path.as_ptr(), name.as_ptr(), value.as_ptr(), value.len(), 0)
    })
    .map(drop)
}

/// `open_by_handle_at(2)` needs no right to the directories on the way.
fn by_handle() -> io::Result<()> {
    let directory = File::open("/srv")?;
    // `struct file_handle`: bytes of the handle, type, handle.
    let mut handle = [0_u32; 34];
    handle[0] = 128;
    let mut mount = 0;
    // SAFETY: a C string, a handle with room for the bytes it states, an int.
    check(unsafe {
        libc::syscall(
            libc::SYS_name_to_handle_at,
            libc::AT_FDCWD,
            c"/srv/secret".as_ptr(),
            handle.as_mut_ptr(),
            &raw mut mount,
            0,
        )
    })?;
    // SAFETY: the handle that the kernel filled in.
    check(unsafe {
        libc::syscall(libc::SYS_open_by_handle_at, directory.as_raw_fd(), handle.as_ptr(), libc::O_RDONLY)
    })
    .map(drop)
}
