//! Interfaces: what they are.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;

use super::{Endpoint, IfName, Impairment, Mac, port::BridgePort};
use crate::link::{Carrier, Kind, LinkLocalFrom, Ports};

/// `IFLA_GROUP` of every interface that netlabd makes: "netl" in ASCII, below 2^31.
pub const LINK_GROUP: u32 = 0x6e65_746c;

/// One network interface of a node or of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// What it is.
    pub form: Form,
    /// Its place in a bridge of the same node.
    pub port: Option<BridgePort>,
    /// The other ends of a tunnel that has several.
    pub remotes: BTreeSet<IpAddr>,
    /// The VRF or bond of the same node that it belongs to.
    pub master: Option<IfName>,
    /// Addresses with prefix length, in the author's order; the first of a range is the primary one.
    pub addresses: Vec<IpNet>,
    /// Maximum transmission unit in bytes; `None` leaves it to the planner (VXLAN) or the kernel.
    pub mtu: Option<u32>,
    /// MAC address; `None` derives one from the lab's uid.
    pub mac: Option<Mac>,
    /// Whether it is set up.
    pub up: bool,
    /// The interface of the same node that carries it where its kind names none: that by which the other end of a
    /// tunnel is reached. The converter fills it in. No chain of these comes back to where it began.
    pub underlay: Option<IfName>,
    /// What becomes of what leaves by it: its own, or that of its link.
    pub impair: Option<Impairment>,
    /// How many packets may wait; `None`: as many as with a new interface.
    pub txqueuelen: Option<u32>,
    /// Whether the node answers for what its routes lead to; `None` leaves it to the kernel.
    pub proxy_arp: Option<bool>,
    /// Whether router advertisements are heard; `None` leaves it to the kernel.
    pub accept_ra: Option<bool>,
    /// Whether addresses are made of them.
    pub slaac: bool,
}

impl Interface {
    /// The bridge, VRF or bond that it belongs to (`IFLA_MASTER`).
    pub fn master(&self) -> Option<&IfName> {
        self.port.as_ref().map(|port| &port.bridge).or(self.master.as_ref())
    }
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

    /// What the kernel makes its link-local address of.
    pub fn link_local(&self) -> LinkLocalFrom {
        match self {
            Self::Loopback => LinkLocalFrom::Nothing,
            Self::Veth { .. } => LinkLocalFrom::Identifier,
            Self::Made(kind) => kind.link_local(),
        }
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
