//! The host's files as every command sees them: a private copy of its mounts, read-only, without pins and without what
//! is not kept. It is prepared once and copied for each command: to take a mount away, the kernel waits for all
//! processors (`synchronize_rcu_expedited` in `namespace_unlock`, fs/namespace.c), and that took longer than all the
//! rest of a command's start.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io,
    os::{fd::AsFd, unix::ffi::OsStrExt},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    mount::{MountPropagationFlags, UnmountFlags, mount_change, unmount},
    thread::UnshareFlags,
};

use super::{
    attributes::{self, NODEV, NOSUID, RDONLY},
    devices,
    error::Step,
    namespace::unshare,
    task::{At, TaskError},
};

/// Where the host's mounts are hidden or of no use, and would only be kept: what the host unmounts stays mounted for a
/// command that has a copy, and a disk that somebody wants to take away stays busy. `/media` is for such disks (FHS 3.0).
const NOT_KEPT: [&[u8]; 4] = [b"/run", b"/tmp", b"/var/tmp", b"/media"];

/// Changes of what is mounted in the namespace in which it was opened.
#[derive(Debug)]
pub(super) struct Changes(File);

impl Changes {
    /// Of this process's namespace, from now on.
    pub(super) fn watch() -> io::Result<Self> {
        File::open("/proc/self/mountinfo").map(Self)
    }

    /// What to poll for them (`proc_pid_mounts(5)`).
    pub(super) fn source(&self) -> PollFd<'_> {
        PollFd::from_borrowed_fd(self.0.as_fd(), PollFlags::PRI)
    }

    /// Forgets those that there were.
    pub(super) fn forget(&self) -> Result<(), Errno> {
        poll(&mut [self.source()], Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).map(drop)
    }
}

/// Leaves the host's mounts for a view of them. The process is host root; `hidden` are mount points to let go of, with
/// what is below: a command that has a copy of the pins of another lab would keep its nodes alive. `tun`: there shall be
/// a `/dev/net/tun`.
pub(super) fn separate<'a>(hidden: impl Iterator<Item = &'a [u8]>, tun: bool) -> Result<(), TaskError> {
    // As host root: the mount namespace must be the host's, or the lab's root could mount.
    unshare(UnshareFlags::NEWNS).at(Step::SeparateMounts)?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).at(Step::SeparateMounts)?;
    for path in hidden {
        unmount_tree(OsStr::from_bytes(path)).at(Step::SeparateMounts)?;
    }
    unmount_others().at(Step::SeparateMounts)?;
    attributes::set_below("/", RDONLY | NOSUID | NODEV).at(Step::ReadOnly)?;
    // Until each has its own: a process says there how much it matters when memory is short.
    attributes::clear_at("/proc", RDONLY).at(Step::ReadOnly)?;
    let devices = devices::take(tun).at(Step::Mount)?;
    devices::mount(devices).at(Step::Mount)
}

/// Takes out of this view what it must not keep: every pinned namespace, and what is [`NOT_KEPT`]. Not only would a
/// namespace live on here when the host unpins it: on kernels that lack a check on a veth's peer, who can open a
/// namespace can put a link into it.
fn unmount_others() -> io::Result<()> {
    let mounts = fs::read("/proc/self/mountinfo")?;
    for line in mounts.split(|byte| *byte == b'\n') {
        let path = line.split(|byte| *byte == b' ').nth(4).map(unescape).unwrap_or_default();
        if contains(line, b" - nsfs ") || NOT_KEPT.iter().any(|tree| is_in(&path, tree)) {
            unmount_tree(OsStr::from_bytes(&path))?;
        }
    }
    Ok(())
}

/// Takes a mount and what is below it out of this view.
fn unmount_tree(path: &OsStr) -> Result<(), Errno> {
    match unmount(path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
        // Not a mount point, or not there at all.
        Err(Errno::INVAL | Errno::NOENT) => Ok(()),
        done => done,
    }
}

/// Whether a path is that of a tree's top or below it.
fn is_in(path: &[u8], tree: &[u8]) -> bool {
    path.strip_prefix(tree).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

fn contains(line: &[u8], words: &[u8]) -> bool {
    line.windows(words.len()).any(|window| window == words)
}

/// Undoes mountinfo's octal escapes of white space and backslashes (`proc_pid_mountinfo(5)`).
fn unescape(path: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((first, tail)) = rest.split_first() {
        let code =
            tail.get(..3).and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        match code {
            Some(code) if *first == b'\\' => {
                plain.push(code);
                rest = &tail[3..];
            }
            _ => {
                plain.push(*first);
                rest = tail;
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_of_mountinfo_are_undone() {
        assert_eq!(unescape(br"/run/a\040b\134c"), b"/run/a b\\c");
        assert_eq!(unescape(br"/run/\9\"), br"/run/\9\");
    }

    #[test]
    fn a_tree_has_its_top_and_what_is_below() {
        assert!(is_in(b"/run", b"/run") && is_in(b"/run/netns/x", b"/run"));
        assert!(!is_in(b"/runner", b"/run") && !is_in(b"/var/run", b"/run") && !is_in(b"", b"/run"));
    }
}
