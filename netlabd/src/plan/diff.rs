//! The comparison of what is wanted with what is.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    net::Ipv6Addr,
    sync::Arc,
};

use ipnet::{IpNet, Ipv6Net};

use super::{
    LinkChange, LinkTarget, Op, PlaceTarget, Plan, Spot, Stage, Target, VethEnd,
    addresses::{self, Step},
    doom::Doom,
    sysctls::{self, Writes},
};
use crate::model::{
    Endpoint, Guard, IfName, Kind, Place, Route, SysctlKey, VlanId, is_fallback_device,
    observed::{
        AddressState, GuardState, LinkKind, LinkLocalMode, LinkState, Observed, PlaceState, RouteState,
        VlanFlags, link_local_of,
    },
};

/// Plans how to get from `observed` to `target`. Empty when all is as it should be.
///
/// What others added (not marked as ours) is left alone and listed in [`Plan::extras`]; what stands
/// in the way on the host is listed in [`Plan::conflicts`], and nothing is planned for it.
pub fn diff(target: &Target, observed: &Observed) -> Plan {
    let (renames, observed) = renames(target, observed);
    let doom = Doom::find(target, &observed);
    let stays = |place: &Place, name: &str| !doom.takes(place, name);
    let writes = |(place, wanted): (&Place, &PlaceTarget)| {
        let seen = observed.places.get(place).map(AsRef::as_ref);
        (place.clone(), sysctls::writes(wanted, seen, &|name| stays(place, name)))
    };
    let writes: BTreeMap<Place, Writes> = target.places.iter().map(writes).collect();
    let mut stages = vec![
        Stage { name: "names", ops: renames },
        Stage { name: "removal", ops: removal(target, &observed, &doom) },
        Stage { name: "namespaces", ops: namespaces(target, &observed) },
        Stage { name: "sysctls", ops: writes.iter().flat_map(|(at, w)| Writes::ops(at, &w.early)).collect() },
        Stage { name: "links", ops: links(target, &observed, &doom) },
        Stage { name: "settings", ops: settings(target, &observed, &doom, &writes) },
    ];
    stages.retain(|stage| !stage.ops.is_empty());
    Plan { stages, extras: extras(target, &observed), conflicts: doom.conflicts() }
}

/// Finds marked interfaces that somebody renamed, known by MAC address and kind, and the loopback interface, of
/// which each namespace has one; and returns the observation as it will be once they have their names back.
fn renames<'a>(target: &Target, observed: &'a Observed) -> (Vec<Op>, Cow<'a, Observed>) {
    let mut ops = Vec::new();
    let mut seen = Cow::Borrowed(observed);
    for (place, wanted) in &target.places {
        let Some(state) = observed.places.get(place) else { continue };
        let strays = state.links.iter().filter(|(name, link)| {
            let known = link.ours && link.mac.is_some() || link.kind == LinkKind::Loopback;
            known && !wanted.links.contains_key(name.as_str())
        });
        let mut names = BTreeMap::new();
        for (name, link) in strays {
            let own = wanted.links.iter().find(|(own, want)| {
                (want.mac.is_none() || want.mac == link.mac)
                    && same_kind(&want.kind, &link.kind)
                    && !state.links.contains_key(own.as_str())
                    && !names.values().any(|taken| taken == *own)
            });
            if let Some((own, _)) = own {
                names.insert(name.clone(), own.clone());
            }
        }
        for (from, to) in &names {
            let from = Spot { place: place.clone(), name: from.clone() };
            ops.push(Op::Rename { from, to: to.clone() });
        }
        if let Some(state) = (!names.is_empty()).then(|| seen.to_mut().places.get_mut(place)).flatten() {
            rename_in(Arc::make_mut(state), &names);
        }
    }
    (ops, seen)
}

fn same_kind(want: &Kind, seen: &LinkKind) -> bool {
    matches!(
        (want, seen),
        (Kind::Veth { .. }, LinkKind::Veth { .. })
            | (Kind::Bridge { .. }, LinkKind::Bridge { .. })
            | (Kind::Vlan { .. }, LinkKind::Vlan { .. })
            | (Kind::Vxlan(_), LinkKind::Vxlan(_))
            | (Kind::Macvlan { .. }, LinkKind::Macvlan { .. })
            | (Kind::Dummy, LinkKind::Dummy)
            | (Kind::Loopback, LinkKind::Loopback)
    )
}

fn rename_in(state: &mut PlaceState, names: &BTreeMap<String, IfName>) {
    let fix = |name: &mut String| {
        if let Some(own) = names.get(name) {
            own.as_str().clone_into(name);
        }
    };
    let links = std::mem::take(&mut state.links);
    for (mut name, mut link) in links {
        fix(&mut name);
        link.master.iter_mut().for_each(fix);
        match &mut link.kind {
            LinkKind::Vlan { parent, .. } => parent.iter_mut().for_each(fix),
            LinkKind::Vxlan(vxlan) => vxlan.dev.iter_mut().for_each(fix),
            _ => {}
        }
        state.links.insert(name, link);
    }
    for route in &mut state.routes {
        if let Some(own) = names.get(route.route.dev.as_str()) {
            route.route.dev = own.clone();
        }
    }
}

fn removal(target: &Target, observed: &Observed, doom: &Doom) -> Vec<Op> {
    let unwanted = observed.places.keys().filter(|place| !target.places.contains_key(place));
    let mut ops = Vec::new();
    if let Some(host) = observed.places.get(&Place::Host)
        && !target.places.contains_key(&Place::Host)
        && !host.nat.is(&[])
    {
        ops.push(Op::SetNat { place: Place::Host, rules: Vec::new() });
    }
    ops.extend(doom.ops(observed));
    if !target.places.contains_key(&Place::Host) {
        ops.extend(guard(None, observed));
    }
    for place in unwanted {
        if let Place::Node(node) = place {
            ops.push(Op::DeleteNode(node.clone()));
        }
    }
    ops
}

fn namespaces(target: &Target, observed: &Observed) -> Vec<Op> {
    let missing = |node: &_| !observed.places.contains_key(&Place::Node(Clone::clone(node)));
    let nodes = target.nodes();
    let made = nodes.iter().filter(|node| missing(**node)).map(|node| Op::AddNode((*node).clone()));
    let pinned = observed.unpinned.iter().filter(|node| nodes.contains(node)).cloned().map(Op::PinNode);
    // Nothing is to pass before it is there.
    let host = target.places.get(&Place::Host);
    let guarded = host.and_then(|host| guard(host.guard.as_ref(), observed));
    guarded.into_iter().chain(made).chain(pinned).collect()
}

/// What is to be done about what keeps the lab apart on the host.
fn guard(wanted: Option<&Guard>, observed: &Observed) -> Option<Op> {
    let seen = observed.places.get(&Place::Host).map(|host| host.guard).unwrap_or_default();
    let is = match seen {
        GuardState::Unsupported => true,
        GuardState::Absent => wanted.is_none(),
        GuardState::AsWanted => wanted.is_some(),
        GuardState::Other => false,
    };
    (!is).then(|| Op::SetGuard(wanted.cloned()))
}

/// An interface of the host gets a larger MTU early: macvlans made on it may not have more.
fn raise(place: &Place, want: &LinkTarget, seen: &LinkState) -> Option<LinkChange> {
    want.mtu.filter(|mtu| *place == Place::Host && seen.mtu < *mtu).map(LinkChange::Mtu)
}

/// What is made through the host: its own interfaces, veth pairs wherever they go, macvlans.
fn links(target: &Target, observed: &Observed, doom: &Doom) -> Vec<Op> {
    let (mut first, mut pairs, mut last, mut macvlans) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut paired = BTreeSet::new();
    for (place, wanted) in &target.places {
        for name in wanted.bottom_up() {
            let want = &wanted.links[name];
            let at = Endpoint { place: place.clone(), interface: name.clone() };
            if doom.is_taken(&at, want) {
                continue;
            }
            if let Some(seen) = doom.survivor(observed, &at) {
                first.extend(raise(place, want, seen).map(|change| Op::SetLink { at, change }));
                continue;
            }
            match &want.kind {
                Kind::Veth { peer } => {
                    // Made with its first end; both may be here.
                    let first = paired.insert(at.clone()) && paired.insert(peer.clone());
                    pairs.extend(first.then(|| veth(target, &at, peer)).flatten());
                }
                Kind::Macvlan { .. } => macvlans.extend(add(at, want, wanted)),
                Kind::Loopback => {}
                _ if *place == Place::Host && want.lower().is_some() => last.extend(add(at, want, wanted)),
                _ if *place == Place::Host => first.extend(add(at, want, wanted)),
                _ => {}
            }
        }
    }
    [first, pairs, last, macvlans].concat()
}

/// Makes an interface. A VLAN takes its MTU from its parent, whatever that is at that moment: asked for
/// more, the kernel would refuse it, and a bridge's may be less until it has its ports.
fn add(at: Endpoint, want: &LinkTarget, place: &PlaceTarget) -> Vec<Op> {
    let (kind, mac) = (want.kind.clone(), want.mac);
    let Kind::Vlan { parent, .. } = &want.kind else {
        return vec![Op::AddLink { at, kind, mac, mtu: want.mtu }];
    };
    let own = want.mtu.filter(|_| place.links.get(parent).is_some_and(|parent| parent.mtu != want.mtu));
    let change = own.map(|mtu| Op::SetLink { at: at.clone(), change: LinkChange::Mtu(mtu) });
    [Op::AddLink { at, kind, mac, mtu: None }].into_iter().chain(change).collect()
}

fn veth(target: &Target, a: &Endpoint, b: &Endpoint) -> Option<Op> {
    let end = |at: &Endpoint| {
        let want = target.link(at)?;
        Some(VethEnd { at: at.clone(), mac: want.mac, mtu: want.mtu })
    };
    Some(Op::AddVeth { a: end(a)?, b: end(b)? })
}

fn settings(target: &Target, observed: &Observed, doom: &Doom, writes: &BTreeMap<Place, Writes>) -> Vec<Op> {
    let mut ops = Vec::new();
    for (place, wanted) in &target.places {
        let seen = observed.places.get(place).map(AsRef::as_ref);
        let sysctls = writes.get(place).map_or(&[][..], |writes| &writes.late);
        PlaceDiff { place, wanted, seen, doom, sysctls, ops: &mut ops }.run();
    }
    ops
}

/// The comparison of one place.
struct PlaceDiff<'a> {
    place: &'a Place,
    wanted: &'a PlaceTarget,
    seen: Option<&'a PlaceState>,
    doom: &'a Doom,
    /// The sysctls to write once interfaces are there.
    sysctls: &'a [(SysctlKey, String)],
    ops: &'a mut Vec<Op>,
}

impl<'a> PlaceDiff<'a> {
    /// In an order that the kernel accepts: what carries before what is carried, interfaces up before the
    /// routes through them. Addresses come before others go: an interface that has none for a moment
    /// loses its routes.
    fn run(&mut self) {
        let names: Vec<_> = self.wanted.bottom_up();
        let mut pairs: Vec<_> = names.iter().map(|name| (self.at(name), &self.wanted.links[*name])).collect();
        pairs.retain(|(at, want)| !self.doom.is_taken(at, want));
        self.stale_routes();
        for (at, want) in &pairs {
            self.addresses_in_the_way(at, want);
        }
        // Bottom-up: no VLAN may have a larger MTU than its parent.
        for (at, want) in &pairs {
            self.missing(at, want);
            self.shape(at, want);
        }
        for (at, want) in &pairs {
            self.master(at, want);
        }
        for (at, want) in &pairs {
            self.vlans(at, want);
        }
        for (at, want) in &pairs {
            self.stops_filtering(at, want);
        }
        self.ops.extend(Writes::ops(self.place, self.sysctls));
        for (at, want) in &pairs {
            self.up(at, want);
        }
        for (at, want) in &pairs {
            self.link_local(at, want);
        }
        self.addresses(&pairs);
        self.routes();
        let nat_is = self.seen.map_or(self.wanted.nat.is_empty(), |seen| seen.nat.is(&self.wanted.nat));
        if !nat_is {
            self.ops.push(Op::SetNat { place: self.place.clone(), rules: self.wanted.nat.clone() });
        }
    }

    fn at(&self, name: &IfName) -> Endpoint {
        Endpoint { place: self.place.clone(), interface: name.clone() }
    }

    fn link(&self, at: &Endpoint) -> Option<&'a LinkState> {
        let seen = self.seen?.links.get(at.interface.as_str());
        seen.filter(|_| !self.doom.takes(self.place, at.interface.as_str()))
    }

    fn is_doomed(&self, name: &str) -> bool {
        self.doom.takes(self.place, name)
    }

    fn stale_routes(&mut self) {
        let Some(seen) = self.seen else { return };
        for state in seen.routes.iter().filter(|state| state.ours) {
            let replaced = |want: &Route| want.to == state.route.to && want.metric == state.route.metric;
            let gone = self.is_doomed(state.route.dev.as_str());
            if !gone && !self.wanted.routes.iter().any(replaced) {
                self.ops.push(Op::DeleteRoute { place: self.place.clone(), route: state.route.clone() });
            }
        }
    }

    /// Addresses that are no longer wanted and keep wanted ones from being added: an interface has each IPv6 address
    /// once, whatever the length of its prefix.
    fn addresses_in_the_way(&mut self, at: &Endpoint, want: &LinkTarget) {
        let Some(link) = self.link(at) else { return };
        for state in link.addresses.iter().filter(|state| is_in_the_way(state, want)) {
            self.ops.push(Op::DeleteAddress { at: at.clone(), address: state.address });
        }
    }

    /// Interfaces that are made inside a node; the rest is made by [`links`].
    fn missing(&mut self, at: &Endpoint, want: &LinkTarget) {
        let inside =
            matches!(want.kind, Kind::Bridge { .. } | Kind::Vlan { .. } | Kind::Vxlan(_) | Kind::Dummy);
        if inside && *self.place != Place::Host && self.link(at).is_none() {
            self.ops.extend(add(at.clone(), want, self.wanted));
        }
    }

    fn shape(&mut self, at: &Endpoint, want: &LinkTarget) {
        let Some(link) = self.link(at) else { return };
        let (mut changes, mut stops_spanning) = (Vec::new(), false);
        changes.extend((!link.ours && want.kind != Kind::Loopback).then_some(LinkChange::Mark));
        // A bond gives its members its own address.
        let mac = want.mac.filter(|_| want.mac_is_said || self.foreign_master(link, want).is_none());
        changes.extend(mac.filter(|mac| link.mac != Some(*mac)).map(LinkChange::Mac));
        let raised = raise(self.place, want, link).is_some();
        changes.extend(want.mtu.filter(|mtu| link.mtu != *mtu && !raised).map(LinkChange::Mtu));
        if let (
            Kind::Bridge { vlan_filtering, stp },
            LinkKind::Bridge { vlan_filtering: filters, stp: spans },
        ) = (&want.kind, &link.kind)
        {
            let starts = *vlan_filtering && !filters;
            changes.extend(starts.then_some(LinkChange::VlanFiltering(true)));
            changes.extend((stp != spans).then_some(LinkChange::Stp(*stp)));
            stops_spanning = *spans && !stp;
        }
        self.ops.extend(changes.into_iter().map(|change| Op::SetLink { at: at.clone(), change }));
        if stops_spanning {
            // Ports that were listening would only forward when STP's timers have run out.
            let is_port = |want: &LinkTarget| want.master.as_ref() == Some(&at.interface);
            let ports =
                self.wanted.links.iter().filter(|(_, want)| is_port(want)).map(|(name, _)| self.at(name));
            let stay = |port: &Endpoint| {
                self.link(port).is_some_and(|link| link.master.as_deref() == Some(at.interface.as_str()))
            };
            let ports: Vec<_> = ports.filter(stay).collect();
            self.ops.extend(ports.into_iter().map(|at| Op::SetLink { at, change: LinkChange::Forward }));
        }
    }

    fn master(&mut self, at: &Endpoint, want: &LinkTarget) {
        let link = self.link(at);
        // The master may be missed because it is about to be made anew.
        let master = link.and_then(|link| link.master.as_deref()).filter(|master| !self.is_doomed(master));
        let foreign = link.is_some_and(|link| self.foreign_master(link, want).is_some());
        if master != want.master.as_ref().map(IfName::as_str) && !foreign {
            let change = LinkChange::Master(want.master.clone());
            self.ops.push(Op::SetLink { at: at.clone(), change });
        }
    }

    /// A bridge that filters no more, once all VLANs are what a bridge has that never did.
    fn stops_filtering(&mut self, at: &Endpoint, want: &LinkTarget) {
        let filters = |link: &LinkState| matches!(link.kind, LinkKind::Bridge { vlan_filtering: true, .. });
        if matches!(want.kind, Kind::Bridge { vlan_filtering: false, .. })
            && self.link(at).is_some_and(filters)
        {
            let change = LinkChange::VlanFiltering(false);
            self.ops.push(Op::SetLink { at: at.clone(), change });
        }
    }

    fn vlans(&mut self, at: &Endpoint, want: &LinkTarget) {
        let link = self.link(at);
        let bridge = if want.is_bridge() { Some(&at.interface) } else { want.master.as_ref() };
        let bridge = bridge.and_then(|name| self.link(&self.at(name)));
        let filters = |link: &LinkState| matches!(link.kind, LinkKind::Bridge { vlan_filtering: true, .. });
        let usual = BTreeMap::from([(VlanId::DEFAULT, VlanFlags { pvid: true, untagged: true })]);
        let vlans = want.vlans.as_ref().or_else(|| bridge.is_some_and(filters).then_some(&usual));
        let Some(vlans) = vlans else { return };
        let on_bridge = want.is_bridge();
        let master = link.and_then(|link| link.master.as_deref());
        let same_master = master
            .is_some_and(|m| !self.is_doomed(m) && want.master.as_ref().is_some_and(|w| w.as_str() == m));
        // A new bridge, and a new port, carries VLAN 1 untagged.
        let fresh = BTreeMap::from([(VlanId::DEFAULT, VlanFlags { pvid: true, untagged: true })]);
        let seen = link.filter(|_| on_bridge || same_master).map_or(&fresh, |link| &link.vlans);
        for vlan in seen.keys().filter(|vlan| !vlans.contains_key(vlan)) {
            self.ops.push(Op::DeleteVlan { at: at.clone(), vlan: *vlan, on_bridge });
        }
        for (vlan, flags) in vlans.iter().filter(|(vlan, flags)| seen.get(vlan) != Some(flags)) {
            self.ops.push(Op::AddVlan { at: at.clone(), vlan: *vlan, flags: *flags, on_bridge });
        }
    }

    fn up(&mut self, at: &Endpoint, want: &LinkTarget) {
        if self.link(at).is_some_and(|link| link.up) != want.up {
            self.ops.push(Op::SetLink { at: at.clone(), change: LinkChange::Up(want.up) });
        }
    }

    fn addresses(&mut self, pairs: &[(Endpoint, &LinkTarget)]) {
        let mut stale = Vec::new();
        for (at, want) in pairs {
            let link = self.link(at);
            let mut seen = link.map_or_else(Vec::new, |link| link.addresses.clone());
            seen.retain(|state| !is_in_the_way(state, want));
            // Elsewhere than in the main table, its routes are for the master's owner to see to.
            let own = link.is_none_or(|link| self.foreign_master(link, want).is_none());
            for state in &mut seen {
                state.cut_off &= want.up && own;
            }
            let op = |step: &Step| match (at.clone(), *step) {
                (at, Step::Add(address)) => Op::AddAddress { at, address },
                (at, Step::Renew(address)) => Op::RenewAddress { at, address },
                (at, Step::Delete(address)) => Op::DeleteAddress { at, address },
            };
            for steps in addresses::steps(&want.addresses, &seen, own) {
                let comes = |step: &Step| !matches!(step, Step::Delete(_));
                let (now, last) = steps.split_at(steps.iter().rposition(comes).map_or(0, |at| at + 1));
                self.ops.extend(now.iter().map(op));
                stale.extend(last.iter().map(op));
            }
        }
        self.ops.append(&mut stale);
    }

    /// The link-local address of an interface is that of its MAC address, as in a new one.
    fn link_local(&mut self, at: &Endpoint, want: &LinkTarget) {
        let (Some(link), Some(mac), true) = (self.link(at), want.mac, want.up) else { return };
        if self.foreign_master(link, want).is_some() {
            return;
        }
        let own = link_local_of(mac);
        let said = ["all", "default", at.interface.as_str()].iter().any(|of| {
            let key = SysctlKey::from_path(&format!("net/ipv6/conf/{of}/addr_gen_mode"));
            key.is_ok_and(|key| self.wanted.sysctls.contains_key(&key))
        });
        let stale = |address: &&Ipv6Addr| match link.makes_link_local {
            LinkLocalMode::Off => false,
            LinkLocalMode::Mac => **address != own,
            LinkLocalMode::None => said,
            LinkLocalMode::Other => said && link.mac.is_some_and(|mac| **address == link_local_of(mac)),
        };
        for address in link.link_local.iter().filter(stale) {
            let address = IpNet::V6(Ipv6Net::new_assert(*address, 64));
            self.ops.push(Op::DeleteAddress { at: at.clone(), address });
        }
        if link.makes_link_local == LinkLocalMode::Mac && link.up && !link.link_local.contains(&own) {
            self.ops.push(Op::MakeLinkLocal { at: at.clone(), address: own });
        }
    }

    /// Whoever else has made the interface a port of something: that is left alone where the file gives it no master.
    fn foreign_master(&self, link: &'a LinkState, want: &LinkTarget) -> Option<&'a str> {
        foreign_master(self.place, self.wanted, self.seen?, link, want)
    }

    fn routes(&mut self) {
        for want in &self.wanted.routes {
            let stands = |state: &RouteState| {
                state.route == *want && state.plain && !self.is_doomed(want.dev.as_str())
            };
            if !self.seen.is_some_and(|seen| seen.routes.iter().any(stands)) {
                self.ops.push(Op::AddRoute { place: self.place.clone(), route: want.clone() });
            }
        }
    }
}

/// Whether an address keeps a wanted one from being added.
fn is_in_the_way(state: &AddressState, want: &LinkTarget) -> bool {
    let address = state.address.addr();
    let unwanted = state.ours && !want.addresses.contains(&state.address);
    unwanted && address.is_ipv6() && want.addresses.iter().any(|other| other.addr() == address)
}

/// The master of a node's interface to which the file gives none, unless it is one of the lab's own. What is the
/// lab's on the host belongs to nothing else: that would join the lab to what others have there.
fn foreign_master<'a>(
    place: &Place,
    wanted: &PlaceTarget,
    seen: &PlaceState,
    link: &'a LinkState,
    want: &LinkTarget,
) -> Option<&'a str> {
    let left_alone = *place != Place::Host && want.master.is_none();
    let master = link.master.as_deref().filter(|_| left_alone)?;
    let own = wanted.links.contains_key(master) || seen.links.get(master).is_some_and(|link| link.ours);
    (!own).then_some(master)
}

/// What others added to the places of the lab.
fn extras(target: &Target, observed: &Observed) -> BTreeSet<String> {
    let mut extras = BTreeSet::new();
    for (place, wanted) in &target.places {
        let Some(seen) = observed.places.get(place) else { continue };
        for (name, link) in &seen.links {
            let known = wanted.links.get(name.as_str());
            let by_itself = link.kind == LinkKind::Loopback || is_fallback_device(name);
            if known.is_none() && !link.ours && !by_itself {
                extras.insert(format!("{place}: interface {name}"));
            }
            let Some(known) = known else { continue };
            if let Some(master) = foreign_master(place, wanted, seen, link, known) {
                extras.insert(format!("{place}: {name} is a port of {master}"));
            }
            for state in link.addresses.iter().filter(|a| !a.ours && !known.addresses.contains(&a.address)) {
                extras.insert(format!("{place}: address {} on {name}", state.address));
            }
        }
        for state in seen.routes.iter().filter(|route| !route.ours && !wanted.routes.contains(&route.route)) {
            extras.insert(format!("{place}: route {}", state.route));
        }
        extras.extend(seen.tables.iter().map(|table| format!("{place}: {table}")));
    }
    extras
}
