//! Ranges of addresses that are no networks.

use std::{fmt, net::IpAddr};

use ipnet::IpNet;

/// Addresses of one family from the first to the last, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressRange {
    first: IpAddr,
    last: IpAddr,
}

impl AddressRange {
    /// From one address to another of the same family that is not before it; `None` if it is not so.
    pub fn new(first: IpAddr, last: IpAddr) -> Option<Self> {
        (first.is_ipv4() == last.is_ipv4() && first <= last).then_some(Self { first, last })
    }

    /// One address.
    pub fn one(address: IpAddr) -> Self {
        Self { first: address, last: address }
    }

    /// The first address.
    pub fn first(self) -> IpAddr {
        self.first
    }

    /// The last address.
    pub fn last(self) -> IpAddr {
        self.last
    }

    /// Whether it holds more than one address.
    pub fn is_several(self) -> bool {
        self.first != self.last
    }

    /// Whether an address is in it.
    pub fn contains(self, address: IpAddr) -> bool {
        self.first.is_ipv4() == address.is_ipv4() && self.first <= address && address <= self.last
    }

    /// Whether it is of IPv6.
    pub fn is_ipv6(self) -> bool {
        self.first.is_ipv6()
    }
}

impl From<IpNet> for AddressRange {
    /// All addresses of a network.
    fn from(net: IpNet) -> Self {
        let last = match net {
            IpNet::V4(net) => net.broadcast().into(),
            IpNet::V6(net) => net.broadcast().into(),
        };
        Self { first: net.network(), last }
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.fmt(f)?;
        if self.is_several() {
            write!(f, "-{}", self.last)?;
        }
        Ok(())
    }
}
