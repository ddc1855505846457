//! Next hops: the subnets of a node, and which of them holds an address.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;

use crate::model::IfName;

use super::draft::Site;
use crate::input::{Path, Sink, address::is_link_local, listed};

/// What a node's own addresses say of its neighbours, indexed: nodes with a thousand routes and
/// addresses cost no more than their size.
pub(super) struct Gateways<'a> {
    site: &'a Site,
    owners: BTreeMap<IpAddr, &'a IfName>,
    subnets: BTreeMap<IpNet, BTreeSet<&'a IfName>>,
    /// Prefix lengths that occur.
    lengths: BTreeSet<u8>,
}

impl<'a> Gateways<'a> {
    /// Indexes a node.
    pub(super) fn of(site: &'a Site) -> Self {
        let mut gateways =
            Self { site, owners: BTreeMap::new(), subnets: BTreeMap::new(), lengths: BTreeSet::new() };
        for (name, _, net) in site.addresses() {
            gateways.owners.entry(net.addr()).or_insert(name);
            if has_neighbours(name, net) {
                gateways.subnets.entry(net.trunc()).or_default().insert(name);
                gateways.lengths.insert(net.prefix_len());
            }
        }
        gateways
    }

    /// The interface that is up and has exactly this subnet.
    pub(super) fn connected(&self, subnet: IpNet) -> Option<&'a IfName> {
        let up = |name: &&'a IfName| self.site.down(name).is_none();
        self.subnets.get(&subnet)?.iter().copied().find(up)
    }

    /// The interface whose subnet holds the next hop; the longest prefix wins.
    pub(super) fn find(&self, via: IpAddr, path: &Path, sink: &mut Sink) -> Option<IfName> {
        if is_link_local(via) {
            sink.add(path, format!("{via} is link-local, so it is on every link; add dev"));
            return None;
        }
        if self.is_own(via, path, sink) {
            return None;
        }
        let Some((net, names)) = self.holding(via).next() else {
            let all = self.site.addresses().filter(|(name, _, net)| has_neighbours(name, *net));
            let have = listed(all, |(name, _, net)| format!("{net} ({name})"));
            let links =
                if have.is_empty() { "it has no addresses".into() } else { format!("its links have {have}") };
            sink.add(path, format!("gateway {via} is on no link of {}: {links}", self.site.place));
            return None;
        };
        let name = names.first()?;
        is_host(via, net, path, sink).then(|| (*name).clone())
    }

    /// Whether the next hop is on the interface that the author names.
    pub(super) fn reaches(&self, via: IpAddr, dev: &IfName, path: &Path, sink: &mut Sink) -> bool {
        if self.is_own(via, path, sink) {
            return false;
        }
        if is_link_local(via) {
            return true;
        }
        if let Some((net, _)) = self.holding(via).find(|(_, names)| names.contains(dev)) {
            return is_host(via, net, path, sink);
        }
        let all = self.site.addresses().filter(|(name, _, net)| *name == dev && has_neighbours(name, *net));
        let have = listed(all, |(_, _, net)| net.to_string());
        let have = if have.is_empty() { "no address with a subnet" } else { &have };
        sink.add(path, format!("gateway {via} is not on {dev}, which has {have}"));
        false
    }

    /// The subnets that hold an address, the smallest first.
    fn holding(&self, via: IpAddr) -> impl Iterator<Item = (IpNet, &BTreeSet<&'a IfName>)> {
        self.lengths.iter().rev().filter_map(move |length| {
            let net = IpNet::new(via, *length).ok()?.trunc();
            Some((net, self.subnets.get(&net)?))
        })
    }

    fn is_own(&self, via: IpAddr, path: &Path, sink: &mut Sink) -> bool {
        let owner = self.owners.get(&via);
        if let Some(name) = owner {
            let place = &self.site.place;
            sink.add(
                path,
                format!("gateway {via} is {place}'s own address, on {name}; name the neighbour's"),
            );
        }
        owner.is_some()
    }
}

/// A single address (/32, /128) has no neighbours, nor have those of `lo`.
fn has_neighbours(name: &IfName, net: IpNet) -> bool {
    net.prefix_len() < net.max_prefix_len() && *name != IfName::loopback()
}

/// The kernel refuses the broadcast address and the network's own as an IPv4 next hop
/// (`fib_check_nh`).
fn is_host(via: IpAddr, net: IpNet, path: &Path, sink: &mut Sink) -> bool {
    let inner = net.prefix_len() + 1 < net.max_prefix_len() && via.is_ipv4();
    let is_host = !inner || (via != net.network() && via != net.broadcast());
    if !is_host {
        sink.add(path, format!("gateway {via} is the network's own or broadcast address of {net}"));
    }
    is_host
}
