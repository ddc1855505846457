//! Dumps as plain data.

use std::{collections::BTreeMap, io, net::IpAddr};

use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{
        AfSpecInet6, AfSpecUnspec, BridgePortState, BridgeStpState, In6AddrGenMode, InfoBridge,
        InfoBridgePort, InfoData, InfoKind, InfoMacVlan, InfoPortData, InfoVlan, InfoVxlan, LinkAttribute,
        LinkExtentMask, LinkFlags, LinkInfo, LinkMessage, MacVlanMode, Prop, State,
    },
};

use super::{LINK_GROUP, RouteSocket};
use crate::model::{
    Mac, MacvlanMode,
    observed::{LinkKind, LinkLocalMode, LinkState, ObservedVxlan, PortState},
};

/// One interface of a link dump; indexes of others are not yet names.
#[derive(Debug, Clone)]
pub(in crate::kernel) struct LinkDump {
    /// Its name.
    pub(in crate::kernel) name: String,
    /// What is known without the others.
    pub(in crate::kernel) state: LinkState,
    /// `IFLA_LINK`: the peer or parent, and in which namespace (`IFLA_LINK_NETNSID`; `None`: the same).
    pub(in crate::kernel) link: Option<(u32, Option<i32>)>,
    /// `IFLA_MASTER`.
    pub(in crate::kernel) master: Option<u32>,
    /// `IFLA_VXLAN_LINK`.
    pub(in crate::kernel) vxlan_dev: Option<u32>,
    /// `IFLA_IFALIAS`.
    pub(in crate::kernel) alias: Option<String>,
    /// `IFLA_ALT_IFNAME`.
    pub(in crate::kernel) other_names: Vec<String>,
}

pub(super) type Dump<T> = io::Result<Result<T, super::Refusal>>;

/// All interfaces of the socket's namespace, or of the one that it knows by `nsid`.
pub(in crate::kernel) fn links(socket: &mut RouteSocket, nsid: Option<i32>) -> Dump<Vec<LinkDump>> {
    let mut request = LinkMessage::default();
    request.attributes.extend(nsid.map(LinkAttribute::IfNetnsId));
    request.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
    let found = socket.dump(&RouteNetlinkMessage::GetLink(request))?;
    Ok(found.map(|messages| {
        let link = |message| match message {
            RouteNetlinkMessage::NewLink(link) => Some(link_dump(link)),
            _ => None,
        };
        messages.into_iter().filter_map(link).collect()
    }))
}

/// Asks for one interface, of the namespace that the socket knows by `nsid` or of its own. Asking has the kernel
/// act on the interface's carrier at once, which it does within a second otherwise (`linkwatch_sync_dev` in
/// `rtnl_getlink`, since Linux 6.8). Returns whether it is at work; `None` where it is gone.
pub(in crate::kernel) fn hurry(
    socket: &mut RouteSocket,
    nsid: Option<i32>,
    index: u32,
) -> io::Result<Option<bool>> {
    let mut request = LinkMessage::default();
    request.header.index = index;
    request.attributes.extend(nsid.map(LinkAttribute::IfNetnsId));
    request.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
    Ok(match socket.get(RouteNetlinkMessage::GetLink(request))? {
        Ok(RouteNetlinkMessage::NewLink(link)) => Some(link_dump(link).state.at_work),
        _ => None,
    })
}

fn link_dump(message: LinkMessage) -> LinkDump {
    let mut dump = LinkDump {
        name: String::new(),
        state: LinkState {
            index: message.header.index,
            ours: false,
            kind: LinkKind::Other(String::new()),
            mac: None,
            mtu: 0,
            up: message.header.flags.contains(LinkFlags::Up),
            carrier: message.header.flags.contains(LinkFlags::LowerUp),
            at_work: false,
            port: None,
            master: None,
            addresses: Vec::new(),
            link_local: Vec::new(),
            makes_link_local: LinkLocalMode::Off,
            vlans: BTreeMap::new(),
        },
        link: None,
        master: None,
        vxlan_dev: None,
        alias: None,
        other_names: Vec::new(),
    };
    let (mut lower, mut lower_nsid) = (None, None);
    let (mut mode, mut at_work) = (LinkLocalMode::Off, false);
    let mut loopback = message.header.flags.contains(LinkFlags::Loopback);
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => dump.name = name,
            LinkAttribute::Group(group) => dump.state.ours = group == LINK_GROUP,
            LinkAttribute::Address(mac) => {
                dump.state.mac = <[u8; 6]>::try_from(mac).ok().and_then(|octets| Mac::try_from(octets).ok());
            }
            LinkAttribute::Mtu(mtu) => dump.state.mtu = mtu,
            LinkAttribute::Link(index) => lower = Some(index),
            LinkAttribute::LinkNetNsId(id) => lower_nsid = Some(id),
            LinkAttribute::Controller(index) => dump.master = Some(index).filter(|index| *index != 0),
            LinkAttribute::IfAlias(alias) => dump.alias = Some(alias),
            LinkAttribute::PropList(props) => {
                let name = |prop| if let Prop::AltIfName(name) = prop { Some(name) } else { None };
                dump.other_names.extend(props.into_iter().filter_map(name));
            }
            // A carrier that has just come is not yet known there, and the address yet to be made.
            LinkAttribute::OperState(state) => {
                dump.state.at_work = state == State::Up;
                at_work = matches!(state, State::Up | State::Unknown);
            }
            LinkAttribute::AfSpecUnspec(families) => mode = link_local_mode(&families),
            LinkAttribute::LinkInfo(infos) => {
                loopback = false;
                dump.state.port = infos.iter().find_map(port_state);
                (dump.state.kind, dump.vxlan_dev) = kind(infos);
            }
            _ => {}
        }
    }
    if loopback {
        dump.state.kind = LinkKind::Loopback;
    }
    // A bond's member has none (`addrconf_notify` in net/ipv6/addrconf.c).
    let is_slave = message.header.flags.contains(LinkFlags::Port);
    if at_work && dump.state.carrier && !loopback && !is_slave {
        dump.state.makes_link_local = mode;
    }
    dump.link = lower.filter(|index| *index != 0).map(|index| (index, lower_nsid));
    dump
}

fn link_local_mode(families: &[AfSpecUnspec]) -> LinkLocalMode {
    let mut mode = LinkLocalMode::Off;
    let ipv6 = families.iter().filter_map(|family| match family {
        AfSpecUnspec::Inet6(ipv6) => Some(ipv6),
        _ => None,
    });
    let mut disabled = false;
    for attribute in ipv6.flatten() {
        match attribute {
            AfSpecInet6::DevConf(conf) => disabled = conf.disable_ipv6 != 0,
            AfSpecInet6::AddrGenMode(In6AddrGenMode::Eui64) => mode = LinkLocalMode::Mac,
            AfSpecInet6::AddrGenMode(In6AddrGenMode::None) => mode = LinkLocalMode::None,
            AfSpecInet6::AddrGenMode(_) => mode = LinkLocalMode::Other,
            _ => {}
        }
    }
    if disabled { LinkLocalMode::Off } else { mode }
}

fn port_state(info: &LinkInfo) -> Option<PortState> {
    let LinkInfo::PortData(InfoPortData::BridgePort(options)) = info else { return None };
    options.iter().find_map(|option| match option {
        InfoBridgePort::State(BridgePortState::Disabled) => Some(PortState::Disabled),
        InfoBridgePort::State(BridgePortState::Blocking) => Some(PortState::Blocking),
        InfoBridgePort::State(BridgePortState::Listening) => Some(PortState::Listening),
        InfoBridgePort::State(BridgePortState::Learning) => Some(PortState::Learning),
        InfoBridgePort::State(BridgePortState::Forwarding) => Some(PortState::Forwarding),
        _ => None,
    })
}

fn kind(infos: Vec<LinkInfo>) -> (LinkKind, Option<u32>) {
    let (mut kind, mut data) = (None, None);
    for info in infos {
        match info {
            LinkInfo::Kind(seen) => kind = Some(seen),
            LinkInfo::Data(seen) => data = Some(seen),
            _ => {}
        }
    }
    let mut vxlan_dev = None;
    let kind = match (kind, data) {
        (Some(InfoKind::Veth), _) => LinkKind::Veth { peer: None },
        (Some(InfoKind::Dummy), _) => LinkKind::Dummy,
        (Some(InfoKind::Bridge), Some(InfoData::Bridge(options))) => LinkKind::Bridge {
            vlan_filtering: options.contains(&InfoBridge::VlanFiltering(true)),
            stp: options
                .iter()
                .any(|o| matches!(o, InfoBridge::StpState(s) if *s != BridgeStpState::Disabled)),
        },
        (Some(InfoKind::Vlan), Some(InfoData::Vlan(options))) => {
            let id = options.iter().find_map(|o| if let InfoVlan::Id(id) = o { Some(*id) } else { None });
            LinkKind::Vlan { parent: None, id: id.unwrap_or_default() }
        }
        (Some(InfoKind::MacVlan), Some(InfoData::MacVlan(options))) => {
            let mode =
                options.iter().find_map(|o| if let InfoMacVlan::Mode(mode) = o { Some(*mode) } else { None });
            LinkKind::Macvlan { parent: None, mode: mode.and_then(macvlan_mode) }
        }
        (Some(InfoKind::Vxlan), Some(InfoData::Vxlan(options))) => {
            let vxlan;
            (vxlan, vxlan_dev) = observed_vxlan(&options);
            LinkKind::Vxlan(vxlan)
        }
        (Some(other), _) => LinkKind::Other(other.to_string()),
        (None, _) => LinkKind::Other("device".to_owned()),
    };
    (kind, vxlan_dev)
}

fn macvlan_mode(mode: MacVlanMode) -> Option<MacvlanMode> {
    match mode {
        MacVlanMode::Bridge => Some(MacvlanMode::Bridge),
        MacVlanMode::Private => Some(MacvlanMode::Private),
        MacVlanMode::Vepa => Some(MacvlanMode::Vepa),
        MacVlanMode::Passthrough => Some(MacvlanMode::Passthru),
        _ => None,
    }
}

fn observed_vxlan(options: &[InfoVxlan]) -> (ObservedVxlan, Option<u32>) {
    let mut vxlan = ObservedVxlan::default();
    let mut dev = None;
    for option in options {
        match option {
            InfoVxlan::Id(vni) => vxlan.vni = *vni,
            InfoVxlan::Group(remote) => vxlan.remote = Some(IpAddr::V4(*remote)),
            InfoVxlan::Group6(remote) => vxlan.remote = Some(IpAddr::V6(*remote)),
            InfoVxlan::Local(local) => vxlan.local = Some(IpAddr::V4(*local)),
            InfoVxlan::Local6(local) => vxlan.local = Some(IpAddr::V6(*local)),
            InfoVxlan::Port(port) => vxlan.port = *port,
            InfoVxlan::Learning(on) => vxlan.learning = *on,
            InfoVxlan::Link(index) => dev = Some(*index).filter(|index| *index != 0),
            _ => {}
        }
    }
    (vxlan, dev)
}
