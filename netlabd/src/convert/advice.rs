//! What the kernel takes and what cannot work as it is written. It is no fault: a lab that was accepted once stays
//! accepted, and somebody may mean it.

use std::{collections::BTreeMap, net::IpAddr};

use netlab_proto::v1 as proto;

use crate::{
    link::Kind,
    model::{Endpoint, Form, IfName, Mac, Place, SysctlKey, Warning},
};

use super::{
    draft::{Draft, Site, Sites},
    segment::Segments,
};
use crate::input::Path;

/// Most warnings that are kept.
const MOST: usize = 100;

/// Looks for all of it in a lab without faults.
pub(super) fn of(sites: &Sites, mut segments: Segments, message: &proto::Lab) -> Vec<Warning> {
    let mut found = Found(Vec::new());
    for site in sites.iter() {
        for (name, draft) in &site.interfaces {
            port_with_addresses(site, name, draft, &mut found);
            if let Some(kind) = draft.form.as_ref().and_then(Form::kind) {
                tunnel(site, name, kind, &mut found);
            }
        }
        let routes = match &site.place {
            Place::Host => &[][..],
            Place::Node(name) => message.nodes.get(name.as_str()).map_or(&[][..], |node| &node.routes),
        };
        for (number, route) in routes.iter().enumerate() {
            let path = site.path.field("routes").index(number);
            through_port(site, &route.dev, &path.field("dev"), &mut found);
            for (number, hop) in route.next_hops.iter().enumerate() {
                let path = path.field("next_hops").index(number).field("dev");
                through_port(site, &hop.dev, &path, &mut found);
            }
        }
        if let Place::Node(name) = &site.place
            && let Some(node) = message.nodes.get(name.as_str())
        {
            proxies(site, node, &mut found);
        }
    }
    doubled_macs(sites, &mut segments, &mut found);
    found.0
}

struct Found(Vec<Warning>);

impl Found {
    fn add(&mut self, path: &Path, message: String) {
        if self.0.len() < MOST {
            self.0.push(Warning { path: path.to_string(), message });
        }
    }
}

/// What arrives at a port is the bridge's.
fn port_with_addresses(site: &Site, name: &IfName, draft: &Draft, found: &mut Found) {
    let (Some(port), Some((index, address))) = (&draft.port, draft.addresses.first()) else { return };
    let bridge = &port.bridge;
    found.add(
        &site.address_path(name, *index),
        format!(
            "{address} is on {name}, a port of {bridge}: what arrives at a port goes to the bridge, and nothing reaches \
             the address; give it to {bridge}"
        ),
    );
}

fn tunnel(site: &Site, name: &IfName, kind: &Kind, found: &mut Found) {
    let Some(tunnel) = kind.tunnel() else { return };
    let path = site.interface_path(name).field(kind.key());
    let place = &site.place;
    let owner =
        |wanted: IpAddr| site.addresses().find(|(.., net)| net.addr() == wanted).map(|(name, ..)| name);
    if let Some((remote, owner)) = tunnel.remote.and_then(|remote| Some((remote, owner(remote)?))) {
        let message = format!(
            "{remote} is {place}'s own address, on {owner}: the tunnel ends where it begins; name the other end's"
        );
        found.add(&path.field("remote"), message);
    }
    let draft = site.interfaces.get(name);
    for remote in draft.into_iter().flat_map(|draft| &draft.remotes) {
        if let Some(owner) = owner(*remote) {
            let message = format!(
                "{remote} is {place}'s own address, on {owner}: what is for all would come back; leave it out"
            );
            found.add(&path.field("remotes"), message);
        }
    }
    if let Some(local) = tunnel.local.filter(|local| owner(*local).is_none()) {
        let message = format!(
            "{local} is on no interface of {place}: the kernel sends nothing from it; add it to the interface that carries \
             the tunnel, or leave local out"
        );
        found.add(&path.field("local"), message);
    }
}

/// Routes lead packets by the bridge or bond, not at what belongs to it.
fn through_port(site: &Site, name: &str, path: &Path, found: &mut Found) {
    let port = site.interfaces.iter().find(|(known, _)| known.as_str() == name);
    let Some((taker, noun)) = port.and_then(|(_, draft)| site.taker(draft)) else { return };
    let message = format!(
        "{name} is a {noun} of {taker}: what is sent leaves by {taker}, and this never holds; name {taker}"
    );
    found.add(path, message);
}

/// A node answers for others only where it would send on what it then gets (`arp_process` in net/ipv4/arp.c,
/// `ndisc_recv_ns` in net/ipv6/ndisc.c).
fn proxies(site: &Site, node: &proto::Node, found: &mut Found) {
    for (number, neighbour) in node.neighbours.iter().enumerate().filter(|(_, it)| it.proxy) {
        let path = site.path.field("neighbours").index(number).field("proxy");
        let (place, dev) = (&site.place, &neighbour.dev);
        if !node.forwarding {
            let message = format!("{place} does not forward, and answers for nobody; set forwarding: true");
            found.add(&path, message);
        }
        let key = |of: &str| SysctlKey::from_path(&format!("net/ipv6/conf/{of}/proxy_ndp")).ok();
        let is = |key: &SysctlKey| {
            let value = node.sysctls.iter().find(|(known, _)| known.parse().as_ref() == Ok(key));
            value.is_some_and(|(_, value)| value.trim() == "1")
        };
        let set = |of: &str| key(of).as_ref().is_some_and(is);
        if let Some(key) = key(dev).filter(|_| neighbour.to.contains(':') && !set("all") && !set(dev)) {
            let message = format!(
                "for IPv6 the kernel answers only where a sysctl says so; add {key}: \"1\" to sysctls"
            );
            found.add(&path, message);
        }
    }
}

/// A switch finds one of two stations with one MAC address.
fn doubled_macs(sites: &Sites, segments: &mut Segments, found: &mut Found) {
    let mut seen: BTreeMap<(usize, Mac), (Endpoint, Path)> = BTreeMap::new();
    for site in sites.iter() {
        for (name, draft) in &site.interfaces {
            // A bridge often has the address of one of its ports.
            let is_bridge = draft.form.as_ref().is_some_and(|form| form.ports().of_bridge());
            let (Some(mac), false) = (draft.mac, is_bridge) else { continue };
            let at = Endpoint { place: site.place.clone(), interface: name.clone() };
            let Some(segment) = segments.of(&at) else { continue };
            let path = site.interface_path(name).field("mac");
            let (first, where_) = seen.entry((segment, mac)).or_insert_with(|| (at.clone(), path.clone()));
            if *first != at {
                let message = format!(
                    "{mac} is that of {first} too ({where_}), on the same wire: switches find one of the two at a time; \
                     change one"
                );
                found.add(&path, message);
            }
        }
    }
}
