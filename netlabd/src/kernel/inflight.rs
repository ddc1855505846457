//! How long the kernel has been at work for us, for the watchdog.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// The calls under way, by number, and when each last made progress.
#[derive(Debug, Default)]
pub(super) struct Busy(Mutex<Calls>);

#[derive(Debug, Default)]
struct Calls {
    next: u64,
    under_way: BTreeMap<u64, Instant>,
}

impl Busy {
    /// Notes a call until the result is dropped.
    pub(super) fn call(&self) -> Call<'_> {
        let mut calls = self.calls();
        let number = calls.next;
        calls.next += 1;
        calls.under_way.insert(number, Instant::now());
        Call { busy: self, number }
    }

    /// How long the call without progress for the longest time has been without; zero where there is none.
    pub(super) fn longest(&self) -> Duration {
        self.calls().under_way.values().map(Instant::elapsed).max().unwrap_or_default()
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call under way.
pub(super) struct Call<'a> {
    busy: &'a Busy,
    number: u64,
}

impl Call<'_> {
    /// Notes that it got on.
    pub(super) fn progress(&self) {
        self.busy.calls().under_way.insert(self.number, Instant::now());
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.busy.calls().under_way.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_counts_from_its_last_progress_until_its_end() {
        let busy = Busy::default();
        assert_eq!(busy.longest(), Duration::ZERO);
        let (old, new) = (busy.call(), busy.call());
        std::thread::sleep(Duration::from_millis(20));
        assert!(busy.longest() >= Duration::from_millis(20));
        new.progress();
        drop(old);
        let left = busy.longest();
        assert!(left > Duration::ZERO && left < Duration::from_millis(20), "{left:?}");
        drop(new);
        assert_eq!(busy.longest(), Duration::ZERO);
    }
}
