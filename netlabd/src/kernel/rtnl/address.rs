//! Addresses as messages.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv6Net};
use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressFlags, AddressMessage, AddressProtocol, AddressScope},
};

use super::{ADDRESS_PROTOCOL, RouteSocket, observe::Dump, route, socket::Request};
use crate::{
    model::observed::AddressState,
    plan::{Verb, item::LinkLocal},
};

/// What adds an address to the interface of an index, takes it off, or takes it off and adds it again.
pub(super) fn encode(verb: Verb, address: IpNet, index: u32) -> Vec<Request> {
    let message = message(index, address);
    let delete = || (RouteNetlinkMessage::DelAddress(message.clone()), 0);
    let add = || (RouteNetlinkMessage::NewAddress(message.clone()), NLM_F_CREATE | NLM_F_REPLACE);
    match verb {
        Verb::Add => vec![add()],
        Verb::Set => vec![delete(), add()],
        Verb::Delete => vec![delete()],
    }
}

/// What takes off the link-local address that the kernel made, and the route that came with it.
pub(super) fn encode_link_local(item: &LinkLocal, index: u32) -> Vec<Request> {
    let delete = |address| encode(Verb::Delete, IpNet::V6(Ipv6Net::new_assert(address, 64)), index);
    let mut requests: Vec<Request> = item.address.into_iter().flat_map(delete).collect();
    requests.extend(item.alone.then(|| route::delete_groups(index)));
    requests
}

fn message(index: u32, address: IpNet) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.index = index;
    message.header.prefix_len = address.prefix_len();
    message.header.scope =
        if address.addr().is_loopback() { AddressScope::Host } else { AddressScope::Universe };
    message.attributes = vec![
        AddressAttribute::Local(address.addr()),
        AddressAttribute::Address(address.addr()),
        AddressAttribute::Protocol(AddressProtocol::Other(ADDRESS_PROTOCOL)),
    ];
    match address.addr() {
        IpAddr::V4(_) => message.header.family = AddressFamily::Inet,
        IpAddr::V6(_) => {
            message.header.family = AddressFamily::Inet6;
            // Without waiting for duplicate address detection (RFC 4862): the address works at once.
            message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
        }
    }
    message
}

/// An address of a dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::kernel) enum DumpedAddress {
    /// One that somebody has added.
    Other(AddressState),
    /// A link-local one that the kernel made (`IFAPROT_KERNEL_LL`).
    LinkLocal(Ipv6Addr),
    /// A link-local one that nobody marked: somebody's, or the kernel's for a tunnel.
    Unmarked(Ipv6Addr),
}

/// All addresses of the socket's namespace by interface index, in the kernel's order; of those that the kernel made by
/// itself, some of router advertisements (`IFAPROT_KERNEL_RA`), only the link-local ones.
pub(in crate::kernel) fn addresses(socket: &mut RouteSocket) -> Dump<Vec<(u32, DumpedAddress)>> {
    let found = socket.dump(&RouteNetlinkMessage::GetAddress(AddressMessage::default()))?;
    Ok(found.map(|messages| {
        let address = |message| match message {
            RouteNetlinkMessage::NewAddress(message) => decode(&message),
            _ => None,
        };
        messages.into_iter().filter_map(address).collect()
    }))
}

fn decode(message: &AddressMessage) -> Option<(u32, DumpedAddress)> {
    let (mut local, mut address, mut protocol) = (None, None, None);
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(seen) => local = Some(*seen),
            AddressAttribute::Address(seen) => address = Some(*seen),
            AddressAttribute::Protocol(seen) => protocol = Some(*seen),
            _ => {}
        }
    }
    let ours = protocol == Some(AddressProtocol::Other(ADDRESS_PROTOCOL));
    let address = IpNet::new(local.or(address)?, message.header.prefix_len).ok()?;
    let by_kernel = match address {
        IpNet::V4(v4) => v4.addr().is_loopback() && v4.prefix_len() == 8,
        IpNet::V6(v6) if protocol == Some(AddressProtocol::LinkLocal) => {
            return Some((message.header.index, DumpedAddress::LinkLocal(v6.addr())));
        }
        IpNet::V6(_) if protocol == Some(AddressProtocol::RouterAnnouncement) => true,
        IpNet::V6(v6) if v6.addr().is_unicast_link_local() && !ours => {
            return Some((message.header.index, DumpedAddress::Unmarked(v6.addr())));
        }
        IpNet::V6(v6) => v6.addr().is_loopback(),
    };
    let state = AddressState { address, ours, cut_off: false };
    (ours || !by_kernel).then_some((message.header.index, DumpedAddress::Other(state)))
}
