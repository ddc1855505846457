//! Entries of forwarding databases as messages.

use std::{collections::BTreeMap, net::IpAddr};

use netlink_packet_core::{NLM_F_APPEND, NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    neighbour::{
        NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState as Nud,
    },
};

use super::{RouteSocket, observe::Dump, socket::Request};
use crate::{
    model::{FdbEntry, Mac, VlanId, observed::FdbState},
    plan::Verb,
};

/// The entries of an interface.
type Entries = BTreeMap<FdbEntry, FdbState>;

/// The address that stands for all others in a VXLAN's forwarding database.
const ALL: [u8; 6] = [0; 6];

/// What adds an entry to the interface of an index, or takes it away.
pub(super) fn encode(verb: Verb, entry: FdbEntry, index: u32) -> Request {
    let message = message(entry, index);
    match (verb, entry) {
        (Verb::Delete, _) => (RouteNetlinkMessage::DelNeighbour(message), 0),
        (_, FdbEntry::Station(_)) => {
            (RouteNetlinkMessage::NewNeighbour(message), NLM_F_CREATE | NLM_F_REPLACE)
        }
        (_, FdbEntry::Remote(_)) => (RouteNetlinkMessage::NewNeighbour(message), NLM_F_CREATE | NLM_F_APPEND),
    }
}

/// Entries have no protocol: netlabd's stations are known by being sticky, its remotes by being permanent and learned
/// elsewhere at once, which no routing daemon's are.
fn message(entry: FdbEntry, index: u32) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Bridge;
    message.header.ifindex = index;
    match entry {
        FdbEntry::Station(mac) => {
            message.header.state = Nud::Noarp;
            message.header.flags = NeighbourFlags::Controller | NeighbourFlags::Sticky;
            message.attributes.push(NeighbourAttribute::LinkLayerAddress(mac.octets().to_vec()));
        }
        FdbEntry::Remote(remote) => {
            message.header.state = Nud::Permanent;
            message.header.flags = NeighbourFlags::Own | NeighbourFlags::ExtLearned;
            message.attributes.push(NeighbourAttribute::LinkLayerAddress(ALL.to_vec()));
            message.attributes.push(NeighbourAttribute::Destination(match remote {
                IpAddr::V4(to) => NeighbourAddress::Inet(to),
                IpAddr::V6(to) => NeighbourAddress::Inet6(to),
            }));
        }
    }
    message
}

/// The entries that are not learned, by interface index.
pub(in crate::kernel) fn fdb(socket: &mut RouteSocket) -> Dump<BTreeMap<u32, Entries>> {
    let mut request = NeighbourMessage::default();
    request.header.family = AddressFamily::Bridge;
    let found = socket.dump(&RouteNetlinkMessage::GetNeighbour(request))?;
    Ok(found.map(|messages| {
        let mut all: BTreeMap<u32, Entries> = BTreeMap::new();
        for message in messages {
            if let RouteNetlinkMessage::NewNeighbour(message) = message {
                note(&message, all.entry(message.header.ifindex).or_default());
            }
        }
        all
    }))
}

fn note(message: &NeighbourMessage, entries: &mut Entries) {
    let (mut address, mut remote, mut vlan) = (None, None, None);
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::LinkLayerAddress(bytes) => {
                address = <[u8; 6]>::try_from(bytes.as_slice()).ok();
            }
            NeighbourAttribute::Destination(to) => remote = address_of(to),
            NeighbourAttribute::Vlan(id) => vlan = VlanId::try_from(u32::from(*id)).ok(),
            _ => {}
        }
    }
    let (flags, state) = (message.header.flags, u16::from(message.header.state));
    let is = |bits: Nud| state & u16::from(bits) != 0;
    let (entry, ours) = match (address, remote) {
        (Some(ALL), Some(remote)) if is(Nud::Permanent) => {
            (FdbEntry::Remote(remote), flags.contains(NeighbourFlags::ExtLearned))
        }
        (Some(octets), None) if is(Nud::Noarp) => {
            let Ok(mac) = Mac::try_from(octets) else { return };
            (FdbEntry::Station(mac), flags.contains(NeighbourFlags::Sticky))
        }
        _ => return,
    };
    let known = entries.entry(entry).or_default();
    known.ours |= ours;
    known.untagged |= vlan.is_none();
    known.vlans.extend(vlan);
}

/// The family of the message is not that of the address.
fn address_of(address: &NeighbourAddress) -> Option<IpAddr> {
    match address {
        NeighbourAddress::Inet(to) => Some(IpAddr::V4(*to)),
        NeighbourAddress::Inet6(to) => Some(IpAddr::V6(*to)),
        NeighbourAddress::Other(bytes) => {
            let ipv4 = <[u8; 4]>::try_from(bytes.as_slice()).map(IpAddr::from);
            ipv4.or_else(|_| <[u8; 16]>::try_from(bytes.as_slice()).map(IpAddr::from)).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use netlink_packet_core::{Emitable, Parseable};

    use super::*;

    /// As it comes back from the kernel.
    fn sent(message: &NeighbourMessage) -> NeighbourMessage {
        let mut bytes = vec![0; message.buffer_len()];
        message.emit(&mut bytes);
        NeighbourMessage::parse(&bytes[..]).unwrap()
    }

    #[test]
    fn entries_are_read_as_they_were_made() {
        let mac = "02:00:00:00:00:77".parse().unwrap();
        for entry in [
            FdbEntry::Station(mac),
            FdbEntry::Remote([192, 0, 2, 2].into()),
            FdbEntry::Remote([0x2001, 0xdb8, 0, 0, 0, 0, 0, 2].into()),
        ] {
            let mut message = message(entry, 7);
            let mut seen = Entries::new();
            note(&sent(&message), &mut seen);
            message.attributes.push(NeighbourAttribute::Vlan(10));
            note(&sent(&message), &mut seen);
            let vlans = [VlanId::try_from(10).unwrap()].into();
            assert_eq!(seen, Entries::from([(entry, FdbState { ours: true, untagged: true, vlans })]));
            message.header.state = Nud::Reachable;
            let mut learned = Entries::new();
            note(&message, &mut learned);
            assert!(learned.is_empty(), "what is learned is nobody's business");
        }
    }
}
