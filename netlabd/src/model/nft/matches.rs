//! What packets are asked for.

use std::fmt;

use ipnet::IpNet;

use crate::{
    model::{IcmpType, IfName, IpProtocol, LINK_GROUP, PortRange},
    shell::nft_name,
};

/// What a packet is asked for; shown as nft(8) takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match {
    /// It came in by this interface.
    In(IfName),
    /// It leaves by this interface.
    Out(IfName),
    /// It leaves by another one.
    NotOut(IfName),
    /// Whether it came in by an interface of some lab.
    FromLab(bool),
    /// Whether it leaves by an interface of some lab.
    ToLab(bool),
    /// It came in by a bridge. (To ask whether it did not would not do: of an interface that a driver made,
    /// the kernel knows no kind, and the rule ends there.)
    FromBridge,
    /// It leaves by a bridge.
    ToBridge,
    /// It has no interface that it came in by.
    FromNowhere,
    /// It is IPv4.
    Ipv4,
    /// It is IPv6.
    Ipv6,
    /// Its source is in this range.
    Source(IpNet),
    /// Its destination is in this range.
    Destination(IpNet),
    /// Its source is not an address of this network namespace.
    ForeignSource,
    /// Its destination is an address of this network namespace.
    LocalDestination,
    /// It carries this protocol.
    Protocol(IpProtocol),
    /// It carries this protocol, from one of these ports.
    SourcePorts(IpProtocol, PortRange),
    /// It carries this protocol, to one of these ports.
    Ports(IpProtocol, PortRange),
    /// It is of this type of ICMP or `ICMPv6`.
    Icmp(IcmpType),
    /// Its connection is in one of these states.
    State(States),
    /// The destination of its connection was not translated.
    DestinationKept,
    /// The source of its connection was translated.
    SourceTranslated,
}

impl Match {
    /// The family that it asks for, if it does: whether that is IPv6.
    pub fn is_ipv6(&self) -> Option<bool> {
        match self {
            Self::Ipv4 => Some(false),
            Self::Ipv6 => Some(true),
            Self::Source(net) | Self::Destination(net) => Some(net.addr().is_ipv6()),
            Self::Icmp(kind) => Some(kind.is_ipv6()),
            _ => None,
        }
    }

    /// The protocol that it asks for, if it does.
    pub fn protocol(&self) -> Option<IpProtocol> {
        match self {
            Self::Protocol(protocol) | Self::SourcePorts(protocol, _) | Self::Ports(protocol, _) => {
                Some(*protocol)
            }
            Self::Icmp(kind) if kind.is_ipv6() => Some(IpProtocol::ICMPV6),
            Self::Icmp(_) => Some(IpProtocol::ICMP),
            _ => None,
        }
    }
}

impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is = |yes: bool| if yes { "" } else { "!= " };
        match self {
            Self::In(name) => write!(f, "iifname {}", nft_name(name.as_str())),
            Self::Out(name) => write!(f, "oifname {}", nft_name(name.as_str())),
            Self::NotOut(name) => write!(f, "oifname != {}", nft_name(name.as_str())),
            Self::FromLab(yes) => write!(f, "iifgroup {}{LINK_GROUP}", is(*yes)),
            Self::ToLab(yes) => write!(f, "oifgroup {}{LINK_GROUP}", is(*yes)),
            Self::FromBridge => f.write_str("meta iifkind \"bridge\""),
            Self::ToBridge => f.write_str("meta oifkind \"bridge\""),
            Self::FromNowhere => f.write_str("meta iif 0"),
            Self::Ipv4 => f.write_str("meta nfproto ipv4"),
            Self::Ipv6 => f.write_str("meta nfproto ipv6"),
            Self::Source(net) => range(f, "saddr", net),
            Self::Destination(net) => range(f, "daddr", net),
            Self::ForeignSource => f.write_str("fib saddr type != local"),
            Self::LocalDestination => f.write_str("fib daddr type local"),
            Self::Protocol(protocol) => write!(f, "meta l4proto {}", Word(*protocol)),
            Self::SourcePorts(protocol, ports) => write!(f, "{protocol} sport {ports}"),
            Self::Ports(protocol, ports) => write!(f, "{protocol} dport {ports}"),
            Self::Icmp(kind) => write!(f, "icmp{} type {kind}", if kind.is_ipv6() { "v6" } else { "" }),
            Self::State(states) => write!(f, "ct state {states}"),
            Self::DestinationKept => f.write_str("ct status & dnat == 0"),
            Self::SourceTranslated => f.write_str("ct status snat"),
        }
    }
}

fn range(f: &mut fmt::Formatter<'_>, side: &str, net: &IpNet) -> fmt::Result {
    let (family, number) = if net.addr().is_ipv6() { ("ip6", 6) } else { ("ip", 4) };
    match net.prefix_len() {
        0 => write!(f, "meta nfproto ipv{number}"),
        length if length == net.max_prefix_len() => write!(f, "{family} {side} {}", net.addr()),
        _ => write!(f, "{family} {side} {}", net.trunc()),
    }
}

/// A protocol in a word that every nft(8) knows, whatever the file protocols(5) says: the number where it has none.
struct Word(IpProtocol);

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known =
            [IpProtocol::TCP, IpProtocol::UDP, IpProtocol::SCTP, IpProtocol::ICMP, IpProtocol::ICMPV6];
        if known.contains(&self.0) { self.0.fmt(f) } else { self.0.number().fmt(f) }
    }
}

/// States of connections, at least one: bits of `ct state` (`NF_CT_STATE_BIT`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct States(u32);

const STATES: [(&str, u32); 5] = [
    ("established", 1 << 1),
    ("related", 1 << 2),
    ("new", 1 << 3),
    ("invalid", 1 << 0),
    ("untracked", 1 << 6),
];

impl States {
    /// No connection that is known.
    pub const NEW: Self = Self(1 << 3);

    /// The words for states.
    pub fn names() -> impl Iterator<Item = &'static str> {
        STATES.iter().map(|(name, _)| *name)
    }

    /// The state of that name.
    pub fn named(name: &str) -> Option<Self> {
        STATES.iter().find(|(known, _)| *known == name).map(|(_, bit)| Self(*bit))
    }

    /// These, and others.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether these hold all of the others.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The bits.
    pub fn bits(self) -> u32 {
        self.0
    }
}

impl fmt::Display for States {
    /// `established,related`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let here = STATES.iter().filter(|(_, bit)| self.0 & bit != 0);
        let words: Vec<_> = here.map(|(name, _)| *name).collect();
        f.write_str(&words.join(","))
    }
}
