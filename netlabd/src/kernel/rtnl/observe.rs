//! Dumps as plain data.

use std::{collections::BTreeMap, io};

use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{
        AfSpecInet6, AfSpecUnspec, BridgePortState, BridgeStpState, In6AddrGenMode, InfoBondPort, InfoBridge,
        InfoBridgePort, InfoData, InfoKind, InfoPortData, InfoVrf, LinkAttribute, LinkExtentMask, LinkFlags,
        LinkInfo, LinkMessage, Prop, State,
    },
};

use super::{LINK_GROUP, RouteSocket};
use crate::{
    link::{Attributes, Kind, Lower},
    model::{
        GroupFwdMask, IfName, Mac, Place, PortSettings, VlanId,
        observed::{ForeignBridge, LinkLocalMode, LinkState, ObservedForm, PortState, Segments},
    },
};

/// One interface of a link dump; indexes of others are not yet names.
#[derive(Debug, Clone, Default)]
pub(in crate::kernel) struct LinkDump {
    /// Its name.
    pub(in crate::kernel) name: String,
    /// Interface index, from 1.
    pub(in crate::kernel) index: u32,
    /// Whether it is in the group of interfaces that netlabd makes.
    pub(in crate::kernel) ours: bool,
    /// Whether it is the loopback interface.
    pub(in crate::kernel) loopback: bool,
    /// `IFLA_INFO_KIND` and `IFLA_INFO_DATA`.
    pub(in crate::kernel) info: (Option<InfoKind>, Option<InfoData>),
    /// MAC address, where it has one of six bytes.
    pub(in crate::kernel) mac: Option<Mac>,
    /// Maximum transmission unit in bytes.
    pub(in crate::kernel) mtu: u32,
    /// `IFF_UP`.
    pub(in crate::kernel) up: bool,
    /// `IFF_LOWER_UP`.
    pub(in crate::kernel) carrier: bool,
    /// `IFLA_OPERSTATE` is up.
    pub(in crate::kernel) at_work: bool,
    /// What it does with frames as a port of a bridge.
    pub(in crate::kernel) port: Option<PortState>,
    /// How it is set up as such.
    pub(in crate::kernel) port_settings: Option<PortSettings>,
    /// How the kernel makes its link-local address.
    pub(in crate::kernel) makes_link_local: LinkLocalMode,
    /// `IFLA_LINK`: the peer or parent, and in which namespace (`IFLA_LINK_NETNSID`; `None`: the same).
    pub(in crate::kernel) link: Option<(u32, Option<i32>)>,
    /// `IFLA_BOND_SLAVE_PERM_HWADDR`.
    pub(in crate::kernel) own_mac: Option<Mac>,
    /// `IFLA_MASTER`.
    pub(in crate::kernel) master: Option<u32>,
    /// `IFLA_IFALIAS`.
    pub(in crate::kernel) alias: Option<String>,
    /// `IFLA_ALT_IFNAME`.
    pub(in crate::kernel) other_names: Vec<String>,
    /// Whether its root queueing discipline is one that keeps packets (`IFLA_QDISC`).
    pub(in crate::kernel) queues: bool,
    /// `IFLA_GSO_MAX_SEGS` and `IFLA_TSO_MAX_SEGS`.
    pub(in crate::kernel) segments: Segments,
    /// `IFLA_TXQLEN`.
    pub(in crate::kernel) txqueuelen: u32,
}

/// What the indexes in a link dump stand for.
pub(in crate::kernel) trait Neighbours {
    /// The name of an interface of the same namespace.
    fn name(&self, index: u32) -> Option<&str>;
    /// The place of the namespace that the host knows by a number.
    fn place(&self, nsid: i32) -> Option<Place>;
    /// The name of an interface of the host.
    fn name_on_host(&self, index: u32) -> Option<&str>;
    /// The place itself.
    fn here(&self) -> &Place;
}

impl LinkDump {
    /// Of a VRF the table in which the kernel keeps the routes of its ports (`IFLA_VRF_TABLE`).
    pub(in crate::kernel) fn vrf_table(&self) -> Option<u32> {
        let Some(InfoData::Vrf(options)) = &self.info.1 else { return None };
        options
            .iter()
            .find_map(|option| if let InfoVrf::TableId(table) = option { Some(*table) } else { None })
    }

    /// Of a bridge what matters to ports of it.
    pub(in crate::kernel) fn bridge(&self) -> Option<ForeignBridge> {
        let (Some(InfoKind::Bridge), data) = &self.info else { return None };
        let options = if let Some(InfoData::Bridge(options)) = data { options.as_slice() } else { &[] };
        let mut bridge = ForeignBridge::default();
        for option in options {
            match option {
                InfoBridge::VlanFiltering(on) => bridge.filtering = *on,
                InfoBridge::StpState(state) => bridge.stp = *state != BridgeStpState::Disabled,
                InfoBridge::VlanDefaultPvid(id) => bridge.pvid = VlanId::try_from(u32::from(*id)).ok(),
                _ => {}
            }
        }
        Some(bridge)
    }

    /// What it is, among its neighbours.
    pub(in crate::kernel) fn form(&self, among: &dyn Neighbours) -> ObservedForm {
        if self.loopback {
            return ObservedForm::Loopback;
        }
        // Of the same namespace where the kernel says of no other.
        let there = |nsid: Option<i32>| nsid.map_or_else(|| Some(among.here().clone()), |id| among.place(id));
        let link = self.link.and_then(|(index, nsid)| Some((there(nsid)?, index)));
        let (Some(kind), data) = &self.info else { return ObservedForm::Other("device".to_owned()) };
        if *kind == InfoKind::Veth {
            return ObservedForm::Veth { peer: link };
        }
        let name = |index| among.name(index)?.parse::<IfName>().ok();
        let lower = link.and_then(|(place, index)| {
            let on_host = || among.name_on_host(index)?.parse().ok().map(Lower::Host);
            if place == *among.here() {
                name(index).map(Lower::Here)
            } else {
                on_host().filter(|_| place == Place::Host)
            }
        });
        let seen = Attributes { lower, data: data.as_ref(), name: &name };
        Kind::decode(kind, &seen).map_or_else(|| ObservedForm::Other(kind.to_string()), ObservedForm::Made)
    }

    /// Its state, as far as a link dump tells.
    pub(in crate::kernel) fn state(&self, among: &dyn Neighbours) -> LinkState {
        LinkState {
            index: self.index,
            ours: self.ours,
            form: self.form(among),
            mac: self.mac,
            mtu: self.mtu,
            up: self.up,
            carrier: self.carrier,
            at_work: self.at_work,
            port: self.port,
            port_settings: self.port_settings,
            fdb: BTreeMap::new(),
            master: self.master.and_then(|index| among.name(index)).map(ToOwned::to_owned),
            own_mac: self.own_mac,
            addresses: Vec::new(),
            link_local: Vec::new(),
            hears_groups: false,
            makes_link_local: self.makes_link_local,
            vlans: BTreeMap::new(),
            qdisc: None,
            segments: self.segments,
            wireguard: None,
            txqueuelen: self.txqueuelen,
        }
    }
}

pub(super) type Dump<T> = io::Result<Result<T, super::NetlinkError>>;

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
        Ok(RouteNetlinkMessage::NewLink(link)) => Some(link_dump(link).at_work),
        _ => None,
    })
}

fn link_dump(message: LinkMessage) -> LinkDump {
    let mut dump = LinkDump {
        index: message.header.index,
        up: message.header.flags.contains(LinkFlags::Up),
        carrier: message.header.flags.contains(LinkFlags::LowerUp),
        loopback: message.header.flags.contains(LinkFlags::Loopback),
        ..LinkDump::default()
    };
    let (mut lower, mut lower_nsid) = (None, None);
    let (mut mode, mut at_work) = (LinkLocalMode::Off, false);
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => dump.name = name,
            LinkAttribute::Group(group) => dump.ours = group == LINK_GROUP,
            LinkAttribute::Address(mac) => dump.mac = read_mac(&mac),
            LinkAttribute::Mtu(mtu) => dump.mtu = mtu,
            LinkAttribute::Qdisc(kind) => dump.queues = !matches!(kind.as_str(), "noqueue" | "noop"),
            LinkAttribute::GsoMaxSegs(count) => dump.segments.now = count,
            LinkAttribute::TxQueueLen(length) => dump.txqueuelen = length,
            LinkAttribute::TsoMaxSegs(count) => dump.segments.most = count,
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
                dump.at_work = state == State::Up;
                at_work = matches!(state, State::Up | State::Unknown);
            }
            LinkAttribute::AfSpecUnspec(families) => mode = link_local_mode(&families),
            LinkAttribute::LinkInfo(infos) => {
                dump.loopback = false;
                dump.port = infos.iter().find_map(port_state);
                dump.port_settings = infos.iter().find_map(port_settings);
                dump.own_mac = infos.iter().find_map(own_mac);
                for info in infos {
                    match info {
                        LinkInfo::Kind(kind) => dump.info.0 = Some(kind),
                        LinkInfo::Data(data) => dump.info.1 = Some(data),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    // A bond's member has none (`addrconf_notify` in net/ipv6/addrconf.c).
    let is_slave = message.header.flags.contains(LinkFlags::Port);
    if at_work && dump.carrier && !dump.loopback && !is_slave {
        dump.makes_link_local = mode;
    }
    dump.link = lower.filter(|index| *index != 0).map(|index| (index, lower_nsid));
    dump
}

fn read_mac(octets: &[u8]) -> Option<Mac> {
    <[u8; 6]>::try_from(octets).ok().and_then(|octets| Mac::try_from(octets).ok())
}

fn own_mac(info: &LinkInfo) -> Option<Mac> {
    let LinkInfo::PortData(InfoPortData::BondPort(options)) = info else { return None };
    options.iter().find_map(|option| match option {
        InfoBondPort::PermHwaddr(octets) => read_mac(octets),
        _ => None,
    })
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

fn port_settings(info: &LinkInfo) -> Option<PortSettings> {
    let LinkInfo::PortData(InfoPortData::BridgePort(options)) = info else { return None };
    let mut seen = PortSettings::default();
    for option in options {
        match option {
            InfoBridgePort::Cost(cost) => seen.cost = u16::try_from(*cost).ok(),
            InfoBridgePort::Priority(priority) => seen.priority = u8::try_from(*priority).unwrap_or(u8::MAX),
            InfoBridgePort::Isolated(on) => seen.isolated = *on,
            InfoBridgePort::HairpinMode(on) => seen.hairpin = *on,
            InfoBridgePort::Learning(on) => seen.learning = *on,
            InfoBridgePort::GroupFwdMask(mask) => seen.group_fwd_mask = GroupFwdMask::from_bits(*mask),
            _ => {}
        }
    }
    Some(seen)
}
