//! A lab's events: kept, bounded, and handed to whoever watches.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use netlab_proto::v1::{LabEvent, lab_event::Body};
use tokio::sync::watch;

use super::feed::{Feed, LabRef};
use crate::{
    clock,
    store::{self, EVENTS_AT_RISK, EVENTS_KEPT, Store},
};

/// The events of one lab.
#[derive(Debug)]
pub struct History {
    uid: String,
    events: Mutex<VecDeque<Arc<LabEvent>>>,
    /// The newest sequence number; changes wake the watchers.
    newest: watch::Sender<u64>,
    /// Where else they are told, once somebody can know of the lab.
    feed: OnceLock<(Arc<Feed>, Arc<LabRef>)>,
}

/// The events after the asked position are no longer all kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone;

impl History {
    /// The events of an earlier run.
    pub(super) fn load(store: &Store, uid: &str) -> Self {
        let events = store.events(uid).unwrap_or_default();
        // Events that a crash has lost may have been seen: their numbers are not given out again, or a
        // watch that goes on after such a number would miss the new event of that number.
        let newest = events.last().map_or(0, |event| event.sequence + EVENTS_AT_RISK);
        let events = events.into_iter().map(Arc::new).collect();
        let newest = watch::channel(newest).0;
        Self { uid: uid.to_owned(), events: Mutex::new(events), newest, feed: OnceLock::new() }
    }

    /// Has all events told in the feed too from now on; with `so_far` those that there are as well.
    pub(super) fn join(&self, feed: Arc<Feed>, subject: LabRef, so_far: bool) {
        // Locked, so that none is told twice or out of order.
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        // It is joined once.
        let (feed, subject) = self.feed.get_or_init(|| (feed, Arc::new(subject)));
        for event in events.iter().filter(|_| so_far) {
            feed.publish(subject, event.clone());
        }
    }

    /// Tells an event in the feed, while `events` is locked.
    fn publish(&self, event: &Arc<LabEvent>) {
        if let Some((feed, subject)) = self.feed.get() {
            feed.publish(subject, event.clone());
        }
    }

    /// Adds an event. That it cannot be written down is no reason to stop. After the last event of all
    /// there is none: a request that has found the lab may still have something to tell.
    pub(super) fn add(&self, store: &Store, body: Body) {
        self.push(body, |event| {
            match store.add_event(&self.uid, event) {
                // The store has told of that, once.
                Ok(()) | Err(store::Error::Full { .. }) => {}
                Err(error) => tracing::warn!(%error, "an event is not kept"),
            }
        });
    }

    /// Adds events that are kept by `keep` along with what they tell of: all of it, or nothing is told.
    pub(super) fn add_kept<E>(
        &self,
        bodies: Vec<Body>,
        keep: impl FnOnce(&[LabEvent]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = *self.newest.borrow();
        let number = |(body, sequence)| LabEvent { sequence, time: Some(clock::now()), body: Some(body) };
        let new: Vec<LabEvent> = bodies.into_iter().zip(newest + 1..).map(number).collect();
        keep(&new)?;
        let sequence = new.last().map_or(newest, |event| event.sequence);
        for event in new.into_iter().map(Arc::new) {
            self.publish(&event);
            events.push_back(event);
        }
        while events.len() as u64 > EVENTS_KEPT {
            events.pop_front();
        }
        self.newest.send_replace(sequence);
        Ok(())
    }

    /// Adds the last event of all: nothing of the lab is left, neither here nor in the store.
    pub(super) fn close(&self) {
        self.push(Body::Deleted(netlab_proto::v1::LabDeleted {}), |_| ());
    }

    /// Gives an event the next number, all under one lock: no two events may have the same one.
    fn push(&self, body: Body, keep: impl FnOnce(&LabEvent)) {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        if events.back().is_some_and(|event| ends(event)) {
            return;
        }
        let sequence = *self.newest.borrow() + 1;
        let event = LabEvent { sequence, time: Some(clock::now()), body: Some(body) };
        keep(&event);
        let event = Arc::new(event);
        self.publish(&event);
        events.push_back(event);
        while events.len() as u64 > EVENTS_KEPT {
            events.pop_front();
        }
        self.newest.send_replace(sequence);
    }

    /// The newest sequence number, now and as it changes.
    pub fn newest(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// Where a new watch begins: after the newest event, but not after the one that ends every watch.
    pub fn position(&self) -> u64 {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        match events.back() {
            Some(event) if ends(event) => event.sequence - 1,
            Some(event) => event.sequence,
            None => *self.newest.borrow(),
        }
    }

    /// All events after a position.
    pub fn after(&self, sequence: u64) -> Result<Vec<Arc<LabEvent>>, Gone> {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = *self.newest.borrow();
        let oldest = events.front().map_or(newest + 1, |event| event.sequence);
        if sequence > newest || sequence + 1 < oldest {
            return Err(Gone);
        }
        Ok(events.iter().filter(|event| event.sequence > sequence).cloned().collect())
    }
}

/// Whether an event is the last one of every watch.
fn ends(event: &LabEvent) -> bool {
    matches!(event.body, Some(Body::Deleted(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_given_out_once_and_nothing_follows_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap().store;
        let history = History::load(&store, "uid");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        history.add(&store, Body::StatusChanged(netlab_proto::v1::LabStatus::default()));
                    }
                });
            }
        });
        history.close();
        history.add(&store, Body::StatusChanged(netlab_proto::v1::LabStatus::default()));
        let events = history.after(0).unwrap();
        let numbers: Vec<u64> = events.iter().map(|event| event.sequence).collect();
        assert_eq!(numbers, (1..=201).collect::<Vec<_>>());
        let seen = history.after(history.position()).unwrap();
        assert!(seen.iter().any(|event| ends(event)), "a watch that begins now hears of the end");
    }
}
