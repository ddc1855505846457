//! Routes as messages.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    route::{
        RouteAttribute, RouteFlags, RouteMessage, RouteMetric, RouteNextHop, RouteNextHopFlags,
        RouteProtocol, RouteScope, RouteType, RouteVia,
    },
};
use rtnetlink::RouteMessageBuilder;

use super::{encap, socket::Request};
use crate::{
    link::Unknown,
    model::{self, NextHop, Route},
    plan::Verb,
};

/// What makes a route, in place of one with the same table, destination and metric, or takes it away. `index` finds
/// the interfaces that it leads through.
pub(super) fn encode(
    verb: Verb,
    route: &Route,
    index: &dyn Fn(&str) -> Result<u32, Unknown>,
) -> Result<Request, Unknown> {
    Ok(request(verb, message(route, index)?))
}

/// The request to make a route, in place of one that the kernel takes for the same, or to take it away.
pub(super) fn request(verb: Verb, message: RouteMessage) -> Request {
    match verb {
        Verb::Add | Verb::Set => (RouteNetlinkMessage::NewRoute(message), NLM_F_CREATE | NLM_F_REPLACE),
        Verb::Delete => (RouteNetlinkMessage::DelRoute(message), 0),
    }
}

/// What takes away the route to multicast groups that comes with an interface's first IPv6 address (`addrconf_add_mroute`
/// in net/ipv6/addrconf.c).
pub(super) fn delete_groups(index: u32) -> Request {
    let groups = Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0);
    let mut message =
        RouteMessageBuilder::<Ipv6Addr>::new().destination_prefix(groups, 8).output_interface(index).build();
    message.header.table = libc::RT_TABLE_LOCAL;
    message.header.protocol = RouteProtocol::Unspec;
    message.header.kind = RouteType::Multicast;
    (RouteNetlinkMessage::DelRoute(message), 0)
}

/// The whole of a route.
pub(super) fn message(
    route: &Route,
    index: &dyn Fn(&str) -> Result<u32, Unknown>,
) -> Result<RouteMessage, Unknown> {
    let ipv6 = route.to.addr().is_ipv6();
    let mut message = RouteMessage::default();
    let header = &mut message.header;
    header.address_family = if ipv6 { AddressFamily::Inet6 } else { AddressFamily::Inet };
    header.destination_prefix_length = route.to.prefix_len();
    header.protocol = RouteProtocol::Other(Route::PROTOCOL);
    header.kind = kind(route.kind);
    // As ip-route(8) has it.
    let on_link = !ipv6 && matches!(route.hops.as_slice(), [NextHop { via: None, .. }]);
    header.scope = if on_link { RouteScope::Link } else { RouteScope::Universe };
    let mut attributes = Vec::new();
    if route.to.prefix_len() > 0 {
        attributes.push(RouteAttribute::Destination(route.to.network().into()));
    }
    match u8::try_from(route.table) {
        Ok(table) => header.table = table,
        Err(_) => attributes.push(RouteAttribute::Table(route.table)),
    }
    match route.hops.as_slice() {
        [] => {}
        [hop] => {
            attributes.push(RouteAttribute::Oif(index(hop.dev.as_str())?));
            attributes.extend(gateway(hop, route.to));
            attributes.extend(hop.encap.iter().flat_map(encap::encode));
            header.flags.set(RouteFlags::Onlink, hop.onlink);
        }
        several => {
            let all = several.iter().map(|hop| next_hop(hop, route.to, index));
            attributes.push(RouteAttribute::MultiPath(all.collect::<Result<_, _>>()?));
        }
    }
    attributes.extend(route.src.map(|src| RouteAttribute::PrefSource(src.into())));
    attributes.extend(route.mtu.map(|mtu| RouteAttribute::Metrics(vec![RouteMetric::Mtu(mtu)])));
    if route.metric > 0 {
        attributes.push(RouteAttribute::Priority(route.metric));
    }
    message.attributes = attributes;
    Ok(message)
}

fn next_hop(
    hop: &NextHop,
    to: IpNet,
    index: &dyn Fn(&str) -> Result<u32, Unknown>,
) -> Result<RouteNextHop, Unknown> {
    let mut message = RouteNextHop::default();
    message.interface_index = index(hop.dev.as_str())?;
    message.hops = u8::try_from(hop.weight.saturating_sub(1)).unwrap_or(u8::MAX);
    message.flags.set(RouteNextHopFlags::Onlink, hop.onlink);
    message.attributes.extend(gateway(hop, to));
    message.attributes.extend(hop.encap.iter().flat_map(encap::encode));
    Ok(message)
}

fn gateway(hop: &NextHop, to: IpNet) -> Option<RouteAttribute> {
    Some(match (hop.via?, to) {
        (IpAddr::V6(via), IpNet::V4(_)) => RouteAttribute::Via(RouteVia::Inet6(via)),
        (via, _) => RouteAttribute::Gateway(via.into()),
    })
}

fn kind(kind: model::RouteType) -> RouteType {
    match kind {
        model::RouteType::Unicast => RouteType::Unicast,
        model::RouteType::Blackhole => RouteType::BlackHole,
        model::RouteType::Unreachable => RouteType::Unreachable,
        model::RouteType::Prohibit => RouteType::Prohibit,
        model::RouteType::Throw => RouteType::Throw,
    }
}
