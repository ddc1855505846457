//! Numbers that more than one thing has.

use netlab_proto::range;

use super::{Path, Sink};
use crate::model::vlan_id::VlanId;

/// Reads a VLAN identifier.
pub(crate) fn vlan(id: u32, path: &Path, sink: &mut Sink) -> Option<VlanId> {
    sink.keep(path, &id.to_string(), VlanId::try_from(id))
}

/// Reads the identifier of a virtual network that a tunnel carries, of 24 bits. It must be there.
pub(crate) fn vni(tunnel: &str, vni: Option<u32>, path: &Path, sink: &mut Sink) -> Option<u32> {
    match vni {
        None => sink.add(path, format!("is missing: give the {tunnel} network identifier, 0 to 16,777,215")),
        Some(vni) if !range::VNI.contains(&vni) => {
            let message = format!("{vni} is not a {tunnel} network identifier: 0 to 16,777,215 (24 bits)");
            sink.add(path, message);
        }
        Some(vni) => return Some(vni),
    }
    None
}

/// Reads a TCP or UDP port.
pub(crate) fn port(port: u32, path: &Path, sink: &mut Sink) -> Option<u16> {
    let read = u16::try_from(port).ok().filter(|_| range::PORT.contains(&port));
    if read.is_none() {
        sink.add(path, format!("{port} is not a port: 1 to 65,535"));
    }
    read
}
