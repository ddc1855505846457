//! Changes that are put back unless somebody confirms them: for changes that may cut off whoever makes
//! them.

use std::time::Duration;

use crate::{clock, store::Record};

/// Notes how long a change that is about to be made waits to be confirmed; `None` confirms.
pub(super) fn note(record: &mut Record, after: Option<Duration>) {
    let Some(after) = after else { return confirm(record) };
    // What was confirmed last comes back, not another change that waits.
    if record.rollback_us == 0 {
        record.rollback_spec.clone_from(&record.spec);
    }
    record.rollback_us = clock::now_us().saturating_add(i64::try_from(after.as_micros()).unwrap_or(i64::MAX));
}

/// Keeps the last change.
pub(super) fn confirm(record: &mut Record) {
    record.rollback_us = 0;
    record.rollback_spec = None;
}

/// How long until the last change is put back; `None` if it stays.
pub(super) fn wait(record: &Record) -> Option<Duration> {
    let left = record.rollback_us.saturating_sub(clock::now_us());
    (record.rollback_us != 0).then(|| Duration::from_micros(u64::try_from(left).unwrap_or(0)))
}

/// Whether the last change is to be put back now.
pub(super) fn is_due(record: &Record) -> bool {
    wait(record).is_some_and(|wait| wait.is_zero())
}
