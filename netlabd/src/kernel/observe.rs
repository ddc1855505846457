//! Observation: one lab, all its places.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    os::fd::BorrowedFd,
};

use ipnet::IpNet;
use netlink_packet_route::AddressFamily;

use super::{
    namespaces::{LabSpaces, NodeSpace},
    nft,
    rtnl::{self, LinkDump, Refusal, RouteSocket, Seen},
    sysctl::Sysctls,
};
use crate::{
    model::{
        LabName, NodeName, Place, SysctlKey,
        observed::{LinkKind, LinkState, NatState, PlaceState, TableState},
    },
    plan::Target,
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
    lab_of_alias(link.alias.as_deref()?).filter(|_| link.state.ours)
}

/// The lab that an alias names, if it is a mark of ours.
pub(super) fn lab_of_alias(alias: &str) -> Option<&str> {
    alias.strip_prefix(ALIAS)
}

/// One place as dumped; other ends still by number.
struct Look {
    place: Place,
    links: Vec<LinkDump>,
    state: PlaceState,
}

/// What a look at the host shows for one lab.
pub(super) struct HostSeen {
    /// The host's part of the lab.
    pub(super) state: PlaceState,
    /// All interfaces of the host by index.
    names: BTreeMap<u32, String>,
    /// The host's identifier of itself.
    id: i32,
}

/// Looks at the host's part of a lab.
pub(super) fn host(scope: Scope<'_>, spaces: &LabSpaces, host: BorrowedFd<'_>) -> Result<HostSeen, Failure> {
    let (look, names, id) =
        look_host(scope, host).map_err(|error| Failure::os("host", "looking at the host", &error))?;
    let mut seen = HostSeen { state: PlaceState::default(), names, id };
    seen.state = assemble(look, spaces, &seen);
    Ok(seen)
}

/// Looks into nodes of a lab, some at once.
pub(super) fn nodes(
    target: &Target,
    nodes: &[&NodeName],
    spaces: &LabSpaces,
    host: BorrowedFd<'_>,
    seen: &HostSeen,
) -> Result<Vec<PlaceState>, Failure> {
    let eye = || (netns::enter(host).and_then(|()| RouteSocket::open()), Sysctls::of_many());
    let looks = netns::for_each(nodes, eye, |(from_host, sysctls), node| {
        let Some(space) = spaces.nodes().get(*node) else {
            return Err(Failure::new(node, "its namespace is gone"));
        };
        let failed = |error: &io::Error| Failure::os(node, "looking into its namespace", error);
        let from_host = from_host.as_mut().map_err(|error| failed(error))?;
        let look = look(target, Place::Node((*node).clone()), space, from_host, sysctls);
        Ok(assemble(look.map_err(|error| failed(&error))?, spaces, seen))
    });
    looks.map_err(|error| Failure::no_thread("host", &error))?.into_iter().collect()
}

fn values(
    target: &Target,
    place: &Place,
    links: &[LinkDump],
    sysctls: &Sysctls,
) -> BTreeMap<SysctlKey, String> {
    let Some(wanted) = target.places.get(place) else { return BTreeMap::new() };
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
    place: Place,
    space: &NodeSpace,
    from_host: &mut RouteSocket,
    sysctls: &mut Sysctls,
) -> io::Result<Look> {
    // Asked from the host, links name the namespaces of their other ends as the host knows them.
    let links = granted(rtnl::links(from_host, space.id)?)?;
    netns::enter(space.fd())?;
    sysctls.enter();
    let mut socket = RouteSocket::open()?;
    let mut state = settings(&mut socket, &links)?;
    state.sysctls = values(target, &place, &links, sysctls);
    (state.nat, state.tables) = rules(nft::Scope::Node)?;
    Ok(Look { place, links, state })
}

fn rules(scope: nft::Scope<'_>) -> io::Result<(NatState, Vec<TableState>)> {
    nft::look(scope).map_err(io::Error::other)
}

/// Addresses, VLANs and routes; the first two by interface name without further detail.
fn settings(socket: &mut RouteSocket, links: &[LinkDump]) -> io::Result<PlaceState> {
    let names: BTreeMap<u32, String> =
        links.iter().map(|link| (link.state.index, link.name.clone())).collect();
    let mut state = PlaceState {
        links: links.iter().map(|link| (link.name.clone(), link.state.clone())).collect(),
        ..PlaceState::default()
    };
    for (index, address) in granted(rtnl::addresses(socket)?)? {
        if let Some(link) = names.get(&index).and_then(|name| state.links.get_mut(name)) {
            match address {
                Seen::Other(address) => link.addresses.push(address),
                Seen::LinkLocal(address) => link.link_local.push(address),
            }
        }
    }
    let filters = |link: &LinkDump| matches!(link.state.kind, LinkKind::Bridge { vlan_filtering: true, .. });
    if links.iter().any(filters) {
        for (index, vlans) in granted(rtnl::vlans(socket)?)? {
            if let Some(link) = names.get(&index).and_then(|name| state.links.get_mut(name)) {
                link.vlans = vlans;
            }
        }
    }
    let ipv4 = granted(rtnl::routes(socket, AddressFamily::Inet, &names)?)?;
    // A kernel without IPv6 refuses the second.
    let ipv6 = rtnl::routes(socket, AddressFamily::Inet6, &names)?.unwrap_or_default();
    let direct = &ipv4.direct | &ipv6.direct;
    state.links.values_mut().for_each(|link| cut_off(link, &direct));
    state.routes = [ipv4.routes, ipv6.routes].concat();
    Ok(state)
}

/// Marks the addresses of an interface that is up and has no route to their networks: the kernel makes it
/// with the address, and nobody makes it again when somebody has taken it away.
fn cut_off(link: &mut LinkState, direct: &BTreeSet<(u32, IpNet)>) {
    if !link.up || link.kind == LinkKind::Loopback {
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
        state.cut_off = has_route && !direct.contains(&(index, state.address.trunc()));
    }
}

fn granted<T>(answer: Result<T, Refusal>) -> io::Result<T> {
    answer.map_err(|refusal| io::Error::from_raw_os_error(refusal.errno))
}

/// The host's part: the lab's own interfaces, and whatever has a name that the lab wants.
fn look_host(scope: Scope<'_>, host: BorrowedFd<'_>) -> io::Result<(Look, BTreeMap<u32, String>, i32)> {
    let mut socket = RouteSocket::open()?;
    let all = granted(rtnl::links(&mut socket, None)?)?;
    let names: BTreeMap<u32, String> = all.iter().map(|link| (link.state.index, link.name.clone())).collect();
    let wanted = scope.target.places.get(&Place::Host);
    let concerns = |link: &LinkDump| {
        marked_by(link) == Some(scope.lab.as_str())
            || wanted.is_some_and(|host| host.links.contains_key(link.name.as_str()))
    };
    let mut links: Vec<_> = all.into_iter().filter(concerns).collect();
    for link in &mut links {
        link.state.ours = marked_by(link) == Some(scope.lab.as_str());
        link.state.master = link.master.and_then(|index| names.get(&index).cloned());
    }
    let mut state = settings(&mut socket, &links)?;
    // The lab has no routes on the host.
    state.routes.clear();
    state.sysctls = values(scope.target, &Place::Host, &links, &Sysctls::default());
    (state.nat, state.tables) = rules(nft::Scope::Host(scope.lab))?;
    let guard = wanted.and_then(|host| host.guard.as_ref());
    state.guard = nft::look_at_guard(scope.lab, guard).map_err(io::Error::other)?;
    let id = rtnl::namespace_id(&mut socket, host)?;
    Ok((Look { place: Place::Host, links, state }, names, id))
}

/// Gives numbers their names.
fn assemble(look: Look, spaces: &LabSpaces, host: &HostSeen) -> PlaceState {
    let Look { place, links, mut state } = look;
    let names: BTreeMap<u32, String> = if place == Place::Host {
        host.names.clone()
    } else {
        links.iter().map(|link| (link.state.index, link.name.clone())).collect()
    };
    for dump in links {
        let Some(link) = state.links.get_mut(&dump.name) else { continue };
        link.master = dump.master.and_then(|index| names.get(&index).cloned());
        let lower_place = |id: Option<i32>| match id {
            None => Some(place.clone()),
            Some(id) if id == host.id => Some(Place::Host),
            Some(id) => spaces.node_of(id).cloned().map(Place::Node),
        };
        match &mut link.kind {
            LinkKind::Veth { peer } => {
                *peer = dump.link.and_then(|(index, id)| Some((lower_place(id)?, index)));
            }
            LinkKind::Vlan { parent, .. } => {
                *parent = dump.link.and_then(|(index, _)| names.get(&index).cloned());
            }
            LinkKind::Macvlan { parent, .. } => {
                let on_host = dump.link.filter(|(_, id)| lower_place(*id) == Some(Place::Host));
                *parent = on_host.and_then(|(index, _)| host.names.get(&index).cloned());
            }
            LinkKind::Vxlan(vxlan) => {
                vxlan.dev = dump.vxlan_dev.and_then(|index| names.get(&index).cloned());
            }
            _ => {}
        }
    }
    state
}
