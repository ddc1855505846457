//! Members of VRFs.

use std::collections::BTreeMap;

use netlab_proto::v1 as proto;

use crate::{
    link::Ports,
    model::{IfName, Place},
};

use super::draft::{Draft, Site, Sites};
use crate::input::{Path, Sink, name, shown};

/// Reads what an interface belongs to.
pub(super) fn read(
    place: &Place,
    message: &proto::Interface,
    path: &Path,
    sink: &mut Sink,
) -> Option<IfName> {
    let path = path.field("master");
    let master = name::optional(&message.master, &path, sink)?;
    if *place == Place::Host {
        sink.add(&path, "VRFs are of nodes, and no interface of the host belongs to one; leave out master");
        return None;
    }
    if let Some(port) = &message.port {
        let message = format!(
            "the interface is a port of {} already, and belongs to one only; leave out port or master",
            shown(&port.bridge)
        );
        sink.add(&path, message);
        return None;
    }
    Some(master)
}

/// Checks members against what they belong to.
pub(super) fn check(sites: &Sites, sink: &mut Sink) {
    let mut elsewhere: BTreeMap<&IfName, &Place> = BTreeMap::new();
    for site in sites.iter() {
        for (name, _) in site.interfaces.iter().filter(|(_, draft)| draft.table().is_some()) {
            elsewhere.entry(name).or_insert(&site.place);
        }
    }
    for site in sites.iter() {
        for (name, draft) in &site.interfaces {
            if let Some(master) = &draft.master {
                let path = site.interface_path(name).field("master");
                match (site.interfaces.get(master), elsewhere.get(master)) {
                    (None, Some(other)) => {
                        let message = format!(
                            "{master} is in {other}, not in {}: a member and what it belongs to are in one node",
                            site.place
                        );
                        sink.add(&path, message);
                    }
                    _ => check_member(site, (name, draft), master, &path, sink),
                }
            }
        }
    }
}

fn check_member(
    site: &Site,
    (name, draft): (&IfName, &Draft),
    master: &IfName,
    path: &Path,
    sink: &mut Sink,
) {
    let Some(found) = site.find(master, path, sink) else { return };
    let shown = shown(master.as_str());
    let Some(form) = &found.form else {
        if !found.has_kind {
            sink.add(path, format!("{shown} is no VRF; name one"));
        }
        return;
    };
    match form.ports() {
        Ports::Vrf { .. } if draft.table().is_some() => {
            let words = if name == master { "belongs to none" } else { "belongs to no other" };
            sink.add(path, format!("{name} is a VRF, which {words}; leave out master"));
        }
        Ports::Vrf { .. } => {}
        Ports::Bridge { .. } => {
            let message = format!("{shown} is a bridge: say port: {{ bridge: {master} }} in place of master");
            sink.add(path, message);
        }
        Ports::None => {
            sink.add(path, format!("{shown} is a {} interface, not a VRF; name a VRF", form.as_str()));
        }
    }
}
