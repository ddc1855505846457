//! The records of labs.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{PoisonError, atomic::Ordering},
};

use netlab_proto::v1::LabEvent;
use prost::Message;
use redb::{Durability, ReadableDatabase, ReadableTable};

use super::{
    EVENTS, Error, LABS, REVISIONS, Result, Store, UNREADABLE,
    history::{insert_events, insert_revision},
    record::{Record, Revision},
    reserve::Need,
};
use crate::model::LabName;

/// What is kept of a change beside the record.
#[derive(Debug, Clone, Copy, Default)]
pub struct News<'a> {
    /// Events, in order.
    pub events: &'a [LabEvent],
    /// The new desired state.
    pub revision: Option<&'a Revision>,
}

impl Store {
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
}
