//! Label routes, which stand among a node's routes.

use std::{collections::BTreeMap, net::IpAddr};

use netlab_proto::v1 as proto;

use crate::model::{IfName, Label, LabelRoute, Place, Route, SysctlKey, Warning};

use super::{draft::Site, draft::Sites, encap, gateway::Gateways, mtu::Mtus};
use crate::input::{Path, Sink, address, name, shown};

/// What a destination begins with that is a label.
const PREFIX: &str = "mpls:";

/// Whether a route is one to a label.
pub(super) fn is_one(message: &proto::Route) -> bool {
    message.to.starts_with(PREFIX)
}

/// Reads the label routes of a node.
pub(super) fn read(
    site: &Site,
    gateways: &Gateways<'_>,
    node: &proto::Node,
    sink: &mut Sink,
) -> Vec<LabelRoute> {
    let mut seen: BTreeMap<Label, usize> = BTreeMap::new();
    let mut read = Vec::new();
    for (i, message) in node.routes.iter().enumerate().filter(|(_, message)| is_one(message)) {
        let path = site.path.field("routes").index(i);
        let Some(route) = read_route(site, gateways, message, &path, sink) else { continue };
        let first = *seen.entry(route.label).or_insert(i);
        if first == i {
            read.push(route);
        } else {
            let message = format!("routes[{first}] is that of label {} already; change one", route.label);
            sink.add(&path.field("to"), message);
        }
    }
    check_room(site, node, &read, sink);
    read
}

fn read_route(
    site: &Site,
    gateways: &Gateways<'_>,
    message: &proto::Route,
    path: &Path,
    sink: &mut Sink,
) -> Option<LabelRoute> {
    let is_plain = has_nothing_else(message, path, sink);
    let label = read_label(&message.to, &path.field("to"), sink);
    let out = encap::read_labels(&message.r#as, &path.field("as"), sink);
    let at = path.field("via");
    let via = match message.via.as_str() {
        "" => None,
        via => Some(sink.keep(&at, &shown(via), address::host(via))?),
    };
    let dev = match message.dev.as_str() {
        "" => None,
        text => {
            let dev = name::optional(text, &path.field("dev"), sink)?;
            let is_there = dev == IfName::loopback() || site.find(&dev, &path.field("dev"), sink).is_some();
            Some(is_there.then_some(dev)?)
        }
    };
    let dev = match (via, dev) {
        (Some(via), None) => gateways.find(via, Route::MAIN, &at, sink)?,
        (Some(via), Some(dev)) => gateways.reaches(via, (&dev, Route::MAIN), &at, sink).then_some(dev)?,
        (None, Some(dev)) => ends_at(site, dev, message, path, sink)?,
        (None, None) => {
            sink.add(path, "a label route needs via (the next hop) or dev: lo (the node itself)");
            return None;
        }
    };
    if let Some(down) = site.down(&dev) {
        sink.add(path, format!("leads through {dev}, and {down} is down; leave out up: false there"));
    }
    is_plain.then_some(LabelRoute { label: label?, out: out?, via, dev })
}

/// Where packets are looked at that have no next hop: `lo`, or a VRF.
fn ends_at(site: &Site, dev: IfName, message: &proto::Route, path: &Path, sink: &mut Sink) -> Option<IfName> {
    if dev != IfName::loopback() && site.table_of(&dev).is_none() {
        let message =
            format!("there are many neighbours on {dev}; add via, or name lo (the node itself) or a VRF");
        sink.add(&path.field("dev"), message);
        return None;
    }
    if !message.r#as.is_empty() {
        let message =
            format!("what {dev} gets is looked at by this node, with no new label; leave out as, or add via");
        sink.add(&path.field("as"), message);
        return None;
    }
    Some(dev)
}

fn read_label(text: &str, path: &Path, sink: &mut Sink) -> Option<Label> {
    let number = text.strip_prefix(PREFIX).and_then(|digits| digits.parse::<u32>().ok());
    let Some(number) = number else {
        sink.add(path, format!("{} is no label; write mpls: and its number, such as mpls:100", shown(text)));
        return None;
    };
    sink.keep(path, &number.to_string(), Label::try_from(number))
}

/// Labels are in one table, by themselves.
fn has_nothing_else(message: &proto::Route, path: &Path, sink: &mut Sink) -> bool {
    let given = [
        ("type", !matches!(message.r#type.as_str(), "" | "unicast")),
        ("metric", message.metric.is_some()),
        ("table", message.table.is_some()),
        ("vrf", !message.vrf.is_empty()),
        ("src", !message.src.is_empty()),
        ("mtu", message.mtu.is_some()),
        ("onlink", message.onlink),
        ("next_hops", !message.next_hops.is_empty()),
        ("encap", message.encap.is_some()),
    ];
    let mut is_plain = true;
    for (field, _) in given.iter().filter(|(_, given)| *given) {
        let way_out = if *field == "encap" { "new labels stand in as" } else { "leave it out" };
        sink.add(&path.field(field), format!("a route of a label has no {field}; {way_out}"));
        is_plain = false;
    }
    is_plain
}

/// What the file says of the room for labels must be enough.
fn check_room(site: &Site, node: &proto::Node, routes: &[LabelRoute], sink: &mut Sink) {
    let Some(last) = routes.iter().map(|route| route.label).max() else { return };
    for (text, value) in &node.sysctls {
        let is_room = text.parse::<SysctlKey>().ok() == LabelRoute::room();
        if is_room && !value.trim().parse().is_ok_and(|room: u32| room > last.get()) {
            let path = site.path.field("sysctls").key(text);
            let message = format!(
                "{} leaves no room for label {last}; make it {} or more, or leave it out: it follows from the routes",
                shown(value),
                last.get() + 1
            );
            sink.add(&path, message);
        }
    }
}

/// Where packets with more labels than they came with are too large: the kernel drops them without a word
/// (`mpls_forward` in `net/mpls/af_mpls.c`).
pub(super) fn advice(sites: &Sites, message: &proto::Lab, mtus: &Mtus<'_>) -> Vec<Warning> {
    const MOST: usize = 100;
    let mut warnings = Vec::new();
    for site in sites.iter() {
        let Place::Node(name) = &site.place else { continue };
        let Some(node) = message.nodes.get(name.as_str()) else { continue };
        let routes = node.routes.iter().enumerate().filter(|(_, message)| is_one(message));
        for (i, route) in routes.filter(|(_, route)| route.r#as.len() > 1) {
            let more = u32::try_from(route.r#as.len() - 1).unwrap_or(u32::MAX).saturating_mul(Label::BYTES);
            let via = route.via.parse::<IpAddr>().ok();
            let on_link =
                |(_, _, net): &(&IfName, usize, ipnet::IpNet)| via.is_some_and(|via| net.contains(&via));
            let by_via = || site.addresses().find(on_link).map(|(name, ..)| name.clone());
            let Some(dev) = route.dev.parse().ok().or_else(by_via) else { continue };
            let (room, largest) = (mtus.of(&site.place, &dev), encap::largest(site, &dev, mtus));
            if room < largest.saturating_add(more) && warnings.len() < MOST {
                let message = format!(
                    "packets grow by {more} bytes, and {dev} takes {room}: larger ones are lost without a word; give \
                     {dev} an mtu of {}",
                    largest.saturating_add(more)
                );
                warnings.push(Warning { path: site.path.field("routes").index(i).to_string(), message });
            }
        }
    }
    warnings
}
