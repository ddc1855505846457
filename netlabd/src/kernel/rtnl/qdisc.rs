//! Root queueing disciplines as messages.

use std::collections::BTreeMap;

use netlink_packet_core::{DefaultNla, NLM_F_CREATE, NLM_F_REPLACE, Nla};
use netlink_packet_route::{
    RouteNetlinkMessage,
    tc::{TcAttribute, TcHandle, TcMessage, TcOption},
};

use super::{RouteSocket, netem, observe::Dump, socket::Request};
use crate::{
    model::observed::QdiscState,
    plan::{Verb, item::Qdisc},
};

/// `TCA_OPTIONS` of `linux/rtnetlink.h`.
const OPTIONS: u16 = 2;
const NETEM: &str = "netem";

/// What makes the interface of an index impair what leaves it, changes how it does, or ends that.
pub(super) fn encode(verb: Verb, item: &Qdisc, index: u32) -> Vec<Request> {
    let message = || {
        let mut message = TcMessage::with_index(i32::try_from(index).unwrap_or_default());
        message.header.parent = TcHandle::ROOT;
        message
    };
    let delete = (RouteNetlinkMessage::DelQueueDiscipline(message()), 0);
    if verb == Verb::Delete {
        return vec![delete];
    }
    let mut wanted = message();
    wanted.header.handle = TcHandle { major: Qdisc::MAJOR, minor: 0 };
    wanted.attributes.push(TcAttribute::Kind(NETEM.to_owned()));
    wanted.attributes.push(TcAttribute::Other(DefaultNla::new(OPTIONS, netem::encode(&item.impairment))));
    // Of one with the same handle this is a change in place, which keeps the packets that wait.
    let add = (RouteNetlinkMessage::NewQueueDiscipline(wanted), NLM_F_CREATE | NLM_F_REPLACE);
    // One of another kind with our handle could not be changed to ours.
    if item.over.is_some() { vec![delete, add] } else { vec![add] }
}

/// The root queueing disciplines of all interfaces by their index, those apart that the kernel chose itself.
pub(in crate::kernel) fn qdiscs(socket: &mut RouteSocket) -> Dump<BTreeMap<u32, QdiscState>> {
    let found = socket.dump(&RouteNetlinkMessage::GetQueueDiscipline(TcMessage::default()))?;
    Ok(found.map(|messages| messages.into_iter().filter_map(root).collect()))
}

fn root(message: RouteNetlinkMessage) -> Option<(u32, QdiscState)> {
    let RouteNetlinkMessage::NewQueueDiscipline(message) = message else { return None };
    let handle = message.header.handle;
    if message.header.parent != TcHandle::ROOT || handle.major == 0 {
        return None;
    }
    let (mut name, mut options) = (String::new(), None);
    for attribute in message.attributes {
        match attribute {
            TcAttribute::Kind(kind) => name = kind,
            TcAttribute::Options(all) => {
                let raw = |option| if let TcOption::Other(raw) = option { Some(raw) } else { None };
                options = all.into_iter().find_map(raw);
            }
            _ => {}
        }
    }
    let index = u32::try_from(message.header.index).ok()?;
    if name != NETEM || handle.major != Qdisc::MAJOR {
        return Some((index, QdiscState::Foreign(name)));
    }
    let options = options.map(|raw| {
        let mut bytes = vec![0; raw.value_len()];
        raw.emit_value(&mut bytes);
        bytes
    });
    Some((index, QdiscState::Ours(options.and_then(|bytes| netem::decode(&bytes)).map(Box::new))))
}
