//! Packets as lines, in the form that tcpdump(1) made known, without a tcpdump.
//!
//! `pcapng` takes the file apart as it comes; `ethernet`, `ip`, `icmp` and `transport` each add their
//! part to the line. A packet cut short or malformed ends its line with `[|what]`; it is never an error.

mod ethernet;
mod icmp;
mod ip;
mod pcapng;
#[cfg(test)]
mod tests;
mod transport;

use std::{collections::HashMap, fmt::Write as _, net::IpAddr};

pub(crate) use pcapng::Malformed;
use pcapng::{LinkType, Packet, Reader};

/// Headers within headers that are followed, for example VXLAN in VXLAN.
const DEPTH: u8 = 8;

/// Takes a capture as it comes and gives lines.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    reader: Reader,
    conversations: Conversations,
    names: bool,
    link_header: bool,
}

impl Decoder {
    /// `names`: lines name the interface; `link_header`: they show the Ethernet header.
    pub(crate) fn new(names: bool, link_header: bool) -> Self {
        Self { names, link_header, ..Self::default() }
    }

    /// The lines of the packets that are complete with these bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<String, Malformed> {
        let mut text = String::new();
        self.reader.push(bytes);
        while let Some(packet) = self.reader.next()? {
            self.line(&packet, &mut text);
        }
        Ok(text)
    }

    fn line(&mut self, packet: &Packet, text: &mut String) {
        let seconds = packet.time_ns / 1_000_000_000 % 86_400;
        let micros = packet.time_ns / 1_000 % 1_000_000;
        let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        let _ = write!(text, "{hour:02}:{minute:02}:{second:02}.{micros:06} ");
        if self.names {
            let _ = write!(text, "{} ", crate::output::table::clean(&packet.interface));
        }
        let mut line = Line { text, conversations: &mut self.conversations, depth: 0 };
        match packet.link {
            LinkType::Ethernet => line.ethernet(&packet.bytes, packet.length, self.link_header),
            LinkType::Ip => line.any_ip(&packet.bytes),
            LinkType::Other(kind) => line.add(format_args!("link type {kind}, length {}", packet.length)),
        }
        text.push('\n');
    }
}

/// Where TCP conversations began: sequence numbers are shown from there on.
#[derive(Debug, Default)]
struct Conversations(HashMap<[(IpAddr, u16); 2], [u32; 2]>);

/// Conversations that are remembered; with more, all are forgotten.
const CONVERSATIONS: usize = 10_000;

impl Conversations {
    /// What to take from the sequence and the acknowledgement number of a segment that acknowledges;
    /// nothing for the first of a conversation.
    fn base(&mut self, from: (IpAddr, u16), to: (IpAddr, u16), opens: bool, numbers: [u32; 2]) -> [u32; 2] {
        let turned = from > to;
        let turn = |[a, b]: [u32; 2]| if turned { [b, a] } else { [a, b] };
        let key = if turned { [to, from] } else { [from, to] };
        if let Some(base) = self.0.get(&key).filter(|_| !opens) {
            return turn(*base);
        }
        if self.0.len() >= CONVERSATIONS {
            self.0.clear();
        }
        self.0.insert(key, turn([numbers[0], numbers[1].wrapping_sub(1)]));
        [0, 0]
    }
}

/// A line as far as it is written.
struct Line<'a> {
    text: &'a mut String,
    conversations: &'a mut Conversations,
    depth: u8,
}

impl Line<'_> {
    fn add(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = self.text.write_fmt(text);
    }

    /// Writes one more header within others, unless there are too many.
    fn inner(&mut self, write: impl FnOnce(&mut Self)) {
        if self.depth < DEPTH {
            self.depth += 1;
            write(self);
            self.depth -= 1;
        } else {
            self.add(format_args!("[|more headers]"));
        }
    }
}

/// Two bytes in network order.
fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Four bytes in network order.
fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// An IPv4 address.
fn ipv4(bytes: &[u8], at: usize) -> Option<IpAddr> {
    Some(IpAddr::from(*bytes.get(at..)?.first_chunk::<4>()?))
}

/// An IPv6 address.
fn ipv6(bytes: &[u8], at: usize) -> Option<IpAddr> {
    Some(IpAddr::from(*bytes.get(at..)?.first_chunk::<16>()?))
}
