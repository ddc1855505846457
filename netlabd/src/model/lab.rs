//! The lab as a whole: nodes, the host's part, links, checks.

use std::{collections::BTreeMap, fmt, net::IpAddr};

use super::{
    Firewall, IfName, Interface, LabName, LabelRoute, Nat, Neighbour, NodeName, Route, RoutingRule, SysctlKey,
};

/// A validated lab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lab {
    /// Its name.
    pub name: LabName,
    /// Its nodes.
    pub nodes: BTreeMap<NodeName, Node>,
    /// What it needs on the host.
    pub host: Host,
    /// Its cables. Both ends of each are [`super::Form::Veth`] interfaces of their places.
    pub cables: Vec<Cable>,
    /// What must be true of it.
    pub checks: Vec<Check>,
    /// What the kernel takes and what is hardly meant.
    pub warnings: Vec<Warning>,
}

/// Something that a lab says and that cannot work as it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The field, for example `nodes.r.interfaces.p1.addresses[0]`.
    pub path: String,
    /// What is odd about it and what to write instead.
    pub message: String,
}

impl Lab {
    /// The interfaces of a place; `None` if there is no such node.
    pub fn interfaces(&self, place: &Place) -> Option<&BTreeMap<IfName, Interface>> {
        match place {
            Place::Host => Some(&self.host.interfaces),
            Place::Node(name) => self.nodes.get(name).map(|node| &node.interfaces),
        }
    }
}

/// A node: one network namespace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Node {
    /// Its interfaces, those of links included, `lo` only where it has addresses.
    pub interfaces: BTreeMap<IfName, Interface>,
    /// Its static routes.
    pub routes: Vec<Route>,
    /// What it does with MPLS packets.
    pub label_routes: Vec<LabelRoute>,
    /// Its rules of policy routing.
    pub rules: Vec<RoutingRule>,
    /// Its static neighbours, and those for which it answers.
    pub neighbours: Vec<Neighbour>,
    /// Whether it forwards packets.
    pub forwarding: bool,
    /// Its translations.
    pub nat: Nat,
    /// Which packets it lets pass.
    pub firewall: Firewall,
    /// Its sysctls.
    pub sysctls: BTreeMap<SysctlKey, String>,
}

/// A lab's part of the host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Host {
    /// Interfaces to make on the host.
    pub interfaces: BTreeMap<IfName, Interface>,
    /// Whether the host must forward packets.
    pub forwarding: bool,
    /// Translations on the host.
    pub nat: Nat,
    /// Sysctls of its interfaces there.
    pub sysctls: BTreeMap<SysctlKey, String>,
    /// Interfaces of other labs there that it is joined with.
    pub joins: Vec<IfName>,
}

/// Where something is: the host's own network namespace, or a node's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// The network namespace that netlabd was started in.
    Host,
    /// A node.
    Node(NodeName),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("host"),
            Self::Node(name) => name.fmt(f),
        }
    }
}

/// An interface in its place, written `node:interface`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// Where.
    pub place: Place,
    /// Which.
    pub interface: IfName,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.place, self.interface)
    }
}

/// A cable between two interfaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cable {
    /// One end.
    pub a: Endpoint,
    /// The other.
    pub b: Endpoint,
}

/// Something that must be true of the lab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Where the echo request starts.
    pub from: Place,
    /// Where it goes.
    pub to: Destination,
    /// Whether it is to be answered.
    pub reachable: bool,
}

/// What a ping or check aims at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// A node or the host, at whichever of its addresses suits the sender.
    Place(Place),
    /// An interface's first address.
    Endpoint(Endpoint),
    /// An address.
    Address(IpAddr),
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Place(place) => place.fmt(f),
            Self::Endpoint(endpoint) => endpoint.fmt(f),
            Self::Address(address) => address.fmt(f),
        }
    }
}
