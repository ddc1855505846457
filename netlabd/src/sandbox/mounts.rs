//! What a command in a node sees of the file system: the host's as it was when the command began, read-only, with
//! the node's own `/sys`, `/proc`, `/dev`, `/run`, `/etc/hosts` and `/etc/resolv.conf`, and empty temporary directories.
//!
//! The mount namespace belongs to the host's user namespace, so the lab's root cannot mount in it. Nothing that the
//! host mounts later comes into it: it could not be made read-only in time.

use std::{fs, io, os::fd::OwnedFd, path::Path};

use rustix::{
    fs::{Mode, OFlags, open},
    io::Errno,
    mount::MountFlags,
};

use super::{
    attributes::{NODEV, NOSUID, RDONLY, clone, put, put_on, set},
    devices,
    error::Step,
    proc,
    spec::Spec,
    task::{At, TaskError},
};
use crate::sys::mount::mount_new;

/// Directories that are the command's own, with their modes and sizes.
const TEMPORARY: &[(&str, &str)] = &[
    ("/tmp", "mode=1777,size=64m,nr_inodes=16k"),
    ("/var/tmp", "mode=1777,size=64m,nr_inodes=16k"),
    ("/dev/shm", "mode=1777,size=64m,nr_inodes=16k"),
];

/// Turns a copy of the [view](super::view) of the host's files into the command's own. The process is host root in a new mount
/// namespace and in the node's network namespace.
pub(super) fn isolate(spec: &Spec, run: &OwnedFd) -> Result<(), TaskError> {
    devices::mount_terminals(spec.root).at(Step::Mount)?;
    node_files(spec).at(Step::NodeFiles)?;
    let quiet = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount_new("sysfs", "/sys", quiet | MountFlags::RDONLY, "").at(Step::Mount)?;
    proc::mount().at(Step::Mount)?;
    for (path, options) in TEMPORARY {
        tmpfs(path, &format!("{options},uid={0},gid={0}", spec.root)).at(Step::Mount)?;
    }
    put(run, "/run").at(Step::Mount)?;
    rustix::process::chdir("/").at(Step::WorkingDirectory)
}

/// Puts the node's own files over the host's, from a tmpfs that the command's own `/tmp` covers.
fn node_files(spec: &Spec) -> io::Result<()> {
    let stage = Path::new("/tmp");
    tmpfs("/tmp", "mode=0755,size=4m")?;
    for (name, text) in [("hosts", &spec.hosts), ("resolv.conf", &spec.resolv_conf)] {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        // By descriptor, so that a symbolic link into /run is covered itself.
        let target = match open(Path::new("/etc").join(name), flags, Mode::empty()) {
            Ok(target) => target,
            // A host without the file: nothing can be mounted over it.
            Err(Errno::NOENT) => continue,
            Err(errno) => return Err(errno.into()),
        };
        let path = stage.join(name);
        fs::write(&path, text)?;
        let file = clone(&path)?;
        set(&file, RDONLY | NOSUID | NODEV, 0)?;
        put_on(&file, &target)?;
    }
    Ok(())
}

/// Mounts a tmpfs without set-user-id programs or devices. An absent directory needs none.
fn tmpfs(path: &str, options: &str) -> Result<(), Errno> {
    match mount_new("tmpfs", path, MountFlags::NOSUID | MountFlags::NODEV, options) {
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(()),
        done => done,
    }
}
