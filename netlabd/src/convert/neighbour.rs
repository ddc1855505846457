//! Static neighbours, and those for which a node answers.

use std::{collections::BTreeMap, net::IpAddr};

use netlab_proto::v1 as proto;

use crate::model::{IfName, Mac, Neighbour, Route};

use super::{draft::Site, gateway::Gateways};
use crate::input::{Path, Sink, address};

/// Reads the neighbours of a node, whose routes may say what is on a link.
pub(super) fn read(
    site: &Site,
    gateways: &Gateways<'_>,
    messages: &[proto::Neighbour],
    sink: &mut Sink,
) -> Vec<Neighbour> {
    let mut seen: BTreeMap<(IpAddr, IfName), usize> = BTreeMap::new();
    let mut read = Vec::with_capacity(messages.len());
    for (number, message) in messages.iter().enumerate() {
        let path = site.path.field("neighbours").index(number);
        let Some(neighbour) = neighbour(site, gateways, message, &path, sink) else { continue };
        let first = *seen.entry((neighbour.to, neighbour.dev.clone())).or_insert(number);
        if first != number {
            let Neighbour { to, dev, .. } = &neighbour;
            sink.add(&path, format!("neighbours[{first}] says already what {to} is on {dev}; leave one out"));
        }
        read.push(neighbour);
    }
    read
}

fn neighbour(
    site: &Site,
    gateways: &Gateways<'_>,
    message: &proto::Neighbour,
    path: &Path,
    sink: &mut Sink,
) -> Option<Neighbour> {
    let at = path.field("to");
    let mac = read_mac(message, path, sink);
    let to = if message.to.is_empty() {
        sink.add(&at, "is missing: the address of the neighbour, such as 192.0.2.77");
        None
    } else {
        sink.keep_text(&at, &message.to, address::host(&message.to))
    };
    let dev = match (message.dev.as_str(), to) {
        ("", _) if message.proxy => {
            sink.add(path, "proxy needs dev: the interface on whose link the node answers for the address");
            None
        }
        ("", Some(to)) => {
            let dev = gateways.link_of(to);
            if dev.is_none() {
                let (place, links) = (&site.place, gateways.links());
                sink.add(&at, format!("{to} is on no link of {place}: {links}; add dev"));
            }
            dev
        }
        ("", None) => None,
        (dev, _) => {
            let path = path.field("dev");
            site.reference(dev, &path, sink).filter(|dev| has_link(dev, &path, sink))
        }
    };
    let (mac, to, dev) = (mac?, to?, dev?);
    if let Some(down) = site.down(&dev) {
        sink.add(path, format!("{down} is down, and has no neighbours; leave out up: false there"));
    }
    if gateways.is_own_beside(to, &dev) {
        let place = &site.place;
        sink.add(&at, format!("{to} is {place}'s own address; name a neighbour's"));
    } else if mac.is_some() && !gateways.is_on(to, &dev, Route::MAIN) {
        let have = gateways.subnets_of(&dev);
        sink.add(&at, format!("{to} is not on {dev}, which has {have}"));
    }
    Some(Neighbour { to, dev, mac })
}

fn has_link(dev: &IfName, path: &Path, sink: &mut Sink) -> bool {
    let has = *dev != IfName::loopback();
    if !has {
        sink.add(path, "\"lo\" has no link and no neighbours; name another interface");
    }
    has
}

/// Its MAC address, or none where the node answers for it; the outer `None` is a fault.
#[expect(clippy::option_option, reason = "both are said by what the file leaves out")]
fn read_mac(message: &proto::Neighbour, path: &Path, sink: &mut Sink) -> Option<Option<Mac>> {
    match (message.mac.as_str(), message.proxy) {
        ("", true) => Some(None),
        ("", false) => {
            sink.add(path, "a neighbour needs mac, or proxy: true where the node is to answer for it");
            None
        }
        (mac, false) => sink.parse(&path.field("mac"), mac).map(Some),
        (_, true) => {
            let message = "the node answers with the interface's own MAC address; leave out mac or proxy";
            sink.add(&path.field("mac"), message);
            None
        }
    }
}
