//! Addresses within one place: none twice, no two links with one subnet.

use std::{collections::BTreeMap, net::IpAddr};

use ipnet::IpNet;

use crate::model::IfName;

use super::draft::{Site, Sites};
use crate::input::{Sink, address::is_link_local};

/// Checks the addresses of each place.
pub(super) fn check(sites: &Sites, sink: &mut Sink) {
    for site in sites.iter() {
        check_doubled(site, sink);
        check_overlaps(site, sink);
    }
}

/// An address stands once in a place. A link-local one belongs to its link: RFC 4291 2.5.6.
fn check_doubled(site: &Site, sink: &mut Sink) {
    let mut seen: BTreeMap<(IpAddr, Option<&IfName>), &IfName> = BTreeMap::new();
    for (name, index, address) in site.addresses() {
        let address = address.addr();
        let link = is_link_local(address).then_some(name);
        if let Some(first) = seen.insert((address, link), name) {
            let message = format!("{address} is on {first} already; each address stands once in a node");
            sink.add(&site.address_path(name, index), message);
        }
    }
}

/// Two interfaces whose subnets overlap: the node could not tell where a neighbour is. A single
/// address (/32, /128) has no neighbours and may lie in a subnet of another interface.
fn check_overlaps(site: &Site, sink: &mut Sink) {
    let single = |net: &IpNet| net.prefix_len() == net.max_prefix_len();
    let subnets = site.addresses().filter(|(.., net)| !single(net) && !is_link_local(net.addr()));
    let mut subnets: Vec<_> = subnets.map(|(name, index, net)| (net.trunc(), name, index, net)).collect();
    subnets.sort_by_key(|(net, name, index, _)| (net.network(), net.prefix_len(), *name, *index));
    let mut around: Vec<(IpNet, &IfName, IpNet)> = Vec::new();
    for (net, name, index, address) in subnets {
        while around.pop_if(|(outer, ..)| !outer.contains(&net)).is_some() {}
        if let Some((_, other, with)) =
            around.iter().find(|(_, other, with)| *other != name && with.addr() != address.addr())
        {
            let message =
                format!("{address} overlaps {with} on {other}: a subnet belongs to one interface of a node");
            sink.add(&site.address_path(name, index), message);
        } else if around.last().is_none_or(|(outer, ..)| *outer != net) {
            around.push((net, name, address));
        }
    }
}
