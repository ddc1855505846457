//! What a command in a node sees of the file system: the host's as it was when the command began, read-only, with
//! the node's own `/sys`, `/proc`, `/dev`, `/etc/hosts` and `/etc/resolv.conf`, and empty temporary directories.
//!
//! The mount namespace belongs to the host's user namespace, so the lab's root cannot mount in it. Nothing that the
//! host mounts later comes into it: it could not be made read-only in time.

use std::{
    ffi::OsStr,
    fs, io,
    os::{fd::AsRawFd, unix::ffi::OsStrExt},
    path::Path,
};

use rustix::{
    fs::{Mode, OFlags, open},
    io::Errno,
    mount::{MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_change, unmount},
};

use super::{
    attributes::{self, NODEV, NOSUID, RDONLY},
    devices,
    error::Step,
    proc,
    spec::Spec,
    task::{At, Failure},
};

/// Directories that are the command's own, with their modes and sizes.
const TEMPORARY: &[(&str, &str)] = &[
    ("/run", "mode=0755,size=16m,nr_inodes=4k"),
    ("/tmp", "mode=1777,size=64m,nr_inodes=16k"),
    ("/var/tmp", "mode=1777,size=64m,nr_inodes=16k"),
    ("/dev/shm", "mode=1777,size=64m,nr_inodes=16k"),
];

/// Where the host's mounts are hidden or of no use, and would only be kept: what the host unmounts stays mounted for a
/// command that has a copy, and a disk that somebody wants to take away stays busy. `/media` is for such disks (FHS 3.0).
const NOT_KEPT: [&[u8]; 4] = [b"/run", b"/tmp", b"/var/tmp", b"/media"];

/// Turns a fresh copy of the host's mounts into the command's view. The process is host root in a new
/// mount namespace and in the node's network namespace.
pub(super) fn isolate(spec: &Spec) -> Result<(), Failure> {
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).at(Step::SeparateMounts)?;
    for path in &spec.unmount {
        unmount_tree(OsStr::new(path)).at(Step::SeparateMounts)?;
    }
    unmount_others().at(Step::SeparateMounts)?;
    node_files(spec).at(Step::NodeFiles)?;
    let devices = devices::take(spec).at(Step::Mount)?;
    // All that there is: after this only what is the command's own is mounted.
    attributes::set_below(c"/", RDONLY | NOSUID | NODEV).at(Step::ReadOnly)?;
    let quiet = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount_new("sysfs", "/sys", quiet | MountFlags::RDONLY, "").at(Step::Mount)?;
    proc::mount().at(Step::Mount)?;
    devices::mount(devices, spec).at(Step::Mount)?;
    for (path, options) in TEMPORARY {
        tmpfs(path, &format!("{options},uid={0},gid={0}", spec.root)).at(Step::Mount)?;
    }
    // Nobody but the host's root could write there; no mount of the host is left that says otherwise.
    attributes::set_at(c"/dev", RDONLY).at(Step::ReadOnly)?;
    rustix::process::chdir("/").at(Step::WorkingDirectory)
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

/// Takes a mount and what is below it out of this view.
fn unmount_tree(path: &OsStr) -> Result<(), Errno> {
    match unmount(path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
        // Not a mount point, or not there at all.
        Err(Errno::INVAL | Errno::NOENT) => Ok(()),
        done => done,
    }
}

/// Puts the node's own files over the host's, through a tmpfs that disappears at once from sight.
fn node_files(spec: &Spec) -> io::Result<()> {
    let stage = Path::new("/tmp");
    tmpfs("/tmp", "mode=0755,size=4m")?;
    for (name, text) in [("hosts", &spec.hosts), ("resolv.conf", &spec.resolv_conf)] {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let target = match open(Path::new("/etc").join(name), flags, Mode::empty()) {
            Ok(target) => target,
            // A host without the file: nothing can be mounted over it.
            Err(Errno::NOENT) => continue,
            Err(errno) => return Err(errno.into()),
        };
        fs::write(stage.join(name), text)?;
        // By descriptor, so that a symbolic link into /run is covered itself.
        mount_bind(stage.join(name), format!("/proc/self/fd/{}", target.as_raw_fd()))?;
    }
    Ok(unmount(stage, UnmountFlags::DETACH)?)
}

/// Mounts a tmpfs without set-user-id programs or devices. An absent directory needs none.
fn tmpfs(path: &str, options: &str) -> Result<(), Errno> {
    match mount_new("tmpfs", path, MountFlags::NOSUID | MountFlags::NODEV, options) {
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(()),
        done => done,
    }
}

/// Mounts a file system of a kind that needs no source.
pub(super) fn mount_new(kind: &str, path: &str, flags: MountFlags, options: &str) -> Result<(), Errno> {
    let options = std::ffi::CString::new(options).map_err(|_| Errno::INVAL)?;
    mount(kind, path, kind, flags, Some(options.as_c_str()))
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
