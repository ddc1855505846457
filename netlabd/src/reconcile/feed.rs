//! The newest events of all labs in one order, for whoever watches them all.
//!
//! Bounded: a reader that falls behind is told so and begins again with the labs as they are. It lives as long
//! as netlabd; positions of an earlier run are known as such.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use netlab_proto::v1::LabEvent;
use tokio::sync::watch;

use super::Gone;
use crate::{model::LabName, policy::Owner};

/// Events that are kept. They are shared with the labs' own histories, which keep more of each.
const KEPT: usize = 2_048;

/// Events that a reader gets at once.
const AT_ONCE: usize = 64;

/// Whose an event is.
#[derive(Debug)]
pub struct LabRef {
    /// The lab's name.
    pub name: LabName,
    /// Its uid.
    pub uid: String,
    /// Its owner.
    pub owner: Owner,
}

/// An event of one of the labs.
#[derive(Debug, Clone)]
pub struct FeedEvent {
    /// Its position among those of all labs, from 1.
    pub serial: u64,
    /// Whose it is.
    pub subject: Arc<LabRef>,
    /// The event.
    pub event: Arc<LabEvent>,
}

/// The newest events of all labs.
#[derive(Debug)]
pub struct Feed {
    /// Tells this run of netlabd from others.
    run: u64,
    items: Mutex<VecDeque<FeedEvent>>,
    /// The newest position; changes wake the readers.
    newest: watch::Sender<u64>,
}

impl Feed {
    /// Without events.
    pub(super) fn new() -> Self {
        let (run, _) = uuid::Uuid::new_v4().as_u64_pair();
        Self { run, items: Mutex::default(), newest: watch::channel(0).0 }
    }

    /// Adds an event.
    pub(super) fn publish(&self, subject: &Arc<LabRef>, event: Arc<LabEvent>) {
        let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        let serial = *self.newest.borrow() + 1;
        items.push_back(FeedEvent { serial, subject: subject.clone(), event });
        if items.len() > KEPT {
            items.pop_front();
        }
        self.newest.send_replace(serial);
    }

    /// The newest position, now and as it changes.
    pub fn newest(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// The first events after a position, oldest first.
    ///
    /// # Errors
    /// They are no longer all kept.
    pub fn after(&self, position: u64) -> Result<Vec<FeedEvent>, Gone> {
        let items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = *self.newest.borrow();
        let oldest = items.front().map_or(newest + 1, |item| item.serial);
        if position > newest || position + 1 < oldest {
            return Err(Gone);
        }
        let skipped = usize::try_from(position + 1 - oldest).unwrap_or(usize::MAX);
        Ok(items.iter().skip(skipped).take(AT_ONCE).cloned().collect())
    }

    /// A position in words that a reader brings back.
    pub fn token(&self, position: u64) -> String {
        format!("{:016x}{position:016x}", self.run)
    }

    /// The position of a token; `Err` of the inner kind for one of another run.
    ///
    /// # Errors
    /// It is no token.
    pub fn position(&self, token: &str) -> Result<Result<u64, Gone>, NoToken> {
        let plain = token.len() == 32 && token.bytes().all(|byte| byte.is_ascii_hexdigit());
        let part = |range| token.get(range).and_then(|digits| u64::from_str_radix(digits, 16).ok());
        let (Some(run), Some(position)) = (part(0..16), part(16..32)) else { return Err(NoToken) };
        if !plain {
            return Err(NoToken);
        }
        Ok(if run == self.run { Ok(position) } else { Err(Gone) })
    }
}

/// What was never given out as a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoToken;

#[cfg(test)]
mod tests {
    use super::*;

    fn subject() -> Arc<LabRef> {
        Arc::new(LabRef { name: "x".parse().unwrap(), uid: "u".to_owned(), owner: Owner::Local(0) })
    }

    #[test]
    fn a_reader_gets_every_event_once_or_is_told() {
        let (feed, subject) = (Feed::new(), subject());
        assert_eq!(feed.after(0).unwrap().len(), 0);
        assert_eq!(feed.after(1).unwrap_err(), Gone, "a position that is not given out yet");
        for _ in 0..200 {
            feed.publish(&subject, Arc::new(LabEvent::default()));
        }
        let (mut position, mut seen) = (0, Vec::new());
        loop {
            let items = feed.after(position).unwrap();
            let Some(last) = items.last() else { break };
            position = last.serial;
            seen.extend(items.iter().map(|item| item.serial));
        }
        assert_eq!(seen, (1..=200).collect::<Vec<_>>());
        for _ in 0..KEPT {
            feed.publish(&subject, Arc::new(LabEvent::default()));
        }
        assert_eq!(feed.after(199).unwrap_err(), Gone);
        assert_eq!(feed.after(200).unwrap()[0].serial, 201);
    }

    #[test]
    fn tokens_are_of_one_run() {
        let (feed, other) = (Feed::new(), Feed::new());
        assert_eq!(feed.position(&feed.token(7)), Ok(Ok(7)));
        assert_eq!(feed.position(&other.token(7)), Ok(Err(Gone)));
        for bad in ["", "7", "garbage", &"g".repeat(32), &"+".repeat(32), &"é".repeat(16), &"0".repeat(33)] {
            assert_eq!(feed.position(bad), Err(NoToken), "{bad}");
        }
    }
}
