//! Next hops: the subnets of a node and of its VRFs, and which of them holds an address.

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

/// A VRF, or what belongs to none.
type Domain<'a> = Option<&'a IfName>;

/// What a node's own addresses and its routes without a next hop say of its neighbours, indexed: nodes with a thousand
/// routes and addresses cost no more than their size.
pub(super) struct Gateways<'a> {
    site: &'a Site,
    owners: BTreeMap<(Domain<'a>, IpAddr), &'a IfName>,
    subnets: BTreeMap<Domain<'a>, PrefixMap<BTreeSet<&'a IfName>>>,
    /// The VRFs by table.
    vrfs: BTreeMap<u32, &'a IfName>,
    /// The interface through which a route without a next hop leads, by table.
    routes: PrefixMap<BTreeMap<u32, &'a str>>,
}

impl<'a> Gateways<'a> {
    /// Indexes a node.
    pub(super) fn of(site: &'a Site, routes: &'a [proto::Route]) -> Self {
        let mut gateways = Self {
            site,
            owners: BTreeMap::new(),
            subnets: BTreeMap::new(),
            vrfs: site.interfaces.keys().filter_map(|name| Some((site.table_of(name)?, name))).collect(),
            routes: PrefixMap::default(),
        };
        let on_link =
            |route: &&proto::Route| !route.dev.is_empty() && route.via.is_empty() && route.encap.is_none();
        for route in routes.iter().filter(on_link) {
            let to = match route.to.as_str() {
                "default" => Ok(Ipv4Net::default().into()),
                text => address::range(text),
            };
            if let Ok(to) = to {
                let table = gateways.table(route);
                gateways.routes.entry(to).or_default().insert(table, &route.dev);
            }
        }
        for (name, _, net) in site.addresses() {
            let domain = site.vrf(name);
            gateways.owners.entry((domain, net.addr())).or_insert(name);
            if has_neighbours(name, net) {
                gateways.subnets.entry(domain).or_default().entry(net).or_default().insert(name);
            }
        }
        gateways
    }

    /// The table of a route, as far as it can be read.
    pub(super) fn table(&self, route: &proto::Route) -> u32 {
        let of_vrf = || self.vrfs.iter().find(|(_, vrf)| vrf.as_str() == route.vrf).map(|(table, _)| *table);
        route.table.or_else(of_vrf).unwrap_or(Route::MAIN)
    }

    /// The VRF that has a table.
    fn domain(&self, table: u32) -> Domain<'a> {
        self.vrfs.get(&table).copied()
    }

    /// The interface that is up and has exactly this subnet, whose route the kernel has in a table.
    pub(super) fn connected(&self, subnet: IpNet, table: u32) -> Option<&'a IfName> {
        let domain = self.domain(table);
        let up = |name: &&'a IfName| self.site.down(name).is_none();
        let subnets = self.subnets.get(&domain).filter(|_| domain.is_some() || table == Route::MAIN);
        subnets?.get(&subnet)?.iter().copied().find(up)
    }

    /// Whether an address is the node's own, where a route of a table may name it as its source.
    pub(super) fn is_source(&self, address: IpAddr, table: u32) -> bool {
        [self.domain(table), None].into_iter().any(|domain| self.owners.contains_key(&(domain, address)))
    }

    /// Whether an address is the node's own on the side of an interface.
    pub(super) fn is_own_beside(&self, address: IpAddr, dev: &IfName) -> bool {
        self.owners.contains_key(&(self.site.vrf(dev), address))
    }

    /// The interface that has an address, on whichever side.
    pub(super) fn owner(&self, address: IpAddr) -> Option<&'a IfName> {
        self.domains().find_map(|domain| self.owners.get(&(domain, address)).copied())
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
        let domain = self.domain(table);
        if self.is_own(via, domain, path, sink) {
            return None;
        }
        let Some((net, names)) = self.holding(via, domain).next() else {
            let routed = self.routed(via, table).find_map(|dev| dev.parse().ok());
            if routed.is_none() {
                self.on_no_link(via, domain, path, sink);
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

    /// The fault of a next hop without an interface, which may be on one of another VRF.
    fn on_no_link(&self, via: IpAddr, domain: Domain<'_>, path: &Path, sink: &mut Sink) {
        let place = &self.site.place;
        let other = self.domains().filter(|other| *other != domain).find_map(|other| {
            let (_, names) = self.holding(via, other).next()?;
            names.first().map(|name| (other, name))
        });
        let message = match (other, domain) {
            (Some((Some(vrf), dev)), _) => {
                format!(
                    "gateway {via} is on {dev}, which belongs to {vrf}: add vrf: {vrf}, or dev: {dev} to leave by it"
                )
            }
            (Some((None, dev)), Some(vrf)) => {
                format!(
                    "gateway {via} is on {dev}, which does not belong to {vrf}: add dev: {dev} to leave by it"
                )
            }
            _ => format!("gateway {via} is on no link of {place}: {}", self.links()),
        };
        sink.add(path, message);
    }

    /// What belongs to no VRF, and each VRF.
    fn domains(&self) -> impl Iterator<Item = Domain<'a>> {
        std::iter::once(None).chain(self.vrfs.values().copied().map(Some))
    }

    /// The interface on whose link an address is, by its subnets or by a route without a next hop; those of no VRF first.
    pub(super) fn link_of(&self, address: IpAddr) -> Option<IfName> {
        let one = |names: &BTreeSet<&'a IfName>| (names.len() == 1).then(|| names.first().copied())?;
        let first = |domain| self.holding(address, domain).next().map(|(_, names)| one(names));
        let by_subnet = self.domains().find_map(first).flatten().cloned();
        by_subnet.or_else(|| self.routed(address, Route::MAIN).find_map(|dev| dev.parse().ok()))
    }

    /// Whether an address is on the link of an interface, by its subnets or by a route without a next hop.
    pub(super) fn is_on(&self, address: IpAddr, dev: &IfName, table: u32) -> bool {
        is_link_local(address)
            || self.routed(address, table).any(|known| known == dev.as_str())
            || self.holding(address, self.site.vrf(dev)).any(|(_, names)| names.contains(dev))
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
        let domain = self.site.vrf(dev);
        if self.is_own(via, domain, path, sink) {
            return false;
        }
        if let Some((net, _)) = self.holding(via, domain).find(|(_, names)| names.contains(dev)) {
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

    /// The subnets of a VRF, or of what belongs to none, that hold an address, the smallest first.
    fn holding<'b>(
        &'b self,
        via: IpAddr,
        domain: Domain<'b>,
    ) -> impl Iterator<Item = (IpNet, &'b BTreeSet<&'a IfName>)> {
        self.subnets.get(&domain).into_iter().flat_map(move |subnets| subnets.holding(via))
    }

    /// Whether an address is the node's own on the side of an interface, which is a fault of a next hop there.
    pub(super) fn is_own_on(&self, via: IpAddr, dev: &IfName, path: &Path, sink: &mut Sink) -> bool {
        self.is_own(via, self.site.vrf(dev), path, sink)
    }

    fn is_own(&self, via: IpAddr, domain: Domain<'_>, path: &Path, sink: &mut Sink) -> bool {
        let owner = self.owners.get(&(domain, via));
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
