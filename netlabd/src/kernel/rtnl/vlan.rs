//! VLANs of bridges and their ports as messages.

use std::collections::BTreeMap;

use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    link::{AfSpecBridge, BridgeVlanInfoFlags, LinkAttribute, LinkExtentMask, LinkMessage},
};
use rtnetlink::LinkBridgeVlan;

use super::{RouteSocket, observe::Dump, socket::Request};
use crate::{
    model::{VlanId, observed::VlanFlags},
    plan::{Verb, item::Vlan},
};

/// What makes the port or bridge of an index carry a VLAN, or no longer.
pub(super) fn encode(verb: Verb, vlan: &Vlan, index: u32) -> Request {
    let mut bits = BridgeVlanInfoFlags::empty();
    bits.set(BridgeVlanInfoFlags::Pvid, vlan.flags.pvid);
    bits.set(BridgeVlanInfoFlags::Untagged, vlan.flags.untagged);
    let builder = LinkBridgeVlan::new(index).vlan(vlan.vlan.get(), bits);
    let link = if vlan.on_bridge { builder.bridge_self().build() } else { builder.build() };
    match verb {
        Verb::Add | Verb::Set => (RouteNetlinkMessage::SetLink(link), 0),
        Verb::Delete => (RouteNetlinkMessage::DelLink(link), 0),
    }
}

/// The VLANs of bridges and their ports, by interface index.
pub(in crate::kernel) fn vlans(socket: &mut RouteSocket) -> Dump<BTreeMap<u32, BTreeMap<VlanId, VlanFlags>>> {
    let mut request = LinkMessage::default();
    request.header.interface_family = AddressFamily::Bridge;
    request.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::Brvlan]));
    let found = socket.dump(&RouteNetlinkMessage::GetLink(request))?;
    Ok(found.map(|messages| {
        let mut all = BTreeMap::new();
        for message in messages {
            let RouteNetlinkMessage::NewLink(link) = message else { continue };
            let specs = link.attributes.iter().filter_map(|attribute| match attribute {
                LinkAttribute::AfSpecBridge(specs) => Some(specs),
                _ => None,
            });
            let vlans: BTreeMap<_, _> = specs.flatten().filter_map(vlan).collect();
            all.insert(link.header.index, vlans);
        }
        all
    }))
}

fn vlan(spec: &AfSpecBridge) -> Option<(VlanId, VlanFlags)> {
    let AfSpecBridge::VlanInfo(info) = spec else { return None };
    let flags = VlanFlags {
        pvid: info.flags.contains(BridgeVlanInfoFlags::Pvid),
        untagged: info.flags.contains(BridgeVlanInfoFlags::Untagged),
    };
    Some((VlanId::try_from(u32::from(info.vid)).ok()?, flags))
}
