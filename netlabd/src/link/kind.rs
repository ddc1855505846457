//! What there is to say of a kind.

use std::{
    collections::BTreeSet,
    fmt,
    net::{IpAddr, Ipv4Addr},
};

use netlink_packet_route::link::InfoData;

use super::{Attributes, Change, Kind, Lower, Ports, Tunnel, Unknown};
use crate::{
    feature::Feature,
    input::{Path, Sink},
    model::{VlanProtocol, name::IfName, vlan_id::VlanId},
};

/// One kind of interface.
///
/// The constants can be asked of a value too, by the method of the same name in lower case.
pub trait LinkKind: Clone + Eq + fmt::Debug + Into<Kind> {
    /// The arm of the API's `oneof`.
    type Message: Clone;

    /// Its key in the lab file, the field in the API, and ip-link(8)'s and the kernel's name for it (`IFLA_INFO_KIND`).
    const KEY: &'static str;

    /// What it is, for people, as in "ns1: a bridge".
    const ABOUT: &'static str;

    /// Why a lab cannot have one on the host.
    const ON_HOST: Option<&'static str> = None;

    /// The field that names what it stands on.
    const LOWER_FIELD: &'static str = "parent";

    /// Whether the kernel is told of that by `IFLA_LINK`, and not by an attribute of the kind.
    const LINKED: bool = true;

    /// Whether one on the host may stand on what the host has by itself.
    const FOREIGN_LOWER: bool = false;

    /// Whether it takes all that arrives at what it stands on (`netdev_rx_handler_register`), as a bridge does.
    const TAKES_LOWER: bool = false;

    /// Whether no two on one interface may have one MAC address.
    const UNIQUE_MAC: bool = false;

    /// Whether it is made with the MTU of what it stands on, whatever that is at that moment, and refused more.
    const MTU_OF_LOWER: bool = false;

    /// Whether it carries Ethernet frames, and has a MAC address.
    const ETHERNET: bool = true;

    /// Whether it asks for neighbours (no `IFF_NOARP`).
    const ARP: bool = true;

    /// Examples with every setting that matters to the kernel, what they stand on being `lower`. Generators of labs, the
    /// feature probe, and the tests that hold for all kinds use them; the first of each is the plainest.
    fn examples(lower: &IfName) -> Vec<Self>;

    /// Reads it; `path` is that of the message.
    fn read(message: &Self::Message, path: &Path, sink: &mut Sink) -> Option<Self>;

    /// What a message names to stand on, be the rest of it at fault.
    fn named(_: &Self::Message) -> Option<Lower<&str>> {
        None
    }

    /// The field by which a message names that.
    fn named_field(_: &Self::Message) -> &'static str {
        Self::LOWER_FIELD
    }

    /// The message that reads as this.
    fn message(&self) -> Self::Message;

    /// Reads other ends that a message names, beside that of [`Self::tunnel`]: entries of its forwarding database; `path`
    /// is that of the message.
    fn remotes(_: &Self::Message, _path: &Path, _: &mut Sink) -> BTreeSet<IpAddr> {
        BTreeSet::new()
    }

    /// What it stands on: decides order, loops, what goes with what, from where it is made, and what to watch.
    fn lower(&self) -> Option<Lower<&IfName>> {
        None
    }

    /// The name of that.
    fn lower_mut(&mut self) -> Option<&mut IfName> {
        None
    }

    /// What the kernel has once in a namespace.
    fn identity(&self) -> Option<UniqueKey> {
        None
    }

    /// Why nothing else may stand on its lower: the field that says so, and its value.
    fn alone(&self) -> Option<(&'static str, &'static str)> {
        None
    }

    /// What all of its kind on one lower share, and nothing of another kind that takes all: the field that says so, and its
    /// value.
    fn group(&self) -> Option<(&'static str, &'static str)> {
        None
    }

    /// Whether it has a MAC address that could be another.
    fn own_mac(&self) -> bool {
        Self::ETHERNET
    }

    /// Where its MAC address comes from where nobody says one.
    fn mac(&self) -> MacFrom {
        MacFrom::Lab
    }

    /// What the kernel makes its link-local address of.
    fn link_local(&self) -> LinkLocalFrom {
        if Self::ETHERNET { LinkLocalFrom::Identifier } else { LinkLocalFrom::Nothing }
    }

    /// The bytes that it puts before each frame or packet.
    fn overhead(&self) -> u32 {
        0
    }

    /// Whether packets of an address's family can be sent through it.
    fn carries(&self, _: IpAddr) -> bool {
        true
    }

    /// Its MTU where nobody asks for one: from that of what it stands on, or the smallest of its ports. `None` leaves it
    /// to the kernel.
    fn mtu(&self, lower: Option<u32>, _ports: Option<u32>) -> Option<u32> {
        lower?.checked_sub(self.overhead())
    }

    /// The smallest MTU that the kernel takes for it, where that is more than IPv4 needs.
    fn least_mtu(&self) -> Option<u32> {
        None
    }

    /// What may join it.
    fn ports(&self) -> Ports {
        Ports::None
    }

    /// The member that works whenever it can.
    fn primary(&self) -> Option<&IfName> {
        None
    }

    /// Whether it has a forwarding database, or its ports have.
    fn has_fdb(&self) -> bool {
        self.ports().of_bridge()
    }

    /// Whether its frames reach the segment of what it stands on.
    fn joins_lower(&self) -> bool {
        false
    }

    /// What decides whether it is at work.
    fn carrier(&self) -> Carrier {
        Carrier::Always
    }

    /// Its ends, if it is a tunnel.
    fn tunnel(&self) -> Option<Tunnel> {
        None
    }

    /// The other end of a tunnel that says nothing of what it is sent through: the node's routes lead there.
    fn far_end(&self) -> Option<IpAddr> {
        None
    }

    /// The field that names it; `path` is that of the message.
    fn far_end_path(&self, path: &Path) -> Path {
        path.field("remote")
    }

    /// The VLAN that it is.
    fn vlan(&self) -> Option<VlanId> {
        None
    }

    /// The tags that it goes by: those of the VLAN that it is, or of the VLANs that it filters.
    fn vlan_protocol(&self) -> VlanProtocol {
        VlanProtocol::default()
    }

    /// The kernel feature that it needs, and the field that asks for it, "" for the kind itself.
    fn needs(&self) -> (Feature, &'static str);

    /// Its attributes for the kernel (`IFLA_INFO_DATA`).
    fn encode(&self, index: &dyn Fn(&IfName) -> Result<u32, Unknown>) -> Result<Option<InfoData>, Unknown>;

    /// What the kernel shows, whole or not at all.
    fn decode(seen: &Attributes<'_>) -> Option<Self>;

    /// How what is there differs from this.
    fn change(&self, seen: &Self) -> Change {
        if self == seen { Change::Set(Vec::new()) } else { Change::Remake }
    }

    /// Its settings in the words of ip-link(8), each with a space before it.
    fn command(&self) -> String {
        String::new()
    }

    /// The same of settings that netlabd tells and nobody types, as they are those that it has anyway.
    fn untold(&self) -> String {
        String::new()
    }

    /// What the kernel's refusal to make it means, and what to do.
    fn way_out(&self, _errno: i32) -> Option<String> {
        None
    }

    /// [`Self::KEY`].
    fn key(&self) -> &'static str {
        Self::KEY
    }

    /// [`Self::ABOUT`].
    fn about(&self) -> &'static str {
        Self::ABOUT
    }

    /// [`Self::LOWER_FIELD`].
    fn lower_field(&self) -> &'static str {
        Self::LOWER_FIELD
    }

    /// [`Self::LINKED`].
    fn linked(&self) -> bool {
        Self::LINKED
    }

    /// [`Self::TAKES_LOWER`].
    fn takes_lower(&self) -> bool {
        Self::TAKES_LOWER
    }

    /// [`Self::UNIQUE_MAC`].
    fn unique_mac(&self) -> bool {
        Self::UNIQUE_MAC
    }

    /// [`Self::MTU_OF_LOWER`].
    fn mtu_of_lower(&self) -> bool {
        Self::MTU_OF_LOWER
    }

    /// [`Self::ETHERNET`].
    fn ethernet(&self) -> bool {
        Self::ETHERNET
    }

    /// [`Self::ARP`].
    fn arp(&self) -> bool {
        Self::ARP
    }
}

/// What no two interfaces of a place may share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UniqueKey {
    /// What is compared, among those of one kind.
    pub key: String,
    /// The field at fault.
    pub field: &'static str,
    /// What the first of two is, such as `is VLAN 7 on eth0`.
    pub is: String,
    /// What to do.
    pub way_out: &'static str,
}

/// What the kernel makes a link-local address of, where IPv6 is on (`addrconf_init_auto_addrs` in net/ipv6/addrconf.c,
/// Linux 6.18).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkLocalFrom {
    /// There is none, or what it is depends on more than the interface.
    Nothing,
    /// An identifier of the interface: its MAC address, or one of the kernel's. The address is marked as the kernel's.
    Identifier,
    /// This IPv4 address, which follows `fe80::`. The address is not marked (`add_v4_addrs`).
    Ipv4(Ipv4Addr),
}

/// Where a MAC address comes from that nobody says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MacFrom {
    /// It is derived from the lab's identifier.
    Lab,
    /// It is that of what the interface stands on.
    Lower,
    /// The kernel decides.
    Kernel,
}

/// What decides whether an interface that is up is at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// Nothing: it tells of no more than that it is up.
    Always,
    /// Its own carrier.
    Own,
    /// What it stands on; it is down for as long as that is, and comes up with it.
    Lower,
    /// Its ports.
    Ports,
}
