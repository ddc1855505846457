//! The durable desired state: an embedded database that one daemon writes.
//!
//! A change is on the disk before it is answered (redb commits with fsync). What only tells of the
//! past (events) is written along without waiting for the disk.

mod record;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use netlab_proto::v1::{LabEvent, Revision};
use prost::Message;
use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition};

pub use record::{HostValue, Record};

use crate::{fault, model::LabName};

/// Name to [`Record`].
const LABS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("labs");
/// Lab's uid and sequence number to `LabEvent`.
const EVENTS: TableDefinition<'_, (&str, u64), &[u8]> = TableDefinition::new("events");
/// Lab's uid and generation to `Revision`.
const REVISIONS: TableDefinition<'_, (&str, u64), &[u8]> = TableDefinition::new("revisions");
/// Sysctl to [`HostValue`].
const HOST: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("host");
/// `format` to [`FORMAT`].
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

/// Version of the format. A newer one is refused, an older one is migrated when it is opened.
const FORMAT: u64 = 1;

/// Revisions kept of each lab.
const REVISIONS_KEPT: usize = 20;

/// Events kept for each lab.
pub const EVENTS_KEPT: u64 = 1_000;

/// Fewer events of a lab than this are lost when the daemon is killed.
pub const EVENTS_AT_RISK: u64 = 64;

/// Why the store cannot do what was asked. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database failed, for example because the disk is full.
    #[error("the store {path} failed: {reason}; check the disk and its free space")]
    Database {
        /// The file.
        path: PathBuf,
        /// In the database's words.
        reason: String,
    },
    /// Somebody else has it open.
    #[error("the store {0} is in use by another netlabd")]
    InUse(PathBuf),
    /// It was written by a newer netlabd.
    #[error(
        "the store {path} has format {found}, this netlabd knows up to {FORMAT}; use the newer netlabd again"
    )]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
    },
}

type Result<T> = std::result::Result<T, Error>;

/// The store. Clones are the same store.
#[derive(Debug, Clone)]
pub struct Store {
    database: Arc<Database>,
    path: PathBuf,
}

/// A store just opened.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: Store,
    /// Where a damaged store was moved; the new one is empty, and what runs must be left alone.
    pub damaged: Option<PathBuf>,
}

impl Store {
    /// Opens the store in a folder, or makes it. A damaged one is moved aside, never emptied.
    pub fn open(dir: &Path) -> Result<Opened> {
        let path = dir.join("labs.redb");
        match Self::try_open(&path) {
            Ok(store) => Ok(Opened { store, damaged: None }),
            Err(OpenError::Damaged(reason)) => {
                let aside = dir.join(format!("labs.redb.damaged-{}", crate::clock::now_us()));
                let failed = |reason: String| Error::Database { path: path.clone(), reason };
                fs::rename(&path, &aside)
                    .map_err(|error| failed(format!("{reason}; moving it aside: {error}")))?;
                let store = Self::try_open(&path).map_err(|error| match error {
                    OpenError::Damaged(reason) => failed(reason),
                    OpenError::Other(error) => error,
                })?;
                Ok(Opened { store, damaged: Some(aside) })
            }
            Err(OpenError::Other(error)) => Err(error),
        }
    }

    fn try_open(path: &Path) -> std::result::Result<Self, OpenError> {
        let database = Database::create(path).map_err(|error| match error {
            redb::DatabaseError::DatabaseAlreadyOpen => OpenError::Other(Error::InUse(path.to_owned())),
            redb::DatabaseError::Storage(redb::StorageError::Io(error))
                if error.kind() != std::io::ErrorKind::InvalidData
                    && error.kind() != std::io::ErrorKind::UnexpectedEof =>
            {
                OpenError::Other(Error::Database { path: path.to_owned(), reason: error.to_string() })
            }
            damaged => OpenError::Damaged(damaged.to_string()),
        })?;
        let store = Self { database: Arc::new(database), path: path.to_owned() };
        match store.prepare()? {
            found if found > FORMAT => Err(OpenError::Other(Error::TooNew { path: path.to_owned(), found })),
            _ => Ok(store),
        }
    }

    /// Makes missing tables and returns the format.
    fn prepare(&self) -> Result<u64> {
        let run = || -> std::result::Result<u64, redb::Error> {
            let write = self.database.begin_write()?;
            let format = {
                let mut meta = write.open_table(META)?;
                let found = meta.get("format")?.map(|value| value.value());
                if found.is_none() {
                    meta.insert("format", FORMAT)?;
                }
                write.open_table(LABS)?;
                write.open_table(EVENTS)?;
                write.open_table(REVISIONS)?;
                write.open_table(HOST)?;
                found.unwrap_or(FORMAT)
            };
            write.commit()?;
            Ok(format)
        };
        run().map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &redb::Error) -> Error {
        Error::Database { path: self.path.clone(), reason: error.to_string() }
    }

    fn write<T>(
        &self,
        durability: Durability,
        change: impl FnOnce(&redb::WriteTransaction) -> std::result::Result<T, redb::Error>,
    ) -> Result<T> {
        let run = || -> std::result::Result<T, redb::Error> {
            let mut write = self.database.begin_write()?;
            write.set_durability(durability)?;
            let result = change(&write)?;
            fault::step("before a commit");
            write.commit()?;
            fault::step("after a commit");
            Ok(result)
        };
        run().map_err(|error| self.failed(&error))
    }

    /// All labs. A record that cannot be read is an error: it must not be taken for a lab that was
    /// deleted.
    pub fn labs(&self) -> Result<BTreeMap<String, Record>> {
        let run = || -> std::result::Result<_, redb::Error> {
            let mut labs = BTreeMap::new();
            for entry in self.database.begin_read()?.open_table(LABS)?.iter()? {
                let (name, bytes) = entry?;
                labs.insert(name.value().to_owned(), bytes.value().to_owned());
            }
            Ok(labs)
        };
        let labs: BTreeMap<String, Vec<u8>> = run().map_err(|error| self.failed(&error))?;
        labs.into_iter()
            .map(|(name, bytes)| match Record::decode(bytes.as_slice()) {
                Ok(record) => Ok((name, record)),
                Err(error) => Err(Error::Database {
                    path: self.path.clone(),
                    reason: format!("record of lab {name}: {error}"),
                }),
            })
            .collect()
    }

    /// Waits for its turn to write, and writes nothing: returns if the store responds.
    pub fn pulse(&self) -> Result<()> {
        let run = || -> std::result::Result<(), redb::Error> { Ok(self.database.begin_write()?.abort()?) };
        run().map_err(|error| self.failed(&error))
    }

    /// Keeps a lab; on the disk when this returns.
    pub fn put(&self, name: &LabName, record: &Record) -> Result<()> {
        self.write(Durability::Immediate, |write| {
            write.open_table(LABS)?.insert(name.as_str(), record.encode_to_vec().as_slice())?;
            Ok(())
        })
    }

    /// Keeps a lab together with what is told of the change, all or nothing; on the disk when this returns.
    pub fn put_and_tell(
        &self,
        name: &LabName,
        record: &Record,
        events: &[LabEvent],
        revision: Option<&Revision>,
    ) -> Result<()> {
        let uid = record.uid.as_str();
        self.write(Durability::Immediate, |write| {
            write.open_table(LABS)?.insert(name.as_str(), record.encode_to_vec().as_slice())?;
            insert_events(write, uid, events)?;
            if let Some(revision) = revision {
                let mut revisions = write.open_table(REVISIONS)?;
                revisions.insert((uid, revision.generation), revision.encode_to_vec().as_slice())?;
                let oldest = match revisions.range((uid, 0)..=(uid, u64::MAX))?.rev().nth(REVISIONS_KEPT) {
                    Some(entry) => Some(entry?.0.value().1),
                    None => None,
                };
                if let Some(oldest) = oldest {
                    revisions.retain_in((uid, 0)..=(uid, oldest), |_, _| false)?;
                }
            }
            Ok(())
        })
    }

    /// The revisions of a lab, oldest first.
    pub fn revisions(&self, uid: &str) -> Result<Vec<Revision>> {
        let run = || -> std::result::Result<_, redb::Error> {
            let mut revisions = Vec::new();
            let table = self.database.begin_read()?.open_table(REVISIONS)?;
            for entry in table.range((uid, 0)..=(uid, u64::MAX))? {
                // One that cannot be read is history lost, no more.
                revisions.extend(Revision::decode(entry?.1.value()));
            }
            Ok(revisions)
        };
        run().map_err(|error| self.failed(&error))
    }

    /// Forgets a lab and its events; on the disk when this returns.
    pub fn remove(&self, name: &LabName, uid: &str) -> Result<()> {
        self.write(Durability::Immediate, |write| {
            write.open_table(LABS)?.remove(name.as_str())?;
            write.open_table(EVENTS)?.retain_in((uid, 0)..=(uid, u64::MAX), |_, _| false)?;
            write.open_table(REVISIONS)?.retain_in((uid, 0)..=(uid, u64::MAX), |_, _| false)?;
            Ok(())
        })
    }

    /// Writes an event down and lets go of the oldest. Only some events wait for the disk: a crash may
    /// lose the last [`EVENTS_AT_RISK`].
    pub fn add_event(&self, uid: &str, event: &LabEvent) -> Result<()> {
        let full = event.sequence.is_multiple_of(EVENTS_AT_RISK);
        let durability = if full { Durability::Immediate } else { Durability::None };
        self.write(durability, |write| insert_events(write, uid, std::slice::from_ref(event)))
    }

    /// The events of a lab in order.
    pub fn events(&self, uid: &str) -> Result<Vec<LabEvent>> {
        let run = || -> std::result::Result<_, redb::Error> {
            let mut events = Vec::new();
            let table = self.database.begin_read()?.open_table(EVENTS)?;
            for entry in table.range((uid, 0)..=(uid, u64::MAX))? {
                // An event that cannot be read is history lost, no more.
                events.extend(LabEvent::decode(entry?.1.value()));
            }
            Ok(events)
        };
        run().map_err(|error| self.failed(&error))
    }

    /// What the host's sysctls were before labs changed them.
    pub fn host_values(&self) -> Result<BTreeMap<String, HostValue>> {
        let run = || -> std::result::Result<_, redb::Error> {
            let mut values = BTreeMap::new();
            for entry in self.database.begin_read()?.open_table(HOST)?.iter()? {
                let (key, bytes) = entry?;
                values.insert(key.value().to_owned(), HostValue::decode(bytes.value()).unwrap_or_default());
            }
            Ok(values)
        };
        run().map_err(|error| self.failed(&error))
    }

    /// Keeps, or with `None` forgets, what a sysctl of the host was.
    pub fn set_host_value(&self, key: &str, value: Option<&HostValue>) -> Result<()> {
        self.write(Durability::Immediate, |write| {
            let mut host = write.open_table(HOST)?;
            match value {
                Some(value) => host.insert(key, value.encode_to_vec().as_slice())?,
                None => host.remove(key)?,
            };
            Ok(())
        })
    }
}

/// Inserts events in order and lets go of the oldest.
fn insert_events(
    write: &redb::WriteTransaction,
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

enum OpenError {
    Damaged(String),
    Other(Error),
}

impl From<Error> for OpenError {
    fn from(error: Error) -> Self {
        match error {
            Error::Database { reason, .. } => Self::Damaged(reason),
            other => Self::Other(other),
        }
    }
}
