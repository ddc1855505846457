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
    let after = i64::try_from(after.as_micros()).unwrap_or(i64::MAX);
    record.rollback_us = clock::now_us().saturating_add(after);
    record.rollback_boottime_us = clock::boottime_us().saturating_add(after);
    record.rollback_boot_id = clock::boot_id();
}

/// Keeps the last change.
pub(super) fn confirm(record: &mut Record) {
    record.rollback_us = 0;
    record.rollback_boottime_us = 0;
    record.rollback_boot_id.clear();
    record.rollback_spec = None;
}

/// Notes that an earlier state is wanted again: one more generation, with nothing before it to come back.
pub(super) fn revert(record: &mut Record) {
    record.generation += 1;
    record.previous_spec = None;
    record.undoing = None;
    confirm(record);
}

/// How long until the last change is put back; `None` if it stays. The clock on the wall may be set while
/// it waits; it counts only for a wait that began before this boot.
pub(super) fn wait(record: &Record) -> Option<Duration> {
    let left = if record.rollback_boot_id == clock::boot_id() {
        record.rollback_boottime_us.saturating_sub(clock::boottime_us())
    } else {
        record.rollback_us.saturating_sub(clock::now_us())
    };
    (record.rollback_us != 0).then(|| Duration::from_micros(u64::try_from(left).unwrap_or(0)))
}

/// Whether the last change is to be put back now.
pub(super) fn is_due(record: &Record) -> bool {
    wait(record).is_some_and(|wait| wait.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_changes_no_wait() {
        let mut record = Record::default();
        note(&mut record, Some(Duration::from_secs(60)));
        for jump in [-86_400_000_000, 86_400_000_000] {
            let mut set = record.clone();
            set.rollback_us += jump;
            assert!(wait(&set).is_some_and(|wait| wait <= Duration::from_secs(60)), "{jump}");
            assert!(!is_due(&set), "{jump}");
        }
        // Of another boot only the wall's clock is known.
        record.rollback_boot_id = "another".to_owned();
        record.rollback_us = clock::now_us() - 1;
        assert!(is_due(&record));
    }
}
