//! Whether anything was mounted or unmounted.
//!
//! The kernel counts the changes of a mount namespace, and poll(2) on `/proc/self/mountinfo` tells whether
//! there were any since it was last asked (`mounts_poll` in `fs/proc_namespace.c`): one call tells that
//! the pins of all nodes are as they were.

use std::{
    fs::File,
    sync::{Mutex, PoisonError},
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::retry_on_intr,
    time::Timespec,
};

/// The mounts of the mount namespace in which netlabd was started.
#[derive(Debug)]
pub(super) struct Mounts(Mutex<Table>);

#[derive(Debug)]
struct Table {
    /// `None` where it cannot be opened: then everything may have changed at any time.
    file: Option<File>,
    changes: u64,
}

impl Mounts {
    /// Those of the calling process.
    pub(super) fn new() -> Self {
        Self(Mutex::new(Table { file: File::open("/proc/self/mountinfo").ok(), changes: 0 }))
    }

    /// A number that is another one after each change.
    pub(super) fn changes(&self) -> u64 {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if table.file.as_ref().is_none_or(has_changed) {
            table.changes += 1;
        }
        table.changes
    }

    /// Takes it that something has changed: a mount point was renamed from another mount namespace.
    pub(super) fn mark(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).changes += 1;
    }
}

/// Whether the table has changed since this was last asked.
fn has_changed(file: &File) -> bool {
    let mut table = [PollFd::new(file, PollFlags::PRI)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    // Where it cannot be told it may have changed.
    retry_on_intr(|| poll(&mut table, Some(&now))) != Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_told_counts_as_changed() {
        let blind = Mounts(Mutex::new(Table { file: None, changes: 0 }));
        assert_ne!(blind.changes(), blind.changes());
        let mounts = Mounts::new();
        let before = mounts.changes();
        mounts.mark();
        assert_ne!(mounts.changes(), before);
    }
}
