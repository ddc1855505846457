//! Next hops: the subnets of a node, and which of them holds an address.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::{IpNet, Ipv4Net};
use netlab_proto::v1 as proto;

use crate::model::{IfName, PrefixMap, Route};

use super::draft::Site;
use crate::input::{
    Path, Sink,
    address::{self, is_link_local},
    listed,
};

/// What a node's own addresses and its routes without a next hop say of its neighbours, indexed: nodes with a thousand
/// routes and addresses cost no more than their size.
pub(super) struct Gateways<'a> {
    site: &'a Site,
    owners: BTreeMap<IpAddr, &'a IfName>,
    subnets: PrefixMap<BTreeSet<&'a IfName>>,
    /// The interface through which a route without a next hop leads, by table.
    routes: PrefixMap<BTreeMap<u32, &'a str>>,
}

impl<'a> Gateways<'a> {
    /// Indexes a node.
    pub(super) fn of(site: &'a Site, routes: &'a [proto::Route]) -> Self {
        let mut gateways = Self {
            site,
            owners: BTreeMap::new(),
            subnets: PrefixMap::default(),
            routes: PrefixMap::default(),
        };
        for route in routes.iter().filter(|route| !route.dev.is_empty() && route.via.is_empty()) {
            let to = match route.to.as_str() {
                "default" => Ok(Ipv4Net::default().into()),
                text => address::range(text),
            };
            if let Ok(to) = to {
                let tables = gateways.routes.entry(to).or_default();
                tables.insert(route.table.unwrap_or(Route::MAIN), &route.dev);
            }
        }
        for (name, _, net) in site.addresses() {
            gateways.owners.entry(net.addr()).or_insert(name);
            if has_neighbours(name, net) {
                gateways.subnets.entry(net).or_default().insert(name);
            }
        }
        gateways
    }

    /// The interface that is up and has exactly this subnet.
    pub(super) fn connected(&self, subnet: IpNet) -> Option<&'a IfName> {
        let up = |name: &&'a IfName| self.site.down(name).is_none();
        self.subnets.get(&subnet)?.iter().copied().find(up)
    }

    /// Whether an address is the node's own.
    pub(super) fn owner(&self, address: IpAddr) -> Option<&'a IfName> {
        self.owners.get(&address).copied()
    }

    /// The fault of an address that should be the node's own.
    pub(super) fn no_owner(&self, address: IpAddr, path: &Path, sink: &mut Sink) {
        let kin = self.site.addresses().filter(|(.., net)| net.addr().is_ipv4() == address.is_ipv4());
        let have = listed(kin, |(name, _, net)| format!("{} ({name})", net.addr()));
        let have =
            if have.is_empty() { "it has none of that family".into() } else { format!("it has {have}") };
        sink.add(path, format!("{address} is no address of {}: {have}", self.site.place));
    }

    /// The interface whose subnet holds the next hop of a route in a table; the longest prefix wins.
    pub(super) fn find(&self, via: IpAddr, table: u32, path: &Path, sink: &mut Sink) -> Option<IfName> {
        if is_link_local(via) {
            sink.add(path, format!("{via} is link-local, so it is on every link; add dev"));
            return None;
        }
        if self.is_own(via, path, sink) {
            return None;
        }
        let Some((net, names)) = self.subnets.holding(via).next() else {
            let routed = self.routed(via, table).find_map(|dev| dev.parse().ok());
            if routed.is_none() {
                let (place, links) = (&self.site.place, self.links());
                sink.add(path, format!("gateway {via} is on no link of {place}: {links}"));
            }
            return routed;
        };
        let name = names.first()?;
        if names.len() > 1 {
            // Routes of single parts say which is where.
            if let Some(dev) = self.routed(via, table).find_map(|dev| dev.parse().ok()) {
                return Some(dev);
            }
            let place = &self.site.place;
            let on = listed(names.iter(), ToString::to_string);
            sink.add(
                path,
                format!("{net} is on several links of {place}, {on}; add dev, the one that {via} is on"),
            );
            return None;
        }
        is_host(via, net, path, sink).then(|| (*name).clone())
    }

    /// The interface on whose link an address is, by its subnets or by a route without a next hop.
    pub(super) fn link_of(&self, address: IpAddr) -> Option<IfName> {
        let one = |names: &BTreeSet<&IfName>| (names.len() == 1).then(|| names.first().copied().cloned())?;
        let by_subnet = self.subnets.holding(address).next().and_then(|(_, names)| one(names));
        by_subnet.or_else(|| self.routed(address, Route::MAIN).find_map(|dev| dev.parse().ok()))
    }

    /// Whether an address is on the link of an interface, by its subnets or by a route without a next hop.
    pub(super) fn is_on(&self, address: IpAddr, dev: &IfName, table: u32) -> bool {
        is_link_local(address)
            || self.routed(address, table).any(|known| known == dev.as_str())
            || self.subnets.holding(address).any(|(_, names)| names.contains(dev))
    }

    /// The subnets of all links, in words.
    pub(super) fn links(&self) -> String {
        let all = self.site.addresses().filter(|(name, _, net)| has_neighbours(name, *net));
        let have = listed(all, |(name, _, net)| format!("{net} ({name})"));
        if have.is_empty() { "it has no addresses".into() } else { format!("its links have {have}") }
    }

    /// The subnets of an interface, in words.
    pub(super) fn subnets_of(&self, dev: &IfName) -> String {
        let all = self.site.addresses().filter(|(name, _, net)| *name == dev && has_neighbours(name, *net));
        let have = listed(all, |(_, _, net)| net.to_string());
        if have.is_empty() { "no address with a subnet".into() } else { have }
    }

    /// Whether the next hop is on the interface that the author names.
    pub(super) fn reaches(
        &self,
        via: IpAddr,
        (dev, table): (&IfName, u32),
        path: &Path,
        sink: &mut Sink,
    ) -> bool {
        if self.is_own(via, path, sink) {
            return false;
        }
        if let Some((net, _)) = self.subnets.holding(via).find(|(_, names)| names.contains(dev)) {
            return is_host(via, net, path, sink);
        }
        let is_on = self.is_on(via, dev, table);
        if !is_on {
            let have = self.subnets_of(dev);
            let way_out = "onlink: true says that it is there all the same";
            sink.add(path, format!("gateway {via} is not on {dev}, which has {have}; {way_out}"));
        }
        is_on
    }

    /// The interfaces through which routes without a next hop lead to an address, those of a table and of the main one,
    /// the longest prefix first.
    fn routed(&self, via: IpAddr, table: u32) -> impl Iterator<Item = &'a str> {
        let of_tables = move |(_, tables): (_, &BTreeMap<u32, &'a str>)| {
            [table, Route::MAIN].map(|table| tables.get(&table).copied())
        };
        self.routes.holding(via).flat_map(of_tables).flatten()
    }

    /// Whether an address is the node's own, which is a fault of a next hop.
    pub(super) fn is_own(&self, via: IpAddr, path: &Path, sink: &mut Sink) -> bool {
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
