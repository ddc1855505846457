//! The places of a lab with their interfaces, each entry by itself.

use std::collections::BTreeMap;

use netlab_proto::v1 as proto;

use crate::model::{IfName, NodeName, Place};

use super::{
    draft::{Site, Sites},
    interface,
};
use crate::input::{Path, Sink, name, shown};

/// Reads the interfaces of all places.
pub(super) fn read(lab: &proto::Lab, sink: &mut Sink) -> Sites {
    let root = Path::root();
    let none = BTreeMap::new();
    let interfaces = lab.host.as_ref().map_or(&none, |host| &host.interfaces);
    let host = site(Place::Host, root.field("host"), interfaces, sink);
    let mut sites = BTreeMap::from([(Place::Host, host)]);
    for (name, node) in &lab.nodes {
        let path = root.field("nodes").key(name);
        let Some(name) = sink.parse::<NodeName>(&path, name) else { continue };
        let place = Place::Node(name);
        sites.insert(place.clone(), site(place, path, &node.interfaces, sink));
    }
    Sites::new(sites)
}

fn site(place: Place, path: Path, interfaces: &BTreeMap<String, proto::Interface>, sink: &mut Sink) -> Site {
    let mut site = Site { place, path, interfaces: BTreeMap::new() };
    let all = site.path.field("interfaces");
    for (name, message) in interfaces {
        let path = all.key(name);
        let Some(name) = sink.parse::<IfName>(&path, name) else { continue };
        if let Some(wrong) = name::unfit_for_host(&site.place, &name) {
            sink.add(&path, format!("{} {wrong}", shown(name.as_str())));
            continue;
        }
        let draft = interface::read(&site.place, &name, message, &path, sink);
        site.interfaces.insert(name, draft);
    }
    site
}
