//! What a lab is, in types that cannot hold nonsense. One noun a file.
//!
//! A [`Lab`] is made by `convert` from the wire format; whoever holds one may rely on every
//! name, range and reference in it. What the kernel shows is [`observed`]; what others let pass is a [`ruleset`].

pub mod address;
mod address_list;
mod address_range;
mod destination_nat;
mod encap;
mod fdb;
mod fib;
mod firewall;
mod group_fwd_mask;
mod guard;
mod impairment;
mod interface;
pub(crate) mod lab;
mod label_route;
mod mac;
pub(crate) mod mtu;
pub(crate) mod name;
mod nat;
mod nat_chains;
mod nat_type;
mod neighbour;
pub mod nft;
pub mod observed;
mod port;
mod port_range;
mod prefix_map;
mod prefix_nat;
pub(crate) mod probability;
mod protocol;
mod reach;
pub(crate) mod route;
mod rule;
pub mod ruleset;
mod source_nat;
mod sysctl;
pub(crate) mod vlan_id;
mod wireguard;

pub use address_list::AddressList;
pub use address_range::AddressRange;
pub use destination_nat::DestinationNat;
mod vlan_protocol;
pub use encap::{Encap, Label, Seg6Mode};
pub use fdb::FdbEntry;
pub use fib::Fib;
pub use firewall::{Action, Conditions, Firewall, FirewallChain, FirewallRule};
pub use group_fwd_mask::GroupFwdMask;
pub use guard::{Apart, Guard, GuardChain, GuardRule};
pub use impairment::{Distribution, Impairment, Loss};
pub use interface::{Form, Interface, LINK_GROUP};
pub use lab::{Cable, Check, Destination, Endpoint, Host, Lab, Node, Place, Warning};
pub use label_route::LabelRoute;
pub use mac::Mac;
pub use mtu::{ETHERNET_MTU, IPV6_MIN_MTU};
pub use name::{IfName, LabName, NameError, NodeName, SysctlKey, is_fallback_device};
pub use nat::{Masquerade, Nat, NatRule, PortForward, Protocol};
pub use nat_chains::nat_chains;
pub use nat_type::{NatType, Opens};
pub use neighbour::Neighbour;
pub use port::{BridgePort, PortSetting, PortSettings, PortVlans};
pub use port_range::PortRange;
pub use prefix_map::PrefixMap;
pub use prefix_nat::PrefixTranslation;
pub use probability::Probability;
pub use protocol::{IcmpType, IpProtocol};
pub use route::{NextHop, Route, RouteType};
pub use rule::{FwMark, RoutingRule, RuleAction};
pub use source_nat::SourceNat;
pub use sysctl::{PerInterface, spread_by};
pub use vlan_id::VlanId;
pub use vlan_protocol::VlanProtocol;
pub use wireguard::{
    KEY_LENGTH, KeySeed, PublicKey, SecretKey, WireguardChange, WireguardDevice, WireguardPeer,
};
