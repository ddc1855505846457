//! What a command in a node sees of the file system: the host's, read-only, with the node's own
//! `/sys`, `/proc`, `/etc/hosts` and `/etc/resolv.conf`, and empty temporary directories.
//!
//! The mount namespace belongs to the host's user namespace, so the lab's root cannot mount in it.

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
    dispatch::{At, Failure, last_errno},
    error::Step,
    spec::Spec,
};

/// Directories that are the command's own, with their modes and sizes.
const TEMPORARY: &[(&str, &str)] = &[
    ("/run", "mode=0755,size=16m,nr_inodes=4k"),
    ("/tmp", "mode=1777,size=64m,nr_inodes=16k"),
    ("/var/tmp", "mode=1777,size=64m,nr_inodes=16k"),
    ("/dev/shm", "mode=1777,size=64m,nr_inodes=16k"),
];

/// Turns a fresh copy of the host's mounts into the command's view. The process is host root in a new
/// mount namespace and in the node's network namespace.
pub(super) fn isolate(spec: &Spec) -> Result<(), Failure> {
    let slave = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    mount_change("/", slave).at(Step::SlaveMounts)?;
    for path in &spec.unmount {
        unmount_tree(OsStr::new(path)).at(Step::SlaveMounts)?;
    }
    unmount_namespaces().at(Step::SlaveMounts)?;
    node_files(spec).at(Step::NodeFiles)?;
    read_only().at(Step::ReadOnly)?;
    let quiet = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("sysfs", "/sys", "sysfs", quiet | MountFlags::RDONLY, None).at(Step::Mount)?;
    mount("proc", "/proc", "proc", quiet, None).at(Step::Mount)?;
    for (path, options) in TEMPORARY {
        tmpfs(path, &format!("{options},uid={0},gid={0}", spec.root)).at(Step::Mount)?;
    }
    rustix::process::chdir("/").at(Step::WorkingDirectory)
}

/// Takes every pinned namespace out of this view. Not only would it live on here when the host unpins
/// it: on kernels that lack a check on a veth's peer, who can open a namespace can put a link into it.
fn unmount_namespaces() -> io::Result<()> {
    let mounts = fs::read("/proc/self/mountinfo")?;
    for line in mounts.split(|byte| *byte == b'\n').filter(|line| contains(line, b" - nsfs ")) {
        let path = line.split(|byte| *byte == b' ').nth(4).map(unescape).unwrap_or_default();
        unmount_tree(OsStr::from_bytes(&path))?;
    }
    Ok(())
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
    let options = std::ffi::CString::new(options).map_err(|_| Errno::INVAL)?;
    match mount("tmpfs", path, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, Some(options.as_c_str())) {
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(()),
        done => done,
    }
}

/// Makes every mount read-only and deaf to set-user-id bits (`mount_setattr(2)`, Linux 5.12).
#[allow(unsafe_code, reason = "no safe wrapper exists")]
fn read_only() -> Result<(), Errno> {
    const RDONLY: u64 = 0x1;
    const NOSUID: u64 = 0x2;
    const AT_RECURSIVE: libc::c_uint = 0x8000;
    /// `struct mount_attr` of linux/mount.h: set, clear, propagation, user namespace.
    type Attributes = [u64; 4];
    let attributes: Attributes = [RDONLY | NOSUID, 0, 0, 0];
    // SAFETY: the path is a C string and the attributes have the size that is stated.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            c"/".as_ptr(),
            AT_RECURSIVE,
            attributes.as_ptr(),
            size_of::<Attributes>(),
        )
    };
    if answer == 0 { Ok(()) } else { Err(last_errno()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_of_mountinfo_are_undone() {
        assert_eq!(unescape(br"/run/a\040b\134c"), b"/run/a b\\c");
        assert_eq!(unescape(br"/run/\9\"), br"/run/\9\");
    }
}
