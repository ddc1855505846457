//! What a route puts around packets (light-weight tunnels of the kernel, `RTA_ENCAP`).

use std::{fmt, net::Ipv6Addr};

use netlab_proto::range;

use super::NameError;
use crate::feature::Feature;

/// An MPLS label that is not reserved (RFC 3032).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Label(u32);

impl Label {
    /// Bytes that a label takes in a packet.
    pub const BYTES: u32 = 4;

    /// Its number.
    pub fn get(self) -> u32 {
        self.0
    }

    /// A stack of them in the words of ip-route(8), the outermost first.
    pub fn stack(labels: &[Self]) -> String {
        labels.iter().map(ToString::to_string).collect::<Vec<_>>().join("/")
    }
}

impl TryFrom<u32> for Label {
    type Error = NameError;

    fn try_from(number: u32) -> Result<Self, Self::Error> {
        let wrong = match number {
            0..16 => "is reserved (RFC 3032); labels of one's own begin at 16",
            _ if range::LABEL.contains(&number) => return Ok(Self(number)),
            _ => "is no MPLS label: 16 to 1,048,575 (20 bits)",
        };
        Err(NameError(wrong.to_owned()))
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is put around packets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Encap {
    /// MPLS labels, the outermost first (RFC 3032).
    Mpls(Vec<Label>),
    /// Segments of IPv6, the first to be visited first (RFC 8754).
    Seg6 {
        /// How they are put to packets.
        mode: Seg6Mode,
        /// The segments.
        segments: Vec<Ipv6Addr>,
    },
}

/// How segments are put to packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Seg6Mode {
    /// A packet of IPv6 goes around them.
    #[default]
    Encap,
    /// The header goes into them.
    Inline,
}

impl Seg6Mode {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Encap, Self::Inline];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Encap => "encap",
            Self::Inline => "inline",
        }
    }
}

impl Encap {
    /// What the kernel needs for it.
    pub fn needs(&self) -> Feature {
        match self {
            Self::Mpls(_) => Feature::MPLS_IPTUNNEL,
            Self::Seg6 { .. } => Feature::SEG6,
        }
    }

    /// By how many bytes packets grow.
    pub fn overhead(&self) -> u32 {
        /// The headers of IPv6 (RFC 8200) and of segment routing without segments (RFC 8754), and an address.
        const IPV6: u32 = 40;
        const SEGMENTS: u32 = 8;
        const ADDRESS: u32 = 16;
        let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        match self {
            Self::Mpls(labels) => Label::BYTES * count(labels.len()),
            Self::Seg6 { mode: Seg6Mode::Encap, segments } => {
                IPV6 + SEGMENTS + ADDRESS * count(segments.len())
            }
            // The packet's own destination is the last one.
            Self::Seg6 { mode: Seg6Mode::Inline, segments } => SEGMENTS + ADDRESS * count(segments.len() + 1),
        }
    }
}

impl fmt::Display for Encap {
    /// In the words of ip-route(8), `encap mpls 100/200`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mpls(labels) => write!(f, "encap mpls {}", Label::stack(labels)),
            Self::Seg6 { mode, segments } => {
                let segments: Vec<_> = segments.iter().map(ToString::to_string).collect();
                write!(f, "encap seg6 mode {} segs {}", mode.as_str(), segments.join(","))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_ip_route() {
        let labels = [100, 1_048_575].map(|label| Label::try_from(label).unwrap());
        let mpls = Encap::Mpls(labels.into());
        assert_eq!((mpls.to_string().as_str(), mpls.overhead()), ("encap mpls 100/1048575", 8));
        let segments = vec!["2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap()];
        let seg6 = Encap::Seg6 { mode: Seg6Mode::Inline, segments };
        assert_eq!(seg6.to_string(), "encap seg6 mode inline segs 2001:db8::1,2001:db8::2");
        assert_eq!(seg6.overhead(), 56);
        for (label, words) in [(3, "reserved"), (1_048_576, "20 bits")] {
            assert!(Label::try_from(label).unwrap_err().0.contains(words));
        }
    }
}
