//! Operations on the world, refused as the kernel would refuse them.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;

use super::world::{FakeForm, HOST, Link, LinkId, NamespaceId, World};
use crate::{
    input::address::is_link_local,
    link::{Kind, Lower, MacFrom},
    model::{
        Distribution, Endpoint, FdbEntry, Impairment, LabName, Neighbour, NextHop, NodeName, Place, Route,
        RoutingRule, SysctlKey, WireguardChange, WireguardPeer,
        observed::{AddressState, FdbState, NeighbourState, QdiscState, RouteState, RuleState, Segments},
        spread_by,
    },
    plan::{
        Op, Verb,
        item::{
            self, Address, Fdb, Item, LinkChange, Name, Namespace, Nat, Qdisc, Setting, Sysctl, Veth,
            VethEnd, Vlan,
        },
    },
    platform::Failure,
};

/// One lab's view of the world.
pub(super) struct Lab<'a> {
    pub(super) name: &'a LabName,
    pub(super) world: &'a mut World,
}

impl Lab<'_> {
    /// Does one operation.
    pub(super) fn run(&mut self, op: &Op) -> Result<(), Failure> {
        self.try_run(op)
            .map_err(|errno| Failure::os(op.object(), op, &std::io::Error::from_raw_os_error(errno)))
    }

    fn try_run(&mut self, op: &Op) -> Result<(), i32> {
        match &op.item {
            Item::Namespace(Namespace(node)) => self.change_namespace(op.verb, node),
            Item::Veth(Veth { a, b }) => self.add_veth(a, b),
            Item::Link(link) => self.add_link(link),
            Item::Spot(spot) => {
                let namespace = self.namespace(&spot.place)?;
                if let Some(index) = self.world.find(namespace, &spot.name) {
                    self.world.delete((namespace, index));
                }
                Ok(())
            }
            Item::Name(Name { from, to }) => {
                let namespace = self.namespace(&from.place)?;
                self.rename(namespace, &from.name, to.as_str())
            }
            Item::Setting(Setting { at, change }) => self.change(at, change),
            Item::Vlan(vlan) => self.vlan(op.verb, vlan),
            Item::Wireguard(wireguard) => self.wireguard(wireguard),
            Item::Fdb(fdb) => self.fdb(op.verb, fdb),
            Item::Qdisc(qdisc) => self.qdisc(op.verb, qdisc),
            Item::Address(Address { at, address }) => self.address(op.verb, at, *address),
            // It makes none.
            Item::LinkLocal(_) => Ok(()),
            Item::Route(item::Route { place, route }) => self.route(op.verb, place, route),
            Item::LabelRoute(item::LabelRoute { place, route }) => self.label_route(op.verb, place, route),
            Item::Rule(item::Rule { place, rule }) => self.rule(op.verb, place, rule),
            Item::Neighbour(item::Neighbour { place, neighbour }) => {
                self.neighbour(op.verb, place, neighbour)
            }
            Item::Sysctl(Sysctl { place, key, value }) => {
                let namespace = self.namespace(place)?;
                self.world.set_sysctl(namespace, key, value)
            }
            Item::Guard(item::Guard(guard)) => {
                let guards = &mut self.world.namespace(HOST).guards;
                match guard {
                    Some(guard) => guards.insert(self.name.clone(), guard.clone()),
                    None => guards.remove(self.name),
                };
                Ok(())
            }
            Item::Firewall(item::Firewall { place, firewall, .. }) => {
                let namespace = self.namespace(place)?;
                let firewalls = &mut self.world.namespace(namespace).firewalls;
                if firewall.is_empty() {
                    firewalls.remove(self.name)
                } else {
                    firewalls.insert(self.name.clone(), firewall.clone())
                };
                Ok(())
            }
            Item::Nat(Nat { place, rules, .. }) => {
                let namespace = self.namespace(place)?;
                let nat = &mut self.world.namespace(namespace).nat;
                if rules.is_empty() {
                    nat.remove(self.name)
                } else {
                    nat.insert(self.name.clone(), rules.clone())
                };
                Ok(())
            }
        }
    }

    fn change_namespace(&mut self, verb: Verb, node: &NodeName) -> Result<(), i32> {
        match verb {
            Verb::Add => return self.add_node(node),
            Verb::Set => {
                let id = self.namespace(&Place::Node(node.clone()))?;
                self.world.pins.insert(format!("{}.{node}", self.name), id);
            }
            Verb::Delete => {
                if let Some(id) = self.world.labs.get_mut(self.name).and_then(|nodes| nodes.remove(node)) {
                    self.world.delete_space(id);
                }
            }
        }
        Ok(())
    }

    fn vlan(&mut self, verb: Verb, vlan: &Vlan) -> Result<(), i32> {
        let link = self.vlan_port(&vlan.at, vlan.on_bridge)?;
        if verb == Verb::Delete {
            link.vlans.remove(&vlan.vlan);
            link.fdb.values_mut().for_each(|state| {
                state.vlans.remove(&vlan.vlan);
            });
            return Ok(());
        }
        if vlan.flags.pvid {
            link.vlans.values_mut().for_each(|other| other.pvid = false);
        }
        link.vlans.insert(vlan.vlan, vlan.flags);
        Ok(())
    }

    fn fdb(&mut self, verb: Verb, fdb: &Fdb) -> Result<(), i32> {
        let at = self.at(&fdb.at)?;
        let link = self.world.link(at).ok_or(libc::ENODEV)?;
        if matches!(fdb.entry, FdbEntry::Station(_)) && link.master.is_none() {
            return Err(libc::EOPNOTSUPP);
        }
        if verb == Verb::Delete {
            link.fdb.remove(&fdb.entry);
            return Ok(());
        }
        let vlans =
            if link.master.is_some() { link.vlans.keys().copied().collect() } else { BTreeSet::new() };
        link.fdb.insert(fdb.entry, FdbState { ours: true, untagged: true, vlans });
        Ok(())
    }

    fn qdisc(&mut self, verb: Verb, qdisc: &Qdisc) -> Result<(), i32> {
        let at = self.at(&qdisc.at)?;
        let link = self.world.link(at).ok_or(libc::ENODEV)?;
        // It tells no distribution.
        let shown = Impairment { distribution: Distribution::Uniform, ..qdisc.impairment.clone() };
        link.qdisc = (verb != Verb::Delete).then(|| QdiscState::Ours(Some(Box::new(shown))));
        Ok(())
    }

    fn wireguard(&mut self, item: &item::Wireguard) -> Result<(), i32> {
        let at = self.at(&item.at)?;
        let device = &mut self.world.link(at).ok_or(libc::ENODEV)?.wireguard;
        let device = device.get_or_insert_default();
        match &item.change {
            WireguardChange::NoPeer(key) => drop(device.peers.remove(key)),
            WireguardChange::PrivateKey => device.public_key = Some(item.private_key.public()),
            WireguardChange::ListenPort(port) => device.listen_port = Some(*port),
            WireguardChange::Fwmark(mark) => device.fwmark = *mark,
            WireguardChange::Peer { key, peer, .. } => {
                for other in device.peers.values_mut() {
                    other.allowed_ips.retain(|range| !peer.allowed_ips.contains(range));
                }
                let known = device.peers.get(key).and_then(|known| known.endpoint);
                let endpoint = peer.endpoint.or(known);
                device.peers.insert(*key, WireguardPeer { of: None, endpoint, ..peer.clone() });
            }
        }
        Ok(())
    }

    fn address(&mut self, verb: Verb, at: &Endpoint, address: IpNet) -> Result<(), i32> {
        let at = self.at(at)?;
        if verb != Verb::Add {
            self.world.delete_address(at, address);
        }
        if verb == Verb::Delete {
            return Ok(());
        }
        let link = self.world.link(at).ok_or(libc::ENODEV)?;
        if link.addresses.iter().any(|state| state.address == address) {
            return Err(libc::EEXIST);
        }
        link.add_address(AddressState { address, ours: true, cut_off: false });
        Ok(())
    }

    fn rule(&mut self, verb: Verb, place: &Place, rule: &RoutingRule) -> Result<(), i32> {
        let namespace = self.namespace(place)?;
        let rules = &mut self.world.namespace(namespace).rules;
        if verb == Verb::Delete {
            rules.retain(|state| state.rule != *rule);
            return Ok(());
        }
        if rules.iter().any(|state| state.rule == *rule) {
            return Err(libc::EEXIST);
        }
        rules.push(RuleState { rule: rule.clone(), plain: true, protocol: rule.protocol() });
        Ok(())
    }

    fn neighbour(&mut self, verb: Verb, place: &Place, neighbour: &Neighbour) -> Result<(), i32> {
        let namespace = self.namespace(place)?;
        self.world.find(namespace, neighbour.dev.as_str()).ok_or(libc::ENODEV)?;
        let neighbours = &mut self.world.namespace(namespace).neighbours;
        neighbours.retain(|state| !state.neighbour.replaces(neighbour));
        if verb != Verb::Delete {
            let protocol = Neighbour::PROTOCOL;
            neighbours.push(NeighbourState { neighbour: neighbour.clone(), protocol });
        }
        Ok(())
    }

    fn route(&mut self, verb: Verb, place: &Place, route: &Route) -> Result<(), i32> {
        if verb != Verb::Delete {
            return self.add_route(place, route);
        }
        let namespace = self.namespace(place)?;
        self.world.namespace(namespace).routes.retain(|state| state.route != *route);
        Ok(())
    }

    pub(super) fn namespace(&self, place: &Place) -> Result<NamespaceId, i32> {
        match place {
            Place::Host => Ok(HOST),
            Place::Node(node) => {
                self.world.labs.get(self.name).and_then(|nodes| nodes.get(node)).copied().ok_or(libc::ENOENT)
            }
        }
    }

    pub(super) fn at(&self, at: &Endpoint) -> Result<LinkId, i32> {
        let namespace = self.namespace(&at.place)?;
        Ok((namespace, self.world.find(namespace, at.interface.as_str()).ok_or(libc::ENODEV)?))
    }

    fn free(&self, at: &Endpoint) -> Result<NamespaceId, i32> {
        let namespace = self.namespace(&at.place)?;
        if self.world.find(namespace, at.interface.as_str()).is_some() {
            Err(libc::EEXIST)
        } else {
            Ok(namespace)
        }
    }

    fn add_node(&mut self, node: &NodeName) -> Result<(), i32> {
        let pin = format!("{}.{node}", self.name);
        if self.world.pins.contains_key(&pin) {
            return Err(libc::EADDRINUSE);
        }
        let id = self.world.add_space();
        // A new namespace takes over the host's forwarding.
        let forwarding: SysctlKey = "net.ipv4.ip_forward".parse().expect("a sysctl");
        let value = self.world.namespace(HOST).sysctls[&forwarding].clone();
        self.world.set_sysctl(id, &forwarding, &value)?;
        self.world.labs.entry(self.name.clone()).or_default().insert(node.clone(), id);
        self.world.pins.insert(pin, id);
        Ok(())
    }

    fn add_veth(&mut self, a: &VethEnd, b: &VethEnd) -> Result<(), i32> {
        let (space_a, space_b) = (self.free(&a.at)?, self.free(&b.at)?);
        if a.at == b.at {
            return Err(libc::EEXIST);
        }
        let make = |end: &VethEnd, peer| Link {
            mark: Some(self.name.clone()),
            mac: end.mac,
            mtu: end.mtu.unwrap_or(1500),
            segments: segments(end.gso_max_segs),
            ..Link::new(end.at.interface.as_str(), FakeForm::Veth { peer })
        };
        let (link_a, link_b) = (make(a, (HOST, 0)), make(b, (HOST, 0)));
        let first = self.world.add(space_a, link_a);
        let second = self.world.add(space_b, Link { form: FakeForm::Veth { peer: first }, ..link_b });
        self.world.link(first).ok_or(libc::ENODEV)?.form = FakeForm::Veth { peer: second };
        Ok(())
    }

    fn add_link(&mut self, link: &item::Link) -> Result<(), i32> {
        let item::Link { at, kind, mac, mtu, gso_max_segs } = link;
        let namespace = self.free(at)?;
        let lower = kind.lower().map(|lower| {
            let there = if matches!(lower, Lower::Host(_)) { HOST } else { namespace };
            let index = self.world.find(there, lower.name().as_str()).ok_or(libc::ENODEV)?;
            Ok::<_, i32>((there, index))
        });
        let lower = lower.transpose()?;
        let (mut mac, mut mtu) = (*mac, *mtu);
        if let Some((there, index)) = lower {
            let carrier = &self.world.namespaces[&there].links[&index];
            if kind.mac() == MacFrom::Lower {
                mac = mac.or(carrier.mac);
            }
            // What puts nothing before its frames.
            if kind.overhead() == 0 {
                if mtu.is_some_and(|mtu| mtu > carrier.mtu) {
                    return Err(libc::EINVAL);
                }
                mtu = mtu.or(Some(carrier.mtu));
            }
        }
        let same = |other: &Kind| other.is_same(kind) && other.identity() == kind.identity();
        let mut others = self.world.namespaces[&namespace].links.values().filter_map(|link| link.form.kind());
        if kind.identity().is_some() && others.any(same) {
            return Err(libc::EEXIST);
        }
        let form = FakeForm::Made { kind: kind.clone(), lower, mtu_set: false };
        let link = Link::new(at.interface.as_str(), form);
        let mark = Some(self.name.clone());
        let segments = segments(*gso_max_segs);
        self.world.add(namespace, Link { mark, mac, mtu: mtu.unwrap_or(1500), segments, ..link });
        Ok(())
    }

    pub(super) fn rename(&mut self, namespace: NamespaceId, from: &str, to: &str) -> Result<(), i32> {
        if self.world.find(namespace, to).is_some() {
            return Err(libc::EEXIST);
        }
        let index = self.world.find(namespace, from).ok_or(libc::ENODEV)?;
        let link = self.world.link((namespace, index)).ok_or(libc::ENODEV)?;
        to.clone_into(&mut link.name);
        let hops = self.world.namespace(namespace).routes.iter_mut().flat_map(|state| &mut state.route.hops);
        for hop in hops.filter(|hop| hop.dev.as_str() == from) {
            if let Ok(name) = to.parse() {
                hop.dev = name;
            }
        }
        for state in &mut self.world.namespace(namespace).neighbours {
            if state.neighbour.dev.as_str() == from
                && let Ok(name) = to.parse()
            {
                state.neighbour.dev = name;
            }
        }
        Ok(())
    }

    fn change(&mut self, at: &Endpoint, change: &LinkChange) -> Result<(), i32> {
        let at = self.at(at)?;
        match change {
            LinkChange::Up(up) => self.world.set_up(at, *up),
            LinkChange::Mtu(mtu) => self.world.set_mtu(at, *mtu),
            LinkChange::Mac(mac) => self.world.set_mac(at, *mac),
            LinkChange::Master { name: master, first_down, .. } => {
                if *first_down {
                    self.world.set_up(at, false)?;
                }
                let find = |name: &str| self.world.find(at.0, name).ok_or(libc::ENODEV);
                let master = master.as_ref().map(|name| find(name.as_str())).transpose()?;
                self.world.set_master(at, master)
            }
            LinkChange::Forward => Ok(()),
            LinkChange::Primary(member) => self.world.set_primary(at, member.as_ref()),
            LinkChange::Port(setting) => {
                let link = self.world.link(at).ok_or(libc::ENODEV)?;
                link.port_settings.as_mut().map(|seen| seen.set(*setting)).ok_or(libc::EOPNOTSUPP)
            }
            LinkChange::TxQueueLen(length) => {
                self.world.link(at).ok_or(libc::ENODEV)?.txqueuelen = *length;
                Ok(())
            }
            LinkChange::GsoMaxSegs(count) => {
                self.world.link(at).ok_or(libc::ENODEV)?.segments.now = *count;
                Ok(())
            }
            LinkChange::Mark => {
                self.world.link(at).ok_or(libc::ENODEV)?.mark = Some(self.name.clone());
                Ok(())
            }
            LinkChange::OfKind(setting) => match &mut self.world.link(at).ok_or(libc::ENODEV)?.form {
                FakeForm::Made { kind, .. } if kind.is_same(&setting.then) => {
                    *kind = setting.then.clone();
                    Ok(())
                }
                _ => Err(libc::EOPNOTSUPP),
            },
        }
    }

    fn vlan_port(&mut self, at: &Endpoint, on_bridge: bool) -> Result<&mut Link, i32> {
        let at = self.at(at)?;
        let link = self.world.link(at).ok_or(libc::ENODEV)?;
        let is_bridge = link.form.ports().of_bridge();
        if is_bridge == on_bridge && (is_bridge || link.master.is_some()) {
            Ok(link)
        } else {
            Err(libc::EOPNOTSUPP)
        }
    }

    fn add_route(&mut self, place: &Place, route: &Route) -> Result<(), i32> {
        let namespace = self.namespace(place)?;
        for hop in &route.hops {
            let index = self.world.find(namespace, hop.dev.as_str()).ok_or(libc::ENODEV)?;
            let link = self.world.link((namespace, index)).ok_or(libc::ENODEV)?;
            if !link.up {
                return Err(libc::ENETDOWN);
            }
            let is_on = hop.onlink || hop.via.is_none_or(|via| is_on(link, via));
            if !is_on && !hop.via.is_some_and(|via| self.is_reached(namespace, hop, via)) {
                return Err(if route.to.addr().is_ipv4() { libc::ENETUNREACH } else { libc::EHOSTUNREACH });
            }
        }
        let has = |link: &Link, src| link.addresses.iter().any(|state| state.address.addr() == src);
        if let Some(src) = route.src
            && !self.world.namespaces[&namespace].links.values().any(|link| has(link, src))
        {
            return Err(libc::EINVAL);
        }
        let routes = &mut self.world.namespace(namespace).routes;
        routes.retain(|state| !route.replaces(&state.route));
        routes.push(RouteState { route: route.clone(), protocol: Route::PROTOCOL, plain: true });
        Ok(())
    }

    /// Whether a route without a gateway leads to a gateway.
    fn is_reached(&self, namespace: NamespaceId, hop: &NextHop, via: IpAddr) -> bool {
        let direct = |state: &RouteState| match state.route.hops.as_slice() {
            [only] => only.via.is_none() && only.dev == hop.dev && state.route.to.contains(&via),
            _ => false,
        };
        self.world.namespaces[&namespace].routes.iter().any(direct)
    }
}

/// Those of a new interface.
fn segments(said: Option<u32>) -> Segments {
    let all = Segments::default();
    Segments { now: said.unwrap_or(all.now), ..all }
}

/// Whether an address is on an interface's own network.
fn is_on(link: &Link, address: IpAddr) -> bool {
    is_link_local(address) || link.addresses.iter().any(|state| state.address.contains(&address))
}

impl World {
    /// Writes a sysctl, and what goes along; one of an interface exists with it.
    pub(super) fn set_sysctl(
        &mut self,
        namespace: NamespaceId,
        key: &SysctlKey,
        value: &str,
    ) -> Result<(), i32> {
        if !self.has_sysctl(namespace, key) {
            return Err(libc::ENOENT);
        }
        let changes = self.sysctl(namespace, key).as_deref() != Some(value);
        if let Some(spread) = spread_by(key).filter(|_| changes) {
            let links: Vec<_> =
                self.namespace(namespace).links.values().map(|link| link.name.clone()).collect();
            let all = ["all", "default"].into_iter().chain(links.iter().map(String::as_str));
            for key in all.filter_map(|of| spread.key_of(of)) {
                // What is not kept is 0.
                let values = &mut self.namespace(namespace).sysctls;
                if value == "0" {
                    values.remove(&key)
                } else {
                    values.insert(key, value.to_owned())
                };
            }
        }
        self.namespace(namespace).sysctls.insert(key.clone(), value.to_owned());
        self.trim_labels(namespace);
        Ok(())
    }

    /// Reads a sysctl.
    pub(super) fn sysctl(&self, namespace: NamespaceId, key: &SysctlKey) -> Option<String> {
        let values = &self.namespaces.get(&namespace)?.sysctls;
        self.has_sysctl(namespace, key).then(|| values.get(key).cloned().unwrap_or_else(|| "0".to_owned()))
    }

    fn has_sysctl(&self, namespace: NamespaceId, key: &SysctlKey) -> bool {
        let path = key.path();
        let mut parts = path.split('/').skip_while(|part| *part != "conf").skip(1);
        match parts.next() {
            Some("all" | "default") | None => true,
            Some(name) => self.find(namespace, name).is_some(),
        }
    }
}
