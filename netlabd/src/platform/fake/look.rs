//! Looking at the world, as the real kernel is looked at.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::world::{FakeForm, HOST, Link, NamespaceId, World};
use crate::{
    model::{
        Guard, IfName, LabName, NatRule, Place, SysctlKey, VlanId, nat_chains,
        nft::Part,
        observed::{
            ForeignBridge, ForeignLink, LinkLocalMode, LinkState, Observed, ObservedForm, PlaceState,
            RulesState,
        },
    },
    plan::PlaceTarget,
    platform::Scope,
};

impl World {
    /// What is there of a lab, and what stands in its way.
    pub(super) fn observe(&self, scope: Scope<'_>) -> Observed {
        let nodes = self.labs.get(scope.lab).cloned().unwrap_or_default();
        let mut ids: BTreeMap<NamespaceId, Place> =
            nodes.iter().map(|(node, id)| (*id, Place::Node(node.clone()))).collect();
        ids.insert(HOST, Place::Host);
        let seen = |(id, place): (&NamespaceId, &Place)| {
            (place.clone(), Arc::new(self.place(*id, place, scope, &ids)))
        };
        let places = ids.iter().map(seen).collect();
        let pinned = |node: &_, id: &NamespaceId| self.pins.get(&format!("{}.{node}", scope.lab)) == Some(id);
        let unpinned = nodes.iter().filter(|(node, id)| !pinned(*node, id)).map(|(node, _)| node.clone());
        Observed { places, unpinned: unpinned.collect() }
    }

    fn place(
        &self,
        id: NamespaceId,
        place: &Place,
        scope: Scope<'_>,
        ids: &BTreeMap<NamespaceId, Place>,
    ) -> PlaceState {
        let namespace = &self.namespaces[&id];
        let wanted = scope.target.place(place);
        let concerns = |link: &&Link| {
            id != HOST
                || link.mark.as_ref() == Some(scope.lab)
                || wanted.is_some_and(|place| place.links.contains_key(link.name.as_str()))
        };
        let links = namespace.links.iter().filter(|(_, link)| concerns(link)).map(|(index, link)| {
            let ours = if id == HOST { link.mark.as_ref() == Some(scope.lab) } else { link.mark.is_some() };
            (link.name.clone(), self.state(id, *index, link, ours, ids))
        });
        let values = |keys: BTreeSet<SysctlKey>| -> BTreeMap<SysctlKey, String> {
            keys.into_iter().filter_map(|key| Some((key.clone(), self.sysctl(id, &key)?))).collect()
        };
        let mut sysctls = BTreeMap::new();
        if let Some(wanted) = wanted {
            sysctls = values(wanted.asked());
            let names = namespace.links.values().map(|link| link.name.as_str());
            sysctls.extend(values(wanted.asked_besides(&sysctls, &names)));
        }
        PlaceState {
            links: links.collect(),
            routes: if id == HOST { Vec::new() } else { namespace.routes.clone() },
            label_routes: if id == HOST { Vec::new() } else { namespace.label_routes.clone() },
            rules: namespace.rules.clone(),
            neighbours: namespace.neighbours.clone(),
            sysctls,
            nat: rules(namespace.nat.get(scope.lab), wanted.map(|wanted| &wanted.nat)),
            nat_type_chains: namespace.nat.get(scope.lab).map(|rules| type_chains(rules)).unwrap_or_default(),
            firewall: rules(namespace.firewalls.get(scope.lab), wanted.map(|wanted| &wanted.firewall)),
            guard: self.guard(id, scope),
            tables: if id == HOST { Vec::new() } else { namespace.tables.clone() },
            foreign: wanted.filter(|_| id == HOST).map(|wanted| self.foreign(wanted)).unwrap_or_default(),
        }
    }

    /// What was of the host before labs is not compared: who looks may not know it yet.
    fn guard(&self, id: NamespaceId, scope: Scope<'_>) -> RulesState {
        let known = |guard: &Guard| Guard { apart: None, ..guard.clone() };
        let wanted = scope.target.host().and_then(|host| host.guard.as_ref()).map(known);
        let seen = self.namespaces[&id].guards.get(scope.lab).filter(|_| id == HOST).map(known);
        rules(seen.as_ref(), wanted.as_ref())
    }

    fn state(
        &self,
        namespace: NamespaceId,
        index: u32,
        link: &Link,
        ours: bool,
        ids: &BTreeMap<NamespaceId, Place>,
    ) -> LinkState {
        let name = |namespace: NamespaceId, index: u32| {
            self.namespaces[&namespace].links.get(&index).map(|l| l.name.clone())
        };
        let form = match &link.form {
            FakeForm::Loopback => ObservedForm::Loopback,
            FakeForm::Veth { peer: (at, index) } => {
                ObservedForm::Veth { peer: ids.get(at).map(|place| (place.clone(), *index)) }
            }
            FakeForm::Made { kind, lower, .. } => {
                let mut kind = self.shown((namespace, index), kind);
                let now = lower.and_then(|(namespace, index)| name(namespace, index)?.parse().ok());
                if let (Some(known), Some(now)) = (kind.lower_mut(), now) {
                    *known = now;
                }
                ObservedForm::Made(kind)
            }
        };
        LinkState {
            index,
            ours,
            form,
            mac: link.mac,
            mtu: link.mtu,
            up: link.up,
            carrier: link.up,
            at_work: link.up,
            port: None,
            port_settings: link.port_settings,
            fdb: link.fdb.clone(),
            master: link.master.and_then(|master| name(namespace, master)),
            own_mac: link.own.and_then(|own| own.mac),
            addresses: link.addresses.clone(),
            link_local: Vec::new(),
            hears_groups: false,
            makes_link_local: LinkLocalMode::Off,
            // Not asked for where no bridge filters.
            vlans: if self.filters(namespace) { link.vlans.clone() } else { BTreeMap::new() },
            qdisc: link.qdisc.clone(),
            segments: link.segments,
            wireguard: link.wireguard.clone(),
            txqueuelen: link.txqueuelen,
        }
    }

    /// Interfaces of others on which those of the lab are to stand, or to which they are to belong.
    fn foreign(&self, wanted: &PlaceTarget) -> BTreeMap<String, ForeignLink> {
        let seen = |name: &IfName| {
            let link = &self.namespaces[&HOST].links[&self.find(HOST, name.as_str())?];
            let ports = link.form.ports();
            let bridge =
                ForeignBridge { filtering: ports.filtering(), stp: false, pvid: Some(VlanId::DEFAULT) };
            let bridge = ports.of_bridge().then_some(bridge);
            Some((name.to_string(), ForeignLink { mac: link.mac, mtu: link.mtu, bridge }))
        };
        wanted.foreign().filter_map(seen).collect()
    }

    fn filters(&self, namespace: NamespaceId) -> bool {
        let filters = |link: &Link| link.form.ports().filtering();
        self.namespaces[&namespace].links.values().any(filters)
    }

    /// The labs that have left a mark on the host.
    pub(super) fn marked(&self) -> impl Iterator<Item = &LabName> {
        let host = &self.namespaces[&HOST];
        let links = host.links.values().filter_map(|link| link.mark.as_ref());
        self.labs.keys().chain(links).chain(host.nat.keys()).chain(host.guards.keys())
    }
}

/// What there is of some rules, beside what is wanted of them.
fn rules<T: PartialEq>(seen: Option<&T>, wanted: Option<&T>) -> RulesState {
    match seen {
        None => RulesState::Absent,
        seen if seen == wanted => RulesState::AsWanted,
        Some(_) => RulesState::Other,
    }
}

/// The chains that these rules have for a type of NAT.
fn type_chains(rules: &[NatRule]) -> Vec<&'static str> {
    let names = nat_chains(rules, true).into_iter().map(|chain| chain.name);
    names.filter(|name| !Part::OF_ALL_NAT.contains(name)).collect()
}
