//! Room on the disk: new work is refused before the disk is full, and what gives room back, a delete
//! above all, still has some when others have filled it.

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use rustix::fs::{FallocateFlags, fallocate, statvfs};

/// Free space in bytes below which no new work is accepted.
const LEAST_FREE: u64 = 1 << 20;

/// Bytes of the reserve: a delete rewrites a few pages of 4 KiB, and pages that it frees are used again.
const RESERVE: u64 = 512 << 10;

/// The reserve's file.
pub(super) const RESERVE_FILE: &str = "labs.reserve";

/// What a write may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Only what is free: the write can be refused.
    Free,
    /// The reserve too: refusing it would keep the disk full, or a lab from being finished.
    Reserve,
}

/// The room that a store has.
#[derive(Debug)]
pub(super) struct Room {
    dir: PathBuf,
    reserve: PathBuf,
}

impl Room {
    /// The room in a folder. Sets the reserve aside where it is not yet.
    pub(super) fn new(dir: &Path) -> Self {
        let room = Self { dir: dir.to_owned(), reserve: dir.join(RESERVE_FILE) };
        room.restore();
        room
    }

    /// Bytes that are free; `None` where the file system does not say.
    pub(super) fn free(&self) -> Option<u64> {
        let found = statvfs(&self.dir).ok()?;
        // Some network file systems know neither size nor use.
        (found.f_blocks != 0).then(|| found.f_bavail.saturating_mul(found.f_frsize))
    }

    /// Whether a write that can be refused has room.
    pub(super) fn is_ample(&self) -> bool {
        self.free().is_none_or(|free| free >= LEAST_FREE)
    }

    /// Gives the reserve up; false if there was none.
    pub(super) fn release(&self) -> bool {
        fs::remove_file(&self.reserve).is_ok()
    }

    /// Sets the reserve aside again as soon as there is room for it.
    pub(super) fn restore(&self) {
        if self.reserve.exists() || self.free().is_some_and(|free| free < LEAST_FREE + RESERVE) {
            return;
        }
        if let Err(error) = self.set_aside() {
            tracing::debug!(%error, "no reserve of disk space");
            let _ = fs::remove_file(&self.reserve);
        }
    }

    fn set_aside(&self) -> io::Result<()> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.reserve)?;
        Ok(fallocate(&file, FallocateFlags::empty(), 0, RESERVE)?)
    }
}

/// Whether an error says that there is no room.
pub(super) fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}
