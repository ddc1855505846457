//! A lab's events, through restarts of the daemon.

use std::time::Duration;

use netlab_proto::v1::{LabEvent, WatchLabRequest, WatchLabResponse, lab_event::Body};
use tokio::time::{Instant, sleep};
use tonic::{Code, Status, Streaming};

use crate::client::Client;

/// Pause between attempts to reach a daemon that went away.
const PAUSE: Duration = Duration::from_millis(250);

/// A watch that goes on where it was when the connection breaks.
pub(crate) struct Watch {
    client: Client,
    name: String,
    stream: Option<Streaming<WatchLabResponse>>,
    /// The last event seen.
    sequence: u64,
    /// How long a daemon may be away.
    patience: Duration,
    ended: bool,
}

impl Watch {
    /// Starts a watch; its first event is the present status.
    pub(crate) async fn open(client: &Client, name: &str, patience: Duration) -> Result<Self, Status> {
        Self::open_after(client, name, 0, patience).await
    }

    /// Starts a watch that goes on after an event; 0: with the present status.
    pub(crate) async fn open_after(
        client: &Client,
        name: &str,
        sequence: u64,
        patience: Duration,
    ) -> Result<Self, Status> {
        let (client, name) = (client.clone(), name.to_owned());
        let mut watch = Self { client, name, stream: None, sequence, patience, ended: false };
        watch.stream = Some(watch.connect().await?);
        Ok(watch)
    }

    /// The next event; `None` after `deleted`, or where the lab went while the daemon was away.
    pub(crate) async fn next(&mut self) -> Result<Option<LabEvent>, Status> {
        let mut lost: Option<Instant> = None;
        while !self.ended {
            let problem = match self.try_next().await {
                Ok(event) => {
                    self.sequence = event.sequence.max(self.sequence);
                    self.ended = matches!(event.body, Some(Body::Deleted(_)));
                    return Ok(Some(event));
                }
                Err(problem) => problem,
            };
            self.stream = None;
            match problem.code() {
                // Too long away: begin again with the present status.
                Code::OutOfRange if self.sequence > 0 => self.sequence = 0,
                Code::Unavailable | Code::Unknown | Code::Cancelled | Code::Internal => {
                    if lost.get_or_insert_with(Instant::now).elapsed() >= self.patience {
                        return Err(problem);
                    }
                    sleep(PAUSE).await;
                }
                Code::NotFound => self.ended = true,
                _ => return Err(problem),
            }
        }
        Ok(None)
    }

    async fn try_next(&mut self) -> Result<LabEvent, Status> {
        let stream = if let Some(stream) = &mut self.stream {
            stream
        } else {
            let stream = self.connect().await?;
            self.stream.insert(stream)
        };
        loop {
            let message = stream.message().await?;
            let message = message.ok_or_else(|| Status::unavailable("the watch ended"))?;
            if let Some(event) = message.event {
                return Ok(event);
            }
        }
    }

    async fn connect(&self) -> Result<Streaming<WatchLabResponse>, Status> {
        let request = WatchLabRequest { name: self.name.clone(), after_sequence: self.sequence };
        Ok(self.client.labs().watch_lab(request).await?.into_inner())
    }
}
