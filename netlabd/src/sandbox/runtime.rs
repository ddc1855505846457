//! The runtime directory of a node, `/run` to its commands (file-hierarchy(7)): one for all of them, so that a program
//! finds the sockets of those that run in the same node.

use std::{
    fs,
    os::{fd::OwnedFd, unix::fs::DirBuilderExt},
    path::Path,
};

use rustix::mount::{MountFlags, MountPropagationFlags, mount_change};

use super::{
    attributes,
    error::{Result, Step, errno},
    pin::is_mount_point,
};
use crate::{failpoint, sys::mount::mount_new};

/// How much a node's may hold. What is written there counts as memory of the lab that writes it.
const BOUNDS: &str = "mode=0755,size=16m,nr_inodes=4k";

/// Answers a copy of the mount at `path`, to be put into a command's view; makes it first where there is none. It belongs
/// to `root`, the lab's as the host numbers it, and has neither set-user-id programs nor devices. Its folder must exist.
pub fn runtime_directory(path: &Path, root: u32) -> Result<OwnedFd> {
    let failed = |errno| Step::RuntimeDirectory.path(path, errno);
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(failed(errno(error))),
        _ => {}
    }
    if !is_mount_point(path).map_err(failed)? {
        failpoint::step("after the folder of a node's /run is made");
        let at = path.to_str().ok_or(failed(rustix::io::Errno::INVAL))?;
        let options = format!("{BOUNDS},uid={root},gid={root}");
        mount_new("tmpfs", at, MountFlags::NOSUID | MountFlags::NODEV, &options).map_err(failed)?;
        failpoint::step("before a node's /run is private");
        // Each command has a copy, of which nobody else needs to hear.
        mount_change(path, MountPropagationFlags::PRIVATE).map_err(failed)?;
    }
    attributes::clone(path).map_err(failed)
}
