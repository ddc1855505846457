//! What firewalls say and what hardly is meant: rules that wait at a bridge's port, and IPv6 without neighbours.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
};

use ipnet::IpNet;

use crate::model::{
    Action, Conditions, FirewallChain, FirewallRule, IcmpType, IpProtocol, Node, NodeName, Place, Warning,
    nft::{Policy, States},
};

use super::draft::{Site, Sites};
use crate::input::{Path, address::is_link_local};

/// Most warnings that are kept.
const MOST: usize = 100;
/// Those of `ICMPv6` without which nobody learns a MAC address (RFC 4861).
const DISCOVERY: [&str; 2] = ["nd-neighbor-solicit", "nd-neighbor-advert"];

/// Looks for all of it in the firewalls of a lab without faults.
pub(super) fn of(sites: &Sites, nodes: &BTreeMap<NodeName, Node>) -> Vec<Warning> {
    let mut found = Vec::new();
    for (name, node) in nodes {
        let Some(site) = sites.get(&Place::Node(name.clone())) else { continue };
        for (direction, _, chain) in node.firewall.directions() {
            let path = site.path.field("firewall").field(direction);
            ports_of_bridges(site, chain, &path, &mut found);
            if direction != "forward" {
                found.extend(without_neighbours(site, chain, &path));
            }
            if direction == "input" {
                for_others(site, chain, &path, &mut found);
            }
        }
    }
    found.truncate(MOST);
    found.into_iter().map(|(path, message)| Warning { path: path.to_string(), message }).collect()
}

fn rules<'a>(chain: &'a FirewallChain, path: &Path) -> impl Iterator<Item = (Path, &'a FirewallRule)> {
    let path = path.field("rules");
    chain.rules.iter().enumerate().map(move |(at, rule)| (path.index(at), rule))
}

/// Rules of IP see packets at the bridge or bond, not at what belongs to it.
fn ports_of_bridges(site: &Site, chain: &FirewallChain, path: &Path, found: &mut Vec<(Path, String)>) {
    for (path, FirewallRule { when, .. }) in rules(chain, path) {
        let sides = [("in_interface", &when.in_interface), ("out_interface", &when.out_interface)];
        for (field, name) in sides.into_iter().filter_map(|(field, name)| Some((field, name.as_ref()?))) {
            let taker = site.interfaces.get(name).and_then(|draft| site.taker(draft));
            if let Some((taker, noun)) = taker {
                let message = format!(
                    "{name} is a {noun} of {taker}: to IP, packets come and go by {taker}, and this never holds; name {taker}"
                );
                found.push((path.field(field), message));
            }
        }
    }
}

/// A direction that drops what it does not know, on a node with IPv6 addresses, and does not know neighbour discovery.
fn without_neighbours(site: &Site, chain: &FirewallChain, path: &Path) -> Option<(Path, String)> {
    let (_, _, address) = site.addresses().find(|(.., net)| net.addr().is_ipv6())?;
    let passes = DISCOVERY.iter().all(|name| passes(chain, name));
    (!passes).then(|| {
        let message = format!(
            "this drops neighbour discovery (RFC 4861), and {address} then finds nobody and is found by nobody; add \
             {{ protocol: icmpv6, action: accept }}"
        );
        (path.clone(), message)
    })
}

/// Whether a type of `ICMPv6` passes, at least from or to somewhere.
fn passes(chain: &FirewallChain, name: &str) -> bool {
    let Ok(kind) = IcmpType::read(true, name) else { return true };
    let fits = |when: &Conditions| {
        // It belongs to no connection (`icmpv6_error` in net/netfilter/nf_conntrack_proto_icmpv6.c).
        let state =
            when.state.is_none_or(|state| States::named("untracked").is_some_and(|it| state.contains(it)));
        let protocol = when.protocol.is_none_or(|protocol| protocol == IpProtocol::ICMPV6);
        let family = [when.source, when.destination].into_iter().flatten().all(|net| net.addr().is_ipv6());
        state && protocol && family && (when.icmp_types.is_empty() || when.icmp_types.contains(&kind))
    };
    match chain.rules.iter().find(|rule| fits(&rule.when)) {
        Some(rule) => rule.action == Action::Accept,
        None => chain.policy == Policy::Accept,
    }
}

/// What is for the node itself goes to one of its addresses.
fn for_others(site: &Site, chain: &FirewallChain, path: &Path, found: &mut Vec<(Path, String)>) {
    for (path, rule) in rules(chain, path) {
        let Some(net) = rule.when.destination else { continue };
        let own = site.addresses().any(|(_, _, own)| net.contains(&own.addr()) || own.contains(&net));
        if !own && !is_everybodys(net) {
            let message = format!(
                "no address of {} is in {net}, and this never holds for what is for the node itself; what it passes on \
                 stands in forward",
                site.place
            );
            found.push((path.field("destination"), message));
        }
    }
}

/// Whether addresses in it are every node's: groups, broadcasts, the loopback, link-local ones.
fn is_everybodys(net: IpNet) -> bool {
    let address = net.addr();
    let broadcast = address == IpAddr::V4(Ipv4Addr::BROADCAST);
    let small = address.is_multicast() || address.is_loopback() || is_link_local(address) || broadcast;
    small || net.prefix_len() == 0
}
