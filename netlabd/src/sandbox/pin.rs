//! Pins: bind mounts that keep a namespace alive with no process in it, the way `ip netns` does.

use std::{
    fs,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::fs::{DirBuilderExt, MetadataExt},
    },
    path::Path,
};

use rustix::{
    fs::{AtFlags, CWD, Mode, OFlags, StatxAttributes, StatxFlags, fstatfs, open, statx},
    io::Errno,
    mount::{
        MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive,
        mount_change, unmount,
    },
};

use super::error::{Error, Result, Step, errno};
use crate::{failpoint, sys::nsfs::Inode};

/// `NSFS_MAGIC` of linux/magic.h: the file system that namespaces are files of.
const NSFS_MAGIC: u64 = 0x6e73_6673;

/// Makes the directory of pins (0755) and, unless it is a mount point already, a shared mount of its
/// own, so that every mount namespace that follows the host's sees pins come and go. `ip netns add`
/// does the same. A later call changes nothing.
pub fn prepare_directory(path: &Path) -> Result<()> {
    let failed = |errno| Step::PinDirectory.path(path, errno);
    fs::DirBuilder::new().recursive(true).mode(0o755).create(path).map_err(|error| failed(errno(error)))?;
    if is_mount_point(path).map_err(failed)? {
        return Ok(());
    }
    failpoint::step("after the directory of pins is made");
    // Recursive, or pins that are there already would be hidden.
    mount_bind_recursive(path, path).map_err(failed)?;
    failpoint::step("before the directory of pins is shared");
    mount_change(path, MountPropagationFlags::SHARED | MountPropagationFlags::REC).map_err(failed)
}

/// Takes an empty directory of pins away, with the mount that [`prepare_directory`] made.
pub fn remove_directory(path: &Path) -> Result<()> {
    let failed = |errno| Step::PinDirectory.path(path, errno);
    match unmount(path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
        Ok(()) | Err(Errno::INVAL | Errno::NOENT) => {}
        Err(errno) => return Err(failed(errno)),
    }
    match rustix::fs::rmdir(path) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(failed(errno)),
    }
}

/// Makes a folder (0700) with a tmpfs of its own, for pins that go all at once, unless there is one. Shared, so that every
/// mount namespace that follows the host's sees pins go.
pub fn mount_folder(path: &Path) -> Result<()> {
    let failed = |errno| Step::PinDirectory.path(path, errno);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| failed(errno(error)))?;
    if is_mount_point(path).map_err(failed)? {
        return Ok(());
    }
    failpoint::step("after the folder of a lab's pins is made");
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("netlab", path, "tmpfs", flags, Some(c"mode=0700")).map_err(failed)?;
    failpoint::step("before the folder of a lab's pins is shared");
    mount_change(path, MountPropagationFlags::SHARED).map_err(failed)
}

/// Takes a folder that [`mount_folder`] made away, with all pins in it: at one moment, however many there are.
pub fn unmount_folder(path: &Path) -> Result<()> {
    let failed = |errno| Step::Unpin.path(path, errno);
    loop {
        match unmount(path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
            // There may be one upon the other.
            Ok(()) => failpoint::step("after all pins of a lab are unmounted"),
            // No mount point.
            Err(Errno::INVAL) => break,
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
            Err(errno) => return Err(failed(errno)),
        }
    }
    match fs::remove_dir_all(path).map_err(errno) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(failed(errno)),
    }
}

/// Pins the namespace `fd` at `path`. Done already: nothing happens. What a crash left at `path` (an
/// empty file) is used. Another mount there: [`Error::PinTaken`].
pub fn pin(fd: BorrowedFd<'_>, path: &Path) -> Result<()> {
    let failed = |errno| Step::Pin.path(path, errno);
    let flags = OFlags::RDONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match open(path, flags, Mode::from_raw_mode(0o444)) {
        Err(Errno::EXIST) if is_pin_of(path, fd)? => return Ok(()),
        Err(Errno::EXIST) if is_mount_point(path).map_err(failed)? => {
            return Err(Error::PinTaken(path.display().to_string()));
        }
        Ok(_) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(failed(errno)),
    }
    failpoint::step("after the file of a pin is made");
    mount_bind(format!("/proc/self/fd/{}", fd.as_raw_fd()), path).map_err(failed)
}

/// Takes the pin at `path` away, with however much of it is there. The namespace ends with its last
/// user.
pub fn unpin(path: &Path) -> Result<()> {
    let failed = |errno| Step::Unpin.path(path, errno);
    loop {
        let mounted = match unmount(path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
            Ok(()) => true,
            // A file that is not a mount point.
            Err(Errno::INVAL) => false,
            Err(Errno::NOENT) => return Ok(()),
            Err(errno) => return Err(failed(errno)),
        };
        failpoint::step("after a pin is unmounted");
        match rustix::fs::unlink(path) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            // There were two pins, one upon the other.
            Err(Errno::BUSY) if mounted => {}
            Err(errno) => return Err(failed(errno)),
        }
    }
}

/// Whether there is an empty file at `path` to pin a namespace on, and nothing on it: somebody has unmounted the
/// pin, or was stopped before it was made or after it was taken away.
pub fn is_bare(path: &Path) -> bool {
    let empty = fs::symlink_metadata(path).is_ok_and(|file| file.is_file() && file.len() == 0);
    empty && open_pin(path).is_ok_and(|pin| pin.is_none())
}

/// Whether what is bare at `path` has been a pin of ours: root's, and as [`pin`] makes it.
pub fn is_left_over(path: &Path) -> bool {
    let ours = |file: &fs::Metadata| file.uid() == 0 && file.mode() & 0o7777 == 0o444;
    is_bare(path) && fs::symlink_metadata(path).is_ok_and(|file| ours(&file))
}

/// Opens the namespace pinned at `path`; `None` where there is no file or it is no pin.
pub fn open_pin(path: &Path) -> Result<Option<OwnedFd>> {
    let failed = |errno| Step::OpenPin.path(path, errno);
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let fd = match open(path, flags, Mode::empty()) {
        Ok(fd) => fd,
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
        Err(errno) => return Err(failed(errno)),
    };
    let magic = fstatfs(&fd).map_err(failed)?.f_type;
    Ok(u64::try_from(magic).is_ok_and(|magic| magic == NSFS_MAGIC).then_some(fd))
}

/// Whether `path` is a pin of the namespace `fd`.
pub fn is_pin_of(path: &Path, fd: BorrowedFd<'_>) -> Result<bool> {
    let failed = |errno| Step::OpenPin.path(path, errno);
    open_pin(path)?.map_or(Ok(false), |pinned| same_namespace(pinned.as_fd(), fd).map_err(failed))
}

/// Whether two descriptors stand for one namespace.
pub(super) fn same_namespace(a: BorrowedFd<'_>, b: BorrowedFd<'_>) -> Result<bool, Errno> {
    Ok(Inode::of(a)? == Inode::of(b)?)
}

/// Whether something is mounted at `path` itself (`STATX_ATTR_MOUNT_ROOT`, Linux 5.8).
pub(super) fn is_mount_point(path: &Path) -> Result<bool, Errno> {
    let found = statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::empty())?;
    Ok(found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}
