//! Static routes.

use std::{collections::BTreeMap, net::IpAddr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use netlab_proto::v1 as proto;

use crate::model::{IfName, Route};

use super::{draft::Site, gateway::Gateways};
use crate::input::{Path, Sink, address, name, shown};

/// `IP6_RT_PRIO_USER`, which the kernel also takes for an IPv6 metric of 0.
const METRIC_IPV6: u32 = 1024;
/// `IP6_RT_PRIO_ADDRCONF`: the metric of the routes that come with IPv6 addresses.
const METRIC_CONNECTED_IPV6: u32 = 256;

/// Reads the routes of a node.
pub(super) fn read(site: &Site, routes: &[proto::Route], sink: &mut Sink) -> Vec<Route> {
    let gateways = Gateways::of(site);
    let mut seen: BTreeMap<(IpNet, u32), usize> = BTreeMap::new();
    let mut read = Vec::with_capacity(routes.len());
    for (i, message) in routes.iter().enumerate() {
        let path = site.path.field("routes").index(i);
        let Some(route) = read_route(site, &gateways, message, &path, sink) else { continue };
        check_connected(&gateways, &route, &path, sink);
        let first = *seen.entry((route.to, route.metric)).or_insert(i);
        if first != i {
            let message = format!(
                "routes[{first}] leads to {} with metric {} already; change one",
                route.to, route.metric
            );
            sink.add(&path, message);
        }
        read.push(route);
    }
    read
}

fn read_route(
    site: &Site,
    gateways: &Gateways<'_>,
    message: &proto::Route,
    path: &Path,
    sink: &mut Sink,
) -> Option<Route> {
    let at = path.field("via");
    let has_via = !message.via.is_empty();
    let via = if has_via { sink.keep(&at, &shown(&message.via), address::host(&message.via)) } else { None };
    let to = destination(message, via, &path.field("to"), sink);
    let dev = name::optional(&message.dev, &path.field("dev"), sink);
    let dev =
        dev.filter(|dev| *dev == IfName::loopback() || site.find(dev, &path.field("dev"), sink).is_some());
    if !has_via && message.dev.is_empty() {
        sink.add(path, "a route needs via (the next hop) or dev (the interface)");
    }
    let dev = match via {
        Some(via) if message.dev.is_empty() => gateways.find(via, &at, sink),
        Some(via) => dev.filter(|dev| gateways.reaches(via, dev, &at, sink)),
        None => dev,
    };
    let (to, dev) = (to?, dev?);
    if has_via && via.is_none() {
        return None;
    }
    check_up(site, &dev, path, sink);
    let metric = match message.metric {
        None | Some(0) if to.addr().is_ipv6() => METRIC_IPV6,
        metric => metric.unwrap_or(0),
    };
    Some(Route { to, via, dev, metric, table: Route::MAIN })
}

/// `default` is of the family of `via`, or IPv4 if there is none.
fn destination(message: &proto::Route, via: Option<IpAddr>, path: &Path, sink: &mut Sink) -> Option<IpNet> {
    if message.to.is_empty() {
        sink.add(path, "is missing: default, or an address range such as 203.0.113.0/24");
        return None;
    }
    if message.to == "default" {
        let v6 = via.is_some_and(|via| via.is_ipv6());
        return Some(if v6 { Ipv6Net::default().into() } else { Ipv4Net::default().into() });
    }
    let to = sink.keep(path, &shown(&message.to), address::range(&message.to))?;
    if let Some(via) = via.filter(|via| via.is_ipv4() != to.addr().is_ipv4()) {
        sink.add(
            path,
            format!("{to} and the next hop {via} are of different families; use IPv4 or IPv6 for both"),
        );
        return None;
    }
    Some(to)
}

fn check_up(site: &Site, dev: &IfName, path: &Path, sink: &mut Sink) {
    match site.down(dev) {
        None => {}
        Some(down) if down == dev => {
            sink.add(path, format!("leads through {dev}, which is down; leave out up: false there"));
        }
        Some(down) => {
            let message =
                format!("leads through {dev}, which is down with {down} below it; leave out up: false there");
            sink.add(path, message);
        }
    }
}

/// The kernel makes the route to each subnet by itself; a second one would be refused.
fn check_connected(gateways: &Gateways<'_>, route: &Route, path: &Path, sink: &mut Sink) {
    let metric = if route.to.addr().is_ipv6() { METRIC_CONNECTED_IPV6 } else { 0 };
    if route.metric != metric {
        return;
    }
    if let Some(name) = gateways.connected(route.to) {
        let message =
            format!("{} is the subnet of {name}, so the route is there already; leave it out", route.to);
        sink.add(&path.field("to"), message);
    }
}
