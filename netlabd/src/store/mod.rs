//! The durable desired state: an embedded database that one daemon writes.
//!
//! A change is on the disk before it is answered (redb commits with fsync). What only tells of the
//! past (events) is written along without waiting for the disk.
//!
//! - `labs`, `history`, `host_values`: what is kept.
//! - `open`: opening, checking, moving aside what is damaged.
//! - `migrate`: formats.
//! - `reserve`: a full disk.
//! - `secret`: from which keys are derived.
//! - `record`: what is kept of a lab.

mod history;
mod host_values;
mod labs;
mod migrate;
mod open;
mod record;
mod reserve;
mod secret;
#[cfg(test)]
mod tests;

use std::{
    path::PathBuf,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use redb::{Database, Durability, TableDefinition, WriteTransaction};

pub use labs::News;
pub use open::Opened;
pub use record::{HostValue, Record, Revision, SysctlBefore, decode, encode};

use crate::failpoint;
use reserve::{Need, Room, is_full};

/// Name to [`Record`].
const LABS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("labs");
/// Name to what is no [`Record`], as it was found.
const UNREADABLE: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("unreadable");
/// Lab's uid and sequence number to `LabEvent`.
const EVENTS: TableDefinition<'_, (&str, u64), &[u8]> = TableDefinition::new("events");
/// Lab's uid and generation to `Revision`.
const REVISIONS: TableDefinition<'_, (&str, u64), &[u8]> = TableDefinition::new("revisions");
/// Sysctl to [`HostValue`].
const HOST: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("host");
/// Name to a secret of this netlabd.
const SECRETS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("secrets");
/// `format` to the number of the format, see [`migrate`].
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

/// Events kept for each lab.
pub const EVENTS_KEPT: u64 = 1_000;

/// Fewer events of a lab than this are lost when the daemon is killed or the disk fails.
pub const EVENTS_AT_RISK: u64 = 64;

/// Why the store cannot do what was asked. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database failed.
    #[error("the store {path} failed: {reason}; check the disk")]
    Database {
        /// The file.
        path: PathBuf,
        /// In the database's words.
        reason: String,
    },
    /// There is no room left.
    #[error(
        "the disk of {path} is full (No space left on device): nothing was changed; free some space, at least 1 MiB, and try again. Labs run on, and deleting them works"
    )]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// Somebody else has it open.
    #[error("the store {0} is in use by another netlabd")]
    InUse(PathBuf),
    /// It was written by a newer netlabd.
    #[error(
        "the store {path} has format {found}, this netlabd knows up to {known}; use the newer netlabd again"
    )]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// The newest known format.
        known: u64,
    },
}

type Result<T> = std::result::Result<T, Error>;

/// The store. Clones are the same store.
#[derive(Debug, Clone)]
pub struct Store(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    room: Room,
    /// `None` while it cannot be opened again after a failure.
    database: RwLock<Option<Database>>,
    /// Whether the log says already that the disk is full.
    told_full: AtomicBool,
    /// After a failed read or write the database refuses everything until it is opened again.
    spoilt: AtomicBool,
}

impl Store {
    fn new(path: PathBuf, database: Database, room: Room) -> Self {
        let (told_full, spoilt) = (AtomicBool::new(false), AtomicBool::new(false));
        Self(Arc::new(Shared { path, room, database: RwLock::new(Some(database)), told_full, spoilt }))
    }

    fn failed(&self, error: &redb::Error) -> Error {
        let path = self.0.path.clone();
        match error {
            redb::Error::Io(error) if is_full(error) => Error::Full { path },
            other => Error::Database { path, reason: other.to_string() },
        }
    }

    /// Opens the database again after a failure; what was kept is there.
    fn revive(&self) -> Result<()> {
        if !self.0.spoilt.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut database = self.0.database.write().unwrap_or_else(PoisonError::into_inner);
        if self.0.spoilt.load(Ordering::Acquire) {
            *database = None;
            *database = Some(open::database(&self.0.path).map_err(|failed| failed.into_error(&self.0.path))?);
            self.0.spoilt.store(false, Ordering::Release);
        }
        Ok(())
    }

    fn run<T>(&self, work: &impl Fn(&Database) -> std::result::Result<T, redb::Error>) -> Result<T> {
        let mut again = true;
        loop {
            self.revive()?;
            let database = self.0.database.read().unwrap_or_else(PoisonError::into_inner);
            let done = database.as_ref().map_or(Err(redb::Error::PreviousIo), work);
            let Err(error) = done else { return done.map_err(|error| self.failed(&error)) };
            if matches!(error, redb::Error::Io(_) | redb::Error::PreviousIo) {
                self.0.spoilt.store(true, Ordering::Release);
            }
            // It was another's write that failed.
            if !matches!(error, redb::Error::PreviousIo) || !std::mem::take(&mut again) {
                return Err(self.failed(&error));
            }
        }
    }

    fn write(
        &self,
        need: Need,
        durability: Durability,
        change: impl Fn(&WriteTransaction) -> std::result::Result<(), redb::Error>,
    ) -> Result<()> {
        let room = &self.0.room;
        let ample = room.is_ample();
        if !ample && !self.0.told_full.swap(true, Ordering::Relaxed) {
            tracing::warn!("the disk of the store is full: new work is refused, and events are not kept");
        } else if ample {
            self.0.told_full.store(false, Ordering::Relaxed);
        }
        if need == Need::Free && !ample {
            return Err(Error::Full { path: self.0.path.clone() });
        }
        let commit = |database: &Database| {
            let mut write = database.begin_write()?;
            write.set_durability(durability)?;
            change(&write)?;
            failpoint::step("before a commit");
            write.commit()?;
            failpoint::step("after a commit");
            Ok(())
        };
        let mut done = self.run(&commit);
        if need == Need::Reserve && matches!(done, Err(Error::Full { .. })) && room.release() {
            tracing::warn!("the disk is full; the store uses its reserve");
            done = self.run(&commit);
        }
        if need == Need::Reserve && done.is_ok() {
            room.restore();
        }
        done
    }

    /// Waits for its turn to write, and writes nothing: returns if the store responds.
    pub fn pulse(&self) -> Result<()> {
        self.run(&|database| Ok(database.begin_write()?.abort()?))
    }
}
