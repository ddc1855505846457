//! `NodeService.Ping`: what a request asks for, and what comes of it in the API's words.

use std::{os::fd::AsFd as _, time::Duration};

use netlab_proto::v1 as proto;
use proto::ping_response::Event;
use tokio::sync::mpsc::Receiver;
use tonic::{Code, Status};

use super::NodeApi;
use crate::{
    api::{ping, status},
    convert,
    platform::errno_of,
    policy::Access,
    probe,
};

/// Bytes of payload where the request names none, as ping(8) has it.
const PAYLOAD: u32 = 56;

impl NodeApi {
    /// Starts a ping; what it is sent to, and what comes of it.
    pub(super) async fn start_ping(
        &self,
        access: &Access,
        request: &proto::PingRequest,
    ) -> Result<(proto::PingStarted, Receiver<probe::Event>), Status> {
        let mut options = options(request)?;
        let lab = self.lab(&request.lab, access)?;
        let from = convert::place(&request.from)
            .map_err(|error| status::invalid("from", format!("{:?} {error}", request.from)))?;
        let to = convert::target(&request.to)
            .map_err(|error| status::invalid("to", format!("{:?} {error}", request.to)))?;
        let namespace = self.namespace(&lab.name, &from)?;
        let address = lab
            .address_for(&from, &to)
            .map_err(|message| status::status(Code::NotFound, "NODE_NOT_FOUND", message))?;
        access.may_ping(&lab, &from, &address)?;
        options.source = ping::source(&lab, &from, &request.source, address)?;
        let started = proto::PingStarted {
            address: address.to_string(),
            size: request.size.unwrap_or(PAYLOAD),
            interface: ping::at(&lab, &to, address),
            source: options.source.map(|source| source.to_string()).unwrap_or_default(),
        };
        let socket = probe::EchoSocket::open(namespace.as_fd(), address.into())
            .await
            .map_err(|error| status::by_kernel(&error, errno_of(&error)))?;
        let events = probe::ping(socket, address.into(), options)
            .map_err(|error| ping::refused(&from, options.source, &error))?;
        Ok((started, events))
    }
}

/// A duration of a request within its range, or its default.
fn duration(
    field: &str,
    value: Option<pbjson_types::Duration>,
    default: Duration,
) -> Result<Duration, Status> {
    const RANGE: std::ops::RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(60);
    let Some(value) = value else { return Ok(default) };
    let value = Duration::try_from(value).ok().filter(|value| RANGE.contains(value));
    value.ok_or_else(|| status::invalid(field, "must be from 10 ms to 60 s"))
}

fn options(request: &proto::PingRequest) -> Result<probe::Options, Status> {
    const SECOND: Duration = Duration::from_secs(1);
    let count = match request.count {
        0 => 3,
        count @ 1..=100_000 => count,
        _ => return Err(status::invalid("count", "must be from 1 to 100,000")),
    };
    let size = usize::try_from(request.size.unwrap_or(PAYLOAD)).ok().filter(|size| *size <= 65_000);
    Ok(probe::Options {
        count,
        interval: duration("interval", request.interval, SECOND)?,
        timeout: duration("timeout", request.timeout, SECOND)?,
        size: size.ok_or_else(|| status::invalid("size", "must be from 0 to 65,000"))?,
        source: None,
        dont_fragment: request.dont_fragment,
    })
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

pub(super) fn event(event: probe::Event) -> Event {
    match event {
        probe::Event::Reply(reply) => Event::Reply(proto::PingReply {
            sequence: reply.sequence,
            from: reply.from.to_string(),
            ttl: reply.ttl.into(),
            rtt_us: micros(reply.rtt),
            bytes: u32::try_from(reply.bytes).unwrap_or(u32::MAX),
        }),
        probe::Event::Error(refusal) => Event::Error(proto::PingError {
            sequence: refusal.sequence,
            from: refusal.from.map(|from| from.to_string()).unwrap_or_default(),
            message: refusal.message,
        }),
        probe::Event::Summary(summary) => Event::Summary(proto::PingSummary {
            sent: summary.sent,
            received: summary.received,
            rtt_min_us: micros(summary.min),
            rtt_avg_us: micros(summary.avg),
            rtt_max_us: micros(summary.max),
        }),
    }
}
