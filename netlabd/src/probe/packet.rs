//! ICMP messages (RFC 792, RFC 4443) as bytes: echo requests out, replies and errors in.

use std::net::{IpAddr, Ipv6Addr};

use super::Family;

/// Bytes of an echo message before its payload.
pub(super) const HEADER: usize = 8;

/// Types of echo messages: request and reply.
const V4_ECHO: (u8, u8) = (8, 0);
const V6_ECHO: (u8, u8) = (128, 129);
/// Types of the error messages that speak of a packet of ours.
pub(super) const V4_ERRORS: [u8; 3] = [3, 11, 12];
/// As [`V4_ERRORS`], of `ICMPv6`.
pub(super) const V6_ERRORS: [u8; 4] = [1, 2, 3, 4];
/// The type of echo replies.
pub(super) const V4_REPLY: u8 = V4_ECHO.1;
/// As [`V4_REPLY`], of `ICMPv6`.
pub(super) const V6_REPLY: u8 = V6_ECHO.1;

/// Next header numbers (IANA).
const FRAGMENT: u8 = 44;
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;

/// What tells one echo request from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Id {
    pub(super) identifier: u16,
    pub(super) sequence: u16,
}

/// A message that came in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message<'a> {
    /// The request that it is about.
    pub(super) id: Id,
    /// Time to live, where the message holds it (IPv4).
    pub(super) ttl: Option<u8>,
    pub(super) content: Content<'a>,
}

/// The two kinds of messages that we look at.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content<'a> {
    /// An echo reply with its payload.
    Reply(&'a [u8]),
    /// An error about a request to `target`, in the words of ping(8).
    Error { target: IpAddr, text: String },
}

/// Builds an echo request. The kernel fills in the checksum of `ICMPv6` (RFC 3542, section 3.1).
pub(super) fn request(family: Family, id: Id, payload: &[u8]) -> Vec<u8> {
    let kind = if family == Family::V4 { V4_ECHO.0 } else { V6_ECHO.0 };
    let mut bytes = vec![kind, 0, 0, 0];
    bytes.extend(id.identifier.to_be_bytes());
    bytes.extend(id.sequence.to_be_bytes());
    bytes.extend(payload);
    if family == Family::V4 {
        let sum = checksum(&bytes).to_be_bytes();
        bytes[2..4].copy_from_slice(&sum);
    }
    bytes
}

/// Reads what a raw socket of this family hands out; `None` for all that is not an answer to an echo request.
pub(super) fn decode(family: Family, datagram: &[u8]) -> Option<Message<'_>> {
    match family {
        Family::V4 => decode_v4(datagram),
        Family::V6 => decode_v6(datagram),
    }
}

/// The Internet checksum (RFC 1071). Over a message with a right checksum in it, it is 0.
fn checksum(bytes: &[u8]) -> u16 {
    let word = |pair: &[u8]| u64::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
    let mut sum: u64 = bytes.chunks(2).map(word).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).expect("folded to 16 bits")
}

/// A raw IPv4 socket hands out the IP header too, and messages whose checksum nobody has looked at.
fn decode_v4(datagram: &[u8]) -> Option<Message<'_>> {
    let ttl = Some(*datagram.get(8)?);
    let message = datagram.get(header_length(datagram)?..)?;
    let kind = *message.first()?;
    if checksum(message) != 0 {
        return None;
    }
    if kind == V4_REPLY {
        return Some(Message { id: id(message)?, ttl, content: Content::Reply(message.get(HEADER..)?) });
    }
    if !V4_ERRORS.contains(&kind) {
        return None;
    }
    let inner = message.get(HEADER..)?;
    // The lower 13 bits are the fragment's offset.
    let first_fragment = (inner.get(6)? & 0x1f, *inner.get(7)?) == (0, 0);
    let ours = inner.get(header_length(inner)?..)?;
    if *inner.get(9)? != ICMP || !first_fragment || *ours.first()? != V4_ECHO.0 {
        return None;
    }
    let target: [u8; 4] = inner.get(16..20)?.try_into().ok()?;
    let text = v4_error(kind, message[1], u16::from_be_bytes([message[6], message[7]]));
    Some(Message { id: id(ours)?, ttl, content: Content::Error { target: target.into(), text } })
}

/// The kernel has checked `ICMPv6` checksums and taken the IP header off.
fn decode_v6(message: &[u8]) -> Option<Message<'_>> {
    let kind = *message.first()?;
    if kind == V6_REPLY {
        return Some(Message {
            id: id(message)?,
            ttl: None,
            content: Content::Reply(message.get(HEADER..)?),
        });
    }
    if !V6_ERRORS.contains(&kind) {
        return None;
    }
    let inner = message.get(HEADER..)?;
    let (next, ours) = match *inner.get(6)? {
        FRAGMENT => (*inner.get(40)?, inner.get(48..)?),
        next => (next, inner.get(40..)?),
    };
    if next != ICMPV6 || *ours.first()? != V6_ECHO.0 {
        return None;
    }
    let target: [u8; 16] = inner.get(24..40)?.try_into().ok()?;
    let parameter = u32::from_be_bytes(message.get(4..8)?.try_into().ok()?);
    let text = v6_error(kind, message[1], parameter);
    Some(Message {
        id: id(ours)?,
        ttl: None,
        content: Content::Error { target: Ipv6Addr::from(target).into(), text },
    })
}

/// The length of an IPv4 header in bytes.
fn header_length(packet: &[u8]) -> Option<usize> {
    let words = usize::from(packet.first()? & 0xf);
    (words >= 5).then_some(words * 4)
}

fn id(echo: &[u8]) -> Option<Id> {
    let number = |at: usize| Some(u16::from_be_bytes(echo.get(at..at + 2)?.try_into().ok()?));
    Some(Id { identifier: number(4)?, sequence: number(6)? })
}

fn v4_error(kind: u8, code: u8, mtu: u16) -> String {
    match (kind, code) {
        (3, 0) => "Destination Net Unreachable".into(),
        (3, 1) => "Destination Host Unreachable".into(),
        (3, 2) => "Destination Protocol Unreachable".into(),
        (3, 3) => "Destination Port Unreachable".into(),
        (3, 4) => format!("Frag needed (mtu = {mtu})"),
        (3, 9 | 10 | 13) => "Packet filtered".into(),
        (3, code) => format!("Destination Unreachable (code {code})"),
        (11, 0) => "Time to live exceeded".into(),
        (11, _) => "Frag reassembly time exceeded".into(),
        _ => format!("Parameter problem (code {code})"),
    }
}

fn v6_error(kind: u8, code: u8, parameter: u32) -> String {
    match (kind, code) {
        (1, 0) => "Destination unreachable: No route".into(),
        (1, 1) => "Destination unreachable: Administratively prohibited".into(),
        (1, 2) => "Destination unreachable: Beyond scope of source address".into(),
        (1, 3) => "Destination unreachable: Address unreachable".into(),
        (1, 4) => "Destination unreachable: Port unreachable".into(),
        (1, code) => format!("Destination unreachable (code {code})"),
        (2, _) => format!("Packet too big (mtu = {parameter})"),
        (3, 0) => "Time exceeded: Hop limit".into(),
        (3, _) => "Time exceeded: Defragmentation".into(),
        _ => format!("Parameter problem (code {code})"),
    }
}

#[cfg(test)]
mod tests;
