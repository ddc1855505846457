//! Ranges of addresses of both families, as numbers.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// A range of addresses with one prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Space {
    /// The first address.
    pub(super) first: u128,
    /// How many bits are the range's.
    pub(super) prefix: u8,
    /// How many an address has.
    pub(super) bits: u8,
}

impl Space {
    /// The last address.
    pub(super) fn last(&self) -> u128 {
        self.first | self.hosts()
    }

    /// The bits that are not the prefix's, all set.
    fn hosts(&self) -> u128 {
        match self.bits - self.prefix {
            128 => u128::MAX,
            left => (1 << left) - 1,
        }
    }

    /// Whether two have an address in common.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.bits == other.bits && self.first <= other.last() && other.first <= self.last()
    }

    /// Whether an address is in it.
    pub(super) fn holds(&self, address: u128) -> bool {
        (self.first..=self.last()).contains(&address)
    }

    /// Its subnet of a number, from 0.
    pub(super) fn subnet(&self, prefix: u8, number: u128) -> Option<Self> {
        let count =
            1_u128.checked_shl(u32::from(prefix - self.prefix)).filter(|_| prefix - self.prefix < 128);
        if count.is_some_and(|count| number >= count) {
            return None;
        }
        let below = u32::from(self.bits - prefix);
        let offset = if below < 128 { number << below } else { 0 };
        Some(Self { first: self.first | offset, prefix, bits: self.bits })
    }

    /// The address of a host's number, from 0: the network's own and the last of IPv4, to which all listen, are no
    /// host's where there are more than two.
    pub(super) fn host(&self, number: u128) -> Option<u128> {
        let most = self.hosts();
        let (skip, keep) = match (most, self.bits) {
            (0 | 1, _) => (0, 0),
            (_, 32) => (1, 1),
            _ => (1, 0),
        };
        let offset = number.checked_add(skip).filter(|offset| *offset <= most - keep)?;
        Some(self.first + offset)
    }

    /// An address of this family as text.
    pub(super) fn show(&self, address: u128) -> IpAddr {
        if self.bits == 32 {
            Ipv4Addr::from(u32::try_from(address).unwrap_or_default()).into()
        } else {
            Ipv6Addr::from(address).into()
        }
    }
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.show(self.first), self.prefix)
    }
}

/// An address with a prefix: the range around it, and itself.
pub(super) fn around(text: &str) -> Option<(Space, u128)> {
    let (address, prefix) = text.split_once('/')?;
    let (address, bits) = match address.parse().ok()? {
        IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
        IpAddr::V6(address) => (u128::from(address), 128),
    };
    let prefix: u8 = prefix.parse().ok().filter(|prefix| *prefix <= bits)?;
    let mut space = Space { first: address, prefix, bits };
    space.first &= !space.hosts();
    Some((space, address))
}

/// A range.
///
/// # Errors
/// What is wrong with it, and what to write.
pub(super) fn parse(text: &str) -> Result<Space, String> {
    let (space, address) = around(text)
        .ok_or_else(|| format!("{text:?} is no range of addresses; write one such as 10.0.0.0/16"))?;
    if space.first == address {
        Ok(space)
    } else {
        Err(format!("{text} has bits beyond its prefix; write {space}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subnets_and_hosts_are_counted() {
        let space = parse("10.0.0.0/30").unwrap();
        let hosts = |space: &Space| {
            (0..9).map_while(|n| space.host(n)).map(|a| space.show(a).to_string()).collect::<Vec<_>>()
        };
        assert_eq!(hosts(&space), ["10.0.0.1", "10.0.0.2"]);
        let subnets: Vec<_> = (0..9).map_while(|n| space.subnet(31, n)).collect();
        assert_eq!(
            subnets.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["10.0.0.0/31", "10.0.0.2/31"]
        );
        assert_eq!(hosts(&subnets[1]), ["10.0.0.2", "10.0.0.3"]);
        assert_eq!(hosts(&space.subnet(32, 3).unwrap()), ["10.0.0.3"]);
        let space = parse("2001:db8::/126").unwrap();
        assert_eq!(hosts(&space), ["2001:db8::1", "2001:db8::2", "2001:db8::3"]);
        let all = parse("::/0").unwrap();
        assert_eq!(all.subnet(128, 5).unwrap().to_string(), "::5/128");
        assert_eq!(all.subnet(0, 1).map(|s| s.to_string()), None);
        assert_eq!(parse("0.0.0.0/0").unwrap().subnet(24, 256).unwrap().to_string(), "0.1.0.0/24");
        assert_eq!(
            parse("10.0.0.1/8").unwrap_err(),
            "10.0.0.1/8 has bits beyond its prefix; write 10.0.0.0/8"
        );
    }
}
