//! Addresses within one place: none twice, no two links with one subnet, save in different VRFs.

use std::{collections::BTreeMap, net::IpAddr};

use ipnet::IpNet;

use netlab_proto::v1 as proto;

use crate::model::{IfName, Place, Warning};

use super::draft::{Site, Sites};
use crate::input::{
    Sink,
    address::{is_link_local, range},
};

/// Most warnings that are kept.
const MOST: usize = 100;

/// Checks the addresses of each place.
pub(super) fn check(sites: &Sites, lab: &proto::Lab, sink: &mut Sink) {
    for site in sites.iter() {
        check_doubled(site, sink);
        let node = match &site.place {
            Place::Host => None,
            Place::Node(name) => lab.nodes.get(name.as_str()),
        };
        if !node.is_some_and(|node| node.overlapping_subnets) {
            check_overlaps(site, sink);
        }
    }
}

/// Warns of subnets that are on several interfaces of a node, as is meant, where no route says which part is where.
pub(super) fn undecided(sites: &Sites, lab: &proto::Lab) -> Vec<Warning> {
    let mut found = Vec::new();
    for site in sites.iter() {
        let Place::Node(name) = &site.place else { continue };
        let Some(node) = lab.nodes.get(name.as_str()).filter(|node| node.overlapping_subnets) else {
            continue;
        };
        let mut seen: BTreeMap<(Option<&IfName>, IpNet), &IfName> = BTreeMap::new();
        for (name, index, net) in site.addresses().filter(|(.., net)| !is_link_local(net.addr())) {
            let subnet = net.trunc();
            let first = *seen.entry((site.vrf(name), subnet)).or_insert(name);
            let inside = |to: IpNet| subnet.contains(&to) && subnet != to;
            let split = |route: &proto::Route| {
                [first.as_str(), name.as_str()].contains(&route.dev.as_str())
                    && range(&route.to).is_ok_and(inside)
            };
            if first == name
                || subnet.prefix_len() == subnet.max_prefix_len()
                || node.routes.iter().any(split)
            {
                continue;
            }
            let message = format!(
                "{subnet} is on {first} too, and by which of the two the kernel sends hangs on which came up first; add \
                 routes with dev to parts of it, such as the addresses that are by {name}"
            );
            found.push(Warning { path: site.address_path(name, index).to_string(), message });
        }
    }
    found.truncate(MOST);
    found
}

/// An address stands once in a place, and in each of its VRFs. A link-local one belongs to its link: RFC 4291 2.5.6.
fn check_doubled(site: &Site, sink: &mut Sink) {
    let mut seen: BTreeMap<(IpAddr, Option<&IfName>, Option<&IfName>), &IfName> = BTreeMap::new();
    for (name, index, address) in site.addresses() {
        let address = address.addr();
        let link = is_link_local(address).then_some(name);
        if let Some(first) = seen.insert((address, site.vrf(name), link), name) {
            let message = format!("{address} is on {first} already; each address stands once in a node");
            sink.add(&site.address_path(name, index), message);
        }
    }
}

/// Two interfaces whose subnets overlap: the node could not tell where a neighbour is. A single
/// address (/32, /128) has no neighbours and may lie in a subnet of another interface. Each VRF has subnets of its own.
fn check_overlaps(site: &Site, sink: &mut Sink) {
    let single = |net: &IpNet| net.prefix_len() == net.max_prefix_len();
    let subnets = site.addresses().filter(|(.., net)| !single(net) && !is_link_local(net.addr()));
    let mut by_vrf: BTreeMap<Option<&IfName>, Vec<Subnet<'_>>> = BTreeMap::new();
    for (name, index, net) in subnets {
        by_vrf.entry(site.vrf(name)).or_default().push((net.trunc(), name, index, net));
    }
    for subnets in by_vrf.into_values() {
        check_apart(site, subnets, sink);
    }
}

/// A subnet, and the address that says so: its interface, and its place there.
type Subnet<'a> = (IpNet, &'a IfName, usize, IpNet);

/// The subnets of one routing domain.
fn check_apart(site: &Site, mut subnets: Vec<Subnet<'_>>, sink: &mut Sink) {
    subnets.sort_by_key(|(net, name, index, _)| (net.network(), net.prefix_len(), *name, *index));
    let mut around: Vec<(IpNet, &IfName, IpNet)> = Vec::new();
    for (net, name, index, address) in subnets {
        while around.pop_if(|(outer, ..)| !outer.contains(&net)).is_some() {}
        if let Some((_, other, with)) =
            around.iter().find(|(_, other, with)| *other != name && with.addr() != address.addr())
        {
            let meant = match &site.place {
                Place::Host => String::new(),
                Place::Node(node) => {
                    format!("; where {node} is meant to have two, overlapping_subnets: true says so")
                }
            };
            let message = format!(
                "{address} overlaps {with} on {other}: a subnet belongs to one interface of a node{meant}"
            );
            sink.add(&site.address_path(name, index), message);
        } else if around.last().is_none_or(|(outer, ..)| *outer != net) {
            around.push((net, name, address));
        }
    }
}
