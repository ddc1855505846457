//! The book of one ping: what was sent, what came back, and what to tell of it.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use super::packet::{Content, HEADER, Id, Message};

/// What happens during a ping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An answer.
    Reply(Reply),
    /// An ICMP error came, or sending failed.
    Error(SendError),
    /// The end: all was sent and answered or timed out. Always the last event.
    Summary(Summary),
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Sequence number of the request, from 1.
    pub sequence: u32,
    /// Who answered.
    pub from: IpAddr,
    /// Time to live (IPv4) or hop limit (IPv6) of the answer; 0 where the kernel did not tell.
    pub ttl: u8,
    /// Round-trip time.
    pub rtt: Duration,
    /// Bytes of ICMP, header included.
    pub bytes: usize,
}

/// An ICMP error, or a send that the kernel refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendError {
    /// Sequence number of the request that it is about, from 1.
    pub sequence: u32,
    /// Who sent the error; `None` where this kernel refused to send.
    pub from: Option<IpAddr>,
    /// In words, for example `Destination Host Unreachable`.
    pub message: String,
}

/// Counts and times of a whole ping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Requests that were tried to send.
    pub sent: u32,
    /// Answers, duplicates left out.
    pub received: u32,
    /// Lowest round-trip time; 0 without answers, as the next two.
    pub min: Duration,
    /// Mean round-trip time.
    pub avg: Duration,
    /// Highest round-trip time.
    pub max: Duration,
}

/// Keeps the book. It remembers at most 65,536 unanswered requests, for there are no more sequence numbers.
#[derive(Debug)]
pub(super) struct Tally {
    identifier: u16,
    target: IpAddr,
    payload: Vec<u8>,
    awaited: HashMap<u16, (u32, Instant)>,
    summary: Summary,
    total: Duration,
}

impl Tally {
    pub(super) fn new(identifier: u16, target: IpAddr, payload: Vec<u8>) -> Self {
        let (awaited, summary, total) = (HashMap::new(), Summary::default(), Duration::ZERO);
        Self { identifier, target, payload, awaited, summary, total }
    }

    pub(super) fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The number of requests so far, which is the sequence number of the last one.
    pub(super) fn sent(&self) -> u32 {
        self.summary.sent
    }

    /// Whether a request is neither answered nor refused.
    pub(super) fn is_awaiting(&self) -> bool {
        !self.awaited.is_empty()
    }

    /// Enters the next request, sent at `now`.
    pub(super) fn send(&mut self, now: Instant) -> Id {
        self.summary.sent += 1;
        let id = Id { identifier: self.identifier, sequence: wire(self.summary.sent) };
        self.awaited.insert(id.sequence, (self.summary.sent, now));
        id
    }

    /// The kernel refused to send the last request.
    pub(super) fn refuse(&mut self, message: String) -> Event {
        self.awaited.remove(&wire(self.summary.sent));
        Event::Error(SendError { sequence: self.summary.sent, from: None, message })
    }

    /// Enters a message that came at `now`; `None` if it is not the first answer to a request of this ping.
    pub(super) fn receive(
        &mut self,
        message: Message<'_>,
        from: IpAddr,
        ttl: u8,
        now: Instant,
    ) -> Option<Event> {
        let ours = match &message.content {
            Content::Reply(payload) => self.is_answerer(from) && *payload == self.payload,
            Content::Error { target, .. } => *target == self.target,
        };
        if message.id.identifier != self.identifier || !ours {
            return None;
        }
        let (sequence, at) = self.awaited.remove(&message.id.sequence)?;
        Some(match message.content {
            Content::Reply(payload) => {
                let rtt = now.saturating_duration_since(at);
                self.count(rtt);
                Event::Reply(Reply { sequence, from, ttl, rtt, bytes: HEADER + payload.len() })
            }
            Content::Error { text, .. } => {
                Event::Error(SendError { sequence, from: Some(from), message: text })
            }
        })
    }

    pub(super) fn summary(&self) -> Summary {
        let avg = self.total.checked_div(self.summary.received).unwrap_or_default();
        Summary { avg, ..self.summary }
    }

    /// Many may answer a request to a group, each with an address of its own.
    fn is_answerer(&self, from: IpAddr) -> bool {
        from == self.target || self.target.is_multicast()
    }

    fn count(&mut self, rtt: Duration) {
        let summary = &mut self.summary;
        summary.min = if summary.received == 0 { rtt } else { summary.min.min(rtt) };
        summary.max = summary.max.max(rtt);
        summary.received += 1;
        self.total += rtt;
    }
}

/// The sequence number in the message: the low 16 bits.
fn wire(sequence: u32) -> u16 {
    u16::try_from(sequence & 0xffff).expect("16 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 3));

    fn tally() -> (Tally, Instant) {
        (Tally::new(9, TARGET, b"token".to_vec()), Instant::now())
    }

    fn reply(id: Id) -> Message<'static> {
        Message { id, ttl: None, content: Content::Reply(b"token") }
    }

    #[test]
    fn the_first_answer_counts_and_no_other() {
        let (mut tally, start) = tally();
        let id = tally.send(start);
        let later = start + Duration::from_millis(3);
        let strangers = [
            (reply(Id { identifier: 8, ..id }), TARGET),
            (reply(Id { sequence: 2, ..id }), TARGET),
            (reply(id), OTHER),
            (Message { id, ttl: None, content: Content::Reply(b"other") }, TARGET),
            (
                Message { id, ttl: None, content: Content::Error { target: OTHER, text: String::new() } },
                TARGET,
            ),
        ];
        for (message, from) in strangers {
            assert_eq!(tally.receive(message, from, 64, later), None);
        }
        let rtt = Duration::from_millis(3);
        let expected = Reply { sequence: 1, from: TARGET, ttl: 64, rtt, bytes: 13 };
        assert_eq!(tally.receive(reply(id), TARGET, 64, later), Some(Event::Reply(expected)));
        assert_eq!(tally.receive(reply(id), TARGET, 64, later), None, "a duplicate");
        assert!(!tally.is_awaiting());
        assert_eq!(tally.summary(), Summary { sent: 1, received: 1, min: rtt, avg: rtt, max: rtt });
    }

    #[test]
    fn errors_come_from_anywhere_and_are_no_answers() {
        let (mut tally, start) = tally();
        let id = tally.send(start);
        let error = Message { id, ttl: None, content: Content::Error { target: TARGET, text: "No".into() } };
        let expected = SendError { sequence: 1, from: Some(OTHER), message: "No".into() };
        assert_eq!(tally.receive(error, OTHER, 64, start), Some(Event::Error(expected)));
        tally.send(start);
        let expected = SendError { sequence: 2, from: None, message: "No".into() };
        assert_eq!(tally.refuse("No".into()), Event::Error(expected));
        assert!(!tally.is_awaiting());
        assert_eq!(tally.summary(), Summary { sent: 2, ..Summary::default() });
    }

    #[test]
    fn times_and_sequence_numbers_of_long_pings() {
        let (mut tally, start) = tally();
        for _ in 0..65_536 {
            tally.send(start);
        }
        for millis in [6, 1, 2] {
            let id = tally.send(start);
            let event = tally.receive(reply(id), TARGET, 64, start + Duration::from_millis(millis));
            assert!(matches!(event, Some(Event::Reply(reply)) if reply.sequence == tally.sent()));
        }
        assert_eq!(tally.awaited.len(), 65_533);
        let [min, avg, max] = [1, 3, 6].map(Duration::from_millis);
        assert_eq!(tally.summary(), Summary { sent: 65_539, received: 3, min, avg, max });
    }
}
