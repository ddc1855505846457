//! Formats of the store, and the way from each to the next. There is no way back: an older netlabd
//! refuses a newer format.
//!
//! A step is one transaction together with the format's number: whenever netlabd is killed, the store
//! has one format or the other, and the next start goes on from there.

use redb::{Database, ReadableDatabase, TableHandle, WriteTransaction};

use super::{EVENTS, HOST, LABS, META, REVISIONS, UNREADABLE};
use crate::failpoint;

/// Makes one format of the one before it.
type Step = fn(&WriteTransaction) -> Result<(), redb::Error>;

/// The first makes format 2 of format 1, and so on. A step that has been released is never changed.
const STEPS: [Step; 2] = [to_2, to_3];

/// The format that this netlabd reads and writes.
pub(super) const FORMAT: u64 = 1 + STEPS.len() as u64;

/// What a store is found to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// It has, by now, the format of this netlabd.
    Ours,
    /// It has this newer format, and is left as it is.
    Newer(u64),
    /// It is none that a netlabd has written.
    Strange(&'static str),
}

/// Brings a store, or a new and empty file, to [`FORMAT`].
pub(super) fn migrate(database: &Database) -> Result<Found, redb::Error> {
    loop {
        let Some(format) = format(database)? else {
            if database.begin_read()?.list_tables()?.next().is_some() {
                return Ok(Found::Strange("it has no format number"));
            }
            change(database, FORMAT, |write| {
                for step in STEPS {
                    step(write)?;
                }
                write.open_table(LABS)?;
                write.open_table(EVENTS)?;
                write.open_table(HOST)?;
                Ok(())
            })?;
            return Ok(Found::Ours);
        };
        match format {
            0 => return Ok(Found::Strange("its format number is 0")),
            FORMAT => return Ok(Found::Ours),
            newer if newer > FORMAT => return Ok(Found::Newer(newer)),
            older => {
                let step = usize::try_from(older - 1).expect("fewer than the steps");
                change(database, older + 1, STEPS[step])?;
                tracing::info!(from = older, to = older + 1, "the store was migrated");
            }
        }
    }
}

/// The number that a store bears; `None` if it bears none.
fn format(database: &Database) -> Result<Option<u64>, redb::Error> {
    let read = database.begin_read()?;
    if !read.list_tables()?.any(|table| table.name() == META.name()) {
        return Ok(None);
    }
    Ok(read.open_table(META)?.get("format")?.map(|value| value.value()))
}

fn change(
    database: &Database,
    format: u64,
    step: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>,
) -> Result<(), redb::Error> {
    let write = database.begin_write()?;
    step(&write)?;
    write.open_table(META)?.insert("format", format)?;
    failpoint::step("before a migration is kept");
    write.commit()?;
    failpoint::step("after a migration is kept");
    Ok(())
}

/// Records that cannot be read are kept in a table of their own. A netlabd that does not know of it would
/// take what runs of these labs for strays.
fn to_2(write: &WriteTransaction) -> Result<(), redb::Error> {
    write.open_table(UNREADABLE)?;
    Ok(())
}

/// The desired states that labs have had are kept.
fn to_3(write: &WriteTransaction) -> Result<(), redb::Error> {
    write.open_table(REVISIONS)?;
    Ok(())
}
