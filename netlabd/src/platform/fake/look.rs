//! Looking at the world, as the real kernel is looked at.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::world::{FakeForm, HOST, Link, SpaceId, World};
use crate::{
    model::{
        Guard, LabName, Place, SysctlKey,
        observed::{
            GuardState, LinkLocalMode, LinkState, NatState, Observed, ObservedForm, ObservedRule, PlaceState,
        },
    },
    platform::Scope,
};

impl World {
    /// What is there of a lab, and what stands in its way.
    pub(super) fn observe(&self, scope: Scope<'_>) -> Observed {
        let nodes = self.labs.get(scope.lab).cloned().unwrap_or_default();
        let mut ids: BTreeMap<SpaceId, Place> =
            nodes.iter().map(|(node, id)| (*id, Place::Node(node.clone()))).collect();
        ids.insert(HOST, Place::Host);
        let seen =
            |(id, place): (&SpaceId, &Place)| (place.clone(), Arc::new(self.place(*id, place, scope, &ids)));
        let places = ids.iter().map(seen).collect();
        let pinned = |node: &_, id: &SpaceId| self.pins.get(&format!("{}.{node}", scope.lab)) == Some(id);
        let unpinned = nodes.iter().filter(|(node, id)| !pinned(*node, id)).map(|(node, _)| node.clone());
        Observed { places, unpinned: unpinned.collect() }
    }

    fn place(
        &self,
        id: SpaceId,
        place: &Place,
        scope: Scope<'_>,
        ids: &BTreeMap<SpaceId, Place>,
    ) -> PlaceState {
        let space = &self.spaces[&id];
        let wanted = scope.target.places.get(place);
        let concerns = |link: &&Link| {
            id != HOST
                || link.mark.as_ref() == Some(scope.lab)
                || wanted.is_some_and(|place| place.links.contains_key(link.name.as_str()))
        };
        let links = space.links.iter().filter(|(_, link)| concerns(link)).map(|(index, link)| {
            let ours = if id == HOST { link.mark.as_ref() == Some(scope.lab) } else { link.mark.is_some() };
            (link.name.clone(), self.state(id, *index, link, ours, ids))
        });
        let values = |keys: BTreeSet<SysctlKey>| -> BTreeMap<SysctlKey, String> {
            keys.into_iter().filter_map(|key| Some((key.clone(), self.sysctl(id, &key)?))).collect()
        };
        let mut sysctls = BTreeMap::new();
        if let Some(wanted) = wanted {
            sysctls = values(wanted.asked());
            let names = space.links.values().map(|link| link.name.as_str());
            sysctls.extend(values(wanted.asked_besides(&sysctls, &names)));
        }
        PlaceState {
            links: links.collect(),
            routes: if id == HOST { Vec::new() } else { space.routes.clone() },
            sysctls,
            nat: nat(space.nat.get(scope.lab)),
            guard: self.guard(id, scope),
            tables: if id == HOST { Vec::new() } else { space.tables.clone() },
        }
    }

    /// What was of the host before labs is not compared: who looks may not know it yet.
    fn guard(&self, id: SpaceId, scope: Scope<'_>) -> GuardState {
        let known = |guard: &Guard| Guard { apart: None, ..guard.clone() };
        let wanted = scope.target.places.get(&Place::Host).and_then(|host| host.guard.as_ref()).map(known);
        match self.spaces[&id].guards.get(scope.lab).filter(|_| id == HOST).map(known) {
            None => GuardState::Absent,
            seen if seen == wanted => GuardState::AsWanted,
            Some(_) => GuardState::Other,
        }
    }

    fn state(
        &self,
        space: SpaceId,
        index: u32,
        link: &Link,
        ours: bool,
        ids: &BTreeMap<SpaceId, Place>,
    ) -> LinkState {
        let name = |space: SpaceId, index: u32| self.spaces[&space].links.get(&index).map(|l| l.name.clone());
        let form = match &link.form {
            FakeForm::Loopback => ObservedForm::Loopback,
            FakeForm::Veth { peer: (at, index) } => {
                ObservedForm::Veth { peer: ids.get(at).map(|place| (place.clone(), *index)) }
            }
            FakeForm::Made { kind, lower, .. } => {
                let mut kind = kind.clone();
                let now = lower.and_then(|(space, index)| name(space, index)?.parse().ok());
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
            master: link.master.and_then(|master| name(space, master)),
            addresses: link.addresses.clone(),
            link_local: Vec::new(),
            hears_groups: false,
            makes_link_local: LinkLocalMode::Off,
            // Not asked for where no bridge filters.
            vlans: if self.filters(space) { link.vlans.clone() } else { BTreeMap::new() },
        }
    }

    fn filters(&self, space: SpaceId) -> bool {
        let filters = |link: &Link| link.form.ports().filtering();
        self.spaces[&space].links.values().any(filters)
    }

    /// The labs that have left a mark on the host.
    pub(super) fn marked(&self) -> impl Iterator<Item = &LabName> {
        let host = &self.spaces[&HOST];
        let links = host.links.values().filter_map(|link| link.mark.as_ref());
        self.labs.keys().chain(links).chain(host.nat.keys()).chain(host.guards.keys())
    }
}

fn nat(rules: Option<&Vec<crate::model::NatRule>>) -> NatState {
    let ours = |rules: &Vec<_>| rules.iter().cloned().map(ObservedRule::Ours).collect();
    NatState { present: rules.is_some(), rules: rules.map(ours).unwrap_or_default() }
}
