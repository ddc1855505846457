//! Bytes of which some bits are known.

use ipnet::IpNet;

use super::flow::{Flow, HostInterface};
use crate::model::ruleset::{Comparison, Field};

/// Bytes of all registers of `nf_tables`.
pub(super) const REGISTERS: usize = 64;
/// `IPS_DST_NAT` of `ct status`.
const TRANSLATED: u32 = 1 << 5;
/// Protocol number and type of an echo request, for IPv4 and for IPv6.
pub(super) const PING: [(u8, u8); 2] = [(1, 8), (58, 128)];

/// Whether a rule matches a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fit {
    /// All of it.
    All,
    /// Some of it.
    Some,
    /// It cannot be told.
    Unsure,
    /// None of it.
    None,
}

impl Fit {
    fn when(holds: bool) -> Self {
        if holds { Self::All } else { Self::None }
    }

    fn not(self) -> Self {
        match self {
            Self::All => Self::None,
            Self::None => Self::All,
            other => other,
        }
    }

    pub(super) fn negate(self, negated: bool) -> Self {
        if negated { self.not() } else { self }
    }
}

/// One byte.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Byte {
    value: u8,
    /// The bits of `value` that are known.
    known: u8,
    /// Whether the others are unknown because it is not understood what is in there.
    opaque: bool,
}

impl Byte {
    /// Not understood.
    pub(super) const OPAQUE: Self = Self { value: 0, known: 0, opaque: true };
    /// Different in each packet.
    const ANY: Self = Self { value: 0, known: 0, opaque: false };

    /// Bytes that are known.
    pub(super) fn all(bytes: &[u8]) -> Vec<Self> {
        bytes.iter().map(|value| Self { value: *value, known: 0xff, opaque: false }).collect()
    }

    /// `(self & mask) ^ xor`: bits that the mask takes away are known.
    pub(super) fn masked(self, mask: u8, xor: u8) -> Self {
        Self { value: (self.value & mask) ^ xor, known: self.known | !mask, opaque: self.opaque }
    }
}

/// How bytes compare with known ones.
pub(super) fn compare(bytes: &[Byte], how: Comparison, with: &[u8]) -> Fit {
    if matches!(how, Comparison::Equal | Comparison::NotEqual) {
        return equal(bytes, with).negate(how == Comparison::NotEqual);
    }
    let Some(value) = exact(bytes) else { return unknown(bytes) };
    Fit::when(match how {
        Comparison::Less => value.as_slice() < with,
        Comparison::AtMost => value.as_slice() <= with,
        Comparison::Greater => value.as_slice() > with,
        _ => value.as_slice() >= with,
    })
}

/// Whether bytes lie from `low` to `high`.
pub(super) fn within(bytes: &[Byte], low: &[u8], high: &[u8]) -> Fit {
    if low == high {
        return equal(bytes, low);
    }
    // What is not known may be anything: the least and the greatest that it can be.
    let least: Vec<u8> = bytes.iter().map(|byte| byte.value & byte.known).collect();
    let greatest: Vec<u8> = bytes.iter().map(|byte| byte.value & byte.known | !byte.known).collect();
    if greatest.as_slice() < low || least.as_slice() > high {
        return Fit::None;
    }
    if least.as_slice() >= low && greatest.as_slice() <= high { Fit::All } else { unknown(bytes) }
}

fn equal(bytes: &[Byte], with: &[u8]) -> Fit {
    let pairs = || bytes.iter().zip(with);
    if pairs().any(|(byte, with)| (byte.value ^ with) & byte.known != 0) {
        Fit::None
    } else if pairs().all(|(byte, _)| byte.known == 0xff) {
        Fit::All
    } else {
        unknown(bytes)
    }
}

fn unknown(bytes: &[Byte]) -> Fit {
    if bytes.iter().any(|byte| byte.opaque) { Fit::Unsure } else { Fit::Some }
}

/// The value, if all of it is known.
pub(super) fn exact(bytes: &[Byte]) -> Option<Vec<u8>> {
    bytes.iter().map(|byte| (byte.known == 0xff).then_some(byte.value)).collect()
}

/// What a packet of the flow has in a field, at this hook; `None` where it has no such thing, which ends
/// a rule.
pub(super) fn load(flow: &Flow, at: u32, field: Field) -> Option<Vec<Byte>> {
    use super::flow::hook::{INPUT, PREROUTING};
    let leaves = at != PREROUTING && at != INPUT;
    Some(match field {
        Field::InName => name(flow.from.as_ref()?),
        Field::InIndex => index(flow.from.as_ref()?),
        Field::OutName | Field::OutIndex if !leaves => return None,
        Field::OutName => flow.to.as_ref().map_or_else(|| vec![Byte::ANY; 16], name),
        Field::OutIndex => flow.to.as_ref().map_or_else(|| vec![Byte::ANY; 4], index),
        Field::Family => Byte::all(&[if flow.ipv6 { 10 } else { 2 }]),
        Field::EtherType => Byte::all(if flow.ipv6 { &[0x86, 0xdd] } else { &[0x08, 0x00] }),
        Field::Protocol => vec![protocol(flow)],
        Field::State => Byte::all(&flow.state().to_ne_bytes()),
        Field::Direction => Byte::all(&[u8::from(flow.purpose == super::Purpose::Back)]),
        Field::Status => status(flow),
        Field::Network { offset, length } => slice(&network(flow), offset, length),
        Field::Transport { offset, length } => slice(&transport(flow), offset, length),
    })
}

/// The only bit that is known of a connection's status is whether its destination was translated.
fn status(flow: &Flow) -> Vec<Byte> {
    let value = if flow.is_translated() { TRANSLATED } else { 0 };
    let bytes = value.to_ne_bytes().into_iter().zip(TRANSLATED.to_ne_bytes());
    bytes.map(|(value, known)| Byte { value, known, opaque: false }).collect()
}

/// As the kernel compares it: all of `IFNAMSIZ` bytes.
fn name(interface: &HostInterface) -> Vec<Byte> {
    let mut bytes = [0; libc::IFNAMSIZ];
    for (to, from) in bytes.iter_mut().zip(interface.name.bytes()) {
        *to = from;
    }
    Byte::all(&bytes)
}

/// A rule that names an interface by its index speaks of one that exists.
fn index(interface: &HostInterface) -> Vec<Byte> {
    Byte::all(&interface.index.unwrap_or_default().to_ne_bytes())
}

fn protocol(flow: &Flow) -> Byte {
    flow.protocol.map_or(Byte::ANY, |value| Byte { value, known: 0xff, opaque: false })
}

/// The network header (RFC 791, RFC 8200).
fn network(flow: &Flow) -> Vec<Byte> {
    let (length, next, source, destination) = if flow.ipv6 { (40, 6, 8, 24) } else { (20, 9, 12, 16) };
    let mut bytes = vec![Byte::ANY; length];
    bytes[next] = protocol(flow);
    for (at, net) in [(source, &flow.source), (destination, &flow.destination)] {
        if let Some(net) = net {
            let address = address(net);
            bytes[at..at + address.len()].copy_from_slice(&address);
        }
    }
    bytes
}

fn address(net: &IpNet) -> Vec<Byte> {
    let (value, known) = match net {
        IpNet::V4(net) => (net.network().octets().to_vec(), net.netmask().octets().to_vec()),
        IpNet::V6(net) => (net.network().octets().to_vec(), net.netmask().octets().to_vec()),
    };
    value.into_iter().zip(known).map(|(value, known)| Byte { value, known, opaque: false }).collect()
}

/// The transport header: the type of an echo request, or the destination port.
fn transport(flow: &Flow) -> Vec<Byte> {
    let mut bytes = vec![Byte::ANY; 64];
    let ping = PING[usize::from(flow.ipv6)];
    if flow.protocol == Some(ping.0) {
        bytes[..2].copy_from_slice(&Byte::all(&[ping.1, 0]));
    } else if let Some(port) = flow.port {
        bytes[2..4].copy_from_slice(&Byte::all(&port.to_be_bytes()));
    }
    bytes
}

fn slice(bytes: &[Byte], offset: usize, length: usize) -> Vec<Byte> {
    (offset..offset.saturating_add(length.min(REGISTERS)))
        .map(|at| bytes.get(at).copied().unwrap_or(Byte::ANY))
        .collect()
}
