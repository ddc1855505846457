//! A command's own `/dev`: the devices that programs expect and that lead nowhere, and terminals of its own.
//!
//! What udev, a desktop or a macvtap puts into the host's `/dev`, and the sockets and FIFOs in there, is not reachable.

use std::{fs, io, os::fd::OwnedFd, os::unix::fs::symlink, path::Path};

use rustix::{io::Errno, mount::MountFlags};

use super::attributes::{NODEV, NOEXEC, NOSUID, RDONLY, clone, put, set, set_at};
use crate::sys::mount::mount_new;

/// What each command has, as the host has them.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
/// Makes tun and tap interfaces; the administrator decides.
const TUN: &str = "net/tun";

/// Links into /proc and to the terminals, as systemd and udev make them.
const LINKS: [(&str, &str); 5] = [
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
    // Leads to the instance that is mounted beside it (filesystems/devpts.rst).
    ("pts/ptmx", "ptmx"),
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
pub(super) fn take(tun: bool) -> Result<Devices, Errno> {
    let mut taken = Vec::new();
    for name in DEVICES.into_iter().chain(tun.then_some(TUN)) {
        match clone(Path::new("/dev").join(name)) {
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

/// Whether the host has a device that makes tun and tap interfaces.
pub(super) fn has_tun() -> bool {
    Path::new("/dev").join(TUN).exists()
}

/// Covers `/dev` by them, read-only: nobody but the host's root could write there. What is mounted beside them has a
/// place there.
pub(super) fn mount(devices: Devices) -> io::Result<()> {
    let dev = Path::new("/dev");
    let flags = MountFlags::NOSUID | MountFlags::NOEXEC | MountFlags::NODEV;
    mount_new("tmpfs", "/dev", flags, "mode=0755,size=64k,nr_inodes=64")?;
    for name in ["pts", "shm", "net"] {
        fs::create_dir(dev.join(name))?;
    }
    for (name, device) in devices.0 {
        fs::write(dev.join(name), "")?;
        put(&device, dev.join(name))?;
    }
    for (target, link) in LINKS {
        symlink(target, dev.join(link))?;
    }
    Ok(set_at(dev, RDONLY)?)
}

/// Mounts a command's own terminals. `root` is the lab's root as the host numbers it.
pub(super) fn mount_terminals(root: u32) -> Result<(), Errno> {
    // In a mount namespace other than the first, so that what the kernel reserves for the host stays the host's.
    let options = format!("newinstance,ptmxmode=0666,mode=0620,gid={},max={TERMINALS}", root + TTY);
    mount_new("devpts", "/dev/pts", MountFlags::NOSUID | MountFlags::NOEXEC, &options)
}
