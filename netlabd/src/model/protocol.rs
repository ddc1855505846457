//! Protocols above IP, and ICMP's types.

use std::{fmt, str::FromStr};

use super::{NameError, Protocol, address};

/// A protocol that an IP packet carries, by its number (IANA, as in `IPPROTO_TCP`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IpProtocol(u8);

/// Those that have a name in lab files, in the words of protocols(5), for `icmpv6` that of nft(8).
const NAMED: [(&str, u8); 14] = [
    ("tcp", 6),
    ("udp", 17),
    ("icmp", 1),
    ("icmpv6", 58),
    ("sctp", 132),
    ("igmp", 2),
    ("ipip", 4),
    ("ipv6", 41),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("ospf", 89),
    ("pim", 103),
    ("vrrp", 112),
];

impl IpProtocol {
    /// RFC 9293.
    pub const TCP: Self = Self(6);
    /// RFC 768.
    pub const UDP: Self = Self(17);
    /// RFC 9260.
    pub const SCTP: Self = Self(132);
    /// RFC 792.
    pub const ICMP: Self = Self(1);
    /// RFC 4443.
    pub const ICMPV6: Self = Self(58);

    /// The names that lab files have for protocols.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMED.iter().map(|(name, _)| *name)
    }

    /// The number.
    pub fn number(self) -> u8 {
        self.0
    }

    /// Whether it has ports, at the beginning of its header.
    pub fn has_ports(self) -> bool {
        [Self::TCP, Self::UDP, Self::SCTP].contains(&self)
    }

    /// The family that alone carries it; `None`: either does.
    pub fn is_of_ipv6(self) -> Option<bool> {
        match self {
            Self::ICMP => Some(false),
            Self::ICMPV6 => Some(true),
            _ => None,
        }
    }
}

impl From<Protocol> for IpProtocol {
    fn from(protocol: Protocol) -> Self {
        Self(protocol.number())
    }
}

impl FromStr for IpProtocol {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let known = NAMED.iter().find(|(name, _)| *name == text);
        known.map(|(_, number)| *number).or_else(|| address::number(text)).map(Self).ok_or_else(|| {
            let names: Vec<_> = Self::names().collect();
            NameError(format!("is no protocol: {}, or its number, 0 to 255", names.join(", ")))
        })
    }
}

impl fmt::Display for IpProtocol {
    /// The name, or the number where lab files have no name for it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMED.iter().find(|(_, number)| *number == self.0) {
            Some((name, _)) => f.write_str(name),
            None => self.0.fmt(f),
        }
    }
}

/// A type of ICMP (RFC 792) or of `ICMPv6` (RFC 4443, RFC 4861, RFC 2710), as nft(8) names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IcmpType {
    ipv6: bool,
    number: u8,
}

const ICMP: [(&str, u8); 9] = [
    ("echo-reply", 0),
    ("destination-unreachable", 3),
    ("redirect", 5),
    ("echo-request", 8),
    ("router-advertisement", 9),
    ("router-solicitation", 10),
    ("time-exceeded", 11),
    ("parameter-problem", 12),
    ("timestamp-request", 13),
];

const ICMPV6: [(&str, u8); 15] = [
    ("destination-unreachable", 1),
    ("packet-too-big", 2),
    ("time-exceeded", 3),
    ("parameter-problem", 4),
    ("echo-request", 128),
    ("echo-reply", 129),
    ("mld-listener-query", 130),
    ("mld-listener-report", 131),
    ("mld-listener-done", 132),
    ("nd-router-solicit", 133),
    ("nd-router-advert", 134),
    ("nd-neighbor-solicit", 135),
    ("nd-neighbor-advert", 136),
    ("nd-redirect", 137),
    ("mld2-listener-report", 143),
];

impl IcmpType {
    /// ICMP's redirect.
    pub const REDIRECT: Self = Self { ipv6: false, number: 5 };

    /// The types that have a name.
    pub fn names(ipv6: bool) -> impl Iterator<Item = &'static str> {
        Self::named(ipv6).iter().map(|(name, _)| *name)
    }

    /// Reads the name of a type of ICMP, or of `ICMPv6`.
    ///
    /// # Errors
    /// Of a word that is none.
    pub fn read(ipv6: bool, text: &str) -> Result<Self, NameError> {
        let found = Self::named(ipv6).iter().find(|(name, _)| *name == text);
        let protocol = if ipv6 { "ICMPv6" } else { "ICMP" };
        found
            .map(|(_, number)| Self { ipv6, number: *number })
            .ok_or_else(|| NameError(format!("is no type of {protocol} that has a name in nft(8)")))
    }

    /// Whether it is one of `ICMPv6`.
    pub fn is_ipv6(self) -> bool {
        self.ipv6
    }

    /// The number in the packet.
    pub fn number(self) -> u8 {
        self.number
    }

    fn named(ipv6: bool) -> &'static [(&'static str, u8)] {
        if ipv6 { &ICMPV6 } else { &ICMP }
    }
}

impl fmt::Display for IcmpType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::named(self.ipv6).iter().find(|(_, number)| *number == self.number) {
            Some((name, _)) => f.write_str(name),
            None => self.number.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_by_name_and_number() {
        for name in IpProtocol::names() {
            assert_eq!(name.parse::<IpProtocol>().unwrap().to_string(), name);
        }
        assert_eq!("89".parse::<IpProtocol>().unwrap().to_string(), "ospf");
        assert_eq!("253".parse::<IpProtocol>().unwrap().to_string(), "253");
        for bad in ["", "256", "-1", "06", "TCP", "http"] {
            assert!(bad.parse::<IpProtocol>().is_err(), "{bad}");
        }
        assert!(IpProtocol::SCTP.has_ports() && !IpProtocol::ICMP.has_ports());
    }

    #[test]
    fn types_of_icmp() {
        for ipv6 in [false, true] {
            for name in IcmpType::names(ipv6) {
                assert_eq!(IcmpType::read(ipv6, name).unwrap().to_string(), name);
            }
        }
        assert_eq!(IcmpType::REDIRECT.to_string(), "redirect");
        assert!(IcmpType::read(false, "nd-redirect").is_err() && IcmpType::read(true, "ping").is_err());
    }
}
