//! Routes as messages.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    route::{
        RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
        RouteVia,
    },
};
use rtnetlink::RouteMessageBuilder;

use super::{RouteSocket, observe::Dump, socket::Request};
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
        ipnet::IpNet::V4(to) => RouteMessageBuilder::<Ipv4Addr>::new()
            .destination_prefix(to.network(), to.prefix_len())
            .output_interface(index)
            .build(),
        ipnet::IpNet::V6(to) => RouteMessageBuilder::<Ipv6Addr>::new()
            .destination_prefix(to.network(), to.prefix_len())
            .output_interface(index)
            .build(),
    };
    message.header.scope = scope;
    message.header.kind = RouteType::Unicast;
    message.header.protocol = RouteProtocol::Other(Route::PROTOCOL);
    match (route.via, route.to) {
        (Some(IpAddr::V6(via)), IpNet::V4(_)) => {
            message.attributes.push(RouteAttribute::Via(RouteVia::Inet6(via)));
        }
        (Some(via), _) => message.attributes.push(RouteAttribute::Gateway(via.into())),
        (None, _) => {}
    }
    match u8::try_from(route.table) {
        Ok(table) => message.header.table = table,
        Err(_) => message.attributes.push(RouteAttribute::Table(route.table)),
    }
    if route.metric > 0 {
        message.attributes.push(RouteAttribute::Priority(route.metric));
    }
    message
}

/// What is there of routes.
#[derive(Debug, Default)]
pub(in crate::kernel) struct Routes {
    /// All of the tables asked for, save those that the kernel makes by itself.
    pub(in crate::kernel) routes: Vec<RouteState>,
    /// The networks that are reached through an interface without a gateway, whoever made the route: by table,
    /// interface and network.
    pub(in crate::kernel) direct: BTreeSet<(u32, u32, IpNet)>,
}

impl Routes {
    /// Takes in those of another table or family.
    pub(in crate::kernel) fn extend(&mut self, others: Self) {
        self.routes.extend(others.routes);
        self.direct.extend(others.direct);
    }
}

/// The routes of a table, or of all where it is 0.
pub(in crate::kernel) fn routes(
    socket: &mut RouteSocket,
    family: AddressFamily,
    table: u32,
    names: &BTreeMap<u32, String>,
) -> Dump<Routes> {
    let mut request = RouteMessage::default();
    request.header.address_family = family;
    match u8::try_from(table) {
        Ok(table) => request.header.table = table,
        Err(_) => request.attributes.push(RouteAttribute::Table(table)),
    }
    let found = socket.dump(&RouteNetlinkMessage::GetRoute(request))?;
    Ok(found.map(|messages| {
        let mut all = Routes::default();
        for message in messages {
            if let RouteNetlinkMessage::NewRoute(message) = message
                && message.header.kind == RouteType::Unicast
                && let Some(route) = Decoded::of(&message)
            {
                all.direct.extend(route.direct());
                all.routes.extend(route.states(&message, names));
            }
        }
        all
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

/// A unicast route, its interfaces still by index.
#[derive(Debug)]
struct Decoded {
    table: u32,
    to: IpNet,
    metric: u32,
    /// Interface and gateway of each next hop.
    hops: Vec<(u32, Option<IpAddr>)>,
    plain: bool,
}

impl Decoded {
    fn of(message: &RouteMessage) -> Option<Self> {
        let header = &message.header;
        let ipv6 = header.address_family == AddressFamily::Inet6;
        let mut to: IpAddr = if ipv6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
        let (mut table, mut metric, mut plain) = (u32::from(header.table), 0, header.tos == 0);
        let mut hops = Vec::new();
        for attribute in &message.attributes {
            match attribute {
                RouteAttribute::Destination(address) => to = ip(address)?,
                RouteAttribute::Table(number) => table = *number,
                RouteAttribute::Priority(priority) => metric = *priority,
                RouteAttribute::Metrics(metrics) => plain &= metrics.is_empty(),
                RouteAttribute::PrefSource(_) => plain = false,
                RouteAttribute::MultiPath(several) => {
                    plain = false;
                    hops.extend(several.iter().map(|hop| (hop.interface_index, gateway(&hop.attributes))));
                }
                RouteAttribute::Oif(index) => hops.push((*index, gateway(&message.attributes))),
                _ => {}
            }
        }
        let to = IpNet::new(to, header.destination_prefix_length).ok()?;
        Some(Self { table, to, metric, hops, plain })
    }

    fn direct(&self) -> impl Iterator<Item = (u32, u32, IpNet)> {
        let direct = self.hops.iter().filter(|(_, gateway)| gateway.is_none());
        direct.map(|(index, _)| (self.table, *index, self.to))
    }

    /// One for each next hop, unless the kernel has made the route by itself.
    fn states(&self, message: &RouteMessage, names: &BTreeMap<u32, String>) -> Vec<RouteState> {
        let protocol = message.header.protocol;
        if matches!(protocol, RouteProtocol::Kernel | RouteProtocol::Ra | RouteProtocol::IcmpRedirect) {
            return Vec::new();
        }
        let ours = protocol == RouteProtocol::Other(Route::PROTOCOL);
        let (table, to, metric, plain) = (self.table, self.to, self.metric, self.plain);
        let state = |(index, via): &(u32, Option<IpAddr>)| {
            let dev: IfName = names.get(index)?.parse().ok()?;
            Some(RouteState { route: Route { to, via: *via, dev, metric, table }, plain, ours })
        };
        self.hops.iter().filter_map(state).collect()
    }
}

/// The gateway of a route or of one of its next hops, of either family (`RTA_VIA`: of the other).
fn gateway(attributes: &[RouteAttribute]) -> Option<IpAddr> {
    attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Gateway(address) => ip(address),
        RouteAttribute::Via(RouteVia::Inet(address)) => Some(IpAddr::V4(*address)),
        RouteAttribute::Via(RouteVia::Inet6(address)) => Some(IpAddr::V6(*address)),
        _ => None,
    })
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

#[cfg(test)]
mod tests {
    use netlink_packet_route::route::RouteNextHop;

    use super::*;

    fn route(to: &str, via: Option<&str>, table: u32) -> Route {
        let (to, via) = (to.parse().unwrap(), via.map(|via| via.parse().unwrap()));
        Route { to, via, dev: "eth0".parse().unwrap(), metric: 1024, table }
    }

    fn names() -> BTreeMap<u32, String> {
        [(7, "eth0"), (8, "eth1")].map(|(index, name)| (index, name.to_owned())).into()
    }

    #[test]
    fn routes_are_read_as_they_were_made() {
        let all = [
            route("203.0.113.0/24", None, Route::MAIN),
            route("0.0.0.0/0", Some("192.0.2.1"), 100),
            route("203.0.113.0/24", Some("fe80::1"), 100_000),
            route("2001:db8::/32", Some("fe80::1"), Route::MAIN),
        ];
        for wanted in all {
            let message = message(7, &wanted);
            let decoded = Decoded::of(&message).unwrap();
            let state = RouteState { route: wanted.clone(), plain: true, ours: true };
            assert_eq!(decoded.states(&message, &names()), [state]);
            let direct: Vec<_> = decoded.direct().collect();
            let expected = wanted.via.is_none().then_some((wanted.table, 7, wanted.to));
            assert_eq!(direct, Vec::from_iter(expected), "{wanted}");
        }
    }

    #[test]
    fn each_next_hop_is_seen_and_none_is_what_is_wanted() {
        let mut message = message(7, &route("203.0.113.0/24", None, Route::MAIN));
        message.attributes.retain(|attribute| !matches!(attribute, RouteAttribute::Oif(_)));
        let hop = |index, gateway| {
            let mut hop = RouteNextHop::default();
            hop.interface_index = index;
            hop.attributes = gateway;
            hop
        };
        let via = RouteAttribute::Via(RouteVia::Inet6("fe80::1".parse().unwrap()));
        message.attributes.push(RouteAttribute::MultiPath(vec![hop(7, vec![via]), hop(8, Vec::new())]));
        let decoded = Decoded::of(&message).unwrap();
        let seen = decoded.states(&message, &names());
        let texts: Vec<_> = seen.iter().map(|state| state.route.to_string()).collect();
        assert_eq!(
            texts,
            ["203.0.113.0/24 via inet6 fe80::1 dev eth0 metric 1024", "203.0.113.0/24 dev eth1 metric 1024"]
        );
        assert!(seen.iter().all(|state| !state.plain));
        let direct: Vec<_> = decoded.direct().collect();
        assert_eq!(direct, [(Route::MAIN, 8, "203.0.113.0/24".parse().unwrap())]);
    }
}
