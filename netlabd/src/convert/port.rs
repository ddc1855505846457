//! Ports of bridges.

use std::collections::{BTreeMap, BTreeSet};

use netlab_proto::{range, v1 as proto};

use crate::{
    link::{Ports, groups},
    model::{BridgePort, IfName, Mac, PortSettings, PortVlans, VlanId},
};

use super::draft::{Site, Sites};
use crate::input::{Path, Sink, name, number, shown};

/// Reads an interface's place in a bridge.
pub(super) fn read(port: &proto::Port, path: &Path, sink: &mut Sink) -> Option<BridgePort> {
    let bridge = name::required(
        &port.bridge,
        "name a bridge of the same node, on the host any that is there",
        &path.field("bridge"),
        sink,
    );
    let vlans = read_vlans(port, path, sink).unwrap_or(PortVlans::Default);
    let settings = read_settings(port, path, sink);
    Some(BridgePort { bridge: bridge?, vlans, settings, fdb: read_fdb(&port.fdb, &path.field("fdb"), sink) })
}

fn read_settings(port: &proto::Port, path: &Path, sink: &mut Sink) -> PortSettings {
    let fresh = PortSettings::default();
    let cost = port.cost.filter(|cost| {
        let fits = range::PORT_COST.contains(cost);
        if !fits {
            sink.add(&path.field("cost"), format!("{cost} is not the cost of a port: 1 to 65,535"));
        }
        fits
    });
    let priority = port.priority.filter(|priority| {
        let fits = range::PORT_PRIORITY.contains(priority);
        if !fits {
            let message =
                format!("{priority} is not the priority of a port: 0 to 63, the least is preferred");
            sink.add(&path.field("priority"), message);
        }
        fits
    });
    PortSettings {
        cost: cost.and_then(|cost| u16::try_from(cost).ok()),
        priority: priority.and_then(|priority| u8::try_from(priority).ok()).unwrap_or(fresh.priority),
        isolated: port.isolated,
        hairpin: port.hairpin,
        learning: port.learning.unwrap_or(fresh.learning),
        group_fwd_mask: groups(&port.group_fwd_mask, true, &path.field("group_fwd_mask"), sink),
    }
}

/// Most stations of a port.
const MAX_STATIONS: usize = 256;

fn read_fdb(stations: &[String], path: &Path, sink: &mut Sink) -> BTreeSet<Mac> {
    let mut fdb = BTreeSet::new();
    if stations.len() > MAX_STATIONS {
        sink.add(path, format!("{} stations behind one port; at most {MAX_STATIONS}", stations.len()));
        return fdb;
    }
    for (i, text) in stations.iter().enumerate() {
        let path = path.index(i);
        let Some(mac) = sink.parse(&path, text) else { continue };
        if !fdb.insert(mac) {
            sink.add(&path, format!("{mac} is listed twice; once is enough"));
        }
    }
    fdb
}

/// VLANs of a port. `native` may not stand in `trunk` too: a VLAN leaves tagged or untagged.
fn read_vlans(port: &proto::Port, path: &Path, sink: &mut Sink) -> Option<PortVlans> {
    let access = port.access.map(|id| number::vlan(id, &path.field("access"), sink));
    let native = port.native.map(|id| number::vlan(id, &path.field("native"), sink));
    let tagged = read_trunk(&port.trunk, &path.field("trunk"), sink);
    if port.access.is_some() && !port.trunk.is_empty() {
        sink.add(path, "a port is an access or a trunk port; give either access or trunk");
        return None;
    }
    if port.native.is_some() && port.trunk.is_empty() {
        let hint = if port.access.is_some() { "leave it out" } else { "add trunk, or use access instead" };
        sink.add(&path.field("native"), format!("native is the untagged VLAN of a trunk port; {hint}"));
        return None;
    }
    if let Some(access) = access {
        return access.map(PortVlans::Access);
    }
    if tagged.is_empty() {
        return None;
    }
    let native = native.flatten();
    if let Some(both) = native.filter(|id| tagged.contains(id)) {
        let message =
            format!("VLAN {both} cannot be tagged and untagged at once; take it out of trunk or of native");
        sink.add(&path.field("native"), message);
    }
    Some(PortVlans::Trunk { tagged, native })
}

fn read_trunk(trunk: &[u32], path: &Path, sink: &mut Sink) -> BTreeSet<VlanId> {
    let mut tagged = BTreeSet::new();
    for (i, id) in trunk.iter().enumerate() {
        let path = path.index(i);
        let Some(id) = number::vlan(*id, &path, sink) else { continue };
        if !tagged.insert(id) {
            sink.add(&path, format!("VLAN {id} is listed twice; once is enough"));
        }
    }
    tagged
}

/// Checks ports against their bridges.
pub(super) fn check(sites: &Sites, sink: &mut Sink) {
    for site in sites.iter() {
        let mut stations = BTreeMap::new();
        for (name, draft) in &site.interfaces {
            if let Some(port) = &draft.port {
                let path = site.interface_path(name).field("port");
                check_port(site, port, &path, sink);
                check_stations(name, port, &mut stations, &path, sink);
            }
        }
    }
}

/// A station is behind one port of a bridge.
fn check_stations<'a>(
    name: &'a IfName,
    port: &'a BridgePort,
    stations: &mut BTreeMap<(&'a IfName, Mac), &'a IfName>,
    path: &Path,
    sink: &mut Sink,
) {
    for mac in &port.fdb {
        let first = *stations.entry((&port.bridge, *mac)).or_insert(name);
        if first != name {
            let message =
                format!("{mac} is behind {first} already; a station is behind one port of a bridge");
            sink.add(&path.field("fdb"), message);
        }
    }
}

fn check_port(site: &Site, port: &BridgePort, path: &Path, sink: &mut Sink) {
    if site.is_foreign(&port.bridge) {
        // What the host has is looked for there, before anything changes.
        return;
    }
    let Some(bridge) = site.find(&port.bridge, &path.field("bridge"), sink) else { return };
    let bridge_name = shown(port.bridge.as_str());
    let Some(form) = &bridge.form else {
        if !bridge.has_kind {
            sink.add(&path.field("bridge"), format!("{bridge_name} is not a bridge; name a bridge"));
        }
        return;
    };
    match form.ports() {
        Ports::Bridge { filtering: true, .. } => {}
        Ports::Bridge { filtering: false, .. } => {
            let field = match port.vlans {
                PortVlans::Default => return,
                PortVlans::Access(_) => "access",
                PortVlans::Trunk { .. } => "trunk",
            };
            let message = format!(
                "VLANs of a port need a bridge that filters them; set vlan_filtering: true on {bridge_name}"
            );
            sink.add(&path.field(field), message);
        }
        Ports::None | Ports::Vrf { .. } | Ports::Bond => {
            let message =
                format!("{bridge_name} is a {} interface, not a bridge; name a bridge", form.as_str());
            sink.add(&path.field("bridge"), message);
        }
    }
}
