//! Mounts by descriptor: what is mounted can be copied, changed and put elsewhere before anybody sees it
//! (`open_tree(2)`, `move_mount(2)`, Linux 5.2; `mount_setattr(2)`, Linux 5.12).

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::{
    fs::CWD,
    io::Errno,
    mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree},
    path::Arg,
};

use super::task::last_errno;

/// `MOUNT_ATTR_RDONLY`: read-only by this mount. The file system may be written to by another.
pub(super) const RDONLY: u64 = 0x1;
/// `MOUNT_ATTR_NOSUID`: deaf to set-user-id bits and file capabilities.
pub(super) const NOSUID: u64 = 0x2;
/// `MOUNT_ATTR_NODEV`: device files cannot be opened.
pub(super) const NODEV: u64 = 0x4;
/// `MOUNT_ATTR_NOEXEC`: nothing can be executed.
pub(super) const NOEXEC: u64 = 0x8;

/// Copies what is mounted at a path or lies there, without what is mounted below.
pub(super) fn clone(path: impl Arg) -> Result<OwnedFd, Errno> {
    open_tree(CWD, path, OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC)
}

/// Mounts a copy at a path.
pub(super) fn put(copy: &OwnedFd, path: impl Arg) -> Result<(), Errno> {
    move_mount(copy, "", CWD, path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

/// Mounts a copy on what was opened, a symbolic link too.
pub(super) fn put_on(copy: &OwnedFd, target: &OwnedFd) -> Result<(), Errno> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(copy, "", target, "", flags)
}

/// Sets and clears attributes of one mount.
pub(super) fn set(mount: &OwnedFd, set: u64, clear: u64) -> Result<(), Errno> {
    change(mount.as_fd(), "", libc::AT_EMPTY_PATH, set, clear)
}

/// Sets attributes of the mount at a path.
pub(super) fn set_at(path: impl Arg, attributes: u64) -> Result<(), Errno> {
    change(CWD, path, 0, attributes, 0)
}

/// Clears attributes of the mount at a path.
pub(super) fn clear_at(path: impl Arg, attributes: u64) -> Result<(), Errno> {
    change(CWD, path, 0, 0, attributes)
}

/// Sets attributes of the mount at a path and of all below it.
pub(super) fn set_below(path: impl Arg, attributes: u64) -> Result<(), Errno> {
    const AT_RECURSIVE: libc::c_int = 0x8000;
    change(CWD, path, AT_RECURSIVE, attributes, 0)
}

#[expect(unsafe_code, reason = "no safe wrapper exists")]
fn change(
    directory: BorrowedFd<'_>,
    path: impl Arg,
    flags: libc::c_int,
    set: u64,
    clear: u64,
) -> Result<(), Errno> {
    /// `struct mount_attr` of linux/mount.h: set, clear, propagation, user namespace.
    type Attributes = [u64; 4];
    let attributes: Attributes = [set, clear, 0, 0];
    let path = path.into_c_str()?;
    // SAFETY: the path is a C string and the attributes have the size that is stated.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            directory.as_raw_fd(),
            path.as_ptr(),
            flags,
            attributes.as_ptr(),
            size_of::<Attributes>(),
        )
    };
    if answer == 0 { Ok(()) } else { Err(last_errno()) }
}
