//! `WatchLabs`: the labs that the caller may see, on one stream.

use std::collections::BTreeMap;

use netlab_proto::v1 as proto;
use proto::{LabEvent, Phase, lab_event::Body as Event, watch_labs_response::Body};
use tokio::sync::mpsc::Sender;
use tonic::Status;

use super::status;
use crate::{
    policy::Access,
    reconcile::{FeedEvent, Gone, Manager},
};

/// Messages that wait for a slow reader; then the stream waits for it.
pub(super) const WAITING: usize = 16;

type Answers = Sender<Result<proto::WatchLabsResponse, Status>>;

/// The position from which a watch goes on; `None`: with the labs as they are.
///
/// # Errors
/// `INVALID_ARGUMENT` for what is no token.
pub(super) fn position(manager: &Manager, token: &str) -> Result<Option<u64>, Status> {
    if token.is_empty() {
        return Ok(None);
    }
    let known = manager.feed().position(token);
    let known = known.map_err(|_| {
        status::invalid("resume_token", "was not given out by WatchLabs; leave it empty to start over")
    })?;
    Ok(known.ok().filter(|position| manager.feed().after(*position).is_ok()))
}

/// Sends what happens until nobody listens.
pub(super) async fn run(manager: Manager, access: Access, position: Option<u64>, answers: Answers) {
    let mut newest = manager.feed().newest();
    let mut watcher = Watcher { manager, access, known: BTreeMap::new(), answers };
    let mut position = match position {
        Some(position) => position,
        None => match watcher.list().await {
            Some(position) => position,
            None => return,
        },
    };
    loop {
        newest.mark_unchanged();
        let next = match watcher.manager.feed().after(position) {
            Ok(items) if items.is_empty() => {
                tokio::select! {
                    changed = newest.changed() => if changed.is_err() { return },
                    () = watcher.answers.closed() => return,
                }
                continue;
            }
            Ok(items) => watcher.tell(&items).await,
            // The reader was too slow for what is kept: it hears so, and begins again.
            Err(Gone) => watcher.list().await,
        };
        match next {
            Some(next) => position = next,
            None => return,
        }
    }
}

/// One watch of all labs.
struct Watcher {
    manager: Manager,
    access: Access,
    /// The labs that were told of, by uid; of others' the phase that was told last.
    known: BTreeMap<String, Option<i32>>,
    answers: Answers,
}

impl Watcher {
    async fn send(&self, token: String, lab: String, body: Body) -> Option<()> {
        let message = proto::WatchLabsResponse { resume_token: token, lab, body: Some(body) };
        self.answers.send(Ok(message)).await.ok()
    }

    /// Tells of all labs as they are; the position from which events go on. `None`: nobody listens.
    async fn list(&mut self) -> Option<u64> {
        // Before the labs are looked at: what happens meanwhile is told after them.
        let position = *self.manager.feed().newest().borrow();
        self.known.clear();
        let begun = proto::ListingBegun {};
        self.send(String::new(), String::new(), Body::ListingBegun(begun)).await?;
        for lab in self.manager.list(&self.access) {
            self.tell_lab(String::new(), lab).await?;
        }
        let done = proto::ListingDone {};
        let token = self.manager.feed().token(position);
        self.send(token, String::new(), Body::ListingDone(done)).await?;
        Some(position)
    }

    async fn tell_lab(&mut self, token: String, lab: proto::LabResource) -> Option<()> {
        let phase = lab.status.as_ref().map(|status| status.phase);
        // Others' labs are told of without their uid; by name they cannot be mixed up while they exist.
        self.known.insert(key(&lab.name, &lab.uid), phase);
        self.send(token, lab.name.clone(), Body::LabListed(lab)).await
    }

    /// Tells of events; the position of the last. `None`: nobody listens.
    async fn tell(&mut self, items: &[FeedEvent]) -> Option<u64> {
        let mut position = 0;
        for item in items {
            position = item.serial;
            self.tell_item(item).await?;
        }
        Some(position)
    }

    async fn tell_item(&mut self, item: &FeedEvent) -> Option<()> {
        let own = self.access.owns(&item.subject.owner);
        let name = item.subject.name.to_string();
        let key = key(&name, if own { &item.subject.uid } else { "" });
        let deleted = matches!(item.event.body, Some(Event::Deleted(_)));
        let token = self.manager.feed().token(item.serial);
        if !self.known.contains_key(&key) && !deleted {
            let lab = self.manager.listed(&item.subject.name, &self.access).ok();
            // Of one that is gone already the end will be told.
            if let Some(lab) = lab.filter(|lab| !own || lab.uid == item.subject.uid) {
                self.tell_lab(String::new(), lab).await?;
            }
        }
        let event = if own { Some((*item.event).clone()) } else { self.of_another(&key, &item.event) };
        if deleted {
            self.known.remove(&key);
        }
        match event {
            Some(event) => self.send(token, name, Body::Event(event)).await,
            None => Some(()),
        }
    }

    /// What is told of an event of another's lab: a new phase, and its end.
    fn of_another(&mut self, key: &str, event: &LabEvent) -> Option<LabEvent> {
        let body = match event.body.as_ref()? {
            Event::StatusChanged(status) => {
                let told = self.known.insert(key.to_owned(), Some(status.phase)).flatten();
                if told == Some(status.phase) || status.phase == Phase::Unspecified as i32 {
                    return None;
                }
                Event::StatusChanged(proto::LabStatus { phase: status.phase, ..Default::default() })
            }
            Event::Deleted(deleted) => Event::Deleted(*deleted),
            _ => return None,
        };
        // Its number would tell how much happens there.
        Some(LabEvent { sequence: 0, time: event.time, body: Some(body) })
    }
}

/// What a lab is known by: a lab made again is another one.
fn key(name: &str, uid: &str) -> String {
    format!("{name}/{uid}")
}
