//! Label routes as messages.

use std::{collections::BTreeMap, net::IpAddr};

use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    route::{
        RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
        RouteVia,
    },
};

use super::{RouteSocket, encap, observe::Dump, route, socket::Request};
use crate::{
    link::Unknown,
    model::{Label, LabelRoute, Route, observed::LabelRouteState},
    plan::Verb,
};

/// Bits of a label, which stands for the length of a prefix.
const BITS: u8 = 20;

/// What makes a label route, in place of that of the same label, or takes it away.
pub(super) fn encode(
    verb: Verb,
    route: &LabelRoute,
    index: &dyn Fn(&str) -> Result<u32, Unknown>,
) -> Result<Request, Unknown> {
    Ok(route::request(verb, message(route, index)?))
}

fn message(
    route: &LabelRoute,
    index: &dyn Fn(&str) -> Result<u32, Unknown>,
) -> Result<RouteMessage, Unknown> {
    let mut message = RouteMessage::default();
    let header = &mut message.header;
    header.address_family = AddressFamily::Mpls;
    header.destination_prefix_length = BITS;
    header.table = RouteHeader::RT_TABLE_MAIN;
    header.protocol = RouteProtocol::Other(Route::PROTOCOL);
    header.scope = RouteScope::Universe;
    header.kind = RouteType::Unicast;
    message.attributes.extend(
        encap::stack(&[route.label])
            .into_iter()
            .map(|label| RouteAttribute::Destination(RouteAddress::Mpls(label))),
    );
    if !route.out.is_empty() {
        message.attributes.push(RouteAttribute::NewDestination(encap::stack(&route.out)));
    }
    message.attributes.extend(route.via.map(|via| RouteAttribute::Via(RouteVia::from(via))));
    message.attributes.push(RouteAttribute::Oif(index(route.dev.as_str())?));
    Ok(message)
}

/// All label routes.
pub(in crate::kernel) fn label_routes(
    socket: &mut RouteSocket,
    names: &BTreeMap<u32, String>,
) -> Dump<Vec<LabelRouteState>> {
    let mut request = RouteMessage::default();
    request.header.address_family = AddressFamily::Mpls;
    let found = socket.dump(&RouteNetlinkMessage::GetRoute(request))?;
    Ok(found.map(|messages| {
        let route = |message| match message {
            RouteNetlinkMessage::NewRoute(route) => decode(&route, names),
            _ => None,
        };
        messages.into_iter().filter_map(route).collect()
    }))
}

/// `None`: it is none, or its interface is gone.
fn decode(message: &RouteMessage, names: &BTreeMap<u32, String>) -> Option<LabelRouteState> {
    if message.header.address_family != AddressFamily::Mpls {
        return None;
    }
    let (mut label, mut dev, mut via, mut out, mut plain) = (None, None, None, Vec::new(), true);
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(RouteAddress::Mpls(read)) => label = Label::try_from(read.label).ok(),
            RouteAttribute::NewDestination(stack) => match encap::labels(stack) {
                Ok(labels) => out = labels,
                Err(encap::Strange) => plain = false,
            },
            RouteAttribute::Via(RouteVia::Inet(address)) => via = Some(IpAddr::V4(*address)),
            RouteAttribute::Via(RouteVia::Inet6(address)) => via = Some(IpAddr::V6(*address)),
            RouteAttribute::Oif(index) => dev = names.get(index).and_then(|name| name.parse().ok()),
            RouteAttribute::MultiPath(hops) => {
                plain = false;
                dev = hops.first().and_then(|hop| names.get(&hop.interface_index)?.parse().ok());
            }
            RouteAttribute::Via(_) | RouteAttribute::TtlPropagate(_) => plain = false,
            _ => {}
        }
    }
    let route = LabelRoute { label: label?, out, via, dev: dev? };
    Some(LabelRouteState { route, plain, protocol: message.header.protocol.into() })
}

#[cfg(test)]
mod tests {
    use netlink_packet_core::{Emitable, Parseable};

    use super::*;

    #[test]
    fn label_routes_are_read_as_they_were_made() {
        let label = |number: u32| Label::try_from(number).unwrap();
        let names = BTreeMap::from([(1, "lo".to_owned()), (7, "eth0".to_owned())]);
        for (out, via, dev) in [
            (vec![], None, "lo"),
            (vec![], Some("192.0.2.1"), "eth0"),
            (vec![label(200)], Some("192.0.2.1"), "eth0"),
            (vec![label(200), label(1_048_575)], Some("fe80::1"), "eth0"),
        ] {
            let via = via.map(|via| via.parse().unwrap());
            let route = LabelRoute { label: label(100), out, via, dev: dev.parse().unwrap() };
            let sent = message(&route, &|name| Ok(if name == "lo" { 1 } else { 7 })).unwrap();
            let mut bytes = vec![0; sent.buffer_len()];
            sent.emit(&mut bytes);
            let received = RouteMessage::parse(&bytes[..]).unwrap();
            let state = LabelRouteState { route, plain: true, protocol: Route::PROTOCOL };
            assert_eq!(decode(&received, &names), Some(state));
        }
    }
}
