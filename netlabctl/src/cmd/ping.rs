//! `ping`, with the lines of ping(8).

use std::fmt::Write as _;

use netlab_proto::v1::{PingRequest, PingResponse, PingSummary, ping_response::Event};

use super::DONE;
use crate::{
    cli::{Output, Ping},
    client::Client,
    duration,
    error::{FAILED, Failure, USAGE},
    hint,
    output::{self, table::clean},
    version,
};

/// Pings; exit code 1 if nothing answered.
pub(super) async fn run(client: &Client, format: Output, args: Ping) -> Result<u8, Failure> {
    let (from, source) = sender(&args)?;
    let dont_fragment = args.dont_fragment || args.path_mtu.as_deref() == Some("do");
    let request = PingRequest {
        lab: args.lab.clone(),
        from: from.to_owned(),
        to: args.to.clone(),
        count: args.count,
        interval: Some(duration::message(args.interval)),
        timeout: Some(duration::message(args.timeout)),
        size: Some(args.size),
        source: source.to_owned(),
        dont_fragment,
    };
    if let Some(unknown) = client.unknown("netlab.v1.PingRequest", &request).await {
        let options = unknown.paths.join(", ");
        return Err(Failure::new(FAILED, format!("{options}: {}", version::does_not_know(&unknown.version))));
    }
    let mut stream = match client.nodes().ping(request).await {
        Ok(answer) => answer.into_inner(),
        Err(status) => {
            return Err(hint::explain(client, status, &args.lab, &[from, &args.to]).await);
        }
    };
    let mut interrupt = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?;
    let mut seen = Seen::default();
    loop {
        let message = tokio::select! {
            message = stream.message() => message,
            _ = interrupt.recv() => {
                let summary = PingResponse { event: Some(Event::Summary(seen.summary())) };
                output::event(format, &summary, || text(&args.to, &summary))?;
                return Ok(verdict(seen.received));
            }
        };
        let message = match message {
            Ok(Some(message)) => message,
            Ok(None) => return Err(Failure::new(FAILED, "the answer ended without a summary; try again")),
            Err(status) => {
                return Err(hint::explain(client, status, &args.lab, &[from, &args.to]).await);
            }
        };
        seen.note(&message);
        output::event(format, &message, || text(&args.to, &message))?;
        if let Some(Event::Summary(summary)) = &message.event {
            return Ok(verdict(summary.received));
        }
    }
}

/// The node that sends, and from where: ns1:eth0 says both.
fn sender(args: &Ping) -> Result<(&str, &str), Failure> {
    match args.from.split_once(':') {
        None => Ok((&args.from, &args.source)),
        Some((node, interface)) if args.source.is_empty() => Ok((node, interface)),
        Some(_) => {
            let message =
                format!("{} and -I {} both say where from; use one of them", args.from, args.source);
            Err(Failure::new(USAGE, message))
        }
    }
}

fn verdict(received: u32) -> u8 {
    if received > 0 { DONE } else { FAILED }
}

/// What came so far, for a summary of our own after Ctrl-C.
#[derive(Debug, Default)]
struct Seen {
    sent: u32,
    received: u32,
    min: u64,
    max: u64,
    sum: u64,
}

impl Seen {
    fn note(&mut self, message: &PingResponse) {
        match &message.event {
            Some(Event::Reply(reply)) => {
                self.sent = self.sent.max(reply.sequence);
                self.min = if self.received == 0 { reply.rtt_us } else { self.min.min(reply.rtt_us) };
                self.max = self.max.max(reply.rtt_us);
                self.sum = self.sum.saturating_add(reply.rtt_us);
                self.received += 1;
            }
            Some(Event::Error(error)) => self.sent = self.sent.max(error.sequence),
            _ => {}
        }
    }

    fn summary(&self) -> PingSummary {
        PingSummary {
            sent: self.sent,
            received: self.received,
            rtt_min_us: self.min,
            rtt_avg_us: self.sum / u64::from(self.received.max(1)),
            rtt_max_us: self.max,
        }
    }
}

fn text(to: &str, message: &PingResponse) -> String {
    match &message.event {
        Some(Event::Started(started)) => {
            // A node has many addresses: say which one is meant, unless the user did.
            let at = match clean(&started.interface) {
                at if at.is_empty() || at == to => String::new(),
                at => format!(", {at}"),
            };
            let from = match clean(&started.source) {
                from if from.is_empty() => String::new(),
                from => format!(" from {from}:"),
            };
            format!("PING {to} ({}{at}){from} {} bytes of data.\n", clean(&started.address), started.size)
        }
        Some(Event::Reply(reply)) => {
            let ttl = if reply.ttl > 0 { format!(" ttl={}", reply.ttl) } else { String::new() };
            let (bytes, from, seq) = (reply.bytes, clean(&reply.from), reply.sequence);
            format!("{bytes} bytes from {from}: icmp_seq={seq}{ttl} time={} ms\n", ms(reply.rtt_us))
        }
        Some(Event::Error(error)) if error.from.is_empty() => {
            format!("ping: icmp_seq={} {}\n", error.sequence, clean(&error.message))
        }
        Some(Event::Error(error)) => {
            format!("From {} icmp_seq={} {}\n", clean(&error.from), error.sequence, clean(&error.message))
        }
        Some(Event::Summary(summary)) => summary_text(to, summary),
        None => String::new(),
    }
}

fn summary_text(to: &str, summary: &PingSummary) -> String {
    let PingSummary { sent, received, rtt_min_us, rtt_avg_us, rtt_max_us } = *summary;
    let lost = u64::from(sent.saturating_sub(received)) * 100 / u64::from(sent.max(1));
    let mut text = format!(
        "\n--- {to} ping statistics ---\n{sent} packets transmitted, {received} received, {lost}% packet loss\n"
    );
    if received > 0 {
        let [min, avg, max] = [rtt_min_us, rtt_avg_us, rtt_max_us].map(ms);
        let _ = writeln!(text, "rtt min/avg/max = {min}/{avg}/{max} ms");
    }
    text
}

/// Microseconds as milliseconds with three digits.
fn ms(us: u64) -> String {
    format!("{}.{:03}", us / 1000, us % 1000)
}
