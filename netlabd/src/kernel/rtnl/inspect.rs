//! Interfaces as they are told to people: with state and counters, which no repair depends on.

use std::{cell::Cell, collections::BTreeMap};

use ipnet::IpNet;
use netlab_proto::v1 as proto;
use netlink_packet_route::{
    RouteNetlinkMessage,
    address::{AddressAttribute, AddressMessage},
    link::{
        BridgePortState, InfoBridgePort, InfoPortData, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
        State, Stats64,
    },
};
use proto::interface_status::{OperState, PortState};

use super::{RouteSocket, observe::Dump};
use crate::{
    link::{Attributes, Kind},
    model::IfName,
};

/// One interface; indexes of others are not yet names.
#[derive(Debug, Clone, Default)]
pub(in crate::kernel) struct Inspected {
    /// What is known without the others.
    pub(in crate::kernel) status: proto::InterfaceStatus,
    /// `IFLA_LINK`: the peer or lower, and in which namespace (`IFLA_LINK_NETNSID`; `None`: the same).
    pub(in crate::kernel) link: Option<(u32, Option<i32>)>,
    /// `IFLA_MASTER`.
    pub(in crate::kernel) master: Option<u32>,
    /// `IFLA_IFALIAS`.
    pub(in crate::kernel) alias: String,
    /// Whether it is in the group of interfaces that netlabd made.
    pub(in crate::kernel) ours: bool,
}

/// All interfaces of the socket's namespace, or of the one that it knows by `nsid`.
pub(in crate::kernel) fn inspect_links(socket: &mut RouteSocket, nsid: Option<i32>) -> Dump<Vec<Inspected>> {
    let mut request = LinkMessage::default();
    request.attributes.extend(nsid.map(LinkAttribute::IfNetnsId));
    let found = socket.dump(&RouteNetlinkMessage::GetLink(request))?;
    Ok(found.map(|messages| {
        let link = |message| match message {
            RouteNetlinkMessage::NewLink(link) => Some(inspected(link)),
            _ => None,
        };
        messages.into_iter().filter_map(link).collect()
    }))
}

fn inspected(message: LinkMessage) -> Inspected {
    let flags = message.header.flags;
    let loopback = if flags.contains(LinkFlags::Loopback) { "loopback" } else { "device" };
    let status = proto::InterfaceStatus {
        index: message.header.index,
        kind: loopback.to_owned(),
        up: flags.contains(LinkFlags::Up),
        carrier: flags.contains(LinkFlags::LowerUp),
        ..proto::InterfaceStatus::default()
    };
    let mut seen = Inspected { status, ..Inspected::default() };
    let (mut lower, mut lower_nsid) = (None, None);
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => seen.status.name = name,
            LinkAttribute::Group(group) => seen.ours = group == super::LINK_GROUP,
            LinkAttribute::Address(mac) => seen.status.mac = mac_text(&mac),
            LinkAttribute::Mtu(mtu) => seen.status.mtu = mtu,
            LinkAttribute::OperState(state) => seen.status.oper_state = oper_state(state).into(),
            LinkAttribute::Stats64(all) => seen.status.counters = Some(counters(&all)),
            LinkAttribute::Link(index) => lower = Some(index),
            LinkAttribute::LinkNetNsId(id) => lower_nsid = Some(id),
            LinkAttribute::Controller(index) => seen.master = Some(index).filter(|index| *index != 0),
            LinkAttribute::IfAlias(alias) => seen.alias = alias,
            LinkAttribute::LinkInfo(infos) => {
                let dev = info(infos, &mut seen.status);
                lower = lower.or(dev);
            }
            _ => {}
        }
    }
    seen.link = lower.filter(|index| *index != 0).map(|index| (index, lower_nsid));
    seen
}

/// Takes over what the kernel tells of an interface's kind; gives what it stands on where its kind says that, as the
/// `dev` of a VXLAN.
fn info(infos: Vec<LinkInfo>, status: &mut proto::InterfaceStatus) -> Option<u32> {
    let (mut kind, lower) = (None, Cell::new(None));
    for info in infos {
        match info {
            LinkInfo::Kind(of) => {
                status.kind = of.to_string();
                kind = Some(of);
            }
            LinkInfo::Data(data) => {
                let name = |index| {
                    lower.set(Some(index));
                    Some(IfName::loopback())
                };
                let seen = Attributes { lower: None, data: Some(&data), name: &name };
                let known = kind.as_ref().and_then(|kind| Kind::decode(kind, &seen));
                // What else a kind names, such as the primary member of a bond.
                if known.as_ref().is_some_and(|kind| kind.lower_here().is_none()) {
                    lower.set(None);
                }
                let remote = known.and_then(|kind| kind.tunnel()?.remote);
                status.remote = remote.map(|remote| remote.to_string()).unwrap_or_default();
            }
            LinkInfo::PortData(InfoPortData::BridgePort(options)) => {
                let state = |option: &InfoBridgePort| match option {
                    InfoBridgePort::State(state) => Some(port_state(*state)),
                    _ => None,
                };
                status.port_state = options.iter().find_map(state).unwrap_or_default().into();
            }
            _ => {}
        }
    }
    lower.get()
}

fn oper_state(state: State) -> OperState {
    match state {
        State::Unknown => OperState::Unknown,
        State::NotPresent => OperState::NotPresent,
        State::Down => OperState::Down,
        State::LowerLayerDown => OperState::LowerLayerDown,
        State::Testing => OperState::Testing,
        State::Dormant => OperState::Dormant,
        State::Up => OperState::Up,
        _ => OperState::Unspecified,
    }
}

fn port_state(state: BridgePortState) -> PortState {
    match state {
        BridgePortState::Disabled => PortState::Disabled,
        BridgePortState::Listening => PortState::Listening,
        BridgePortState::Learning => PortState::Learning,
        BridgePortState::Forwarding => PortState::Forwarding,
        BridgePortState::Blocking => PortState::Blocking,
        _ => PortState::Unspecified,
    }
}

fn counters(stats: &Stats64) -> proto::InterfaceCounters {
    proto::InterfaceCounters {
        rx_bytes: stats.rx_bytes,
        rx_packets: stats.rx_packets,
        rx_errors: stats.rx_errors,
        rx_dropped: stats.rx_dropped,
        tx_bytes: stats.tx_bytes,
        tx_packets: stats.tx_packets,
        tx_errors: stats.tx_errors,
        tx_dropped: stats.tx_dropped,
    }
}

/// A MAC address; nothing for what is none: `lo`'s zeros, and the IP addresses that tunnels have there.
fn mac_text(bytes: &[u8]) -> String {
    if bytes.len() != 6 || bytes.iter().all(|byte| *byte == 0) {
        return String::new();
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

/// All addresses of the socket's namespace by interface index, whoever made them, in the kernel's order.
pub(in crate::kernel) fn inspect_addresses(socket: &mut RouteSocket) -> Dump<BTreeMap<u32, Vec<IpNet>>> {
    let found = socket.dump(&RouteNetlinkMessage::GetAddress(AddressMessage::default()))?;
    Ok(found.map(|messages| {
        let mut all: BTreeMap<u32, Vec<IpNet>> = BTreeMap::new();
        for message in messages {
            if let RouteNetlinkMessage::NewAddress(message) = message
                && let Some(address) = address(&message)
            {
                all.entry(message.header.index).or_default().push(address);
            }
        }
        all
    }))
}

fn address(message: &AddressMessage) -> Option<IpNet> {
    let (mut local, mut address) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            // Where there is a peer, `IFA_ADDRESS` is the peer's.
            AddressAttribute::Local(seen) => local = Some(*seen),
            AddressAttribute::Address(seen) => address = Some(*seen),
            _ => {}
        }
    }
    IpNet::new(local.or(address)?, message.header.prefix_len).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_mac_address_is_not_shown_as_one() {
        assert_eq!(mac_text(&[2, 0, 0, 0, 0, 0xab]), "02:00:00:00:00:ab");
        assert_eq!(mac_text(&[0; 6]), "");
        assert_eq!(mac_text(&[192, 0, 2, 1]), "");
    }
}
