//! `list-labs --watch`: the list, then a line for each lab that changes.

use std::{collections::BTreeMap, time::Duration};

use netlab_proto::v1::{
    GetLabRequest, LabEvent, LabResource, Phase, WatchLabsRequest, WatchLabsResponse, lab_event,
    watch_labs_response::Body,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{Instant, sleep},
};
use tonic::{Code, Status, Streaming};

use super::list;
use crate::{
    cli::Output,
    client::Client,
    error::{Failure, INTERRUPTED},
    output,
};

/// How long a daemon may be away, for example while it is upgraded.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pause between attempts to reach it.
const PAUSE: Duration = Duration::from_millis(250);

/// Lists all labs and what happens to them until Ctrl-C.
pub(super) async fn run(client: &Client, format: Output) -> Result<u8, Failure> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut watch = Watch { client: client.clone(), stream: None, token: String::new() };
    watch.stream = Some(watch.connect().await?);
    let mut shown = Shown::default();
    loop {
        let message = tokio::select! {
            message = watch.next() => message?,
            _ = interrupt.recv() => return Err(Failure::quiet(INTERRUPTED)),
        };
        if format.is_for_people() {
            output::print(&shown.lines(client, message).await)?;
        } else {
            output::event(format, &message, String::new)?;
        }
    }
}

/// The stream, through restarts of the daemon.
struct Watch {
    client: Client,
    stream: Option<Streaming<WatchLabsResponse>>,
    token: String,
}

impl Watch {
    async fn connect(&self) -> Result<Streaming<WatchLabsResponse>, Status> {
        let request = WatchLabsRequest { resume_token: self.token.clone() };
        Ok(self.client.labs().watch_labs(request).await?.into_inner())
    }

    async fn next(&mut self) -> Result<WatchLabsResponse, Status> {
        let mut lost: Option<Instant> = None;
        loop {
            let problem = match self.try_next().await {
                Ok(message) => {
                    if !message.resume_token.is_empty() {
                        self.token.clone_from(&message.resume_token);
                    }
                    return Ok(message);
                }
                Err(problem) => problem,
            };
            self.stream = None;
            let passes = matches!(
                problem.code(),
                Code::Unavailable | Code::Unknown | Code::Cancelled | Code::Internal
            );
            if !passes || lost.get_or_insert_with(Instant::now).elapsed() >= PATIENCE {
                return Err(problem);
            }
            sleep(PAUSE).await;
        }
    }

    async fn try_next(&mut self) -> Result<WatchLabsResponse, Status> {
        let stream = if let Some(stream) = &mut self.stream {
            stream
        } else {
            let stream = self.connect().await?;
            self.stream.insert(stream)
        };
        stream.message().await?.ok_or_else(|| Status::unavailable("the watch ended"))
    }
}

/// What the reader has seen.
#[derive(Default)]
struct Shown {
    labs: BTreeMap<String, LabResource>,
    /// Whether a listing is under way.
    listing: bool,
    /// Whether there was one before.
    listed: bool,
}

impl Shown {
    /// What a message adds to what was printed.
    async fn lines(&mut self, client: &Client, message: WatchLabsResponse) -> String {
        let name = message.lab;
        match message.body {
            Some(Body::ListingBegun(_)) => {
                self.labs.clear();
                self.listing = true;
                String::new()
            }
            Some(Body::LabListed(lab)) => {
                let line = if self.listing { String::new() } else { list::line(&lab) };
                self.labs.insert(name, lab);
                line
            }
            Some(Body::ListingDone(_)) => {
                self.listing = false;
                let again = std::mem::replace(&mut self.listed, true);
                let labs: Vec<LabResource> = self.labs.values().cloned().collect();
                let note = if again { "-- events were missed; the labs as they are:\n" } else { "" };
                note.to_owned() + &list::table(&labs)
            }
            Some(Body::Event(event)) => self.event(client, &name, event).await,
            None => String::new(),
        }
    }

    async fn event(&mut self, client: &Client, name: &str, event: LabEvent) -> String {
        match event.body {
            Some(lab_event::Body::Deleted(_)) => match self.labs.remove(name) {
                Some(lab) => list::deleted_line(&lab),
                None => String::new(),
            },
            Some(lab_event::Body::SpecChanged(_)) => {
                let request = GetLabRequest { name: name.to_owned(), ..GetLabRequest::default() };
                let Ok(answer) = client.labs().get_lab(request).await else { return String::new() };
                let Some(lab) = answer.into_inner().lab else { return String::new() };
                let line = list::line(&lab);
                self.labs.insert(name.to_owned(), lab);
                line
            }
            Some(lab_event::Body::StatusChanged(status)) => {
                let Some(lab) = self.labs.get_mut(name) else { return String::new() };
                let (before, phase) = (list::cells(lab), status.phase());
                let same_phase = lab.status.as_ref().is_some_and(|known| known.phase() == phase);
                lab.status = Some(status);
                // How far work has come is not worth a line each.
                let moving = matches!(phase, Phase::Converging | Phase::Deleting);
                if before == list::cells(lab) || (same_phase && moving) {
                    return String::new();
                }
                list::line(lab)
            }
            _ => String::new(),
        }
    }
}
