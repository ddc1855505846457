//! One daemon a folder.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

/// A daemon that was killed while it started a helper leaves the lock for as long as that one needs to
/// begin: so many attempts are made, so far apart.
const ATTEMPTS: u32 = 20;
/// See [`ATTEMPTS`].
const PAUSE: Duration = Duration::from_millis(25);

/// Why a folder cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum LockError {
    /// Another netlabd has it.
    #[error(
        "{dir} is in use by another netlabd (process {pid}); stop that one, or give this one folders of its own"
    )]
    Taken {
        /// The folder.
        dir: PathBuf,
        /// The process id that the other one left there.
        pid: String,
    },
    /// The lock file cannot be used.
    #[error("cannot lock {dir}: {error}")]
    Io {
        /// The folder.
        dir: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// A folder that is this process's alone, until it ends.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "holds the lock")] File);

impl Lock {
    /// Takes a folder by a lock on its file `lock`, flock(2).
    pub(super) fn take(dir: &Path) -> Result<Self, LockError> {
        let failed = |error| LockError::Io { dir: dir.to_owned(), error };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(dir.join("lock"))
            .map_err(failed)?;
        let locked = (0..ATTEMPTS).any(|attempt| {
            if attempt > 0 {
                thread::sleep(PAUSE);
            }
            file.try_lock().is_ok()
        });
        if !locked {
            let mut pid = String::new();
            // Only for the message.
            let _ = file.read_to_string(&mut pid);
            return Err(LockError::Taken { dir: dir.to_owned(), pid: pid.trim().to_owned() });
        }
        note_holder(&file);
        Ok(Self(file))
    }
}

/// Says in the file who has it. Written over what is there, not after it was emptied: on a full disk another could
/// take the room in between. Only for messages, so a disk without room for it keeps nobody from the folder.
fn note_holder(file: &File) {
    let holder = format!("{}\n", std::process::id());
    let kept = match file.write_all_at(holder.as_bytes(), 0) {
        Ok(()) => holder.len() as u64,
        Err(_) => 0,
    };
    let _ = file.set_len(kept);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_one_is_told_who_has_it() {
        let dir = tempfile::tempdir().unwrap();
        // What a longer number left is not read as a part of this one.
        std::fs::write(dir.path().join("lock"), "12345678901\n").unwrap();
        let _held = Lock::take(dir.path()).unwrap();
        let Err(LockError::Taken { pid, .. }) = Lock::take(dir.path()) else { panic!("taken twice") };
        assert_eq!(pid, std::process::id().to_string());
    }

    #[test]
    fn a_full_disk_does_not_keep_one_from_it() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/dev/full", dir.path().join("lock")).unwrap();
        Lock::take(dir.path()).unwrap();
    }
}
