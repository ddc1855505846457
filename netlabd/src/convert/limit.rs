//! How large a lab may be. Checked first and alone, so that an absurd message costs nothing.

use std::collections::BTreeMap;

use netlab_proto::v1 as proto;

use crate::input::{Path, Sink};

/// Bytes of a description.
const DESCRIPTION: usize = 4096;
/// Nodes of a lab.
const NODES: usize = 4096;
/// Interfaces of a place.
const INTERFACES: usize = 512;
/// Links of a lab.
const LINKS: usize = 10_000;
/// Addresses of a lab.
const ADDRESSES: usize = 20_000;
/// Addresses of a place.
const ADDRESSES_IN_PLACE: usize = 2000;
/// Routes of a node.
const ROUTES: usize = 1000;
/// Next hops of a route.
const NEXT_HOPS: usize = 64;
/// Labels or segments that a route puts around packets: what iproute2 takes of labels.
const STACK: usize = 16;
/// Rules of each kind of translation in a place, and of policy routing.
const RULES: usize = 1000;
/// Words in a list of a firewall's rule, such as ports.
const LIST: usize = 64;
/// Neighbours of a node.
const NEIGHBOURS: usize = 1000;
/// Sysctls of a node.
const SYSCTLS: usize = 256;
/// VLANs that a port lists: all there are.
const TRUNK: usize = 4094;
/// Peers of a WireGuard interface.
const PEERS: usize = 512;
/// What is allowed to a peer: all of it goes into one attribute of 64 KiB.
const ALLOWED_IPS: usize = 1000;
/// Checks of a lab.
const CHECKS: usize = 10_000;

/// Finds what is too large.
pub(super) fn check(lab: &proto::Lab, sink: &mut Sink) {
    let root = Path::root();
    most(&root.field("description"), lab.description.len(), DESCRIPTION, "bytes", sink);
    most(&root.field("nodes"), lab.nodes.len(), NODES, "nodes", sink);
    most(&root.field("links"), lab.links.len(), LINKS, "links", sink);
    most(&root.field("checks"), lab.checks.len(), CHECKS, "checks", sink);
    let mut addresses = 0;
    if let Some(host) = &lab.host {
        addresses += check_place(&root.field("host"), &host.interfaces, host.nat.as_ref(), sink);
    }
    for (name, node) in lab.nodes.iter().take(NODES) {
        let path = root.field("nodes").key(name);
        addresses += check_place(&path, &node.interfaces, node.nat.as_ref(), sink);
        most(&path.field("routes"), node.routes.len(), ROUTES, "routes", sink);
        most(&path.field("rules"), node.rules.len(), RULES, "rules", sink);
        most(&path.field("neighbours"), node.neighbours.len(), NEIGHBOURS, "neighbours", sink);
        for (i, route) in node.routes.iter().take(ROUTES).enumerate() {
            let path = path.field("routes").index(i);
            check_encap(&path, route.encap.as_ref(), sink);
            most(&path.field("as"), route.r#as.len(), STACK, "labels", sink);
            let path = path.field("next_hops");
            most(&path, route.next_hops.len(), NEXT_HOPS, "next hops", sink);
            for (i, hop) in route.next_hops.iter().take(NEXT_HOPS).enumerate() {
                check_encap(&path.index(i), hop.encap.as_ref(), sink);
            }
        }
        most(&path.field("sysctls"), node.sysctls.len(), SYSCTLS, "sysctls", sink);
        check_firewall(&path.field("firewall"), node.firewall.as_ref(), sink);
    }
    if let Some(host) = &lab.host {
        let path = root.field("host");
        most(&path.field("sysctls"), host.sysctls.len(), SYSCTLS, "sysctls", sink);
        most(&path.field("joins"), host.joins.len(), INTERFACES, "interfaces", sink);
    }
    most(&root.field("nodes"), addresses, ADDRESSES, "addresses in all", sink);
}

/// Finds too many interfaces in a place; again when the links have added theirs.
pub(super) fn check_interfaces(place: &Path, count: usize, sink: &mut Sink) {
    most(&place.field("interfaces"), count, INTERFACES, "interfaces", sink);
}

/// Checks one place; returns the number of its addresses.
fn check_place(
    path: &Path,
    interfaces: &BTreeMap<String, proto::Interface>,
    nat: Option<&proto::Nat>,
    sink: &mut Sink,
) -> usize {
    check_interfaces(path, interfaces.len(), sink);
    for (name, interface) in interfaces {
        let trunk = interface.port.as_ref().map_or(0, |port| port.trunk.len());
        if trunk > TRUNK {
            let path = path.field("interfaces").key(name).field("port").field("trunk");
            most(&path, trunk, TRUNK, "VLANs", sink);
        }
        if let Some(proto::interface::Kind::Wireguard(wireguard)) = &interface.kind {
            let path = path.field("interfaces").key(name).field("wireguard").field("peers");
            most(&path, wireguard.peers.len(), PEERS, "peers", sink);
            for (at, peer) in wireguard.peers.iter().enumerate().take(PEERS) {
                most(
                    &path.index(at).field("allowed_ips"),
                    peer.allowed_ips.len(),
                    ALLOWED_IPS,
                    "ranges",
                    sink,
                );
            }
        }
    }
    if let Some(nat) = nat {
        let path = path.field("nat");
        most(&path.field("masquerade"), nat.masquerade.len(), RULES, "rules", sink);
        most(&path.field("port_forwards"), nat.port_forwards.len(), RULES, "rules", sink);
        most(&path.field("snat"), nat.snat.len(), RULES, "rules", sink);
        most(&path.field("dnat"), nat.dnat.len(), RULES, "rules", sink);
        most(&path.field("prefixes"), nat.prefixes.len(), RULES, "rules", sink);
    }
    let addresses = interfaces.values().map(|interface| interface.addresses.len()).sum();
    most(&path.field("interfaces"), addresses, ADDRESSES_IN_PLACE, "addresses", sink);
    addresses
}

/// Checks what a route puts around packets.
fn check_encap(path: &Path, encap: Option<&proto::Encap>, sink: &mut Sink) {
    let Some(encap) = encap else { return };
    let path = path.field("encap");
    most(&path.field("mpls"), encap.mpls.len(), STACK, "labels", sink);
    most(&path.field("seg6"), encap.seg6.len(), STACK, "segments", sink);
}

/// Checks the rules of a firewall and their lists.
fn check_firewall(path: &Path, firewall: Option<&proto::Firewall>, sink: &mut Sink) {
    let Some(firewall) = firewall else { return };
    let chains = [("input", &firewall.input), ("forward", &firewall.forward), ("output", &firewall.output)];
    for (name, chain) in chains.into_iter().filter_map(|(name, chain)| Some((name, chain.as_ref()?))) {
        let path = path.field(name).field("rules");
        most(&path, chain.rules.len(), RULES, "rules", sink);
        for (at, rule) in chain.rules.iter().enumerate().take(RULES) {
            let lists = [
                ("state", &rule.state),
                ("ports", &rule.ports),
                ("source_ports", &rule.source_ports),
                ("icmp_types", &rule.icmp_types),
            ];
            for (field, list) in lists {
                if list.len() > LIST {
                    most(&path.index(at).field(field), list.len(), LIST, "words", sink);
                }
            }
        }
    }
}

fn most(path: &Path, count: usize, max: usize, what: &str, sink: &mut Sink) {
    if count > max {
        sink.add(path, format!("{count} {what}; at most {max} are allowed"));
    }
}
