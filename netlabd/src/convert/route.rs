//! Static routes.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use netlab_proto::{range, v1 as proto};

use crate::model::{IPV6_MIN_MTU, IfName, Route, RouteType};

use super::{draft::Site, encap, gateway::Gateways, label_route, next_hop};
use crate::input::{Path, Sink, address, number, shown};

/// `IP6_RT_PRIO_USER`, which the kernel also takes for an IPv6 metric of 0.
const METRIC_IPV6: u32 = 1024;
/// `IP6_RT_PRIO_ADDRCONF`: the metric of the routes that come with IPv6 addresses.
const METRIC_CONNECTED_IPV6: u32 = 256;

/// Reads the routes of a node. Those without a next hop come first: others may lead through what they reach.
pub(super) fn read(
    site: &Site,
    gateways: &Gateways<'_>,
    routes: &[proto::Route],
    sink: &mut Sink,
) -> Vec<Route> {
    let mut seen: BTreeMap<(u32, IpNet, u32), usize> = BTreeMap::new();
    let mut read = Vec::with_capacity(routes.len());
    for (i, message) in routes.iter().enumerate().filter(|(_, message)| !label_route::is_one(message)) {
        let path = site.path.field("routes").index(i);
        let Some(route) = read_route(site, gateways, message, &path, sink) else { continue };
        check_connected(gateways, &route, &path, sink);
        let first = *seen.entry((route.table, route.to, route.metric)).or_insert(i);
        if first != i {
            let hops = if route.hops.is_empty() { "" } else { ", or write one route with next_hops" };
            let message = format!(
                "routes[{first}] leads to {} with metric {} already; change one{hops}",
                route.to, route.metric
            );
            sink.add(&path, message);
        }
        read.push((i, route));
    }
    encap::check_loops(site, &read, sink);
    let mut read: Vec<Route> = read.into_iter().map(|(_, route)| route).collect();
    read.sort_by_key(|route| route.hops.iter().any(|hop| hop.via.is_some()));
    read
}

fn read_route(
    site: &Site,
    gateways: &Gateways<'_>,
    message: &proto::Route,
    path: &Path,
    sink: &mut Sink,
) -> Option<Route> {
    if !message.r#as.is_empty() {
        sink.add(
            &path.field("as"),
            "is said of a label, to: mpls:100; labels before packets of IP are encap: { mpls: [...] }",
        );
    }
    let kind = read_type(&message.r#type, &path.field("type"), sink);
    let table = read_table(site, message, path, sink);
    let vias = next_hop::vias(message);
    let to = destination(message, &vias, path, sink);
    let mtu = read_mtu(message, to, &path.field("mtu"), sink);
    // Without its VRF there is no telling what is on its links.
    let around = table.or_else(|| message.vrf.is_empty().then_some(Route::MAIN))?;
    let at = next_hop::Of { site, gateways, table: around, to };
    let hops = match kind? {
        RouteType::Unicast => at.read(message, path, sink),
        kind => next_hop::none(kind, message, path, sink),
    };
    let src = read_src(gateways, message, (around, to), path, sink);
    let to = to?;
    let metric = match message.metric {
        None | Some(0) if to.addr().is_ipv6() => METRIC_IPV6,
        metric => metric.unwrap_or(0),
    };
    Some(Route { kind: kind?, to, hops: hops?, src, mtu, metric, table: table? })
}

/// The table, or that of the VRF. What is wrong there says nothing of the rest.
fn read_table(site: &Site, message: &proto::Route, path: &Path, sink: &mut Sink) -> Option<u32> {
    if message.vrf.is_empty() {
        return number::table(message.table, &path.field("table"), sink);
    }
    let path = path.field("vrf");
    if message.table.is_some() {
        sink.add(&path, "a VRF has a table of its own; leave out table or vrf");
        return None;
    }
    let vrf: IfName = sink.parse(&path, &message.vrf)?;
    let draft = site.find(&vrf, &path, sink)?;
    let table = site.table_of(&vrf);
    // What is at fault itself is told there.
    if let Some(form) = draft.form.as_ref().filter(|_| table.is_none()) {
        let kind = form.as_str();
        sink.add(&path, format!("{} is a {kind} interface, not a VRF; name a VRF", shown(vrf.as_str())));
    }
    table
}

fn read_type(text: &str, path: &Path, sink: &mut Sink) -> Option<RouteType> {
    let read = text.parse();
    if read.is_err() {
        let near = sink.suggest(text, RouteType::ALL.iter().map(|kind| kind.as_str()));
        let all = "unicast, blackhole, unreachable, prohibit or throw";
        sink.add(path, format!("{} is no type of route: {all}{near}", shown(text)));
    }
    read.ok()
}

/// `default` is of the family of the next hops, or IPv4 if there is none or they are of both.
fn destination(message: &proto::Route, vias: &[IpAddr], path: &Path, sink: &mut Sink) -> Option<IpNet> {
    let path = path.field("to");
    if message.to.is_empty() {
        sink.add(&path, "is missing: default, or an address range such as 203.0.113.0/24");
        return None;
    }
    if message.to == "default" {
        let v6 = !vias.is_empty() && vias.iter().all(IpAddr::is_ipv6);
        return Some(if v6 { Ipv6Net::default().into() } else { Ipv4Net::default().into() });
    }
    sink.keep_text(&path, &message.to, address::range(&message.to))
}

/// The source address, which must be the node's own.
fn read_src(
    gateways: &Gateways<'_>,
    message: &proto::Route,
    (table, to): (u32, Option<IpNet>),
    path: &Path,
    sink: &mut Sink,
) -> Option<IpAddr> {
    if message.src.is_empty() {
        return None;
    }
    let path = path.field("src");
    let src = sink.keep_text(&path, &message.src, address::host(&message.src))?;
    if let Some(to) = to.filter(|to| to.addr().is_ipv6() != src.is_ipv6()) {
        sink.add(&path, format!("{src} is of another family than {to}; name an address of the same"));
        return None;
    }
    if !gateways.is_source(src, table) && src != IpAddr::V6(Ipv6Addr::LOCALHOST) {
        gateways.no_owner(src, &path, sink);
        return None;
    }
    Some(src)
}

fn read_mtu(message: &proto::Route, to: Option<IpNet>, path: &Path, sink: &mut Sink) -> Option<u32> {
    let mtu = message.mtu?;
    if !range::ROUTE_MTU.contains(&mtu) {
        sink.add(path, format!("{mtu} is no MTU of a route: 68 to 65,520 bytes"));
        return None;
    }
    if to.is_some_and(|to| to.addr().is_ipv6()) && mtu < IPV6_MIN_MTU {
        sink.add(path, format!("{mtu} is too small for IPv6, which needs {IPV6_MIN_MTU} bytes (RFC 8200)"));
        return None;
    }
    Some(mtu)
}

/// The kernel makes the route to each subnet by itself; a second one would be refused.
fn check_connected(gateways: &Gateways<'_>, route: &Route, path: &Path, sink: &mut Sink) {
    let metric = if route.to.addr().is_ipv6() { METRIC_CONNECTED_IPV6 } else { 0 };
    if route.metric != metric {
        return;
    }
    if let Some(name) = gateways.connected(route.to, route.table) {
        let message =
            format!("{} is the subnet of {name}, so the route is there already; leave it out", route.to);
        sink.add(&path.field("to"), message);
    }
}
