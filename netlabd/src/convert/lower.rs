//! Interfaces that stand on others: VLAN, VXLAN, macvlan.

use std::collections::BTreeMap;

use crate::model::{Endpoint, IfName, Kind, Mac, MacvlanMode, Place, VlanId, Vxlan};

use super::{
    draft::{Site, Sites},
    fault::{Path, Sink, listed, shown},
};

/// Checks what the interfaces stand on, and that no two of them are the same.
pub(super) fn check(sites: &Sites, sink: &mut Sink) {
    let mut macvlans = Macvlans::new();
    let mut parents: BTreeMap<&IfName, Path> = BTreeMap::new();
    for site in sites.iter() {
        check_site(site, sink);
        for (name, draft) in &site.interfaces {
            if let Some((["macvlan", field], parent)) = &draft.lower {
                parents
                    .entry(parent)
                    .or_insert_with(|| site.interface_path(name).field("macvlan").field(field));
            }
            if let Some(Kind::Macvlan { parent, mode }) = &draft.kind {
                let at = Endpoint { place: site.place.clone(), interface: name.clone() };
                let path = site.interface_path(name);
                macvlans.entry(parent).or_default().push(Macvlan { at, path, mode: *mode, mac: draft.mac });
            }
        }
    }
    for (parent, path) in parents {
        check_parent(parent, &path, sites, sink);
    }
    for (parent, all) in &macvlans {
        check_passthru(parent, all, sink);
        check_macs(all, sink);
    }
}

fn check_site(site: &Site, sink: &mut Sink) {
    let mut tags: BTreeMap<(&IfName, VlanId), &IfName> = BTreeMap::new();
    let mut tunnels: BTreeMap<(u32, u16, bool), &IfName> = BTreeMap::new();
    for (name, draft) in &site.interfaces {
        let path = site.interface_path(name);
        if let Some(([kind, field], lower)) = &draft.lower
            && *kind != "macvlan"
        {
            check_carrier(site, lower, &path.field(kind).field(field), sink);
        }
        match &draft.kind {
            Some(Kind::Vlan { parent, id }) => {
                let first = *tags.entry((parent, *id)).or_insert(name);
                if first != name {
                    let message =
                        format!("{first} is VLAN {id} on {parent} already; give each its own id or parent");
                    sink.add(&path.field("vlan").field("id"), message);
                }
            }
            Some(Kind::Vxlan(vxlan)) => {
                let first = *tunnels.entry((vxlan.vni, vxlan.port, is_v6(vxlan))).or_insert(name);
                if first != name {
                    let message =
                        format!("{first} has VNI {} at port {} already; change one", vxlan.vni, vxlan.port);
                    sink.add(&path.field("vxlan").field("vni"), message);
                }
            }
            _ => {}
        }
    }
}

/// The family of a tunnel; the kernel keeps VNIs apart by it, but not by `dev` (`vxlan_vni_in_use`).
pub(super) fn is_v6(vxlan: &Vxlan) -> bool {
    vxlan.remote.or(vxlan.local).is_some_and(|address| address.is_ipv6())
}

/// What carries Ethernet frames or tunnels is in the same place and is not `lo`.
fn check_carrier(site: &Site, name: &IfName, path: &Path, sink: &mut Sink) {
    if *name == IfName::loopback() {
        sink.add(path, "\"lo\" cannot carry another interface; name another one");
    } else {
        site.find(name, path, sink);
    }
}

/// Macvlans by parent.
type Macvlans<'a> = BTreeMap<&'a IfName, Vec<Macvlan>>;

struct Macvlan {
    at: Endpoint,
    path: Path,
    mode: MacvlanMode,
    mac: Option<Mac>,
}

/// A parent is not a port: a macvlan and a bridge both want all that arrives at it. A parent that the lab does not
/// make is looked for on the host before anything changes.
fn check_parent(parent: &IfName, path: &Path, sites: &Sites, sink: &mut Sink) {
    let own = sites.get(&Place::Host).and_then(|host| host.interfaces.get(parent));
    if own.is_some_and(|draft| draft.port.is_some()) {
        let message = format!("the host's {} is a port of a bridge; name the bridge", shown(parent.as_str()));
        sink.add(path, message);
    }
}

/// A parent has one passthru macvlan or any number of others (`macvlan_common_newlink`).
fn check_passthru(parent: &IfName, all: &[Macvlan], sink: &mut Sink) {
    let Some(passthru) = all.iter().find(|it| it.mode == MacvlanMode::Passthru) else { return };
    if all.len() > 1 {
        let others = listed(all.iter().filter(|it| it.at != passthru.at), |it| it.at.to_string());
        let message =
            format!("passthru takes {parent} for itself, but {others} is on it too; use another mode");
        sink.add(&passthru.path.field("macvlan").field("mode"), message);
    }
}

/// Macvlans of one parent need different addresses (`macvlan_addr_busy`).
fn check_macs(all: &[Macvlan], sink: &mut Sink) {
    let mut seen: BTreeMap<Mac, &Endpoint> = BTreeMap::new();
    for it in all {
        let Some(mac) = it.mac else { continue };
        let first = *seen.entry(mac).or_insert(&it.at);
        if *first != it.at {
            let message = format!("{mac} is that of {first} on the same parent already; change one");
            sink.add(&it.path.field("mac"), message);
        }
    }
}
