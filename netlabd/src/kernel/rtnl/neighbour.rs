//! Neighbours as messages.

use std::{collections::BTreeMap, net::IpAddr};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    neighbour::{
        NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState as Nud,
    },
    route::RouteProtocol,
};

use super::{RouteSocket, observe::Dump, socket::Request};
use crate::{
    model::{IfName, Mac, Neighbour, observed::NeighbourState},
    plan::Verb,
};

/// What makes a neighbour of the interface of an index, in place of what is known of its address, or takes it away.
pub(super) fn encode(verb: Verb, neighbour: &Neighbour, index: u32) -> Request {
    let message = message(neighbour, index);
    match verb {
        Verb::Add | Verb::Set => (RouteNetlinkMessage::NewNeighbour(message), NLM_F_CREATE | NLM_F_REPLACE),
        Verb::Delete => (RouteNetlinkMessage::DelNeighbour(message), 0),
    }
}

fn message(neighbour: &Neighbour, index: u32) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    let ipv6 = neighbour.to.is_ipv6();
    message.header.family = if ipv6 { AddressFamily::Inet6 } else { AddressFamily::Inet };
    message.header.ifindex = index;
    message.attributes.push(NeighbourAttribute::Destination(match neighbour.to {
        IpAddr::V4(to) => NeighbourAddress::Inet(to),
        IpAddr::V6(to) => NeighbourAddress::Inet6(to),
    }));
    match neighbour.mac {
        Some(mac) => {
            message.header.state = Nud::Permanent;
            message.attributes.push(NeighbourAttribute::LinkLayerAddress(mac.octets().to_vec()));
        }
        None => message.header.flags = NeighbourFlags::Proxy,
    }
    message.attributes.push(NeighbourAttribute::Protocol(RouteProtocol::from(Neighbour::PROTOCOL)));
    message
}

/// The neighbours of both families that are there for ever, and those for which the node answers.
pub(in crate::kernel) fn neighbours(
    socket: &mut RouteSocket,
    names: &BTreeMap<u32, String>,
) -> Dump<Vec<NeighbourState>> {
    let mut all = Vec::new();
    for flags in [NeighbourFlags::empty(), NeighbourFlags::Proxy] {
        match dump(socket, flags)? {
            Ok(found) => all.extend(found.iter().filter_map(|message| state(message, names))),
            Err(refusal) => return Ok(Err(refusal)),
        }
    }
    Ok(Ok(all))
}

/// The addresses for which the node answers, which the kernel tells nobody of.
pub(in crate::kernel) fn proxied(socket: &mut RouteSocket) -> Dump<Vec<IpAddr>> {
    Ok(dump(socket, NeighbourFlags::Proxy)?.map(|found| found.iter().filter_map(to).collect()))
}

/// Those that are known of others, or those for which the node answers.
fn dump(socket: &mut RouteSocket, flags: NeighbourFlags) -> Dump<Vec<NeighbourMessage>> {
    let mut request = NeighbourMessage::default();
    request.header.flags = flags;
    let found = socket.dump(&RouteNetlinkMessage::GetNeighbour(request))?;
    let neighbour = |message| match message {
        RouteNetlinkMessage::NewNeighbour(message) => Some(message),
        _ => None,
    };
    Ok(found.map(|messages| messages.into_iter().filter_map(neighbour).collect()))
}

fn to(message: &NeighbourMessage) -> Option<IpAddr> {
    message.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::Destination(NeighbourAddress::Inet(to)) => Some(IpAddr::V4(*to)),
        NeighbourAttribute::Destination(NeighbourAddress::Inet6(to)) => Some(IpAddr::V6(*to)),
        _ => None,
    })
}

/// `None`: one that was asked for, or whose address is no MAC address.
fn state(message: &NeighbourMessage, names: &BTreeMap<u32, String>) -> Option<NeighbourState> {
    let proxy = message.header.flags.contains(NeighbourFlags::Proxy);
    if !proxy && message.header.state != Nud::Permanent {
        return None;
    }
    let (mut mac, mut protocol) = (None, 0);
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::LinkLayerAddress(bytes) => {
                let octets: Option<[u8; 6]> = bytes.as_slice().try_into().ok();
                mac = octets.and_then(|octets| Mac::try_from(octets).ok());
            }
            NeighbourAttribute::Protocol(by) => protocol = u8::from(*by),
            _ => {}
        }
    }
    if mac.is_some() == proxy {
        return None;
    }
    let dev: IfName = names.get(&message.header.ifindex)?.parse().ok()?;
    Some(NeighbourState { neighbour: Neighbour { to: to(message)?, dev, mac }, protocol })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_read_as_they_were_made() {
        let names = BTreeMap::from([(7, "eth0".to_owned())]);
        let dev: IfName = "eth0".parse().unwrap();
        for (to, mac) in [("192.0.2.77", Some("02:00:00:00:00:77")), ("2001:db8::77", None)] {
            let mac = mac.map(|mac| mac.parse().unwrap());
            let neighbour = Neighbour { to: to.parse().unwrap(), dev: dev.clone(), mac };
            let mut message = message(&neighbour, 7);
            let expected = NeighbourState { neighbour, protocol: Neighbour::PROTOCOL };
            assert_eq!(state(&message, &names), Some(expected));
            assert_eq!(state(&message, &BTreeMap::new()), None);
            message.header.state = Nud::Reachable;
            assert_eq!(
                state(&message, &names).is_some(),
                mac.is_none(),
                "what was asked for is nobody's business"
            );
        }
    }
}
