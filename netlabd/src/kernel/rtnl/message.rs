//! Operations as rtnetlink messages.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    os::fd::{AsRawFd, BorrowedFd},
};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressFlags, AddressMessage, AddressProtocol, AddressScope},
    link::{
        BridgePortState, BridgeStpState, BridgeVlanInfoFlags, InfoBridge, InfoBridgePort, InfoData, InfoKind,
        InfoPortData, InfoPortKind, InfoVeth, LinkAttribute, LinkInfo, LinkMessage, MacVlanMode,
    },
    route::{RouteMessage, RouteProtocol, RouteScope, RouteType},
};
use rtnetlink::{
    LinkBridge, LinkBridgeVlan, LinkDummy, LinkMacVlan, LinkMessageBuilder, LinkUnspec, LinkVlan, LinkVxlan,
    RouteMessageBuilder,
};

use super::{ADDRESS_PROTOCOL, LINK_GROUP, ROUTE_PROTOCOL, socket::Request};
use crate::{
    model::{Endpoint, IfName, Kind, Mac, MacvlanMode, Place, Route, Vxlan, observed::VlanFlags},
    plan::{LinkChange, Op, VethEnd},
};

/// Interface indexes of the namespace whose socket the messages go to.
pub(in crate::kernel) type Indexes = BTreeMap<String, u32>;

/// An interface whose index is not known (yet).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::kernel) struct Unknown(pub(in crate::kernel) String);

/// The messages of an operation on links, addresses or routes; none for operations of other kinds.
///
/// `namespace` gives the namespaces of nodes; `None` leaves an interface in the socket's own.
/// `alias` marks interfaces on the host.
pub(in crate::kernel) fn messages<'a>(
    op: &Op,
    indexes: &Indexes,
    namespace: &dyn Fn(&Place) -> Option<BorrowedFd<'a>>,
    alias: &str,
) -> Result<Vec<Request>, Unknown> {
    let index = |name: &str| indexes.get(name).copied().ok_or_else(|| Unknown(name.to_owned()));
    let make = NLM_F_CREATE | NLM_F_EXCL;
    Ok(match op {
        Op::AddVeth { a, b } => {
            let mut requests = vec![(RouteNetlinkMessage::NewLink(veth(a, b, namespace)), make)];
            let ends = [a, b].into_iter().filter(|end| end.at.place == Place::Host);
            requests.extend(ends.map(|end| mark(&end.at, alias)));
            requests
        }
        Op::AddLink { at, kind, mac, mtu } => {
            let mut link = new_link(at, kind, *mac, *mtu, &index)?;
            if let (Kind::Macvlan { .. }, Some(fd)) = (kind, namespace(&at.place)) {
                link.attributes.push(LinkAttribute::NetNsFd(fd.as_raw_fd()));
            }
            let mut requests = vec![(RouteNetlinkMessage::NewLink(link), make)];
            requests.extend((at.place == Place::Host).then(|| mark(at, alias)));
            requests
        }
        Op::DeleteLink(spot) => vec![(RouteNetlinkMessage::DelLink(named(&spot.name)), 0)],
        Op::Rename { from, to } => {
            let link = LinkUnspec::new_with_index(index(&from.name)?);
            vec![(RouteNetlinkMessage::SetLink(link.name(to.as_str()).build()), 0)]
        }
        Op::SetLink { at, change } => {
            let link = set_link(&at.interface, change, &index)?;
            // RTM_SETLINK passes over what belongs to a kind (do_setlink in net/core/rtnetlink.c).
            let of_kind =
                matches!(change, LinkChange::VlanFiltering(_) | LinkChange::Stp(_) | LinkChange::Forward);
            let message = if of_kind { RouteNetlinkMessage::NewLink } else { RouteNetlinkMessage::SetLink };
            let alias = (*change == LinkChange::Mark && at.place == Place::Host).then(|| mark(at, alias));
            std::iter::once((message(link), 0)).chain(alias).collect()
        }
        Op::AddVlan { at, vlan, flags, on_bridge } => {
            let link = bridge_vlan(index(at.interface.as_str())?, vlan.get(), *flags, *on_bridge);
            vec![(RouteNetlinkMessage::SetLink(link), 0)]
        }
        Op::DeleteVlan { at, vlan, on_bridge } => {
            let link =
                bridge_vlan(index(at.interface.as_str())?, vlan.get(), VlanFlags::default(), *on_bridge);
            vec![(RouteNetlinkMessage::DelLink(link), 0)]
        }
        Op::AddAddress { at, address } => {
            let message = address_message(index(at.interface.as_str())?, *address);
            vec![(RouteNetlinkMessage::NewAddress(message), NLM_F_CREATE | NLM_F_REPLACE)]
        }
        Op::RenewAddress { at, address } => {
            let message = address_message(index(at.interface.as_str())?, *address);
            vec![
                (RouteNetlinkMessage::DelAddress(message.clone()), 0),
                (RouteNetlinkMessage::NewAddress(message), NLM_F_CREATE | NLM_F_REPLACE),
            ]
        }
        Op::DeleteAddress { at, address } => {
            let message = address_message(index(at.interface.as_str())?, *address);
            vec![(RouteNetlinkMessage::DelAddress(message), 0)]
        }
        Op::AddRoute { route, .. } => {
            let message = route_message(index(route.dev.as_str())?, route);
            vec![(RouteNetlinkMessage::NewRoute(message), NLM_F_CREATE | NLM_F_REPLACE)]
        }
        Op::DeleteRoute { route, .. } => {
            let message = route_message(index(route.dev.as_str())?, route);
            vec![(RouteNetlinkMessage::DelRoute(message), 0)]
        }
        Op::AddNode(_)
        | Op::DeleteNode(_)
        | Op::PinNode(_)
        | Op::SetSysctl { .. }
        | Op::SetNat { .. }
        | Op::SetGuard(_)
        | Op::MakeLinkLocal { .. } => Vec::new(),
    })
}

fn named(name: &str) -> LinkMessage {
    LinkUnspec::new_with_name(name).build()
}

/// Marks an interface on the host with its lab. The alias cannot be given at creation.
fn mark(at: &Endpoint, alias: &str) -> Request {
    let link = LinkUnspec::new_with_name(at.interface.as_str()).alias(alias);
    (RouteNetlinkMessage::SetLink(link.build()), 0)
}

/// What every interface is made with.
fn dress<T>(builder: LinkMessageBuilder<T>, mac: Option<Mac>, mtu: Option<u32>) -> LinkMessage {
    let mut builder = builder.link_group(LINK_GROUP);
    if let Some(mac) = mac {
        builder = builder.address(mac.octets().to_vec());
    }
    if let Some(mtu) = mtu {
        builder = builder.mtu(mtu);
    }
    builder.build()
}

/// A veth pair with both ends placed at once: moving an end later costs the kernel 16 ms.
fn veth<'a>(a: &VethEnd, b: &VethEnd, namespace: &dyn Fn(&Place) -> Option<BorrowedFd<'a>>) -> LinkMessage {
    let place = |mut link: LinkMessage, end: &VethEnd| {
        if let Some(fd) = namespace(&end.at.place) {
            link.attributes.push(LinkAttribute::NetNsFd(fd.as_raw_fd()));
        }
        link
    };
    // The end in the socket's own namespace is the message's own: before Linux 6.15 an interface of that
    // name there is taken for the one to be made, wherever that is to be.
    let b_is_here = namespace(&b.at.place).is_none();
    let (a, b) = if b_is_here { (b, a) } else { (a, b) };
    let builder = LinkUnspec::new_with_name(b.at.interface.as_str());
    let peer = place(dress(builder, b.mac, b.mtu), b);
    let builder = LinkMessageBuilder::<LinkUnspec>::new_with_info_kind(InfoKind::Veth)
        .name(a.at.interface.as_str())
        .set_info_data(InfoData::Veth(InfoVeth::Peer(peer)));
    place(dress(builder, a.mac, a.mtu), a)
}

fn new_link(
    at: &Endpoint,
    kind: &Kind,
    mac: Option<Mac>,
    mtu: Option<u32>,
    index: &dyn Fn(&str) -> Result<u32, Unknown>,
) -> Result<LinkMessage, Unknown> {
    let name = at.interface.as_str();
    Ok(match kind {
        Kind::Bridge { vlan_filtering, stp } => {
            let mut builder = LinkBridge::new(name);
            // A kernel without VLAN filtering refuses the attribute, even 0.
            if *vlan_filtering {
                builder = builder.vlan_filtering(true);
            }
            if *stp {
                builder = builder.stp_state(BridgeStpState::KernelStp);
            }
            dress(builder, mac, mtu)
        }
        Kind::Vlan { parent, id } => dress(LinkVlan::new(name, index(parent.as_str())?, id.get()), mac, mtu),
        Kind::Vxlan(vxlan) => {
            let dev = vxlan.dev.as_ref().map(|dev| index(dev.as_str())).transpose()?;
            dress(new_vxlan(name, vxlan, dev), mac, mtu)
        }
        Kind::Macvlan { parent, mode } => {
            dress(LinkMacVlan::new(name, index(parent.as_str())?, macvlan_mode(*mode)), mac, mtu)
        }
        Kind::Dummy | Kind::Veth { .. } | Kind::Loopback => dress(LinkDummy::new(name), mac, mtu),
    })
}

fn new_vxlan(name: &str, vxlan: &Vxlan, dev: Option<u32>) -> LinkMessageBuilder<LinkVxlan> {
    let mut builder = LinkVxlan::new(name, vxlan.vni).port(vxlan.port).learning(vxlan.learning);
    builder = match vxlan.remote {
        Some(IpAddr::V4(remote)) => builder.remote(remote),
        Some(IpAddr::V6(remote)) => builder.remote6(remote),
        None => builder,
    };
    builder = match vxlan.local {
        Some(IpAddr::V4(local)) => builder.local(local),
        Some(IpAddr::V6(local)) => builder.local6(local),
        None => builder,
    };
    match dev {
        Some(dev) => builder.dev(dev),
        None => builder,
    }
}

fn macvlan_mode(mode: MacvlanMode) -> MacVlanMode {
    match mode {
        MacvlanMode::Bridge => MacVlanMode::Bridge,
        MacvlanMode::Private => MacVlanMode::Private,
        MacvlanMode::Vepa => MacVlanMode::Vepa,
        MacvlanMode::Passthru => MacVlanMode::Passthrough,
    }
}

fn set_link(
    name: &IfName,
    change: &LinkChange,
    index: &dyn Fn(&str) -> Result<u32, Unknown>,
) -> Result<LinkMessage, Unknown> {
    let builder = LinkUnspec::new_with_name(name.as_str());
    let bridge = |option: InfoBridge| {
        let mut link = named(name.as_str());
        link.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Bridge),
            LinkInfo::Data(InfoData::Bridge(vec![option])),
        ]));
        link
    };
    Ok(match change {
        LinkChange::Up(true) => builder.up().build(),
        LinkChange::Up(false) => builder.down().build(),
        LinkChange::Mtu(mtu) => builder.mtu(*mtu).build(),
        LinkChange::Mac(mac) => builder.address(mac.octets().to_vec()).build(),
        LinkChange::Master(Some(master)) => builder.controller(index(master.as_str())?).build(),
        LinkChange::Master(None) => builder.nocontroller().build(),
        LinkChange::Mark => builder.link_group(LINK_GROUP).build(),
        LinkChange::VlanFiltering(on) => bridge(InfoBridge::VlanFiltering(*on)),
        LinkChange::Forward => {
            let mut link = named(name.as_str());
            link.attributes.push(LinkAttribute::LinkInfo(vec![
                LinkInfo::PortKind(InfoPortKind::Bridge),
                LinkInfo::PortData(InfoPortData::BridgePort(vec![InfoBridgePort::State(
                    BridgePortState::Forwarding,
                )])),
            ]));
            link
        }
        LinkChange::Stp(true) => bridge(InfoBridge::StpState(BridgeStpState::KernelStp)),
        LinkChange::Stp(false) => bridge(InfoBridge::StpState(BridgeStpState::Disabled)),
    })
}

fn bridge_vlan(index: u32, vlan: u16, flags: VlanFlags, on_bridge: bool) -> LinkMessage {
    let mut bits = BridgeVlanInfoFlags::empty();
    bits.set(BridgeVlanInfoFlags::Pvid, flags.pvid);
    bits.set(BridgeVlanInfoFlags::Untagged, flags.untagged);
    let builder = LinkBridgeVlan::new(index).vlan(vlan, bits);
    if on_bridge { builder.bridge_self().build() } else { builder.build() }
}

fn address_message(index: u32, address: ipnet::IpNet) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.index = index;
    message.header.prefix_len = address.prefix_len();
    message.header.scope =
        if address.addr().is_loopback() { AddressScope::Host } else { AddressScope::Universe };
    message.attributes = vec![
        AddressAttribute::Local(address.addr()),
        AddressAttribute::Address(address.addr()),
        AddressAttribute::Protocol(AddressProtocol::Other(ADDRESS_PROTOCOL)),
    ];
    match address.addr() {
        IpAddr::V4(_) => message.header.family = AddressFamily::Inet,
        IpAddr::V6(_) => {
            message.header.family = AddressFamily::Inet6;
            // Without waiting for duplicate address detection (RFC 4862): the address works at once.
            message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
        }
    }
    message
}

fn route_message(index: u32, route: &Route) -> RouteMessage {
    let scope = if route.via.is_some() || route.to.addr().is_ipv6() {
        RouteScope::Universe
    } else {
        RouteScope::Link
    };
    let mut message = match route.to {
        ipnet::IpNet::V4(to) => RouteMessageBuilder::<std::net::Ipv4Addr>::new()
            .destination_prefix(to.network(), to.prefix_len())
            .output_interface(index)
            .build(),
        ipnet::IpNet::V6(to) => RouteMessageBuilder::<std::net::Ipv6Addr>::new()
            .destination_prefix(to.network(), to.prefix_len())
            .output_interface(index)
            .build(),
    };
    message.header.scope = scope;
    message.header.kind = RouteType::Unicast;
    message.header.protocol = RouteProtocol::Other(ROUTE_PROTOCOL);
    if let Some(via) = route.via {
        let attribute = netlink_packet_route::route::RouteAttribute::Gateway(via.into());
        message.attributes.push(attribute);
    }
    if route.metric > 0 {
        message.attributes.push(netlink_packet_route::route::RouteAttribute::Priority(route.metric));
    }
    message
}
