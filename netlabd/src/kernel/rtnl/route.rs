//! Routes as messages.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::IpAddr,
};

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    route::{RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType},
};
use rtnetlink::RouteMessageBuilder;

use super::{ROUTE_PROTOCOL, RouteSocket, observe::Dump, socket::Request};
use crate::{
    model::{IfName, Route, observed::RouteState},
    plan::Verb,
};

/// What makes a route through the interface of an index, in place of one with the same destination and metric, or
/// takes it away.
pub(super) fn encode(verb: Verb, route: &Route, index: u32) -> Request {
    let message = message(index, route);
    match verb {
        Verb::Add | Verb::Set => (RouteNetlinkMessage::NewRoute(message), NLM_F_CREATE | NLM_F_REPLACE),
        Verb::Delete => (RouteNetlinkMessage::DelRoute(message), 0),
    }
}

/// What takes away the route to multicast groups that comes with an interface's first IPv6 address (`addrconf_add_mroute`
/// in net/ipv6/addrconf.c).
pub(super) fn delete_groups(index: u32) -> Request {
    let groups = std::net::Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0);
    let mut message = RouteMessageBuilder::<std::net::Ipv6Addr>::new()
        .destination_prefix(groups, 8)
        .output_interface(index)
        .build();
    message.header.table = libc::RT_TABLE_LOCAL;
    message.header.protocol = RouteProtocol::Unspec;
    message.header.kind = RouteType::Multicast;
    (RouteNetlinkMessage::DelRoute(message), 0)
}

fn message(index: u32, route: &Route) -> RouteMessage {
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
        let attribute = RouteAttribute::Gateway(via.into());
        message.attributes.push(attribute);
    }
    if route.metric > 0 {
        message.attributes.push(RouteAttribute::Priority(route.metric));
    }
    message
}

/// The main table.
#[derive(Debug, Default)]
pub(in crate::kernel) struct RouteTable {
    /// Its routes, save those that the kernel makes by itself and those with several hops.
    pub(in crate::kernel) routes: Vec<RouteState>,
    /// The networks that are reached through an interface without a gateway, whoever made the route.
    pub(in crate::kernel) direct: BTreeSet<(u32, IpNet)>,
}

/// The routes of the main table.
pub(in crate::kernel) fn routes(
    socket: &mut RouteSocket,
    family: AddressFamily,
    names: &BTreeMap<u32, String>,
) -> Dump<RouteTable> {
    let mut request = RouteMessage::default();
    request.header.address_family = family;
    request.header.table = RouteHeader::RT_TABLE_MAIN;
    let found = socket.dump(&RouteNetlinkMessage::GetRoute(request))?;
    Ok(found.map(|messages| {
        let mut table = RouteTable::default();
        for message in messages {
            if let RouteNetlinkMessage::NewRoute(message) = message {
                table.direct.extend(direct(&message));
                table.routes.extend(route(&message, names));
            }
        }
        table
    }))
}

/// The interfaces that have the route to multicast groups which comes with an interface's first IPv6 address.
pub(in crate::kernel) fn groups(socket: &mut RouteSocket) -> Dump<BTreeSet<u32>> {
    let mut request = RouteMessage::default();
    request.header.address_family = AddressFamily::Inet6;
    request.header.table = libc::RT_TABLE_LOCAL;
    request.header.kind = RouteType::Multicast;
    let found = socket.dump(&RouteNetlinkMessage::GetRoute(request))?;
    let interface = |message| match message {
        RouteNetlinkMessage::NewRoute(route)
            if route.header.kind == RouteType::Multicast && route.header.destination_prefix_length == 8 =>
        {
            route
                .attributes
                .iter()
                .find_map(|it| if let RouteAttribute::Oif(it) = it { Some(*it) } else { None })
        }
        _ => None,
    };
    Ok(found.map(|messages| messages.into_iter().filter_map(interface).collect()))
}

fn direct(message: &RouteMessage) -> Option<(u32, IpNet)> {
    let header = &message.header;
    if header.table != RouteHeader::RT_TABLE_MAIN || header.kind != RouteType::Unicast {
        return None;
    }
    let (mut to, mut dev) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(address) => to = ip(address),
            RouteAttribute::Oif(index) => dev = Some(*index),
            RouteAttribute::Gateway(_) => return None,
            _ => {}
        }
    }
    Some((dev?, IpNet::new(to?, header.destination_prefix_length).ok()?))
}

fn route(message: &RouteMessage, names: &BTreeMap<u32, String>) -> Option<RouteState> {
    let header = &message.header;
    let by_kernel =
        matches!(header.protocol, RouteProtocol::Kernel | RouteProtocol::Ra | RouteProtocol::IcmpRedirect);
    if header.table != RouteHeader::RT_TABLE_MAIN || header.kind != RouteType::Unicast || by_kernel {
        return None;
    }
    let ipv6 = header.address_family == AddressFamily::Inet6;
    let any: IpAddr =
        if ipv6 { std::net::Ipv6Addr::UNSPECIFIED.into() } else { std::net::Ipv4Addr::UNSPECIFIED.into() };
    let (mut to, mut via, mut dev, mut metric) = (any, None, None, 0);
    let mut plain = header.tos == 0;
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(address) => to = ip(address)?,
            RouteAttribute::Gateway(address) => via = ip(address),
            RouteAttribute::Oif(index) => dev = names.get(index),
            RouteAttribute::Priority(priority) => metric = *priority,
            RouteAttribute::Metrics(metrics) => plain &= metrics.is_empty(),
            RouteAttribute::PrefSource(_) => plain = false,
            _ => {}
        }
    }
    let to = IpNet::new(to, header.destination_prefix_length).ok()?;
    let dev: IfName = dev?.parse().ok()?;
    let ours = header.protocol == RouteProtocol::Other(ROUTE_PROTOCOL);
    Some(RouteState { route: Route { to, via, dev, metric }, plain, ours })
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(v4) => Some(IpAddr::V4(*v4)),
        RouteAddress::Inet6(v6) => Some(IpAddr::V6(*v6)),
        _ => None,
    }
}

/// Whether an IPv6 default route was learned from router advertisements (RFC 4861).
pub(in crate::kernel) fn has_advertised_default(socket: &mut RouteSocket) -> io::Result<bool> {
    let mut request = RouteMessage::default();
    request.header.address_family = AddressFamily::Inet6;
    request.header.table = RouteHeader::RT_TABLE_MAIN;
    let found = socket.dump(&RouteNetlinkMessage::GetRoute(request))?.unwrap_or_default();
    Ok(found.iter().any(|message| match message {
        RouteNetlinkMessage::NewRoute(route) => {
            route.header.protocol == RouteProtocol::Ra && route.header.destination_prefix_length == 0
        }
        _ => false,
    }))
}

/// Indices of the interfaces that the default routes of a family lead to.
pub(in crate::kernel) fn uplinks(socket: &mut RouteSocket, family: AddressFamily) -> io::Result<Vec<u32>> {
    let mut request = RouteMessage::default();
    request.header.address_family = family;
    request.header.table = RouteHeader::RT_TABLE_MAIN;
    let found = socket.dump(&RouteNetlinkMessage::GetRoute(request))?.unwrap_or_default();
    let of = |message: RouteNetlinkMessage| match message {
        RouteNetlinkMessage::NewRoute(route) if route.header.destination_prefix_length == 0 => {
            let by = |attribute: RouteAttribute| match attribute {
                RouteAttribute::Oif(index) => vec![index],
                RouteAttribute::MultiPath(hops) => hops.iter().map(|hop| hop.interface_index).collect(),
                _ => Vec::new(),
            };
            route.attributes.into_iter().flat_map(by).collect()
        }
        _ => Vec::new(),
    };
    Ok(found.into_iter().flat_map(of).collect())
}
