//! The routes of the host, of all tables, as far as a lab's ranges may collide with them.

use std::{collections::BTreeMap, io, net::Ipv6Addr};

use ipnet::IpNet;
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    route::{RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteType},
};

use super::{
    RouteSocket,
    routes::{gateway, ip},
};
use crate::platform::HostRoute;

/// All routes but default ones, those to single addresses of the host itself, and what is multicast, broadcast or
/// link-local.
pub(in crate::kernel) fn host_routes(
    socket: &mut RouteSocket,
    names: &BTreeMap<u32, String>,
) -> io::Result<Vec<HostRoute>> {
    let mut all = Vec::new();
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let mut request = RouteMessage::default();
        request.header.address_family = family;
        request.header.table = RouteHeader::RT_TABLE_UNSPEC;
        // A kernel without IPv6 refuses the second.
        let found = socket.dump(&RouteNetlinkMessage::GetRoute(request))?.unwrap_or_default();
        all.extend(found.into_iter().filter_map(|message| match message {
            RouteNetlinkMessage::NewRoute(route) => host_route(&route, names),
            _ => None,
        }));
    }
    Ok(all)
}

fn host_route(message: &RouteMessage, names: &BTreeMap<u32, String>) -> Option<HostRoute> {
    let header = &message.header;
    let kind = match header.kind {
        RouteType::Unicast => None,
        RouteType::Local => Some("local"),
        RouteType::BlackHole => Some("blackhole"),
        RouteType::Unreachable => Some("unreachable"),
        RouteType::Prohibit => Some("prohibit"),
        RouteType::Throw => Some("throw"),
        RouteType::Nat => Some("nat"),
        _ => return None,
    };
    if header.flags.contains(RouteFlags::Cloned) {
        return None;
    }
    let mut route = HostRoute {
        to: destination(message)?,
        via: gateway(&message.attributes),
        dev: None,
        kind,
        table: u32::from(header.table),
    };
    let by_name = |index: &u32| names.get(index).cloned();
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Oif(index) => route.dev = by_name(index),
            RouteAttribute::Table(table) => route.table = *table,
            RouteAttribute::MultiPath(hops) => {
                route.dev = hops.first().and_then(|hop| by_name(&hop.interface_index));
            }
            _ => {}
        }
    }
    let of_the_host = kind == Some("local") && route.to.prefix_len() == route.to.max_prefix_len();
    let near = match route.to {
        IpNet::V4(to) => to.network().is_multicast() || to.network().is_loopback(),
        IpNet::V6(to) => {
            let first: Ipv6Addr = to.network();
            first.is_multicast() || first.is_loopback() || first.is_unicast_link_local()
        }
    };
    (!of_the_host && !near && !HostRoute::is_default(&route.to)).then_some(route)
}

/// The range of a route; `None` for the default routes, which name none.
fn destination(message: &RouteMessage) -> Option<IpNet> {
    let to = message.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Destination(address) => ip(address),
        _ => None,
    });
    IpNet::new(to?, message.header.destination_prefix_length).ok()
}
