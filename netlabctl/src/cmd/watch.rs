//! `watch-lab`.

use std::{fmt::Write as _, time::Duration};

use netlab_proto::v1::{LabEvent, LabStatus, Phase, lab_event::Body};

use super::{DONE, list::summary, story};
use crate::{
    cli::{Output, WatchLab},
    client::Client,
    error::{Failure, INTERRUPTED},
    hint,
    output::{
        self,
        style::{hanging, of_state, paint, width},
        table::clean,
        time,
    },
    wait::{failure_text, not_ready},
    watch::Watch,
};

/// How long a daemon may be away, for example while it is upgraded.
const PATIENCE: Duration = Duration::from_secs(60);

/// Prints events until the lab is deleted, or Ctrl-C.
pub(super) async fn run(client: &Client, format: Output, args: &WatchLab) -> Result<u8, Failure> {
    let mut watch = match Watch::open_after(client, &args.name, args.after, PATIENCE).await {
        Ok(watch) => watch,
        Err(status) => return Err(hint::explain(client, status, &args.name, &[]).await),
    };
    let mut interrupt = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?;
    loop {
        let event = tokio::select! {
            event = watch.next() => event?,
            _ = interrupt.recv() => return Err(Failure::quiet(INTERRUPTED)),
        };
        let Some(event) = event else { return Ok(DONE) };
        output::event(format, &event, || line(&event))?;
    }
}

fn line(event: &LabEvent) -> String {
    let text = match &event.body {
        Some(Body::SpecChanged(change)) => {
            let head = story::changed(change.generation, &change.reason, &change.who);
            change.changes.iter().fold(head, |all, line| all + "\n" + &below(line))
        }
        Some(Body::StatusChanged(status)) => status_text(status),
        Some(Body::DriftRepaired(repair)) => story::repaired(repair, "  "),
        Some(Body::Failed(failure)) => {
            let again = if failure.retrying { "; trying again" } else { "" };
            format!("failed: {}{again}", failure_text(failure))
        }
        Some(Body::Deleted(_)) => "deleted".to_owned(),
        None => "an event that this netlabctl does not know".to_owned(),
    };
    let (first, rest) = text.split_once('\n').map_or((text.as_str(), None), |(a, b)| (a, Some(b)));
    let head = format!("{:<5} {} ", event.sequence, time::rfc3339(event.time.as_ref()));
    let rest = rest.map(|rest| format!("{rest}\n")).unwrap_or_default();
    format!("{}\n{rest}", hanging(&head, first, width()))
}

/// A line below an event.
fn below(line: &str) -> String {
    hanging("    ", &clean(line), width())
}

/// The phase, how far it has come, and why it is not ready.
pub(super) fn status_text(status: &LabStatus) -> String {
    let phase = summary(status);
    let mut text = paint(of_state(&phase), &phase);
    let moving = matches!(status.phase(), Phase::Converging | Phase::Degraded | Phase::Deleting);
    if let Some(progress) = status.progress.as_ref().filter(|progress| moving && progress.total > 0) {
        let _ = write!(text, " {}/{} {}", progress.done, progress.total, clean(&progress.step));
    }
    // What is under way has been told why when it began.
    if status.progress.is_none() && matches!(status.phase(), Phase::Degraded | Phase::Failed) {
        let why = not_ready(status);
        let _ = write!(text, "{}{why}", if why.is_empty() { "" } else { ": " });
    }
    text
}
