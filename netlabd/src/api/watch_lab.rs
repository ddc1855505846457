//! `WatchLab`: the events of one lab as they happen.

use netlab_proto::v1 as proto;
use proto::lab_event::Body;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tonic::{Code, Status};

use super::status;
use crate::{clock, reconcile::LabWatch};

/// Events that wait for a slow reader; then the stream waits for it.
const WAITING: usize = 16;

type Answer = Result<proto::WatchLabResponse, Status>;

/// Begins a stream of what happens after a position; after 0, the present status comes first.
///
/// # Errors
/// `OUT_OF_RANGE` where what follows the position is not kept any more, or the position has yet to come.
pub(super) fn start(history: LabWatch, mut position: u64) -> Result<Receiver<Answer>, Status> {
    let (sender, receiver) = mpsc::channel(WAITING);
    if position == 0 {
        position = history.position();
        // The present status; its sequence number is that of the newest event.
        let lab = history.summary();
        let event = proto::LabEvent {
            sequence: position,
            time: Some(clock::now()),
            body: lab.status.map(Body::StatusChanged),
        };
        // There is room: nothing has been sent yet.
        let _ = sender.try_send(Ok(proto::WatchLabResponse { event: Some(event) }));
    } else if position > *history.newest().borrow() {
        return Err(status::status(
            Code::OutOfRange,
            "HISTORY_GONE",
            format!("there is no event {position} yet; watch again, without a position"),
        ));
    } else if history.after(position).is_err() {
        return Err(gone());
    }
    tokio::spawn(watch(history, position, sender));
    Ok(receiver)
}

/// Sends events as they happen, until the lab is gone or nobody listens.
async fn watch(history: LabWatch, mut position: u64, sender: Sender<Answer>) {
    let mut newest = history.newest();
    loop {
        newest.mark_unchanged();
        let Ok(events) = history.after(position) else {
            // The reader was too slow for the bounded history. It may be gone; then nobody is told.
            let _ = sender.send(Err(gone())).await;
            return;
        };
        for event in events {
            position = event.sequence;
            let last = matches!(event.body, Some(Body::Deleted(_)));
            let response = proto::WatchLabResponse { event: Some((*event).clone()) };
            if sender.send(Ok(response)).await.is_err() || last {
                return;
            }
        }
        tokio::select! {
            changed = newest.changed() => if changed.is_err() { return },
            () = sender.closed() => return,
        }
    }
}

fn gone() -> Status {
    status::status(
        Code::OutOfRange,
        "HISTORY_GONE",
        "no events are kept after that position: they are too long ago, or have yet to come; watch again without one",
    )
}
