//! What the kernel shows of a lab: the result of one look, as plain data.
//!
//! Names are plain strings here: others may have made interfaces that our own checks would refuse.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use ipnet::IpNet;

use super::{
    Endpoint, FdbEntry, Form, Impairment, LabelRoute, Mac, Neighbour, NodeName, Place, PortSettings, Route,
    RoutingRule, SysctlKey, VlanId, WireguardDevice,
};
use crate::link::{Kind, LinkLocalFrom, Ports};

/// What is there of one lab.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Observed {
    /// The namespaces that exist, and the host; what was seen of each is shared with later looks.
    pub places: BTreeMap<Place, Arc<PlaceState>>,
    /// Nodes whose namespace lives but whose pin is gone or covered.
    pub unpinned: BTreeSet<NodeName>,
}

/// What is there in one network namespace. On the host, only what the lab could have made or what
/// stands in its way.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PlaceState {
    /// Interfaces by name.
    pub links: BTreeMap<String, LinkState>,
    /// Routes of all tables, save those that the kernel makes by itself.
    pub routes: Vec<RouteState>,
    /// Label routes.
    pub label_routes: Vec<LabelRouteState>,
    /// Rules of policy routing, save the kernel's own, but with that for VRFs.
    pub rules: Vec<RuleState>,
    /// Neighbours that are there for ever, and those for which the node answers.
    pub neighbours: Vec<NeighbourState>,
    /// The sysctls that were asked about; a missing one does not exist.
    pub sysctls: BTreeMap<SysctlKey, String>,
    /// Our nftables chains that translate addresses.
    pub nat: RulesState,
    /// In a node: those of these chains that are there for a type of NAT, by name.
    pub nat_type_chains: Vec<&'static str>,
    /// In a node: our nftables chains that filter.
    pub firewall: RulesState,
    /// On the host: what keeps the lab apart from all else.
    pub guard: RulesState,
    /// The nftables tables of others; not looked for on the host, where they are none of the lab's business.
    pub tables: Vec<TableState>,
    /// On the host: interfaces of others on which those of the lab are to stand, or to which they are to belong.
    pub foreign: BTreeMap<String, ForeignLink>,
}

/// An interface of others, so far as it matters to what stands on it or belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForeignLink {
    /// Its MAC address.
    pub mac: Option<Mac>,
    /// Its MTU.
    pub mtu: u32,
    /// What it is as a bridge; `None`: it is none.
    pub bridge: Option<ForeignBridge>,
}

/// A bridge of others, so far as it matters to ports of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ForeignBridge {
    /// Whether it filters VLANs.
    pub filtering: bool,
    /// Whether the Spanning Tree Protocol runs.
    pub stp: bool,
    /// The VLAN that it gives new ports, untagged and as PVID (`IFLA_BR_VLAN_DEFAULT_PVID`).
    pub pvid: Option<VlanId>,
}

impl ForeignBridge {
    /// The VLANs of a new port.
    pub fn of_new_ports(self) -> BTreeMap<VlanId, VlanFlags> {
        let untagged = VlanFlags { pvid: true, untagged: true };
        self.pvid.filter(|_| self.filtering).into_iter().map(|vlan| (vlan, untagged)).collect()
    }
}

/// What there is of some of our nftables chains, beside what is wanted of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RulesState {
    /// Nothing.
    #[default]
    Absent,
    /// All as wanted, and nothing else.
    AsWanted,
    /// Something else than is wanted.
    Other,
    /// The kernel has no nftables.
    Unsupported,
}

impl RulesState {
    /// Whether nothing is to be done, where chains are wanted or where none are.
    pub fn is(self, wanted: bool) -> bool {
        match self {
            Self::Absent => !wanted,
            Self::AsWanted => wanted,
            Self::Other | Self::Unsupported => false,
        }
    }
}

/// An nftables table with what others put into it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TableState {
    /// Its family in the words of nft(8), such as `ip6`.
    pub family: String,
    /// Its name.
    pub name: String,
    /// How many chains of others it has.
    pub chains: usize,
    /// How many rules these have.
    pub rules: usize,
}

impl std::fmt::Display for TableState {
    /// `nft table ip filter, 2 chains, 3 rules`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { family, name, chains, rules } = self;
        let s = |count: &usize| if *count == 1 { "" } else { "s" };
        write!(f, "nft table {family} {name}, {chains} chain{}, {rules} rule{}", s(chains), s(rules))
    }
}

/// One interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkState {
    /// Interface index, from 1.
    pub index: u32,
    /// Whether it carries our mark (`IFLA_GROUP`).
    pub ours: bool,
    /// What it is.
    pub form: ObservedForm,
    /// MAC address, where it has one of six bytes.
    pub mac: Option<Mac>,
    /// Maximum transmission unit in bytes.
    pub mtu: u32,
    /// Whether it is set up (`IFF_UP`).
    pub up: bool,
    /// Whether it has a carrier (`IFF_LOWER_UP`).
    pub carrier: bool,
    /// Whether the kernel has acted on the carrier (`IFLA_OPERSTATE` is up, RFC 2863).
    pub at_work: bool,
    /// What it does with frames as a port of a bridge.
    pub port: Option<PortState>,
    /// How it is set up as such.
    pub port_settings: Option<PortSettings>,
    /// MAC addresses that somebody has put behind it as such.
    /// The entries of its forwarding database that are not learned.
    pub fdb: BTreeMap<FdbEntry, FdbState>,
    /// The bridge, VRF or other master it belongs to.
    pub master: Option<String>,
    /// Of a member of a bond, whose MAC address it has, the one that it gets back (`IFLA_BOND_SLAVE_PERM_HWADDR`).
    pub own_mac: Option<Mac>,
    /// Addresses, link-local ones that the kernel made left out.
    pub addresses: Vec<AddressState>,
    /// Link-local addresses that the kernel made.
    pub link_local: Vec<Ipv6Addr>,
    /// Whether it has the route to multicast groups that the kernel makes with the first IPv6 address; asked of
    /// interfaces without a carrier alone.
    pub hears_groups: bool,
    /// How the kernel makes them now (`IFLA_INET6_ADDR_GEN_MODE`).
    pub makes_link_local: LinkLocalMode,
    /// VLANs of a bridge port, or of a bridge itself.
    pub vlans: BTreeMap<VlanId, VlanFlags>,
    /// Its root queueing discipline; `None`: the kernel's choice.
    pub qdisc: Option<QdiscState>,
    /// Of how many segments what it sends may be, and could be at most.
    pub segments: Segments,
    /// What a WireGuard interface is set up as; `None`: it is none, or was not asked.
    pub wireguard: Option<WireguardDevice>,
    /// How many packets may wait (`IFLA_TXQLEN`).
    pub txqueuelen: u32,
}

impl LinkState {
    /// How many packets may wait at a new interface (`DEFAULT_TX_QUEUE_LEN` of `linux/netdevice.h`).
    pub const TXQUEUELEN: u32 = 1000;
}

impl LinkState {
    /// Whether a bond has it, its own or another's.
    pub fn is_bonded(&self) -> bool {
        self.own_mac.is_some()
    }

    /// The MAC address by which it is known again.
    pub fn known_by(&self) -> Option<Mac> {
        self.own_mac.or(self.mac)
    }

    /// Whether it is a VRF.
    pub fn is_vrf(&self) -> bool {
        self.form.ports().vrf().is_some()
    }
}

/// Of how many segments the packets may be that the stack hands to an interface, to be split there or never
/// (generic segmentation offload).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segments {
    /// As set (`IFLA_GSO_MAX_SEGS`).
    pub now: u32,
    /// The most that can be set (`IFLA_TSO_MAX_SEGS`), which a new interface has.
    pub most: u32,
}

impl Default for Segments {
    fn default() -> Self {
        /// `GSO_MAX_SEGS` of `linux/netdevice.h`.
        const MOST: u32 = 65_535;
        Self { now: MOST, most: MOST }
    }
}

/// A root queueing discipline that somebody has set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QdiscState {
    /// netlabd's, known by its handle. `None`: set up as no lab file can say.
    Ours(Option<Box<Impairment>>),
    /// Somebody else's, by its kind.
    Foreign(String),
}

/// How the kernel makes the link-local address of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LinkLocalMode {
    /// Not at all for now: IPv6 is off there, or the interface is not at work.
    #[default]
    Off,
    /// Out of the MAC address (`eui64`).
    Mac,
    /// By itself it makes none (`none`).
    None,
    /// Out of a secret or by chance.
    Other,
}

/// The link-local address that the kernel makes out of a MAC address (RFC 4291 appendix A).
pub fn link_local_of(mac: Mac) -> Ipv6Addr {
    let mac = mac.octets();
    let mut octets = [0; 16];
    octets[..2].copy_from_slice(&[0xfe, 0x80]);
    octets[8..11].copy_from_slice(&mac[..3]);
    octets[8] ^= 2;
    octets[11..13].copy_from_slice(&[0xff, 0xfe]);
    octets[13..].copy_from_slice(&mac[3..]);
    octets.into()
}

/// The link-local address that the kernel makes of an IPv4 address (`add_v4_addrs` in net/ipv6/addrconf.c).
pub fn link_local_with(address: Ipv4Addr) -> Ipv6Addr {
    let mut octets = [0; 16];
    octets[..2].copy_from_slice(&[0xfe, 0x80]);
    octets[12..].copy_from_slice(&address.octets());
    octets.into()
}

/// What an interface is, as far as it can be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObservedForm {
    /// The loopback interface.
    Loopback,
    /// One end of a veth pair.
    Veth {
        /// The other end's place in this lab and its index there; `None` if it is elsewhere.
        peer: Option<(Place, u32)>,
    },
    /// One that the lab file has words for, set up as these could say it.
    Made(Kind),
    /// Anything else, by the kernel's name for it.
    Other(String),
}

impl ObservedForm {
    /// Its kind, if the lab file has words for it.
    pub fn kind(&self) -> Option<&Kind> {
        if let Self::Made(kind) = self { Some(kind) } else { None }
    }

    /// What may join it.
    pub fn ports(&self) -> Ports {
        self.kind().map_or(Ports::None, Kind::ports)
    }

    /// Whether the kernel has made this link-local address for it without marking it as its own.
    pub fn made_unmarked(&self, address: Ipv6Addr) -> bool {
        matches!(self.kind().map(Kind::link_local), Some(LinkLocalFrom::Ipv4(local)) if address == link_local_with(local))
    }

    /// The other end of a veth pair, where it is in this lab.
    pub fn peer(&self) -> Option<&(Place, u32)> {
        if let Self::Veth { peer } = self { peer.as_ref() } else { None }
    }

    /// Whether it is what is wanted, whatever its settings and the other end of it.
    pub fn is_alike(&self, want: &Form) -> bool {
        match (want, self) {
            (Form::Loopback, Self::Loopback) | (Form::Veth { .. }, Self::Veth { .. }) => true,
            (Form::Made(want), Self::Made(seen)) => want.is_same(seen),
            _ => false,
        }
    }
}

/// What a port of a bridge does with frames, IEEE 802.1D-2004 section 7.4 (`BR_STATE_*` in `linux/if_bridge.h`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortState {
    /// Not at work: it is down or has no carrier.
    Disabled,
    /// Kept out of a loop.
    Blocking,
    /// Waits for other bridges to be heard; forwards nothing yet.
    Listening,
    /// Learns addresses; forwards nothing yet.
    Learning,
    /// At work.
    Forwarding,
}

/// One address of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressState {
    /// Address and prefix length.
    pub address: IpNet,
    /// Whether it carries our mark (`IFA_PROTO`).
    pub ours: bool,
    /// Whether somebody has taken the route away that the kernel made to its network, in the main table or in that of
    /// the VRF that the interface belongs to, or it stands behind the link-local address that the kernel made.
    pub cut_off: bool,
}

/// An entry of a forwarding database that is not learned.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FdbState {
    /// Whether it is of the kind that netlabd makes: a station that is not believed to be elsewhere (`NTF_STICKY`), a
    /// remote that is permanent and yet learned elsewhere (`NTF_EXT_LEARNED`).
    pub ours: bool,
    /// Whether it is there in frames without a VLAN.
    pub untagged: bool,
    /// The VLANs in whose frames it is there.
    pub vlans: BTreeSet<VlanId>,
}

/// How a VLAN is carried by a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VlanFlags {
    /// Frames without a tag are of this VLAN.
    pub pvid: bool,
    /// Frames of this VLAN leave without a tag.
    pub untagged: bool,
}

/// One route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteState {
    /// The route.
    pub route: Route,
    /// Whether it has nothing that the lab file has no words for: metrics, a type of service, a next hop object.
    pub plain: bool,
    /// Who made it (`rtm_protocol`).
    pub protocol: u8,
}

impl RouteState {
    /// Whether it carries our mark.
    pub fn ours(&self) -> bool {
        self.protocol == Route::PROTOCOL
    }
}

/// One label route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelRouteState {
    /// The route.
    pub route: LabelRoute,
    /// Whether it has nothing that the lab file has no words for: several next hops, a time to live.
    pub plain: bool,
    /// Who made it (`rtm_protocol`).
    pub protocol: u8,
}

impl LabelRouteState {
    /// Whether it carries our mark.
    pub fn ours(&self) -> bool {
        self.protocol == Route::PROTOCOL
    }
}

/// One rule of policy routing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleState {
    /// The rule.
    pub rule: RoutingRule,
    /// Whether it has nothing that the lab file has no words for.
    pub plain: bool,
    /// Who made it (`FRA_PROTOCOL`).
    pub protocol: u8,
}

impl RuleState {
    /// Whether it carries our mark; that for VRFs is the kernel's, and netlabd's to see to.
    pub fn ours(&self) -> bool {
        self.protocol == RoutingRule::PROTOCOL || self.protocol == self.rule.protocol()
    }
}

/// One neighbour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeighbourState {
    /// The neighbour.
    pub neighbour: Neighbour,
    /// Who made it (`NDA_PROTOCOL`).
    pub protocol: u8,
}

impl NeighbourState {
    /// Whether it carries our mark.
    pub fn ours(&self) -> bool {
        self.protocol == Neighbour::PROTOCOL
    }
}

impl Observed {
    /// The link at an end point.
    pub fn link(&self, at: &Endpoint) -> Option<&LinkState> {
        self.places.get(&at.place)?.links.get(at.interface.as_str())
    }
}

impl std::fmt::Display for VlanFlags {
    /// ` pvid untagged`, each word only where it holds.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.pvid {
            f.write_str(" pvid")?;
        }
        if self.untagged {
            f.write_str(" untagged")?;
        }
        Ok(())
    }
}
