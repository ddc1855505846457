//! The host as it is before a lab, as plain data: what a lab must not disturb.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::{IpAddr, SocketAddr},
};

use ipnet::IpNet;

use crate::{
    link::Kind,
    model::{Protocol, observed::ForeignBridge},
};

/// The host as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostState {
    /// Its interfaces by name.
    pub links: BTreeMap<String, HostLink>,
    /// Whether an IPv6 default route was learned from router advertisements; forwarding would
    /// drop it.
    pub ipv6_by_advertisement: bool,
    /// Names in the folder of network namespaces; asked for where they matter ([`Kernel::pins`]).
    ///
    /// [`Kernel::pins`]: super::Kernel::pins
    pub pins: BTreeSet<String>,
    /// Where it sends what is not for itself.
    pub routes: Vec<HostRoute>,
    /// Its nameservers, each with the file that says so.
    pub nameservers: Vec<(IpAddr, &'static str)>,
    /// Its sockets; to list them takes long, and they are asked for where they matter ([`Kernel::sockets`]).
    ///
    /// [`Kernel::sockets`]: super::Kernel::sockets
    pub sockets: Vec<HostSocket>,
}

/// An interface of the host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostLink {
    /// The lab that made it, if it bears a lab's mark.
    pub lab: Option<String>,
    /// Its addresses.
    pub addresses: Vec<IpNet>,
    /// Its MTU.
    pub mtu: u32,
    /// The bridge, bond or other master that it is a port of.
    pub master: Option<String>,
    /// Its other names (`IFLA_ALT_IFNAME`).
    pub other_names: Vec<String>,
    /// What it is as a bridge; `None`: it is none.
    pub bridge: Option<ForeignBridge>,
    /// Whether it is set up.
    pub up: bool,
    /// What it is, where the lab file has words for that.
    pub kind: Option<Kind>,
}

/// A route of the host, of whatever table. Default routes, and those to the host's own single addresses, are left
/// out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRoute {
    /// Where to.
    pub to: IpNet,
    /// The next hop.
    pub via: Option<IpAddr>,
    /// The interface, where it is one.
    pub dev: Option<String>,
    /// What becomes of packets that are not sent on, in the words of ip-route(8): `blackhole`, ...
    pub kind: Option<&'static str>,
    /// The table; 254 is `main`.
    pub table: u32,
}

/// `RT_TABLE_MAIN` of linux/rtnetlink.h.
const MAIN: u32 = 254;

impl HostRoute {
    /// Whether a route to this range is the way to everywhere else: the default routes proper, and the halves
    /// of the address space that VPNs put before them (`0.0.0.0/1`, `2000::/3`).
    pub fn is_default(to: &IpNet) -> bool {
        match to {
            IpNet::V4(to) => to.prefix_len() <= 1,
            IpNet::V6(to) => {
                to.prefix_len() <= 1 || to.prefix_len() == 3 && to.network().segments()[0] == 0x2000
            }
        }
    }
}

impl fmt::Display for HostRoute {
    /// As ip-route(8) lists it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(kind) = self.kind {
            write!(f, "{kind} ")?;
        }
        self.to.fmt(f)?;
        if let Some(via) = self.via {
            write!(f, " via {via}")?;
        }
        if let Some(dev) = &self.dev {
            write!(f, " dev {dev}")?;
        }
        if self.table == MAIN { Ok(()) } else { write!(f, " table {}", self.table) }
    }
}

/// A socket of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostSocket {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// Its own address and port.
    pub local: SocketAddr,
    /// The other end of a connection; `None`: it waits for whoever comes.
    pub peer: Option<SocketAddr>,
}
