//! Interfaces: what they are, ports of bridges, VLAN ids, MAC addresses.

use std::{collections::BTreeSet, fmt, str::FromStr};

use ipnet::IpNet;
use netlab_proto::range;

use super::{Endpoint, IfName, NameError};
use crate::link::{Carrier, Kind, Ports};

/// `IFLA_GROUP` of every interface that netlabd makes: "netl" in ASCII, below 2^31.
pub const LINK_GROUP: u32 = 0x6e65_746c;

/// MTU of an Ethernet interface where nobody asks for another (`ETH_DATA_LEN`).
pub const ETHERNET_MTU: u32 = 1500;

/// One network interface of a node or of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// What it is.
    pub form: Form,
    /// Its place in a bridge of the same node.
    pub port: Option<BridgePort>,
    /// Addresses with prefix length, in the author's order; the first of a range is the primary one.
    pub addresses: Vec<IpNet>,
    /// Maximum transmission unit in bytes; `None` leaves it to the planner (VXLAN) or the kernel.
    pub mtu: Option<u32>,
    /// MAC address; `None` derives one from the lab's uid.
    pub mac: Option<Mac>,
    /// Whether it is set up.
    pub up: bool,
}

/// What an interface is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// `lo`, which every namespace has.
    Loopback,
    /// One end of a link.
    Veth {
        /// The other end.
        peer: Endpoint,
    },
    /// Made by itself.
    Made(Kind),
}

impl Form {
    /// The kind's name in the lab file; `link` for the end of a link, `loopback` for `lo`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Veth { .. } => "link",
            Self::Made(kind) => kind.key(),
        }
    }

    /// Its kind, if it is made by itself.
    pub fn kind(&self) -> Option<&Kind> {
        if let Self::Made(kind) = self { Some(kind) } else { None }
    }

    /// What may join it.
    pub fn ports(&self) -> Ports {
        self.kind().map_or(Ports::None, Kind::ports)
    }

    /// The interface of the same place that it stands on.
    pub fn lower_here(&self) -> Option<&IfName> {
        self.kind()?.lower_here()
    }

    /// The interface of the host that it stands on.
    pub fn lower_on_host(&self) -> Option<&IfName> {
        self.kind()?.lower_on_host()
    }

    /// The interface without which it cannot be up.
    pub fn up_with(&self) -> Option<&IfName> {
        self.kind().filter(|kind| kind.carrier() == Carrier::Lower)?.lower_here()
    }
}

/// An interface's place in a bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BridgePort {
    /// The bridge.
    pub bridge: IfName,
    /// The VLANs; [`PortVlans::Default`] on a bridge that does not filter.
    pub vlans: PortVlans,
}

/// VLANs of a bridge port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortVlans {
    /// What the kernel gives a new port: VLAN 1, untagged and PVID, on a filtering bridge.
    Default,
    /// One VLAN, untagged and PVID.
    Access(VlanId),
    /// Several VLANs, tagged.
    Trunk {
        /// The tagged VLANs, without `native`.
        tagged: BTreeSet<VlanId>,
        /// One more VLAN, untagged and PVID.
        native: Option<VlanId>,
    },
}

/// An 802.1Q VLAN identifier, 1 to 4094.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VlanId(u16);

impl VlanId {
    /// VLAN 1, which the kernel gives new bridge ports.
    pub const DEFAULT: Self = Self(1);

    /// One as good as any, for examples.
    pub(crate) const EXAMPLE: Self = Self(10);

    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl TryFrom<u32> for VlanId {
    type Error = NameError;

    fn try_from(id: u32) -> Result<Self, NameError> {
        match u16::try_from(id) {
            Ok(short) if range::VLAN.contains(&id) => Ok(Self(short)),
            _ => Err(NameError("is not a VLAN: 1 to 4094 (IEEE 802.1Q reserves 0 and 4095)".into())),
        }
    }
}

impl fmt::Display for VlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A unicast MAC address (EUI-48).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac([u8; 6]);

impl Mac {
    /// The six bytes in transmission order.
    pub fn octets(self) -> [u8; 6] {
        self.0
    }

    /// A locally administered unicast address from the first six of some well mixed bytes.
    pub fn local(mut octets: [u8; 6]) -> Self {
        octets[0] = (octets[0] & 0xfc) | 0x02;
        Self(octets)
    }
}

impl TryFrom<[u8; 6]> for Mac {
    type Error = NameError;

    fn try_from(octets: [u8; 6]) -> Result<Self, NameError> {
        if octets[0] & 1 == 1 {
            return Err(NameError("is a multicast address; an interface needs a unicast one".into()));
        }
        if octets == [0; 6] {
            return Err(NameError("is all zeros".into()));
        }
        Ok(Self(octets))
    }
}

impl FromStr for Mac {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let wrong = || NameError("is not a MAC address such as 02:00:00:00:00:01".into());
        let mut octets = [0; 6];
        let mut parts = text.split(':');
        for octet in &mut octets {
            let part = parts.next().ok_or_else(wrong)?;
            if part.len() != 2 || !part.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(wrong());
            }
            *octet = u8::from_str_radix(part, 16).map_err(|_| wrong())?;
        }
        if parts.next().is_some() {
            return Err(wrong());
        }
        Self::try_from(octets)
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, octet) in self.0.iter().enumerate() {
            let colon = if position == 0 { "" } else { ":" };
            write!(f, "{colon}{octet:02x}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn macs() {
        let mac: Mac = "02:aB:00:00:00:01".parse().unwrap();
        assert_eq!(mac.to_string(), "02:ab:00:00:00:01");
        for bad in [
            "",
            "02:00:00:00:00",
            "02:00:00:00:00:01:02",
            "01:00:00:00:00:01",
            "2:0:0:0:0:1",
            "+2:00:00:00:00:01",
        ] {
            assert!(bad.parse::<Mac>().is_err(), "{bad}");
        }
        assert_eq!(Mac::local([0xff; 6]).octets()[0], 0xfe);
    }

    #[test]
    fn vlans() {
        assert!(VlanId::try_from(4094).is_ok());
        assert!(VlanId::try_from(0).is_err() && VlanId::try_from(4095).is_err());
        assert!(VlanId::try_from(65_537).is_err());
    }
}
