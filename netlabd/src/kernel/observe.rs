//! Observation: one lab, all its places.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    os::fd::BorrowedFd,
};

use ipnet::IpNet;
use netlink_packet_route::AddressFamily;

use super::{
    genl,
    namespaces::{LabNamespaces, NodeNamespace},
    nft,
    rtnl::{self, DumpedAddress, LinkDump, Neighbours, NetlinkError, RouteSocket, Routes},
    sysctl::Sysctls,
};
use crate::{
    input::address::is_link_local,
    link::Kind,
    model::{
        IfName, LabName, LabelRoute, NodeName, Place, Route, SysctlKey, nat_chains,
        observed::{ForeignLink, LinkState, ObservedForm, PlaceState},
    },
    plan::{PlaceTarget, Target},
    platform::{Failure, Scope},
    sys::netns,
};

/// What marks an interface of the host as a lab's (`IFLA_IFALIAS`).
pub(super) fn alias(lab: &LabName) -> String {
    format!("{ALIAS}{lab}")
}

const ALIAS: &str = "netlab:";

/// The lab whose mark an interface of the host bears.
pub(super) fn marked_by(link: &LinkDump) -> Option<&str> {
    lab_of_alias(link.alias.as_deref()?).filter(|_| link.ours)
}

/// The lab that an alias names, if it is a mark of ours.
pub(super) fn lab_of_alias(alias: &str) -> Option<&str> {
    alias.strip_prefix(ALIAS)
}

/// What the numbers in a place's link dump stand for.
struct Around<'a> {
    place: &'a Place,
    /// The interfaces of the place by index.
    names: BTreeMap<u32, String>,
    /// Those of the host.
    host: &'a HostDump,
    namespaces: &'a LabNamespaces,
}

impl Neighbours for Around<'_> {
    fn name(&self, index: u32) -> Option<&str> {
        self.names.get(&index).map(String::as_str)
    }

    fn place(&self, nsid: i32) -> Option<Place> {
        if nsid == self.host.id {
            Some(Place::Host)
        } else {
            self.namespaces.node_of(nsid).cloned().map(Place::Node)
        }
    }

    fn name_on_host(&self, index: u32) -> Option<&str> {
        self.host.names.get(&index).map(String::as_str)
    }

    fn here(&self) -> &Place {
        self.place
    }
}

/// What a look at the host shows for one lab.
pub(super) struct HostDump {
    /// The host's part of the lab.
    pub(super) state: PlaceState,
    /// All interfaces of the host by index.
    names: BTreeMap<u32, String>,
    /// The host's identifier of itself.
    id: i32,
}

/// Looks at the host's part of a lab.
pub(super) fn host(
    scope: Scope<'_>,
    namespaces: &LabNamespaces,
    host: BorrowedFd<'_>,
) -> Result<HostDump, Failure> {
    look_host(scope, namespaces, host).map_err(|error| Failure::os("host", "observing the host", &error))
}

/// Looks into nodes of a lab, some at once.
pub(super) fn nodes(
    target: &Target,
    nodes: &[&NodeName],
    namespaces: &LabNamespaces,
    host: BorrowedFd<'_>,
    seen: &HostDump,
) -> Result<Vec<PlaceState>, Failure> {
    let eye = || (netns::enter(host).and_then(|()| RouteSocket::open()), Sysctls::of_many());
    let looks = netns::for_each(nodes, eye, |(from_host, sysctls), node| {
        let Some(namespace) = namespaces.nodes().get(*node) else {
            return Err(Failure::new(node, "its namespace is gone"));
        };
        let failed = |error: &io::Error| Failure::os(node, "observing its namespace", error);
        let from_host = from_host.as_mut().map_err(|error| failed(error))?;
        let place = Place::Node((*node).clone());
        let around = Around { place: &place, names: BTreeMap::new(), host: seen, namespaces };
        look(target, around, namespace, from_host, sysctls).map_err(|error| failed(&error))
    });
    looks.map_err(|error| Failure::no_thread("host", &error))?.into_iter().collect()
}

fn values(
    target: &Target,
    place: &Place,
    links: &[LinkDump],
    sysctls: &Sysctls,
) -> BTreeMap<SysctlKey, String> {
    let Some(wanted) = target.place(place) else { return BTreeMap::new() };
    let read = |keys: BTreeSet<SysctlKey>| -> BTreeMap<_, _> {
        keys.into_iter().filter_map(|key| Some((key.clone(), sysctls.read(&key)?))).collect()
    };
    let mut values = read(wanted.asked());
    let besides = wanted.asked_besides(&values, &links.iter().map(|link| link.name.as_str()));
    values.extend(read(besides));
    values
}

fn look(
    target: &Target,
    mut around: Around<'_>,
    namespace: &NodeNamespace,
    from_host: &mut RouteSocket,
    sysctls: &mut Sysctls,
) -> io::Result<PlaceState> {
    // Asked from the host, links name the namespaces of their other ends as the host knows them.
    let links = granted(rtnl::links(from_host, namespace.id)?)?;
    around.names = links.iter().map(|link| (link.index, link.name.clone())).collect();
    netns::enter(namespace.fd())?;
    sysctls.enter();
    let mut socket = RouteSocket::open()?;
    // Of all tables: 0.
    let tables = BTreeSet::from([0]);
    let start = PlaceState { links: states(&links, &around), ..PlaceState::default() };
    let mut state = settings(&mut socket, start, &around.names, &in_vrfs(&links), &tables)?;
    qdiscs(&mut socket, &links, &mut state)?;
    wireguards(&mut state)?;
    // A kernel without rules refuses it.
    state.rules = rtnl::rules(&mut socket)?.unwrap_or_default();
    // A kernel without MPLS would tell all other routes.
    let room = LabelRoute::room().and_then(|key| sysctls.read(&key));
    if room.is_some_and(|room| room != "0") {
        state.label_routes = granted(rtnl::label_routes(&mut socket, &around.names)?)?;
    }
    state.neighbours = granted(rtnl::neighbours(&mut socket, &around.names)?)?;
    state.sysctls = values(target, around.place, &links, sysctls);
    add_rules(target, around.place, nft::ChainScope::Node, &mut state)?;
    Ok(state)
}

/// Adds what there is of our nftables chains, beside what is wanted of them.
fn add_rules(
    target: &Target,
    place: &Place,
    scope: nft::ChainScope<'_>,
    state: &mut PlaceState,
) -> io::Result<()> {
    let wanted = target.place(place);
    let nat = wanted.map(|wanted| nat_chains(&wanted.nat, true)).unwrap_or_default();
    let firewall = wanted.map(|wanted| wanted.firewall.chains()).unwrap_or_default();
    let looked = nft::look(scope, &nat, &firewall).map_err(io::Error::other)?;
    (state.nat, state.firewall, state.tables) = (looked.nat, looked.firewall, looked.tables);
    state.nat_type_chains = looked.nat_type_chains;
    Ok(())
}

fn states(links: &[LinkDump], among: &dyn Neighbours) -> BTreeMap<String, LinkState> {
    links.iter().map(|link| (link.name.clone(), link.state(among))).collect()
}

/// The tables in which the kernel keeps the routes of VRFs and their members, by the interface's index.
fn in_vrfs(links: &[LinkDump]) -> BTreeMap<u32, u32> {
    let vrf = |link: &LinkDump| Some((link.index, link.vrf_table()?));
    let vrfs: BTreeMap<u32, u32> = links.iter().filter_map(vrf).collect();
    let members = links.iter().filter_map(|link| Some((link.index, *vrfs.get(&link.master?)?)));
    vrfs.iter().map(|(index, table)| (*index, *table)).chain(members).collect()
}

/// Interfaces of others on the host on which those of the lab are to stand, or to which they are to belong.
fn foreign(wanted: Option<&PlaceTarget>, all: &[LinkDump]) -> BTreeMap<String, ForeignLink> {
    let names: BTreeSet<&str> =
        wanted.into_iter().flat_map(PlaceTarget::foreign).map(IfName::as_str).collect();
    let seen = |link: &LinkDump| ForeignLink { mac: link.mac, mtu: link.mtu, bridge: link.bridge() };
    let of_lab = all.iter().filter(|link| names.contains(link.name.as_str()));
    of_lab.map(|link| (link.name.clone(), seen(link))).collect()
}

/// Adds addresses and VLANs of interfaces, and the routes of some tables.
fn settings(
    socket: &mut RouteSocket,
    mut state: PlaceState,
    names: &BTreeMap<u32, String>,
    in_vrfs: &BTreeMap<u32, u32>,
    tables: &BTreeSet<u32>,
) -> io::Result<PlaceState> {
    for (index, address) in granted(rtnl::addresses(socket)?)? {
        if let Some(link) = names.get(&index).and_then(|name| state.links.get_mut(name)) {
            match address {
                DumpedAddress::Other(mut address) => {
                    // The kernel may put the one that it made before or behind ours: of two of one scope the later one
                    // stands first (`ipv6_link_dev_addr` in net/ipv6/addrconf.c).
                    address.cut_off = is_link_local(address.address.addr()) && !link.link_local.is_empty();
                    link.addresses.push(address);
                }
                DumpedAddress::LinkLocal(address) => link.link_local.push(address),
                DumpedAddress::Unmarked(address) => {
                    link.link_local.extend(link.form.made_unmarked(address).then_some(address));
                }
            }
        }
    }
    let of_others = || state.foreign.values().filter_map(|link| link.bridge);
    if state.links.values().any(|link| link.form.ports().filtering()) || of_others().any(|it| it.filtering) {
        for (index, vlans) in granted(rtnl::vlans(socket)?)? {
            if let Some(link) = names.get(&index).and_then(|name| state.links.get_mut(name)) {
                link.vlans = vlans;
            }
        }
    }
    let has_fdb = |link: &LinkState| link.form.kind().is_some_and(Kind::has_fdb);
    if state.links.values().any(has_fdb) || of_others().next().is_some() {
        for (index, fdb) in granted(rtnl::fdb(socket)?)? {
            if let Some(link) = names.get(&index).and_then(|name| state.links.get_mut(name)) {
                link.fdb = fdb;
            }
        }
    }
    let idle = |link: &LinkState| link.up && !link.carrier;
    if state.links.values().any(idle) {
        // A kernel without IPv6 refuses it.
        let groups = rtnl::groups(socket)?.unwrap_or_default();
        for link in state.links.values_mut() {
            link.hears_groups = groups.contains(&link.index);
        }
    }
    let mut all = Routes::default();
    for table in tables {
        all.extend(granted(rtnl::routes(socket, AddressFamily::Inet, *table, names)?)?);
        // A kernel without IPv6 refuses it.
        all.extend(rtnl::routes(socket, AddressFamily::Inet6, *table, names)?.unwrap_or_default());
    }
    for link in state.links.values_mut() {
        let table = in_vrfs.get(&link.index).copied().unwrap_or(Route::MAIN);
        cut_off(link, table, &all.direct);
    }
    state.routes = all.routes;
    Ok(state)
}

/// The root queueing disciplines. Interfaces of labs have none of their own, and then nobody is asked.
fn qdiscs(socket: &mut RouteSocket, links: &[LinkDump], state: &mut PlaceState) -> io::Result<()> {
    if links.iter().any(|link| link.queues) {
        let mut seen = granted(rtnl::qdiscs(socket)?)?;
        for link in state.links.values_mut() {
            link.qdisc = seen.remove(&link.index);
        }
    }
    Ok(())
}

/// What WireGuard interfaces are set up as.
fn wireguards(state: &mut PlaceState) -> io::Result<()> {
    let is = |link: &LinkState| link.form.kind().is_some_and(|kind| kind.wireguard().is_some());
    let mut all = state.links.iter_mut().filter(|(_, link)| is(link)).peekable();
    if all.peek().is_none() {
        return Ok(());
    }
    let mut socket = granted(genl::GenericSocket::open(genl::WIREGUARD)?)?;
    for (name, link) in all {
        // One that has just gone has none.
        link.wireguard = genl::device(&mut socket, name)?.ok();
    }
    Ok(())
}

/// Marks the addresses as well of an interface that is up and has no route to their networks: the kernel makes it
/// with the address, and nobody makes it again when somebody has taken it away.
fn cut_off(link: &mut LinkState, table: u32, direct: &BTreeSet<(u32, u32, IpNet)>) {
    if !link.up || link.form == ObservedForm::Loopback {
        return;
    }
    let index = link.index;
    for state in &mut link.addresses {
        let has_route = match state.address {
            IpNet::V4(address) => address.prefix_len() < 32 && address.network().octets()[0] != 0,
            // Others may add an address without a route to its network (`noprefixroute`): ours has one, which
            // is there once the interface is at work.
            IpNet::V6(address) => address.prefix_len() < 128 && state.ours && link.carrier,
        };
        state.cut_off |= has_route && !direct.contains(&(table, index, state.address.trunc()));
    }
}

fn granted<T>(answer: Result<T, NetlinkError>) -> io::Result<T> {
    answer.map_err(|refusal| io::Error::from_raw_os_error(refusal.errno))
}

/// The host's part: the lab's own interfaces, and whatever has a name that the lab wants.
fn look_host(scope: Scope<'_>, namespaces: &LabNamespaces, host: BorrowedFd<'_>) -> io::Result<HostDump> {
    let mut socket = RouteSocket::open()?;
    let all = granted(rtnl::links(&mut socket, None)?)?;
    let names: BTreeMap<u32, String> = all.iter().map(|link| (link.index, link.name.clone())).collect();
    let id = rtnl::namespace_id(&mut socket, host)?;
    let mut seen = HostDump { state: PlaceState::default(), names, id };
    let wanted = scope.target.host();
    let concerns = |link: &LinkDump| {
        marked_by(link) == Some(scope.lab.as_str())
            || wanted.is_some_and(|host| host.links.contains_key(link.name.as_str()))
    };
    let in_vrfs = in_vrfs(&all);
    let foreign = foreign(wanted, &all);
    let mut links: Vec<_> = all.into_iter().filter(concerns).collect();
    for link in &mut links {
        link.ours = marked_by(link) == Some(scope.lab.as_str());
    }
    let around = Around { place: &Place::Host, names: seen.names.clone(), host: &seen, namespaces };
    // What else the host has in other tables may be much.
    let own = links.iter().filter_map(|link| in_vrfs.get(&link.index).copied());
    let tables = own.chain([Route::MAIN]).collect();
    let start = PlaceState { links: states(&links, &around), foreign, ..PlaceState::default() };
    let mut state = settings(&mut socket, start, &around.names, &in_vrfs, &tables)?;
    qdiscs(&mut socket, &links, &mut state)?;
    // The lab has no routes on the host.
    state.routes.clear();
    state.sysctls = values(scope.target, &Place::Host, &links, &Sysctls::default());
    add_rules(scope.target, &Place::Host, nft::ChainScope::Host(scope.lab), &mut state)?;
    let guard = wanted.and_then(|host| host.guard.as_ref());
    state.guard = nft::look_at_guard(scope.lab, guard).map_err(io::Error::other)?;
    seen.state = state;
    Ok(seen)
}
