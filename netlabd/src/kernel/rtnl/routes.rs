//! Dumps of routes as plain data.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::IpNet;
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    route::{
        RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteMetric, RouteNextHopFlags,
        RouteProtocol, RouteType, RouteVia,
    },
};

use super::{RouteSocket, encap, observe::Dump};
use crate::model::{self, Encap, IfName, NextHop, Route, observed::RouteState};

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
                && let Some(route) = Decoded::of(&message)
            {
                all.direct.extend(route.direct());
                all.routes.extend(route.state(&message, names));
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

/// A route, its interfaces still by index.
#[derive(Debug)]
struct Decoded {
    kind: model::RouteType,
    table: u32,
    to: IpNet,
    metric: u32,
    src: Option<IpAddr>,
    mtu: Option<u32>,
    hops: Vec<Hop>,
    plain: bool,
}

#[derive(Debug)]
struct Hop {
    index: u32,
    via: Option<IpAddr>,
    onlink: bool,
    weight: u16,
    encap: Option<Encap>,
}

impl Decoded {
    fn of(message: &RouteMessage) -> Option<Self> {
        let header = &message.header;
        let ipv6 = header.address_family == AddressFamily::Inet6;
        let any: IpAddr = if ipv6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
        let mut route = Self {
            kind: kind(header.kind)?,
            table: u32::from(header.table),
            to: IpNet::new(any, header.destination_prefix_length).ok()?,
            metric: 0,
            src: None,
            mtu: None,
            hops: Vec::new(),
            plain: header.tos == 0,
        };
        for attribute in &message.attributes {
            route.take(message, attribute)?;
        }
        // A kind that sends nothing leads through `lo` in IPv6.
        if route.kind != model::RouteType::Unicast {
            route.hops.clear();
        }
        Some(route)
    }

    fn take(&mut self, message: &RouteMessage, attribute: &RouteAttribute) -> Option<()> {
        match attribute {
            RouteAttribute::Destination(address) => {
                self.to = IpNet::new(ip(address)?, self.to.prefix_len()).ok()?;
            }
            RouteAttribute::Table(number) => self.table = *number,
            RouteAttribute::Priority(priority) => self.metric = *priority,
            RouteAttribute::Metrics(metrics) => {
                for metric in metrics {
                    match metric {
                        RouteMetric::Mtu(mtu) => self.mtu = Some(*mtu),
                        _ => self.plain = false,
                    }
                }
            }
            RouteAttribute::PrefSource(address) => self.src = ip(address),
            RouteAttribute::MultiPath(several) => {
                for hop in several {
                    let encap = self.encap(&hop.attributes);
                    self.hops.push(Hop {
                        index: hop.interface_index,
                        via: gateway(&hop.attributes),
                        onlink: hop.flags.contains(RouteNextHopFlags::Onlink),
                        weight: u16::from(hop.hops) + 1,
                        encap,
                    });
                }
            }
            RouteAttribute::Oif(index) => {
                let encap = self.encap(&message.attributes);
                self.hops.push(Hop {
                    index: *index,
                    via: gateway(&message.attributes),
                    onlink: message.header.flags.contains(RouteFlags::Onlink),
                    weight: 1,
                    encap,
                });
            }
            RouteAttribute::NhId(_) | RouteAttribute::Realm(_) => self.plain = false,
            _ => {}
        }
        Some(())
    }

    /// What is put around packets, so far as the lab file has words for it.
    fn encap(&mut self, attributes: &[RouteAttribute]) -> Option<Encap> {
        let read = encap::decode(attributes);
        self.plain &= read.is_ok();
        read.unwrap_or_default()
    }

    fn direct(&self) -> impl Iterator<Item = (u32, u32, IpNet)> {
        let direct = self.hops.iter().filter(|hop| hop.via.is_none() && hop.encap.is_none());
        direct.map(|hop| (self.table, hop.index, self.to))
    }

    /// The same with names, unless the kernel has made the route by itself.
    fn state(self, message: &RouteMessage, names: &BTreeMap<u32, String>) -> Option<RouteState> {
        let protocol = message.header.protocol;
        if matches!(protocol, RouteProtocol::Kernel | RouteProtocol::Ra | RouteProtocol::IcmpRedirect) {
            return None;
        }
        let Self { kind, table, to, metric, src, mtu, hops, plain } = self;
        let with_name = |hop: Hop| {
            let Hop { index, via, onlink, weight, encap } = hop;
            Some(NextHop { via, dev: names.get(&index)?.parse::<IfName>().ok()?, onlink, weight, encap })
        };
        let hops = hops.into_iter().map(with_name).collect::<Option<Vec<_>>>()?;
        let route = Route { kind, to, hops, src, mtu, metric, table };
        Some(RouteState { route, plain, protocol: protocol.into() })
    }
}

/// `None`: one that the kernel makes for itself, or that is none of IP's.
fn kind(kind: RouteType) -> Option<model::RouteType> {
    Some(match kind {
        RouteType::Unicast => model::RouteType::Unicast,
        RouteType::BlackHole => model::RouteType::Blackhole,
        RouteType::Unreachable => model::RouteType::Unreachable,
        RouteType::Prohibit => model::RouteType::Prohibit,
        RouteType::Throw => model::RouteType::Throw,
        _ => return None,
    })
}

/// The gateway of a route or of one of its next hops, of either family (`RTA_VIA`: of the other).
pub(super) fn gateway(attributes: &[RouteAttribute]) -> Option<IpAddr> {
    attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Gateway(address) => ip(address),
        RouteAttribute::Via(RouteVia::Inet(address)) => Some(IpAddr::V4(*address)),
        RouteAttribute::Via(RouteVia::Inet6(address)) => Some(IpAddr::V6(*address)),
        _ => None,
    })
}

pub(super) fn ip(address: &RouteAddress) -> Option<IpAddr> {
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
    use netlink_packet_core::{Emitable, Parseable};
    use netlink_packet_route::route::{RouteLwTunnelEncap, RouteMplsIpTunnel};

    use super::{super::route::message, *};

    fn hop(via: Option<&str>, dev: &str) -> NextHop {
        NextHop::new(via.map(|via| via.parse().unwrap()), dev.parse().unwrap())
    }

    fn route(to: &str, hops: Vec<NextHop>, table: u32) -> Route {
        let (to, kind) = (to.parse().unwrap(), model::RouteType::Unicast);
        Route { kind, to, hops, src: None, mtu: None, metric: 1024, table }
    }

    fn names() -> BTreeMap<u32, String> {
        [(7, "eth0"), (8, "eth1")].map(|(index, name)| (index, name.to_owned())).into()
    }

    fn sent(route: &Route) -> RouteMessage {
        message(route, &|name| Ok(if name == "eth0" { 7 } else { 8 })).unwrap()
    }

    #[test]
    fn routes_are_read_as_they_were_made() {
        let two = vec![
            NextHop { weight: 256, ..hop(Some("fe80::1"), "eth0") },
            NextHop { onlink: true, ..hop(Some("2001:db8::1"), "eth1") },
        ];
        let onlink = vec![NextHop { onlink: true, ..hop(Some("192.0.2.1"), "eth0") }];
        let mut all = vec![
            route("203.0.113.0/24", vec![hop(None, "eth0")], Route::MAIN),
            route("0.0.0.0/0", vec![hop(Some("192.0.2.1"), "eth0")], 100),
            route("203.0.113.0/24", vec![hop(Some("fe80::1"), "eth0")], 100_000),
            route("2001:db8::/32", vec![hop(Some("fe80::1"), "eth1")], Route::MAIN),
            route("203.0.113.0/24", two.clone(), Route::MAIN),
            route("2001:db8::/32", two, Route::MAIN),
            route("203.0.113.0/24", onlink, Route::MAIN),
        ];
        let more = Route { src: Some("192.0.2.9".parse().unwrap()), mtu: Some(1400), ..all[1].clone() };
        all.push(more);
        for kind in model::RouteType::ALL.into_iter().skip(1) {
            all.push(Route { kind, ..route("203.0.113.0/24", Vec::new(), Route::MAIN) });
        }
        for wanted in all {
            let message = sent(&wanted);
            let decoded = Decoded::of(&message).unwrap();
            let direct: Vec<_> = decoded.direct().collect();
            let is_direct = wanted.hops.iter().any(|hop| hop.via.is_none());
            assert_eq!(direct, Vec::from_iter(is_direct.then_some((wanted.table, 7, wanted.to))), "{wanted}");
            let state = RouteState { route: wanted, plain: true, protocol: Route::PROTOCOL };
            assert_eq!(decoded.state(&message, &names()), Some(state));
        }
    }

    fn encaps() -> [Encap; 3] {
        let segments = || vec!["2001:db8:1::1".parse().unwrap(), "2001:db8:2::1".parse().unwrap()];
        let seg6 = |mode| Encap::Seg6 { mode, segments: segments() };
        let labels = [100, 1_048_575].map(|label| model::Label::try_from(label).unwrap());
        [Encap::Mpls(labels.into()), seg6(model::Seg6Mode::Encap), seg6(model::Seg6Mode::Inline)]
    }

    /// The same by its bytes, as the kernel would send it.
    fn received(message: &RouteMessage) -> RouteMessage {
        let mut bytes = vec![0; message.buffer_len()];
        message.emit(&mut bytes);
        RouteMessage::parse(&bytes[..]).unwrap()
    }

    #[test]
    fn what_is_put_around_packets_is_read_as_it_was_made() {
        let with = |encap: &Encap, dev| NextHop { encap: Some(encap.clone()), ..hop(Some("fe80::1"), dev) };
        let [mpls, seg6, inline] = encaps();
        for hops in [
            vec![with(&mpls, "eth0")],
            vec![with(&seg6, "eth0")],
            vec![with(&inline, "eth0")],
            vec![with(&mpls, "eth0"), with(&seg6, "eth1"), hop(Some("fe80::2"), "eth1")],
        ] {
            let wanted = route("2001:db8::/32", hops, Route::MAIN);
            let message = received(&sent(&wanted));
            let decoded = Decoded::of(&message).unwrap();
            let state = RouteState { route: wanted, plain: true, protocol: Route::PROTOCOL };
            assert_eq!(decoded.state(&message, &names()), Some(state));
        }
    }

    #[test]
    fn what_else_is_put_around_packets_is_told_apart() {
        let mut message = sent(&route("203.0.113.0/24", vec![hop(Some("192.0.2.1"), "eth0")], Route::MAIN));
        let ttl = RouteLwTunnelEncap::Mpls(RouteMplsIpTunnel::Ttl(9));
        message.attributes.extend(encap::encode(&encaps()[0]));
        let Some(RouteAttribute::Encap(all)) = message.attributes.last_mut() else { panic!("no encap") };
        all.push(ttl);
        assert!(!Decoded::of(&received(&message)).unwrap().plain);
    }

    #[test]
    fn what_the_file_has_no_words_for_is_told_apart() {
        let plain = sent(&route("2001:db8::/32", vec![hop(Some("fe80::1"), "eth1")], Route::MAIN));
        let strange = |attribute: RouteAttribute| {
            let mut message = plain.clone();
            message.attributes.push(attribute);
            Decoded::of(&message).unwrap().plain
        };
        assert!(strange(RouteAttribute::Metrics(vec![RouteMetric::Mtu(1400)])));
        assert!(!strange(RouteAttribute::Metrics(vec![RouteMetric::Lock(4), RouteMetric::Mtu(1400)])));
        assert!(!strange(RouteAttribute::NhId(7)));
        // In IPv6 what sends nothing leads through `lo`.
        let mut message = plain;
        message.header.kind = RouteType::BlackHole;
        assert!(Decoded::of(&message).unwrap().hops.is_empty());
        message.header.kind = RouteType::Local;
        assert!(Decoded::of(&message).is_none());
    }

    #[test]
    fn each_next_hop_without_a_gateway_is_direct() {
        let hops = vec![hop(Some("fe80::1"), "eth0"), hop(None, "eth1")];
        let message = sent(&route("203.0.113.0/24", hops, Route::MAIN));
        let direct: Vec<_> = Decoded::of(&message).unwrap().direct().collect();
        assert_eq!(direct, [(Route::MAIN, 8, "203.0.113.0/24".parse().unwrap())]);
    }
}
