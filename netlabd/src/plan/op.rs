//! The verbs: single changes to the kernel's state, as plain data.

use std::{collections::BTreeSet, fmt, net::Ipv6Addr};

use ipnet::IpNet;

use crate::model::{
    Endpoint, Guard, IfName, Kind, Mac, NatRule, NodeName, Place, Route, SysctlKey, VlanId,
    observed::VlanFlags,
};

/// One change to the kernel's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Makes a node's network namespace and pins it.
    AddNode(NodeName),
    /// Takes a node's network namespace away with all that is in it.
    DeleteNode(NodeName),
    /// Pins a node's living namespace again.
    PinNode(NodeName),
    /// Makes a veth pair, both ends in place.
    AddVeth {
        /// One end.
        a: VethEnd,
        /// The other.
        b: VethEnd,
    },
    /// Makes any other interface.
    AddLink {
        /// Where and under which name.
        at: Endpoint,
        /// What.
        kind: Kind,
        /// With which MAC address; `None` leaves the kernel's choice.
        mac: Option<Mac>,
        /// With which MTU; `None` leaves the kernel's choice.
        mtu: Option<u32>,
    },
    /// Takes an interface away, with the other end of a veth pair and all that stands on it.
    DeleteLink(Spot),
    /// Gives an interface that somebody renamed its name back.
    Rename {
        /// The interface under its present name.
        from: Spot,
        /// Its own name.
        to: IfName,
    },
    /// Changes a setting of an interface.
    SetLink {
        /// The interface.
        at: Endpoint,
        /// What to change.
        change: LinkChange,
    },
    /// Makes a bridge port, or a bridge itself, carry a VLAN.
    AddVlan {
        /// The port or bridge.
        at: Endpoint,
        /// The VLAN.
        vlan: VlanId,
        /// How.
        flags: VlanFlags,
        /// Whether `at` is the bridge itself.
        on_bridge: bool,
    },
    /// Takes a VLAN off a bridge port or bridge.
    DeleteVlan {
        /// The port or bridge.
        at: Endpoint,
        /// The VLAN.
        vlan: VlanId,
        /// Whether `at` is the bridge itself.
        on_bridge: bool,
    },
    /// Adds an address to an interface.
    AddAddress {
        /// The interface.
        at: Endpoint,
        /// Address and prefix length.
        address: IpNet,
    },
    /// Takes an address off an interface and adds it again: it stands behind others that it came before, or somebody
    /// took away the route to its network.
    RenewAddress {
        /// The interface.
        at: Endpoint,
        /// Address and prefix length.
        address: IpNet,
    },
    /// Lets the kernel make the link-local address of an interface out of its MAC address again.
    MakeLinkLocal {
        /// The interface.
        at: Endpoint,
        /// The address that comes of it.
        address: Ipv6Addr,
    },
    /// Takes an address off an interface.
    DeleteAddress {
        /// The interface.
        at: Endpoint,
        /// Address and prefix length.
        address: IpNet,
    },
    /// Adds a route, in place of one with the same destination and metric.
    AddRoute {
        /// Where.
        place: Place,
        /// The route.
        route: Route,
    },
    /// Takes a route away.
    DeleteRoute {
        /// Where.
        place: Place,
        /// The route.
        route: Route,
    },
    /// Writes a sysctl.
    SetSysctl {
        /// Where.
        place: Place,
        /// Which.
        key: SysctlKey,
        /// The value.
        value: String,
    },
    /// Makes our nftables chains hold exactly these rules; none takes the chains away.
    SetNat {
        /// Where.
        place: Place,
        /// The rules.
        rules: Vec<NatRule>,
    },
    /// Makes what keeps the lab's interfaces on the host apart; `None` takes it away.
    SetGuard(Option<Guard>),
}

/// One end of a veth pair to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VethEnd {
    /// Where and under which name.
    pub at: Endpoint,
    /// With which MAC address.
    pub mac: Option<Mac>,
    /// With which MTU.
    pub mtu: Option<u32>,
}

/// An interface under whatever name somebody gave it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// Where.
    pub place: Place,
    /// Its present name.
    pub name: String,
}

/// A changed setting of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkChange {
    /// Set up or down.
    Up(bool),
    /// Maximum transmission unit in bytes.
    Mtu(u32),
    /// MAC address.
    Mac(Mac),
    /// Member of this bridge, or of none.
    Master(Option<IfName>),
    /// The lab's mark: the group of its interfaces and, on the host, the alias with its name.
    Mark,
    /// On a bridge: VLAN-aware ports.
    VlanFiltering(bool),
    /// On a bridge: the Spanning Tree Protocol.
    Stp(bool),
    /// On a port of a bridge that no longer runs STP: it forwards at once, as a new port does.
    Forward,
}

impl Op {
    /// The place whose state it changes; for a veth pair that of its first end.
    pub fn place(&self) -> Place {
        match self {
            Self::AddNode(node) | Self::DeleteNode(node) | Self::PinNode(node) => Place::Node(node.clone()),
            Self::AddVeth { a, .. } => a.at.place.clone(),
            Self::AddLink { at, .. }
            | Self::SetLink { at, .. }
            | Self::AddVlan { at, .. }
            | Self::DeleteVlan { at, .. }
            | Self::AddAddress { at, .. }
            | Self::RenewAddress { at, .. }
            | Self::MakeLinkLocal { at, .. }
            | Self::DeleteAddress { at, .. } => at.place.clone(),
            Self::DeleteLink(spot) | Self::Rename { from: spot, .. } => spot.place.clone(),
            Self::AddRoute { place, .. }
            | Self::DeleteRoute { place, .. }
            | Self::SetSysctl { place, .. }
            | Self::SetNat { place, .. } => place.clone(),
            Self::SetGuard(_) => Place::Host,
        }
    }

    /// The nodes in which it changes something, save for what goes with a deleted interface.
    pub fn nodes(&self) -> impl Iterator<Item = NodeName> {
        let other = if let Self::AddVeth { b, .. } = self { Some(b.at.place.clone()) } else { None };
        let places = [self.place()].into_iter().chain(other);
        places.filter_map(|place| if let Place::Node(node) = place { Some(node) } else { None })
    }

    /// The object that it changes, for example `ns1:eth0`, or `ns1`.
    pub fn object(&self) -> String {
        match self {
            Self::AddVeth { a, b } => format!("{} -- {}", a.at, b.at),
            Self::AddLink { at, .. }
            | Self::SetLink { at, .. }
            | Self::AddVlan { at, .. }
            | Self::DeleteVlan { at, .. }
            | Self::AddAddress { at, .. }
            | Self::RenewAddress { at, .. }
            | Self::MakeLinkLocal { at, .. }
            | Self::DeleteAddress { at, .. } => at.to_string(),
            Self::DeleteLink(spot) | Self::Rename { from: spot, .. } => spot.to_string(),
            _ => self.place().to_string(),
        }
    }

    /// What it does to its object.
    pub fn action(&self) -> Action {
        match self {
            Self::AddNode(_)
            | Self::AddVeth { .. }
            | Self::AddLink { .. }
            | Self::AddVlan { .. }
            | Self::AddAddress { .. }
            | Self::AddRoute { .. } => Action::Create,
            Self::SetNat { rules, .. } if rules.is_empty() => Action::Delete,
            Self::PinNode(_)
            | Self::Rename { .. }
            | Self::SetLink { .. }
            | Self::RenewAddress { .. }
            | Self::MakeLinkLocal { .. }
            | Self::SetSysctl { .. }
            | Self::SetGuard(Some(_))
            | Self::SetNat { .. } => Action::Update,
            Self::DeleteNode(_)
            | Self::DeleteLink(_)
            | Self::DeleteVlan { .. }
            | Self::DeleteAddress { .. }
            | Self::DeleteRoute { .. }
            | Self::SetGuard(None) => Action::Delete,
        }
    }

    /// What was amiss where this operation is part of a repair, for example
    /// `ns1:eth0: address 192.0.2.1/24 is missing`.
    pub fn finding(&self) -> String {
        match self {
            Self::AddNode(node) => format!("{node}: the namespace is missing"),
            Self::DeleteNode(node) => format!("{node}: the namespace is not wanted"),
            Self::PinNode(node) => format!("{node}: the namespace has lost its pin"),
            Self::AddVeth { a, b } => format!("the link {} -- {} is missing", a.at, b.at),
            Self::AddLink { at, kind, .. } => format!("{at}: the {} is missing", kind.as_str()),
            Self::DeleteLink(spot) => format!("{spot}: the interface is not what it should be"),
            Self::Rename { from, to } => format!("{}:{to}: it was renamed to {}", from.place, from.name),
            Self::SetLink { at, change } => format!("{at}: it is not {change}"),
            Self::AddVlan { at, vlan, flags, .. } => format!("{at}: VLAN {vlan}{flags} is missing"),
            Self::DeleteVlan { at, vlan, .. } => format!("{at}: VLAN {vlan} is not wanted"),
            Self::AddAddress { at, address } => format!("{at}: address {address} is missing"),
            Self::RenewAddress { at, address } => {
                format!("{at}: address {address} lacks its route or its place among the others")
            }
            Self::MakeLinkLocal { at, address } => {
                format!("{at}: the link-local address {address} is missing")
            }
            Self::DeleteAddress { at, address } => format!("{at}: address {address} is not wanted"),
            Self::AddRoute { place, route } => format!("{place}: the route {route} is missing"),
            Self::DeleteRoute { place, route } => format!("{place}: the route {route} is not wanted"),
            Self::SetSysctl { place, key, value } => format!("{place}: {key} is not {value}"),
            Self::SetNat { place, rules } if rules.is_empty() => format!("{place}: NAT is not wanted"),
            Self::SetNat { place, .. } => format!("{place}: the NAT rules are not as they should be"),
            Self::SetGuard(None) => "host: what kept the lab apart is not wanted".to_owned(),
            Self::SetGuard(Some(_)) => "host: the lab is not kept apart as it should be".to_owned(),
        }
    }
}

/// What an operation does to its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Makes something new.
    Create,
    /// Changes what is there.
    Update,
    /// Takes something away.
    Delete,
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddNode(node) => write!(f, "make node {node}"),
            Self::DeleteNode(node) => write!(f, "delete node {node}"),
            Self::PinNode(node) => write!(f, "pin node {node} again"),
            Self::AddVeth { a, b } => write!(f, "link {} to {}", a.at, b.at),
            Self::AddLink { at, kind, .. } => write!(f, "make {} {at}", kind.as_str()),
            Self::DeleteLink(spot) => write!(f, "delete {spot}"),
            Self::Rename { from, to } => write!(f, "rename {from} to {to}"),
            Self::SetLink { at, change } => write!(f, "set {at} {change}"),
            Self::AddVlan { at, vlan, flags, .. } => write!(f, "add VLAN {vlan}{flags} to {at}"),
            Self::DeleteVlan { at, vlan, .. } => write!(f, "remove VLAN {vlan} from {at}"),
            Self::AddAddress { at, address } => write!(f, "add address {address} to {at}"),
            Self::RenewAddress { at, address } => write!(f, "add address {address} to {at} again"),
            Self::MakeLinkLocal { at, address } => write!(f, "make link-local address {address} of {at}"),
            Self::DeleteAddress { at, address } => write!(f, "remove address {address} from {at}"),
            Self::AddRoute { place, route } => write!(f, "add route {route} in {place}"),
            Self::DeleteRoute { place, route } => write!(f, "remove route {route} in {place}"),
            Self::SetSysctl { place, key, value } => write!(f, "set {key} = {value} in {place}"),
            Self::SetNat { place, rules } if rules.is_empty() => write!(f, "remove NAT from {place}"),
            Self::SetNat { place, rules } => {
                let texts: Vec<_> = rules.iter().map(ToString::to_string).collect();
                write!(f, "set NAT in {place}: {}", texts.join("; "))
            }
            Self::SetGuard(None) => f.write_str("no longer keep the lab apart on host"),
            Self::SetGuard(Some(_)) => f.write_str("keep the lab apart on host"),
        }
    }
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.place, self.name)
    }
}

impl fmt::Display for LinkChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up(true) => f.write_str("up"),
            Self::Up(false) => f.write_str("down"),
            Self::Mtu(mtu) => write!(f, "MTU {mtu}"),
            Self::Mac(mac) => write!(f, "MAC {mac}"),
            Self::Master(Some(bridge)) => write!(f, "a port of {bridge}"),
            Self::Master(None) => f.write_str("a port of no bridge"),
            Self::Mark => f.write_str("marked as the lab's"),
            Self::VlanFiltering(true) => f.write_str("VLAN-filtering"),
            Self::VlanFiltering(false) => f.write_str("not VLAN-filtering"),
            Self::Forward => f.write_str("forwarding"),
            Self::Stp(true) => f.write_str("running STP"),
            Self::Stp(false) => f.write_str("not running STP"),
        }
    }
}

/// What is to be done, in stages: a stage begins when the one before is done. Operations of one
/// stage that concern one place keep their order; different places may be worked on at once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The stages, none of them empty.
    pub stages: Vec<Stage>,
    /// What stands in the way on the host and is not ours to touch, in words.
    pub conflicts: Vec<String>,
    /// What others added and what is left alone, in words.
    pub extras: BTreeSet<String>,
}

/// One stage of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Its name, for progress.
    pub name: &'static str,
    /// What is to be done in it.
    pub ops: Vec<Op>,
}

impl Plan {
    /// Whether nothing is to be done and nothing stands in the way.
    pub fn is_empty(&self) -> bool {
        self.stages.is_empty() && self.conflicts.is_empty()
    }

    /// All operations in order.
    pub fn ops(&self) -> impl Iterator<Item = &Op> {
        self.stages.iter().flat_map(|stage| &stage.ops)
    }

    /// How many operations there are.
    pub fn len(&self) -> usize {
        self.stages.iter().map(|stage| stage.ops.len()).sum()
    }
}
