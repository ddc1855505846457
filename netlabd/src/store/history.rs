//! The events and the revisions of labs.

use netlab_proto::v1::{LabEvent, Revision as RevisionMessage};
use prost::Message;
use redb::{Durability, ReadableDatabase, ReadableTable, WriteTransaction};

use super::{EVENTS, EVENTS_AT_RISK, EVENTS_KEPT, REVISIONS, Result, Store, record::Revision, reserve::Need};

/// Revisions kept of each lab.
const REVISIONS_KEPT: usize = 20;

impl Store {
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
}

/// Inserts events in order and lets go of the oldest.
pub(super) fn insert_events(
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
pub(super) fn insert_revision(
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
