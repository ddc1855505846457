//! The durable desired state: an embedded database that one daemon writes.
//!
//! A change is on the disk before it is answered (redb commits with fsync). What only tells of the
//! past (events) is written along without waiting for the disk.
//!
//! - `open`: opening, checking, moving aside what is damaged.
//! - `migrate`: formats.
//! - `reserve`: a full disk.
//! - `record`: what is kept of a lab.

mod migrate;
mod open;
mod record;
mod reserve;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use netlab_proto::v1::{LabEvent, Revision as RevisionMessage};
use prost::Message;
use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};

pub use open::Opened;
pub use record::{HostValue, Record, Revision, SysctlBefore, decode, encode};

use crate::{failpoint, model::LabName};
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
/// `format` to the number of the format, see [`migrate`].
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

/// Revisions kept of each lab.
const REVISIONS_KEPT: usize = 20;

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

    /// All labs.
    pub fn labs(&self) -> Result<BTreeMap<String, Record>> {
        let labs: BTreeMap<String, Vec<u8>> = self.run(&|database| {
            let mut labs = BTreeMap::new();
            for entry in database.begin_read()?.open_table(LABS)?.iter()? {
                let (name, bytes) = entry?;
                labs.insert(name.value().to_owned(), bytes.value().to_owned());
            }
            Ok(labs)
        })?;
        // One that cannot be read was kept apart when the store was opened.
        labs.into_iter()
            .map(|(name, bytes)| match Record::decode(bytes.as_slice()) {
                Ok(record) => Ok((name, record)),
                Err(error) => Err(Error::Database {
                    path: self.0.path.clone(),
                    reason: format!("record of lab {name}: {error}"),
                }),
            })
            .collect()
    }

    /// The names of labs whose records cannot be read. They must not be taken for labs that were deleted.
    pub fn unreadable(&self) -> Result<BTreeSet<String>> {
        self.run(&|database| {
            let mut names = BTreeSet::new();
            for entry in database.begin_read()?.open_table(UNREADABLE)?.iter()? {
                names.insert(entry?.0.value().to_owned());
            }
            Ok(names)
        })
    }

    /// Forgets a lab whose record cannot be read; on the disk when this returns.
    pub fn remove_unreadable(&self, name: &LabName) -> Result<()> {
        self.write(Need::Reserve, Durability::Immediate, |write| {
            write.open_table(UNREADABLE)?.remove(name.as_str())?;
            write.open_table(LABS)?.remove(name.as_str())?;
            Ok(())
        })
    }

    /// Waits for its turn to write, and writes nothing: returns if the store responds.
    pub fn pulse(&self) -> Result<()> {
        self.run(&|database| Ok(database.begin_write()?.abort()?))
    }

    /// Keeps a lab as somebody wants it; on the disk when this returns. Refused where the disk is full.
    pub fn put(&self, name: &LabName, record: &Record) -> Result<()> {
        self.put_with(Need::Free, name, record, News::default())
    }

    /// Keeps what became of a lab; on the disk when this returns. A full disk hardly refuses it: it is
    /// what ends a lab, or what has been done already.
    pub fn amend(&self, name: &LabName, record: &Record) -> Result<()> {
        self.put_with(Need::Reserve, name, record, News::default())
    }

    /// As [`Store::put`], together with what is told of it: all or nothing.
    pub fn put_and_tell(&self, name: &LabName, record: &Record, news: News<'_>) -> Result<()> {
        self.put_with(Need::Free, name, record, news)
    }

    /// As [`Store::amend`], together with what is told of it: all or nothing.
    pub fn amend_and_tell(&self, name: &LabName, record: &Record, news: News<'_>) -> Result<()> {
        self.put_with(Need::Reserve, name, record, news)
    }

    fn put_with(&self, need: Need, name: &LabName, record: &Record, news: News<'_>) -> Result<()> {
        let bytes = record.encode_to_vec();
        let uid = record.uid.as_str();
        self.write(need, Durability::Immediate, |write| {
            write.open_table(LABS)?.insert(name.as_str(), bytes.as_slice())?;
            insert_events(write, uid, news.events)?;
            if let Some(revision) = news.revision {
                insert_revision(write, uid, revision)?;
            }
            Ok(())
        })
    }

    /// The revisions of a lab, oldest first.
    pub fn revisions(&self, uid: &str) -> Result<Vec<RevisionMessage>> {
        self.run(&|database| {
            let mut revisions = Vec::new();
            let table = database.begin_read()?.open_table(REVISIONS)?;
            for entry in table.range((uid, 0)..=(uid, u64::MAX))? {
                // One that cannot be read is history lost, no more.
                revisions.extend(RevisionMessage::decode(entry?.1.value()));
            }
            Ok(revisions)
        })
    }

    /// Forgets a lab and its events; on the disk when this returns.
    pub fn remove(&self, name: &LabName, uid: &str) -> Result<()> {
        self.write(Need::Reserve, Durability::Immediate, |write| {
            write.open_table(LABS)?.remove(name.as_str())?;
            write.open_table(EVENTS)?.retain_in((uid, 0)..=(uid, u64::MAX), |_, _| false)?;
            write.open_table(REVISIONS)?.retain_in((uid, 0)..=(uid, u64::MAX), |_, _| false)?;
            Ok(())
        })?;
        if !self.0.room.is_ample() {
            self.shrink();
        }
        Ok(())
    }

    /// Gives room that the store no longer needs back to the disk. What fails is tried again with the
    /// next delete.
    fn shrink(&self) {
        let mut database = self.0.database.write().unwrap_or_else(PoisonError::into_inner);
        let Some(open) = database.as_mut() else { return };
        if let Err(error) = open.compact() {
            tracing::debug!(%error, "the store does not shrink");
            self.0.spoilt.store(true, Ordering::Release);
        }
        self.0.room.restore();
    }

    /// Writes an event down and lets go of the oldest. Only some events wait for the disk: a crash may
    /// lose the last [`EVENTS_AT_RISK`].
    pub fn add_event(&self, uid: &str, event: &LabEvent) -> Result<()> {
        let full = event.sequence.is_multiple_of(EVENTS_AT_RISK);
        let durability = if full { Durability::Immediate } else { Durability::None };
        self.write(Need::Free, durability, |write| insert_events(write, uid, std::slice::from_ref(event)))
    }

    /// The events of a lab in order.
    pub fn events(&self, uid: &str) -> Result<Vec<LabEvent>> {
        self.run(&|database| {
            let mut events = Vec::new();
            let table = database.begin_read()?.open_table(EVENTS)?;
            for entry in table.range((uid, 0)..=(uid, u64::MAX))? {
                // An event that cannot be read is history lost, no more.
                events.extend(LabEvent::decode(entry?.1.value()));
            }
            Ok(events)
        })
    }

    /// What the host's sysctls were before labs changed them.
    pub fn host_values(&self) -> Result<BTreeMap<String, HostValue>> {
        self.run(&|database| {
            let mut values = BTreeMap::new();
            for entry in database.begin_read()?.open_table(HOST)?.iter()? {
                let (key, bytes) = entry?;
                values.insert(key.value().to_owned(), HostValue::decode(bytes.value()).unwrap_or_default());
            }
            Ok(values)
        })
    }

    /// Keeps, or with `None` forgets, what a sysctl of the host was.
    pub fn set_host_value(&self, key: &str, value: Option<&HostValue>) -> Result<()> {
        let need = if value.is_some() { Need::Free } else { Need::Reserve };
        self.write(need, Durability::Immediate, |write| {
            let mut host = write.open_table(HOST)?;
            match value {
                Some(value) => host.insert(key, value.encode_to_vec().as_slice())?,
                None => host.remove(key)?,
            };
            Ok(())
        })
    }
}

/// What is kept of a change beside the record.
#[derive(Debug, Clone, Copy, Default)]
pub struct News<'a> {
    /// Events, in order.
    pub events: &'a [LabEvent],
    /// The new desired state.
    pub revision: Option<&'a Revision>,
}

/// Inserts events in order and lets go of the oldest.
fn insert_events(
    write: &WriteTransaction,
    uid: &str,
    new: &[LabEvent],
) -> std::result::Result<(), redb::Error> {
    let mut events = write.open_table(EVENTS)?;
    for event in new {
        events.insert((uid, event.sequence), event.encode_to_vec().as_slice())?;
        let oldest = event.sequence.saturating_sub(EVENTS_KEPT);
        events.retain_in((uid, 0)..=(uid, oldest), |_, _| false)?;
    }
    Ok(())
}

/// Inserts a revision and lets go of the oldest.
fn insert_revision(
    write: &WriteTransaction,
    uid: &str,
    revision: &Revision,
) -> std::result::Result<(), redb::Error> {
    let mut revisions = write.open_table(REVISIONS)?;
    revisions.insert((uid, revision.generation), revision.encode_to_vec().as_slice())?;
    let oldest = match revisions.range((uid, 0)..=(uid, u64::MAX))?.rev().nth(REVISIONS_KEPT) {
        Some(entry) => Some(entry?.0.value().1),
        None => None,
    };
    if let Some(oldest) = oldest {
        revisions.retain_in((uid, 0)..=(uid, oldest), |_, _| false)?;
    }
    Ok(())
}
