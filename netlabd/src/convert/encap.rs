//! What routes put around packets.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
};

use ipnet::IpNet;
use netlab_proto::v1 as proto;

use crate::model::{Encap, IfName, Label, Node, NodeName, Place, PrefixMap, Route, Seg6Mode, Warning};

use super::{
    draft::{Site, Sites},
    gateway::Gateways,
    mtu::Mtus,
};
use crate::input::{Path, Sink, address, shown};

/// Most warnings that are kept.
const MOST_WARNINGS: usize = 100;

/// Reads what a route or one of its next hops puts around packets.
pub(super) fn read(
    site: &Site,
    gateways: &Gateways<'_>,
    to: Option<IpNet>,
    message: &proto::Encap,
    path: &Path,
    sink: &mut Sink,
) -> Option<Encap> {
    let mode = read_mode(message, to, &path.field("mode"), sink);
    match (message.mpls.is_empty(), message.seg6.is_empty()) {
        (false, true) => {
            let labels = read_labels(&message.mpls, &path.field("mpls"), sink);
            mode.and(labels).map(Encap::Mpls)
        }
        (true, false) => {
            let segments = read_segments(site, gateways, &message.seg6, &path.field("seg6"), sink);
            Some(Encap::Seg6 { mode: mode?, segments: segments? })
        }
        (true, true) => {
            sink.add(path, "puts nothing around packets; give it mpls (labels) or seg6 (segments)");
            None
        }
        (false, false) => {
            sink.add(path, "is either mpls or seg6; leave one of the two out");
            None
        }
    }
}

/// Reads a stack of labels.
pub(super) fn read_labels(labels: &[u32], path: &Path, sink: &mut Sink) -> Option<Vec<Label>> {
    let read = labels
        .iter()
        .enumerate()
        .map(|(i, number)| sink.keep(&path.index(i), &number.to_string(), Label::try_from(*number)));
    read.collect::<Vec<_>>().into_iter().collect()
}

fn read_mode(message: &proto::Encap, to: Option<IpNet>, path: &Path, sink: &mut Sink) -> Option<Seg6Mode> {
    let known = Seg6Mode::ALL.into_iter().find(|mode| mode.as_str() == message.mode);
    let Some(mode) = known.or_else(|| message.mode.is_empty().then_some(Seg6Mode::Encap)) else {
        let near = sink.suggest(&message.mode, Seg6Mode::ALL.iter().map(|mode| mode.as_str()));
        sink.add(path, format!("{} is no mode of segments: encap or inline{near}", shown(&message.mode)));
        return None;
    };
    if known.is_some() && message.seg6.is_empty() {
        sink.add(path, "is said of segments; leave it out, or add seg6");
        return None;
    }
    if mode == Seg6Mode::Inline && to.is_some_and(|to| to.addr().is_ipv4()) {
        sink.add(path, "only packets of IPv6 have room for the header; leave out mode for a route of IPv4");
        return None;
    }
    Some(mode)
}

fn read_segments(
    site: &Site,
    gateways: &Gateways<'_>,
    segments: &[String],
    path: &Path,
    sink: &mut Sink,
) -> Option<Vec<Ipv6Addr>> {
    let mut read = Vec::with_capacity(segments.len());
    for (i, text) in segments.iter().enumerate() {
        let path = path.index(i);
        let Some(segment) = sink.keep_text(&path, text, address::host(text)) else { continue };
        let wrong = match segment {
            IpAddr::V4(_) => "is of IPv4, and segments are addresses of IPv6".to_owned(),
            IpAddr::V6(segment) if segment.is_unicast_link_local() => {
                "is link-local, so that no route leads there; name one that the node's routes lead to"
                    .to_owned()
            }
            segment @ IpAddr::V6(_) => match gateways.owner(segment) {
                Some(name) => {
                    format!("is {}'s own address, on {name}; name a segment of another node", site.place)
                }
                None => String::new(),
            },
        };
        match segment {
            IpAddr::V6(segment) if wrong.is_empty() => read.push(segment),
            _ => sink.add(&path, format!("{segment} {wrong}")),
        }
    }
    (read.len() == segments.len()).then_some(read)
}

/// Finds routes that lead what they have put around packets to themselves.
pub(super) fn check_loops(site: &Site, routes: &[(usize, Route)], sink: &mut Sink) {
    let is_seg6 = |encap: &Option<Encap>| matches!(encap, Some(Encap::Seg6 { .. }));
    if !routes.iter().flat_map(|(_, route)| &route.hops).any(|hop| is_seg6(&hop.encap)) {
        return;
    }
    let mut known: PrefixMap<()> = PrefixMap::default();
    for (name, _, net) in site.addresses() {
        if site.vrf(name).is_none() && site.down(name).is_none() {
            known.entry(net).or_default();
        }
    }
    for (_, route) in routes.iter().filter(|(_, route)| route.table == Route::MAIN) {
        known.entry(route.to).or_default();
    }
    for (number, route) in routes.iter().filter(|(_, route)| route.table == Route::MAIN) {
        let first = route.hops.iter().filter_map(|hop| match &hop.encap {
            Some(Encap::Seg6 { segments, .. }) => segments.first(),
            _ => None,
        });
        let leads_here = |segment: &Ipv6Addr| {
            known.holding(IpAddr::V6(*segment)).next().is_some_and(|(net, ())| net == route.to)
        };
        if let Some(first) = first.into_iter().find(|segment| leads_here(segment)) {
            let message = format!(
                "{} is where this route itself leads to: what is sent to the segment would come back to it for ever; add a \
                 route to {first}/128",
                route.to
            );
            sink.add(&site.path.field("routes").index(*number), message);
        }
    }
}

/// Where packets that fit on the way in are too large on the way out.
pub(super) fn advice(
    sites: &Sites,
    message: &proto::Lab,
    nodes: &BTreeMap<NodeName, Node>,
    mtus: &Mtus<'_>,
) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for site in sites.iter() {
        let Place::Node(name) = &site.place else { continue };
        let (Some(message), Some(node)) = (message.nodes.get(name.as_str()), nodes.get(name)) else {
            continue;
        };
        for route in &node.routes {
            let grows = route.hops.iter().filter_map(|hop| Some((&hop.dev, hop.encap.as_ref()?.overhead())));
            let Some((dev, overhead)) = grows.max_by_key(|(_, overhead)| *overhead) else { continue };
            let largest = route.mtu.unwrap_or_else(|| largest(site, dev, mtus));
            let (room, wanted) = (mtus.of(&site.place, dev), largest.saturating_add(overhead));
            if room >= wanted || warnings.len() >= MOST_WARNINGS {
                continue;
            }
            let index = message.routes.iter().position(|message| is_of(message, route)).unwrap_or_default();
            let fits = room.saturating_sub(overhead);
            let message = format!(
                "packets grow by {overhead} bytes, and {dev} takes {room}: those of more than {fits} bytes are split or \
                 refused; give {dev} an mtu of {wanted}, or this route one of {fits}"
            );
            let path = site.path.field("routes").index(index);
            warnings.push(Warning { path: path.to_string(), message });
        }
    }
    warnings
}

/// What comes to a node can be as large as the other interfaces let it be.
pub(super) fn largest(site: &Site, dev: &IfName, mtus: &Mtus<'_>) -> u32 {
    let others = site.interfaces.keys().filter(|name| *name != dev && **name != IfName::loopback());
    others.map(|name| mtus.of(&site.place, name)).max().unwrap_or_else(|| mtus.of(&site.place, dev))
}

fn is_of(message: &proto::Route, route: &Route) -> bool {
    let has_encap = message.encap.is_some() || message.next_hops.iter().any(|hop| hop.encap.is_some());
    let is_there = match address::range(&message.to) {
        Ok(to) => to == route.to,
        Err(_) => route.to.prefix_len() == 0,
    };
    has_encap && is_there
}
