//! Making and entering namespaces, and mounting.

use std::{ffi::CString, fs::File, io, os::fd::AsRawFd};

use crate::{Probe, check, decoy_pid};

pub(crate) const PROBES: &[Probe] = &[
    ("unshare(NEWUSER)", || unshare(libc::CLONE_NEWUSER)),
    ("unshare(NEWNS)", || unshare(libc::CLONE_NEWNS)),
    ("unshare(NEWNET)", || unshare(libc::CLONE_NEWNET)),
    ("unshare(NEWPID)", || unshare(libc::CLONE_NEWPID)),
    ("unshare(NEWUTS)", || unshare(libc::CLONE_NEWUTS)),
    ("unshare(NEWIPC)", || unshare(libc::CLONE_NEWIPC)),
    ("unshare(NEWCGROUP)", || unshare(libc::CLONE_NEWCGROUP)),
    ("clone(NEWUSER)", || clone(libc::CLONE_NEWUSER)),
    ("clone(NEWNET)", || clone(libc::CLONE_NEWNET)),
    ("clone(NEWNS)", || clone(libc::CLONE_NEWNS)),
    ("clone3(NEWUSER)", || clone3(libc::CLONE_NEWUSER)),
    ("setns: host's network by process", || setns(&format!("/proc/{}/ns/net", decoy_pid()))),
    ("setns: host's network by pin", || setns("/srv/pins/host")),
    ("setns: host's mounts by process", || setns(&format!("/proc/{}/ns/mnt", decoy_pid()))),
    ("setns: process 1's mounts", || setns("/proc/1/ns/mnt")),
    ("setns: process 1's network", || setns("/proc/1/ns/net")),
    ("setns: host's uts by pin", || setns("/srv/pins/uts")),
    ("setns: host's ipc by pin", || setns("/srv/pins/ipc")),
    ("setns: another lab's node", || setns("/srv/pins/other")),
    ("setns: another lab's users", || setns("/srv/pins/other-user")),
    ("setns: another lab's processes", || setns("/srv/pins/other-pid")),
    ("mount tmpfs", || mount("tmpfs", "/srv/mount", "tmpfs", 0)),
    ("mount proc", || mount("proc", "/srv/mount", "proc", 0)),
    ("mount sysfs", || mount("sysfs", "/srv/mount", "sysfs", 0)),
    ("bind mount", || mount("/srv", "/srv/mount", "", libc::MS_BIND)),
    ("make a read-only mount writable", || mount("", "/srv", "", libc::MS_REMOUNT | libc::MS_BIND)),
    ("make mounts shared", || mount("", "/srv/umount", "", libc::MS_SHARED)),
    ("unmount", || {
        // SAFETY: a C string.
        check(unsafe { libc::syscall(libc::SYS_umount2, c"/srv/umount".as_ptr(), libc::MNT_DETACH) })
            .map(drop)
    }),
    ("fsopen", || {
        // SAFETY: a C string.
        check(unsafe { libc::syscall(libc::SYS_fsopen, c"tmpfs".as_ptr(), 0) }).map(drop)
    }),
    ("open_tree(CLONE)", || {
        // SAFETY: a C string.
        check(unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, c"/srv".as_ptr(), 1) }).map(drop)
    }),
    ("mount_setattr", || {
        let attributes = [0_u64, 1, 0, 0];
        // SAFETY: a C string and attributes of the size that is stated.
        check(unsafe {
            libc::syscall(
                libc::SYS_mount_setattr,
                libc::AT_FDCWD,
                c"/srv".as_ptr(),
                0,
                attributes.as_ptr(),
                32,
            )
        })
        .map(drop)
    }),
];

fn unshare(flag: i32) -> io::Result<()> {
    // SAFETY: no pointers; this program has one thread.
    check(unsafe { libc::syscall(libc::SYS_unshare, flag) }).map(drop)
}

fn clone(flag: i32) -> io::Result<()> {
    // SAFETY: like fork: no new stack, no pointers.
    let pid = check(unsafe { libc::syscall(libc::SYS_clone, flag | libc::SIGCHLD, 0, 0, 0, 0) })?;
    leave_child(pid)
}

fn clone3(flag: i32) -> io::Result<()> {
    let mut args = [0_u64; 8];
    args[0] = u64::from(flag.unsigned_abs());
    args[4] = u64::from(libc::SIGCHLD.unsigned_abs());
    // SAFETY: like fork: arguments of the size that is stated, no new stack.
    let pid = check(unsafe { libc::syscall(libc::SYS_clone3, args.as_ptr(), size_of_val(&args)) })?;
    leave_child(pid)
}

fn leave_child(pid: i64) -> io::Result<()> {
    if pid == 0 {
        // SAFETY: ends this process.
        unsafe { libc::_exit(0) };
    }
    // SAFETY: no status is asked for.
    check(unsafe { libc::syscall(libc::SYS_wait4, pid, 0, 0, 0) }).map(drop)
}

fn setns(path: &str) -> io::Result<()> {
    let file = File::open(path)?;
    // SAFETY: no pointers.
    check(unsafe { libc::syscall(libc::SYS_setns, file.as_raw_fd(), 0) }).map(drop)
}

fn mount(source: &str, target: &str, kind: &str, flags: libc::c_ulong) -> io::Result<()> {
    let [source, target, kind] = [source, target, kind].map(|text| CString::new(text).unwrap());
    // SAFETY: C strings, no data.
    check(unsafe {
        libc::syscall(libc::SYS_mount, source.as_ptr(), target.as_ptr(), kind.as_ptr(), flags, 0)
    })
    .map(drop)
}
