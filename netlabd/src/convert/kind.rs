//! What an interface is.

use std::net::IpAddr;

use netlab_proto::{
    range,
    v1::{self as proto, interface::Kind as Message},
};

use crate::model::{IfName, Kind, MacvlanMode, Place, VlanId, Vxlan};

use super::{
    address,
    fault::{Path, Sink, shown},
    name,
};

/// The UDP port that IANA gave VXLAN, RFC 7348 section 5.
const VXLAN_PORT: u16 = 4789;

/// The field of a kind.
pub(super) fn field(kind: &Message) -> &'static str {
    match kind {
        Message::Bridge(_) => "bridge",
        Message::Vlan(_) => "vlan",
        Message::Vxlan(_) => "vxlan",
        Message::Macvlan(_) => "macvlan",
        Message::Dummy(_) => "dummy",
    }
}

/// The interface that a kind stands on, and the field that names it; none where it names none, or what is no name.
pub(super) fn lower(kind: &Message) -> Option<(&'static str, IfName)> {
    let (field, text) = match kind {
        Message::Vlan(vlan) => ("parent", &vlan.parent),
        Message::Vxlan(vxlan) => ("dev", &vxlan.dev),
        Message::Macvlan(macvlan) => ("parent", &macvlan.parent),
        Message::Bridge(_) | Message::Dummy(_) => return None,
    };
    Some((field, text.parse().ok()?))
}

/// Reads a kind; `path` is that of the interface.
pub(super) fn read(place: &Place, kind: &Message, path: &Path, sink: &mut Sink) -> Option<Kind> {
    let path = path.field(field(kind));
    match kind {
        Message::Bridge(bridge) => {
            Some(Kind::Bridge { vlan_filtering: bridge.vlan_filtering, stp: bridge.stp })
        }
        Message::Dummy(_) => Some(Kind::Dummy),
        Message::Vlan(vlan) => read_vlan(vlan, &path, sink),
        Message::Vxlan(_) if *place == Place::Host => {
            sink.add(
                &path,
                "a VXLAN on the host would let the lab send from the host's addresses; put it in a node",
            );
            None
        }
        Message::Vxlan(vxlan) => read_vxlan(vxlan, &path, sink),
        Message::Macvlan(_) if *place == Place::Host => {
            sink.add(&path, "a macvlan on the host would give the lab a place in the host's own network; put it in a node");
            None
        }
        Message::Macvlan(macvlan) => read_macvlan(macvlan, &path, sink),
    }
}

fn read_vlan(vlan: &proto::Vlan, path: &Path, sink: &mut Sink) -> Option<Kind> {
    let parent =
        name::required(&vlan.parent, "name the interface that carries the VLAN", &path.field("parent"), sink);
    let id = vlan_id(vlan.id, &path.field("id"), sink);
    Some(Kind::Vlan { parent: parent?, id: id? })
}

/// Reads a VLAN identifier.
pub(super) fn vlan_id(id: u32, path: &Path, sink: &mut Sink) -> Option<VlanId> {
    sink.keep(path, &id.to_string(), VlanId::try_from(id))
}

fn read_macvlan(macvlan: &proto::Macvlan, path: &Path, sink: &mut Sink) -> Option<Kind> {
    let at = path.field("parent");
    let parent = name::required(&macvlan.parent, "name an interface of the host", &at, sink);
    if macvlan.parent == "lo" {
        sink.add(&at, "\"lo\" carries no Ethernet; name another interface of the host");
    }
    let mode = match macvlan.mode.as_str() {
        "" => Some(MacvlanMode::default()),
        text => sink.parse(&path.field("mode"), text),
    };
    Some(Kind::Macvlan { parent: parent?, mode: mode? })
}

fn read_vxlan(vxlan: &proto::Vxlan, path: &Path, sink: &mut Sink) -> Option<Kind> {
    let vni = read_vni(vxlan.vni, &path.field("vni"), sink);
    let at = path.field("remote");
    let remote = optional(&vxlan.remote, address::plain, &at, sink);
    if remote.is_some_and(|it| it.is_unspecified()) {
        sink.add(&at, "is the unspecified address; name the other end, or leave it out");
    }
    if remote.is_some_and(|it| it.is_multicast()) && vxlan.dev.is_empty() {
        sink.add(
            &path.field("dev"),
            format!("is missing: the group {} is joined on an interface; name it", vxlan.remote),
        );
    }
    let local = optional(&vxlan.local, address::host, &path.field("local"), sink);
    check_pair(local, remote, &path.field("local"), sink);
    let port = read_port(vxlan.port.unwrap_or(VXLAN_PORT.into()), &path.field("port"), sink);
    let dev = name::optional(&vxlan.dev, &path.field("dev"), sink);
    let learning = vxlan.learning.unwrap_or(true);
    Some(Kind::Vxlan(Vxlan { vni: vni?, remote, port: port?, dev, local, learning }))
}

fn read_vni(vni: Option<u32>, path: &Path, sink: &mut Sink) -> Option<u32> {
    match vni {
        None => sink.add(path, "is missing: give the VXLAN network identifier, 0 to 16,777,215"),
        Some(vni) if !range::VNI.contains(&vni) => {
            sink.add(path, format!("{vni} is not a VXLAN network identifier: 0 to 16,777,215 (24 bits)"));
        }
        Some(vni) => return Some(vni),
    }
    None
}

/// The kernel wants both of one family, and both link-local or neither (`vxlan_config_validate`).
fn check_pair(local: Option<IpAddr>, remote: Option<IpAddr>, path: &Path, sink: &mut Sink) {
    let Some((local, remote)) = local.zip(remote) else { return };
    if local.is_ipv4() != remote.is_ipv4() {
        sink.add(
            path,
            format!("{local} and the remote {remote} are of different families; use IPv4 or IPv6 for both"),
        );
    } else if !remote.is_multicast() && address::is_link_local(local) != address::is_link_local(remote) {
        sink.add(path, format!("{local} and the remote {remote} must be both link-local or neither"));
    }
}

fn optional(
    text: &str,
    read: fn(&str) -> Result<IpAddr, crate::model::NameError>,
    path: &Path,
    sink: &mut Sink,
) -> Option<IpAddr> {
    if text.is_empty() { None } else { sink.keep(path, &shown(text), read(text)) }
}

/// Reads a TCP or UDP port.
pub(super) fn read_port(port: u32, path: &Path, sink: &mut Sink) -> Option<u16> {
    let read = u16::try_from(port).ok().filter(|_| range::PORT.contains(&port));
    if read.is_none() {
        sink.add(path, format!("{port} is not a port: 1 to 65,535"));
    }
    read
}
