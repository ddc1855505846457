//! A command's own `/dev`: the devices that programs expect and that lead nowhere, and terminals of its own.
//!
//! What udev, a desktop or a macvtap puts into the host's `/dev`, and the sockets and FIFOs in there, is not reachable.

use std::{fs, io, os::fd::OwnedFd, os::unix::fs::symlink};

use rustix::{io::Errno, mount::MountFlags};

use super::{
    attributes::{NODEV, NOEXEC, NOSUID, RDONLY, clone, put, set},
    mounts::mount_new,
    spec::Spec,
};

/// What each command has, as the host has them.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
/// Makes tun and tap interfaces; the administrator decides.
const TUN: &str = "net/tun";

/// Links into /proc and to the terminals, as systemd and udev make them.
const LINKS: [(&str, &str); 5] = [
    ("/proc/self/fd", "/dev/fd"),
    ("/proc/self/fd/0", "/dev/stdin"),
    ("/proc/self/fd/1", "/dev/stdout"),
    ("/proc/self/fd/2", "/dev/stderr"),
    // Leads to the instance that is mounted beside it (filesystems/devpts.rst).
    ("pts/ptmx", "/dev/ptmx"),
];

/// Most terminals that a command may have. The kernel has 4,096 for all of its instances together and keeps 1,024
/// (`kernel.pty.reserve`) for those that were mounted in the first mount namespace, such as the host's. What a member may
/// run at once must not take all that is left.
pub(super) const TERMINALS: u32 = 16;

/// Group `tty`, within the lab. Programs such as write(1) expect it, and `grantpt(3)` of old C libraries does.
const TTY: u32 = 5;

/// Copies of the host's device files, each a mount that is nowhere yet.
pub(super) struct Devices(Vec<(&'static str, OwnedFd)>);

/// Takes what a command needs out of the host's `/dev`. A device that the host lacks, the command lacks too.
pub(super) fn take(spec: &Spec) -> Result<Devices, Errno> {
    let mut taken = Vec::new();
    for name in DEVICES.into_iter().chain(spec.tun.then_some(TUN)) {
        match clone(&format!("/dev/{name}")) {
            Ok(device) => {
                set(&device, NOSUID | NOEXEC | RDONLY, NODEV)?;
                taken.push((name, device));
            }
            Err(Errno::NOENT | Errno::NOTDIR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(Devices(taken))
}

/// Covers `/dev` with the command's own.
pub(super) fn mount(devices: Devices, spec: &Spec) -> io::Result<()> {
    let quiet = MountFlags::NOSUID | MountFlags::NOEXEC;
    mount_new("tmpfs", "/dev", quiet | MountFlags::NODEV, "mode=0755,size=64k,nr_inodes=64")?;
    for directory in ["/dev/pts", "/dev/shm", "/dev/net"] {
        fs::create_dir(directory)?;
    }
    for (name, device) in devices.0 {
        let path = format!("/dev/{name}");
        fs::write(&path, "")?;
        put(&device, &path)?;
    }
    for (target, link) in LINKS {
        symlink(target, link)?;
    }
    // In a mount namespace other than the first, so that what the kernel reserves for the host stays the host's.
    let options = format!("newinstance,ptmxmode=0666,mode=0620,gid={},max={TERMINALS}", spec.root + TTY);
    mount_new("devpts", "/dev/pts", quiet, &options)?;
    Ok(())
}
