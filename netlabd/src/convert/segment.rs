//! Addresses on one wire: cables, and bridges that do not filter VLANs, join interfaces to a segment.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use crate::{
    link::{Kind, Ports},
    model::{Cable, Endpoint, Form, IfName, Place, PortVlans},
};

use super::draft::{Draft, Site, Sites};
use crate::input::Sink;

/// Checks that no two interfaces of a segment share an address, nor both ends of a link a MAC.
///
/// VLANs part a segment; what is behind a filtering bridge, a VLAN interface or a tunnel is not
/// followed.
pub(super) fn check(sites: &Sites, cables: &[Cable], sink: &mut Sink) -> Segments {
    let mut segments = Segments::default();
    for Cable { a, b } in cables {
        segments.join(a, b);
    }
    check_macs(sites, cables, sink);
    for site in sites.iter() {
        for (name, draft) in &site.interfaces {
            if let Some(upper) = joined(site, draft) {
                segments.join(&endpoint(site, name), &upper);
            }
        }
    }
    join_others(sites, &mut segments, sink);
    let mut seen: BTreeMap<(usize, IpAddr), (&Site, &IfName, usize)> = BTreeMap::new();
    for site in sites.iter() {
        for (name, index, address) in site.addresses() {
            let at = endpoint(site, name);
            let Some(segment) = segments.of(&at) else { continue };
            let address = address.addr();
            let (there, first, number) = *seen.entry((segment, address)).or_insert((site, name, index));
            if there.place != site.place {
                let (at, path) = (endpoint(there, first), there.address_path(first, number));
                let message = format!("{address} is on {at} already ({path}), on the same wire; change one");
                sink.add(&site.address_path(name, index), message);
            }
        }
    }
    segments
}

fn endpoint(site: &Site, name: &IfName) -> Endpoint {
    Endpoint { place: site.place.clone(), interface: name.clone() }
}

/// What an interface's frames reach beside its link.
fn joined(site: &Site, draft: &Draft) -> Option<Endpoint> {
    let kind = draft.form.as_ref().and_then(Form::kind);
    if let Some(lower) = kind.filter(|kind| kind.joins_lower()).and_then(Kind::lower) {
        let place = lower.place(&site.place);
        return Some(Endpoint { place, interface: lower.name().clone() });
    }
    if let Some(bond) = site.bond(draft) {
        return Some(endpoint(site, bond));
    }
    let bridge = &draft.port.as_ref()?.bridge;
    let ports = site.interfaces.get(bridge)?.form.as_ref()?.ports();
    let plain = ports.of_bridge() && !ports.filtering();
    plain.then(|| endpoint(site, bridge))
}

/// Joins ports of bridges that the host has by itself, once all else is joined: two that are joined already are a loop
/// through them.
fn join_others(sites: &Sites, segments: &mut Segments, sink: &mut Sink) {
    let Some(site) = sites.get(&Place::Host) else { return };
    let mut firsts: BTreeMap<(usize, &IfName), &IfName> = BTreeMap::new();
    let ports = site.interfaces.iter().filter_map(|(name, draft)| Some((name, draft.port.as_ref()?)));
    let ports: Vec<_> = ports.filter(|(_, port)| site.is_foreign(&port.bridge)).collect();
    let spanned: BTreeSet<usize> = spanned(sites).iter().filter_map(|at| segments.of(at)).collect();
    for (name, port) in &ports {
        let Some(segment) = segments.of(&endpoint(site, name)) else { continue };
        let first = *firsts.entry((segment, &port.bridge)).or_insert(name);
        if first != *name && !spanned.contains(&segment) {
            let message = format!(
                "{name} and {first} are joined within the lab, and with the host's {} they make a loop, in which frames go \
                 round for ever; take one out, or let a bridge between them run STP",
                port.bridge
            );
            sink.add(&site.interface_path(name).field("port"), message);
        }
    }
    // What a port carries that says its VLANs is not followed.
    for (name, port) in ports.iter().filter(|(_, port)| port.vlans == PortVlans::Default) {
        segments.join(&endpoint(site, name), &endpoint(site, &port.bridge));
    }
}

/// The lab's bridges that run the Spanning Tree Protocol.
fn spanned(sites: &Sites) -> Vec<Endpoint> {
    let runs = |draft: &Draft| {
        draft.form.as_ref().is_some_and(|form| matches!(form.ports(), Ports::Bridge { stp: true, .. }))
    };
    let of = |site: &Site| {
        let bridges = site.interfaces.iter().filter(|(_, draft)| runs(draft));
        bridges.map(|(name, _)| endpoint(site, name)).collect::<Vec<_>>()
    };
    sites.iter().flat_map(of).collect()
}

fn check_macs(sites: &Sites, cables: &[Cable], sink: &mut Sink) {
    for Cable { a, b } in cables {
        let mac = |end| sites.interface(end).and_then(|draft| draft.mac);
        let (Some(mac), Some(site)) = (mac(a).filter(|it| mac(b) == Some(*it)), sites.get(&b.place)) else {
            continue;
        };
        let message = format!("{mac} is that of {a} at the other end of the link too; change one");
        sink.add(&site.interface_path(&b.interface).field("mac"), message);
    }
}

/// Disjoint sets of interfaces (union-find with path halving).
#[derive(Default)]
pub(super) struct Segments {
    ids: BTreeMap<Endpoint, usize>,
    parents: Vec<usize>,
}

impl Segments {
    fn id(&mut self, at: &Endpoint) -> usize {
        if let Some(id) = self.ids.get(at) {
            return *id;
        }
        let id = self.parents.len();
        self.parents.push(id);
        self.ids.insert(at.clone(), id);
        id
    }

    fn root(&mut self, mut id: usize) -> usize {
        while self.parents[id] != id {
            self.parents[id] = self.parents[self.parents[id]];
            id = self.parents[id];
        }
        id
    }

    fn join(&mut self, a: &Endpoint, b: &Endpoint) {
        let (a, b) = (self.id(a), self.id(b));
        let (a, b) = (self.root(a), self.root(b));
        self.parents[a.max(b)] = a.min(b);
    }

    /// The segment of an interface; `None` where it is joined to nothing.
    pub(super) fn of(&mut self, at: &Endpoint) -> Option<usize> {
        let id = *self.ids.get(at)?;
        Some(self.root(id))
    }
}
