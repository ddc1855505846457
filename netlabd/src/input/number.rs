//! Numbers that more than one thing has.

use netlab_proto::range;

use super::{Path, Sink};
use crate::model::{route::Route, vlan_id::VlanId};

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

/// Reads the number of a routing table of one's own; the main one where it is left out.
pub(crate) fn table(table: Option<u32>, path: &Path, sink: &mut Sink) -> Option<u32> {
    match table {
        None => Some(Route::MAIN),
        Some(Route::MAIN) => {
            sink.add(path, format!("{} is the main table: leave out table", Route::MAIN));
            None
        }
        Some(table) => own_table(table, path, sink),
    }
}

/// Reads the number of a routing table of one's own.
pub(crate) fn own_table(table: u32, path: &Path, sink: &mut Sink) -> Option<u32> {
    let wrong = match table {
        table if range::KERNEL_TABLES.contains(&table) => {
            "is the number of a table of the kernel's own (253 to 255); choose another"
        }
        table if !range::TABLE.contains(&table) => "is no routing table: 1 to 4,294,967,295",
        _ => return Some(table),
    };
    sink.add(path, format!("{table} {wrong}"));
    None
}
