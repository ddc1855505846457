//! One question: does it answer?

use std::{os::fd::BorrowedFd, time::Duration};

use super::{EchoSocket, Event, Options, ScopedAddress, ping};

/// Whether somebody answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeResult {
    /// Whether a request was answered.
    pub reachable: bool,
    /// Round-trip time of the first answer.
    pub rtt: Option<Duration>,
    /// Why not, in words: the last error, or that no answer came. Empty if reachable.
    pub detail: String,
}

/// Asks up to `retries` + 1 times, evenly over `timeout`, so that a bridge or a neighbour that was just made
/// has a moment to get ready. The first answer ends it. Must be called within a tokio runtime.
pub async fn probe_once(
    namespace: BorrowedFd<'_>,
    target: ScopedAddress,
    timeout: Duration,
    retries: u32,
) -> ProbeResult {
    let count = retries.saturating_add(1);
    let interval = timeout / count;
    let options = Options { count, interval, timeout: interval, ..Options::default() };
    let opened = EchoSocket::open(namespace, target.address.into()).await;
    let mut events = match opened.and_then(|socket| ping(socket, target, options)) {
        Ok(events) => events,
        Err(error) => {
            return ProbeResult { reachable: false, rtt: None, detail: format!("cannot ping: {error}") };
        }
    };
    let plural = if count == 1 { "" } else { "s" };
    let mut detail = format!("no answer to {count} request{plural} within {timeout:?}");
    while let Some(event) = events.recv().await {
        match event {
            Event::Reply(reply) => {
                return ProbeResult { reachable: true, rtt: Some(reply.rtt), detail: String::new() };
            }
            Event::Error(error) => {
                let from = error.from.map(|from| format!(" (from {from})")).unwrap_or_default();
                detail = error.message + &from;
            }
            Event::Summary(_) => break,
        }
    }
    ProbeResult { reachable: false, rtt: None, detail }
}
