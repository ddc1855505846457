//! Operations as rtnetlink messages.

use std::{
    collections::BTreeMap,
    os::fd::{AsRawFd, BorrowedFd},
};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{
        BridgePortState, InfoBond, InfoBridgePort, InfoData, InfoKind, InfoPortData, InfoPortKind, InfoVeth,
        LinkAttribute, LinkInfo, LinkMessage,
    },
};
use rtnetlink::{LinkMessageBuilder, LinkUnspec};

use super::{LINK_GROUP, address, fdb, label_route, neighbour, qdisc, route, rule, socket::Request, vlan};
use crate::{
    link::Unknown,
    model::{Endpoint, IfName, Mac, Place, PortSetting},
    plan::{
        Op, Verb,
        item::{Item, Link, LinkChange, Name, Setting, Veth, VethEnd},
    },
};

/// Interface indexes of the namespace whose socket the messages go to.
pub(in crate::kernel) type Indexes = BTreeMap<String, u32>;

/// The messages of an operation on links, addresses or routes; none for operations of other kinds.
///
/// `namespace` gives the namespaces of nodes; `None` leaves an interface in the socket's own.
/// `alias` marks interfaces on the host.
pub(in crate::kernel) fn messages<'a>(
    op: &Op,
    indexes: &Indexes,
    namespace: &dyn Fn(&Place) -> Option<BorrowedFd<'a>>,
    alias: &str,
) -> Result<Vec<Request>, Unknown> {
    let index = |name: &str| indexes.get(name).copied().ok_or_else(|| Unknown(name.to_owned()));
    let make = NLM_F_CREATE | NLM_F_EXCL;
    Ok(match &op.item {
        Item::Veth(Veth { a, b }) => {
            let mut requests = vec![(RouteNetlinkMessage::NewLink(veth(a, b, namespace)), make)];
            let ends = [a, b].into_iter().filter(|end| end.at.place == Place::Host);
            requests.extend(ends.map(|end| mark(&end.at, alias)));
            requests
        }
        Item::Link(wanted) => {
            let mut link = new_link(wanted, &index)?;
            let at = &wanted.at;
            if let Some(fd) = namespace(&at.place) {
                link.attributes.push(LinkAttribute::NetNsFd(fd.as_raw_fd()));
            }
            let mut requests = vec![(RouteNetlinkMessage::NewLink(link), make)];
            requests.extend((at.place == Place::Host).then(|| mark(at, alias)));
            requests
        }
        Item::Spot(spot) => vec![(RouteNetlinkMessage::DelLink(named(&spot.name)), 0)],
        Item::Name(Name { from, to }) => {
            let link = LinkUnspec::new_with_index(index(&from.name)?);
            vec![(RouteNetlinkMessage::SetLink(link.name(to.as_str()).build()), 0)]
        }
        Item::Setting(Setting { at, change }) => {
            let link = set_link(&at.interface, change, &index)?;
            // RTM_SETLINK passes over what belongs to a kind (do_setlink in net/core/rtnetlink.c).
            let of_kind = matches!(
                change,
                LinkChange::OfKind(_) | LinkChange::Forward | LinkChange::Port(_) | LinkChange::Primary(_)
            );
            let message = if of_kind { RouteNetlinkMessage::NewLink } else { RouteNetlinkMessage::SetLink };
            let down = LinkUnspec::new_with_name(at.interface.as_str()).down().build();
            let down = matches!(change, LinkChange::Master { first_down: true, .. }).then_some(down);
            let down = down.map(|link| (RouteNetlinkMessage::SetLink(link), 0));
            let alias = (*change == LinkChange::Mark && at.place == Place::Host).then(|| mark(at, alias));
            down.into_iter().chain([(message(link), 0)]).chain(alias).collect()
        }
        Item::Vlan(item) => vec![vlan::encode(op.verb, item, index(item.at.interface.as_str())?)],
        Item::Fdb(item) => vec![fdb::encode(op.verb, item.entry, index(item.at.interface.as_str())?)],
        Item::Qdisc(item) => qdisc::encode(op.verb, item, index(item.at.interface.as_str())?),
        Item::Address(item) => address::encode(op.verb, item.address, index(item.at.interface.as_str())?),
        Item::Route(item) => vec![route::encode(op.verb, &item.route, &index)?],
        Item::LabelRoute(item) => vec![label_route::encode(op.verb, &item.route, &index)?],
        Item::Rule(item) => vec![rule::encode(op.verb, &item.rule)],
        Item::Neighbour(item) => {
            let index = index(item.neighbour.dev.as_str())?;
            vec![neighbour::encode(op.verb, &item.neighbour, index)]
        }
        Item::LinkLocal(item) if op.verb == Verb::Delete => {
            address::encode_link_local(item, index(item.at.interface.as_str())?)
        }
        // By other means.
        Item::Namespace(_)
        | Item::Wireguard(_)
        | Item::Sysctl(_)
        | Item::Firewall(_)
        | Item::Nat(_)
        | Item::Guard(_)
        | Item::LinkLocal(_) => Vec::new(),
    })
}

fn named(name: &str) -> LinkMessage {
    LinkUnspec::new_with_name(name).build()
}

/// Marks an interface on the host with its lab. The alias cannot be given at creation.
fn mark(at: &Endpoint, alias: &str) -> Request {
    let link = LinkUnspec::new_with_name(at.interface.as_str()).alias(alias);
    (RouteNetlinkMessage::SetLink(link.build()), 0)
}

/// What every interface is made with.
fn dress<T>(
    builder: LinkMessageBuilder<T>,
    mac: Option<Mac>,
    mtu: Option<u32>,
    gso_max_segs: Option<u32>,
) -> LinkMessage {
    let mut builder = builder.link_group(LINK_GROUP);
    if let Some(mac) = mac {
        builder = builder.address(mac.octets().to_vec());
    }
    if let Some(mtu) = mtu {
        builder = builder.mtu(mtu);
    }
    let mut link = builder.build();
    link.attributes.extend(gso_max_segs.map(LinkAttribute::GsoMaxSegs));
    link
}

/// A veth pair with both ends placed at once: moving an end later costs the kernel 16 ms.
fn veth<'a>(a: &VethEnd, b: &VethEnd, namespace: &dyn Fn(&Place) -> Option<BorrowedFd<'a>>) -> LinkMessage {
    let place = |mut link: LinkMessage, end: &VethEnd| {
        if let Some(fd) = namespace(&end.at.place) {
            link.attributes.push(LinkAttribute::NetNsFd(fd.as_raw_fd()));
        }
        link
    };
    // The end in the socket's own namespace is the message's own: before Linux 6.15 an interface of that
    // name there is taken for the one to be made, wherever that is to be.
    let b_is_here = namespace(&b.at.place).is_none();
    let (a, b) = if b_is_here { (b, a) } else { (a, b) };
    let builder = LinkUnspec::new_with_name(b.at.interface.as_str());
    let peer = place(dress(builder, b.mac, b.mtu, b.gso_max_segs), b);
    let builder = LinkMessageBuilder::<LinkUnspec>::new_with_info_kind(InfoKind::Veth)
        .name(a.at.interface.as_str())
        .set_info_data(InfoData::Veth(InfoVeth::Peer(peer)));
    place(dress(builder, a.mac, a.mtu, a.gso_max_segs), a)
}

fn new_link(wanted: &Link, index: &dyn Fn(&str) -> Result<u32, Unknown>) -> Result<LinkMessage, Unknown> {
    let kind = &wanted.kind;
    let mut builder = LinkMessageBuilder::<LinkUnspec>::new_with_info_kind(kind.info());
    builder = builder.name(wanted.at.interface.as_str());
    if let Some(lower) = kind.lower().filter(|_| kind.linked()) {
        builder = builder.link(index(lower.name().as_str())?);
    }
    if let Some(data) = kind.encode(&|name| index(name.as_str()))? {
        builder = builder.set_info_data(data);
    }
    Ok(dress(builder, wanted.mac, wanted.mtu, wanted.gso_max_segs))
}

fn set_link(
    name: &IfName,
    change: &LinkChange,
    index: &dyn Fn(&str) -> Result<u32, Unknown>,
) -> Result<LinkMessage, Unknown> {
    let builder = LinkUnspec::new_with_name(name.as_str());
    Ok(match change {
        LinkChange::Up(true) => builder.up().build(),
        LinkChange::Up(false) => builder.down().build(),
        LinkChange::Mtu(mtu) => builder.mtu(*mtu).build(),
        LinkChange::Mac(mac) => builder.address(mac.octets().to_vec()).build(),
        LinkChange::Master { name: Some(master), .. } => builder.controller(index(master.as_str())?).build(),
        LinkChange::Master { name: None, .. } => builder.nocontroller().build(),
        LinkChange::Mark => builder.link_group(LINK_GROUP).build(),
        LinkChange::TxQueueLen(length) => {
            let mut link = named(name.as_str());
            link.attributes.push(LinkAttribute::TxQueueLen(*length));
            link
        }
        LinkChange::GsoMaxSegs(count) => {
            let mut link = named(name.as_str());
            link.attributes.push(LinkAttribute::GsoMaxSegs(*count));
            link
        }
        LinkChange::OfKind(setting) => {
            let mut link = named(name.as_str());
            link.attributes.push(LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(setting.then.info()),
                LinkInfo::Data(setting.data.clone()),
            ]));
            link
        }
        LinkChange::Primary(member) => {
            // There is none with index 0.
            let member = member.as_ref().map_or(Ok(0), |name| index(name.as_str()))?;
            let mut link = named(name.as_str());
            link.attributes.push(LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::Bond),
                LinkInfo::Data(InfoData::Bond(vec![InfoBond::Primary(member)])),
            ]));
            link
        }
        LinkChange::Forward => set_port(name, InfoBridgePort::State(BridgePortState::Forwarding)),
        LinkChange::Port(setting) => set_port(name, port_option(*setting)),
    })
}

fn set_port(name: &IfName, option: InfoBridgePort) -> LinkMessage {
    let mut link = named(name.as_str());
    link.attributes.push(LinkAttribute::LinkInfo(vec![
        LinkInfo::PortKind(InfoPortKind::Bridge),
        LinkInfo::PortData(InfoPortData::BridgePort(vec![option])),
    ]));
    link
}

fn port_option(setting: PortSetting) -> InfoBridgePort {
    match setting {
        PortSetting::Cost(cost) => InfoBridgePort::Cost(cost.into()),
        PortSetting::Priority(priority) => InfoBridgePort::Priority(priority.into()),
        PortSetting::Isolated(on) => InfoBridgePort::Isolated(on),
        PortSetting::Hairpin(on) => InfoBridgePort::HairpinMode(on),
        PortSetting::Learning(on) => InfoBridgePort::Learning(on),
        PortSetting::GroupFwdMask(mask) => InfoBridgePort::GroupFwdMask(mask.bits()),
    }
}
