//! A ping: requests at a steady pace, answers as they come.

use std::{
    io,
    net::IpAddr,
    time::{Duration, Instant},
};

use tokio::{
    sync::mpsc,
    time::{self, MissedTickBehavior},
};
use uuid::Uuid;

use super::{EchoSocket, Event, Family, ScopedAddress, packet, tally::Tally};

/// Events that wait for a slow reader; a reader that is slower still slows the ping down.
const WAITING: usize = 64;
/// No IP datagram is longer.
const LONGEST: usize = 65_535;

/// How to ping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Requests to send, from 1.
    pub count: u32,
    /// Time from one request to the next.
    pub interval: Duration,
    /// Time to wait for answers after the last request.
    pub timeout: Duration,
    /// Bytes of payload, 0 to 65,000.
    pub size: usize,
    /// The address to send from; without it, the kernel chooses.
    pub source: Option<IpAddr>,
    /// Let no request be fragmented: one that is larger than the way's MTU fails.
    pub dont_fragment: bool,
}

impl Default for Options {
    /// As ping(8): 56 bytes and a second between requests; three requests.
    fn default() -> Self {
        let second = Duration::from_secs(1);
        Self { count: 3, interval: second, timeout: second, size: 56, source: None, dont_fragment: false }
    }
}

/// Starts a ping on the current tokio runtime. The summary is the last event. The ping ends at once when
/// the receiver is dropped. Fails if the target or source is not of the socket's family, or if nobody here
/// has the source address (EADDRNOTAVAIL).
pub fn ping(
    socket: EchoSocket,
    target: ScopedAddress,
    options: Options,
) -> io::Result<mpsc::Receiver<Event>> {
    let all = options.source.into_iter().chain([target.address]);
    if let Some(address) = all.into_iter().find(|address| Family::from(*address) != socket.family()) {
        let text = format!("{address} and the socket are of different IP versions");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    if let Some(source) = options.source {
        socket.bind(target.socket_address(source))?;
    }
    if options.dont_fragment {
        socket.forbid_fragments()?;
    }
    let (events, receiver) = mpsc::channel(WAITING);
    let token = Uuid::new_v4();
    let [a, b, ..] = Uuid::new_v4().into_bytes();
    let payload = token.as_bytes().iter().copied().cycle().take(options.size).collect();
    let tally = Tally::new(u16::from_be_bytes([a, b]), target.address, payload);
    let ping = Ping { socket, target, options, tally };
    tokio::spawn(async move {
        tokio::select! {
            () = events.closed() => {}
            () = ping.run(&events) => {}
        }
    });
    Ok(receiver)
}

struct Ping {
    socket: EchoSocket,
    target: ScopedAddress,
    options: Options,
    tally: Tally,
}

impl Ping {
    async fn run(mut self, events: &mpsc::Sender<Event>) {
        let mut buffer = vec![0; LONGEST];
        let mut pace = time::interval(self.options.interval.max(Duration::from_millis(1)));
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut end = time::Instant::now();
        while self.tally.sent() < self.options.count || self.tally.is_awaiting() {
            let more = self.tally.sent() < self.options.count;
            let event = tokio::select! {
                _ = pace.tick(), if more => {
                    let event = self.send().await;
                    end = time::Instant::now() + self.options.timeout;
                    event
                }
                () = time::sleep_until(end), if !more => break,
                received = self.socket.receive(&mut buffer) => match received {
                    Ok(datagram) => {
                        let bytes = &buffer[..datagram.length];
                        self.receive(bytes, datagram.from, datagram.hop_limit)
                    }
                    Err(error) => Some(self.tally.refuse(words(&error))),
                },
            };
            if let Some(event) = event {
                // Without a receiver, `closed` above ends the ping.
                drop(events.send(event).await);
            }
        }
        drop(events.send(Event::Summary(self.tally.summary())).await);
    }

    /// Sends the next request; an event if the kernel refuses.
    async fn send(&mut self) -> Option<Event> {
        let id = self.tally.send(Instant::now());
        let request = packet::request(self.socket.family(), id, self.tally.payload());
        let to = self.target.socket_address(self.target.address);
        let sent = self.socket.send(&request, to).await;
        sent.err().map(|error| self.tally.refuse(words(&error)))
    }

    fn receive(&mut self, datagram: &[u8], from: IpAddr, hop_limit: Option<u8>) -> Option<Event> {
        let message = packet::decode(self.socket.family(), datagram)?;
        let ttl = message.ttl.or(hop_limit).unwrap_or(0);
        self.tally.receive(message, from, ttl, Instant::now())
    }
}

/// The kernel's words without Rust's "(os error 101)".
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    if error.raw_os_error() == Some(libc::EMSGSIZE) {
        return format!("{text}: larger than the MTU of the way");
    }
    text.to_owned()
}
