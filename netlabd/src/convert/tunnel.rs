//! Tunnels that name no interface to send through: the routes of the node lead to the other end, and what they lead
//! through carries the tunnel.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    link::Kind,
    model::{Fib, Form, IfName, Node, NodeName, Place},
};

use super::draft::{Draft, Site, Sites};
use crate::input::Sink;

/// Notes what carries each tunnel; faults for those that end where they begin, or carry themselves.
pub(super) fn check(sites: &mut Sites, nodes: &BTreeMap<NodeName, Node>, sink: &mut Sink) {
    for site in sites.iter_mut() {
        let Place::Node(name) = &site.place else { continue };
        let Some(node) = nodes.get(name) else { continue };
        let found = underlays(site, node);
        check_own(site, sink);
        check_families(site, sink);
        let looped = check_loops(site, &found, sink);
        let fits = |name: &&IfName| !looped.contains(*name) && !follows_itself(site, &found, name);
        for name in found.keys().filter(fits).cloned().collect::<Vec<_>>() {
            if let Some(draft) = site.interfaces.get_mut(&name) {
                draft.underlay = found.get(&name).cloned();
            }
        }
    }
}

fn kind(draft: &Draft) -> Option<&Kind> {
    draft.form.as_ref().and_then(Form::kind)
}

/// What carries the tunnels of a node.
fn underlays(site: &Site, node: &Node) -> BTreeMap<IfName, IfName> {
    let tunnels = site.interfaces.iter().filter_map(|(name, draft)| Some((name, kind(draft)?.far_end()?)));
    let tunnels: Vec<_> = tunnels.collect();
    if tunnels.is_empty() {
        return BTreeMap::new();
    }
    // What is in a VRF has a table of its own.
    let up = site.addresses().filter(|(name, ..)| site.down(name).is_none() && site.vrf(name).is_none());
    let fib = Fib::new(up.map(|(name, _, net)| (name, net)), node.routes.iter());
    let found = tunnels.into_iter().filter_map(|(name, remote)| Some((name, fib.lookup(remote)?)));
    found.map(|(name, underlay)| (name.clone(), underlay.clone())).collect()
}

/// What is sent to an own address does not leave the node.
fn check_own(site: &Site, sink: &mut Sink) {
    for (name, draft) in &site.interfaces {
        let Some((kind, remote)) = kind(draft).and_then(|kind| Some((kind, kind.far_end()?))) else {
            continue;
        };
        let Some((owner, ..)) = site.addresses().find(|(.., net)| net.addr() == remote) else { continue };
        let message = format!(
            "{remote} is {}'s own address, on {owner}: the tunnel would end where it begins; give the other end's",
            site.place
        );
        sink.add(&kind.far_end_path(&site.interface_path(name).field(kind.key())), message);
    }
}

/// Some carry packets of one family alone.
fn check_families(site: &Site, sink: &mut Sink) {
    for (name, index, net) in site.addresses() {
        let Some(kind) = site.interfaces.get(name).and_then(kind).filter(|kind| !kind.carries(net.addr()))
        else {
            continue;
        };
        let version = if net.addr().is_ipv4() { "IPv4" } else { "IPv6" };
        let message = format!(
            "{net} is on a {} tunnel, which carries no {version} packets; gre, ip6gre and ip6tnl carry both versions",
            kind.key()
        );
        sink.add(&site.address_path(name, index), message);
    }
}

/// Walks from each tunnel down through what carries it. Returns those that a walk ends in again.
fn check_loops(site: &Site, found: &BTreeMap<IfName, IfName>, sink: &mut Sink) -> BTreeSet<IfName> {
    let mut looped = BTreeSet::new();
    for start in found.keys() {
        let mut walk = vec![start];
        let carrier = |name: &IfName| found.get(name).or_else(|| lower(site, name));
        while let Some(next) = carrier(walk[walk.len() - 1]).filter(|next| !looped.contains(*next)) {
            if next == start {
                report(site, &walk, sink);
                looped.extend(walk.iter().copied().cloned());
                break;
            }
            if walk.contains(&next) {
                break;
            }
            walk.push(next);
        }
    }
    looped
}

fn lower<'a>(site: &'a Site, name: &IfName) -> Option<&'a IfName> {
    site.interfaces.get(name)?.form.as_ref()?.lower_here()
}

/// Whether the MTU of a tunnel would follow from itself, by way of a bridge that it is a port of and that carries it.
fn follows_itself(site: &Site, found: &BTreeMap<IfName, IfName>, tunnel: &IfName) -> bool {
    let mut seen = BTreeSet::new();
    let mut left: Vec<&IfName> = found.get(tunnel).into_iter().collect();
    while let Some(name) = left.pop() {
        let Some(draft) = site.interfaces.get(name).filter(|draft| draft.mtu.is_none()) else { continue };
        if name == tunnel {
            return true;
        }
        if seen.insert(name) {
            left.extend(found.get(name).or_else(|| lower(site, name)));
            let is_bridge = draft.form.as_ref().is_some_and(|form| form.ports().of_bridge());
            let ports = site.interfaces.iter().filter(|_| is_bridge);
            let of_it = ports.filter(|(_, port)| port.port.as_ref().is_some_and(|port| port.bridge == *name));
            left.extend(of_it.map(|(port, _)| port));
        }
    }
    false
}

fn report(site: &Site, walk: &[&IfName], sink: &mut Sink) {
    let name = walk[0];
    let Some(kind) = site.interfaces.get(name).and_then(kind) else { return };
    let Some(remote) = kind.far_end() else { return };
    let chain =
        walk.iter().skip(1).chain([&name]).map(ToString::to_string).collect::<Vec<_>>().join(", and by ");
    let message = format!(
        "{remote} is reached by {chain} itself: the tunnel would carry its own packets; give {} a route to \
         {remote} through another interface",
        site.place
    );
    sink.add(&kind.far_end_path(&site.interface_path(name).field(kind.key())), message);
}
