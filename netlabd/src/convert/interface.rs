//! One interface's entry by itself.

use netlab_proto::{range, v1 as proto};

use crate::{
    link::Kind,
    model::{Form, IfName, Place},
};

use super::{
    draft::{Draft, Site},
    impair, master, port,
};
use crate::input::{Path, Sink, address};

/// What stands in place of addresses that the kernel makes of router advertisements.
const SLAAC: &str = "slaac";

/// Reads an entry; what is at fault is left out of the draft.
pub(super) fn read(
    place: &Place,
    name: &IfName,
    message: &proto::Interface,
    path: &Path,
    sink: &mut Sink,
) -> Draft {
    let loopback = *name == IfName::loopback();
    let mut draft = Draft { entry: true, up: message.up.unwrap_or(true), ..Draft::implied() };
    for (i, text) in message.addresses.iter().enumerate() {
        if text == SLAAC {
            slaac(place, loopback, &mut draft, &path.field("addresses").index(i), sink);
            continue;
        }
        let result = address::interface(text, loopback);
        let at = path.field("addresses").index(i);
        draft.addresses.extend(sink.keep_text(&at, text, result).map(|address| (i, address)));
    }
    if loopback {
        draft.form = Some(Form::Loopback);
        draft.has_kind = true;
        check_loopback(place, message, path, sink);
        return draft;
    }
    draft.mtu = message.mtu.filter(|mtu| mtu_in_range(*mtu, &path.field("mtu"), sink));
    draft.mac = message.mac.as_ref().and_then(|mac| sink.parse(&path.field("mac"), mac));
    settings(place, message, &mut draft, path, sink);
    draft.impair =
        message.impair.as_ref().and_then(|message| impair::read(message, &path.field("impair"), sink));
    draft.has_kind = message.kind.is_some();
    let kind = message.kind.as_ref().and_then(|kind| Kind::read(kind, *place == Place::Host, path, sink));
    draft.form = kind.map(Form::Made);
    let remotes = message.kind.as_ref().map(|kind| Kind::remotes(kind, path, sink));
    draft.remotes = remotes.unwrap_or_default();
    draft.lower = message.kind.as_ref().and_then(Kind::named);
    draft.port = message.port.as_ref().and_then(|message| port::read(message, &path.field("port"), sink));
    draft.master = master::read(place, message, path, sink);
    if let Some(kind) = draft.form.as_ref().and_then(Form::kind).filter(|kind| !kind.ethernet()) {
        without_frames(kind, message, path, sink);
        draft.port = None;
    }
    if let Some(kind) = draft.form.as_ref().and_then(Form::kind).filter(|it| it.ethernet() && !it.own_mac()) {
        shared_mac(kind, message, path, sink);
        (draft.port, draft.mac) = (None, None);
    }
    if message.port.is_some() && draft.form.as_ref().is_some_and(|form| form.ports().of_bridge()) {
        draft.port = None;
        sink.add(&path.field("port"), "a bridge cannot be a port of a bridge; join two bridges by a link");
    }
    draft
}

/// Addresses by router advertisements.
fn slaac(place: &Place, loopback: bool, draft: &mut Draft, path: &Path, sink: &mut Sink) {
    if *place == Place::Host {
        sink.add(
            path,
            "the host learns nothing from a lab, no addresses by advertisements either; give it one",
        );
    } else if loopback {
        sink.add(path, "nothing is advertised on \"lo\"; leave it out");
    } else if draft.slaac {
        sink.add(path, "\"slaac\" stands here already");
    }
    draft.slaac = true;
}

/// Settings that are numbers and switches of the kernel.
fn settings(place: &Place, message: &proto::Interface, draft: &mut Draft, path: &Path, sink: &mut Sink) {
    let fits = |length: &u32| range::TXQUEUELEN.contains(length);
    if let Some(length) = message.txqueuelen.filter(|length| !fits(length)) {
        let message = format!("{length} is not how many packets may wait: 0 to 1,000,000");
        sink.add(&path.field("txqueuelen"), message);
    }
    draft.txqueuelen = message.txqueuelen.filter(fits);
    let switches = [("proxy_arp", message.proxy_arp), ("accept_ra", message.accept_ra)];
    for (field, _) in switches.iter().filter(|(_, value)| *place == Place::Host && value.is_some()) {
        let message =
            "is for nodes: the host hears no advertisements of a lab, and answers for nobody; leave it out";
        sink.add(&path.field(field), message);
    }
    draft.proxy_arp = message.proxy_arp;
    draft.accept_ra = message.accept_ra;
    if draft.slaac && message.accept_ra == Some(false) {
        let message = "addresses has slaac, which needs advertisements; leave one of both out";
        sink.add(&path.field("accept_ra"), message);
    }
}

/// A node that answers for others gets what is for them.
pub(super) fn check_proxies(site: &Site, forwarding: bool, sink: &mut Sink) {
    let proxies = site.interfaces.iter().filter(|(_, draft)| draft.proxy_arp == Some(true) && !forwarding);
    for (name, _) in proxies {
        let message =
            format!("{} would get packets of others and drop them; set its forwarding to true", site.place);
        sink.add(&site.interface_path(name).field("proxy_arp"), message);
    }
}

/// What has the MAC address of what it is on.
fn shared_mac(kind: &Kind, message: &proto::Interface, path: &Path, sink: &mut Sink) {
    let key = kind.key();
    if message.mac.is_some() {
        let message =
            format!("an {key} has the MAC address of what it is on; leave it out, or use a macvlan");
        sink.add(&path.field("mac"), message);
    }
    if message.port.is_some() {
        let message =
            format!("an {key} shares its MAC address, so that it is no port of a bridge; use a link");
        sink.add(&path.field("port"), message);
    }
}

/// What carries packets without Ethernet headers.
fn without_frames(kind: &Kind, message: &proto::Interface, path: &Path, sink: &mut Sink) {
    let noun = kind.noun();
    if message.mac.is_some() {
        sink.add(
            &path.field("mac"),
            format!("{noun} carries no Ethernet frames and has no MAC address; leave it out"),
        );
    }
    if message.port.is_some() {
        let message = format!(
            "{noun} carries no Ethernet frames, so that it is no port of a bridge; gretap, geneve and vxlan do"
        );
        sink.add(&path.field("port"), message);
    }
}

fn mtu_in_range(mtu: u32, path: &Path, sink: &mut Sink) -> bool {
    let fits = range::MTU.contains(&mtu);
    if !fits {
        sink.add(path, format!("{mtu} is not an MTU: 68 to 65,535 bytes"));
    }
    fits
}

fn check_loopback(place: &Place, message: &proto::Interface, path: &Path, sink: &mut Sink) {
    if *place == Place::Host {
        sink.add(path, "\"lo\" of the host is not the lab's; use a dummy interface");
        return;
    }
    let given = [
        ("mtu", message.mtu.is_some()),
        ("mac", message.mac.is_some()),
        ("up", message.up == Some(false)),
        ("port", message.port.is_some()),
        ("master", !message.master.is_empty()),
        ("impair", message.impair.is_some()),
        ("txqueuelen", message.txqueuelen.is_some()),
        ("proxy_arp", message.proxy_arp.is_some()),
        ("accept_ra", message.accept_ra.is_some()),
    ];
    for (field, _) in given.iter().filter(|(_, given)| *given) {
        sink.add(
            &path.field(field),
            "\"lo\" is there and up in every node; only addresses may be added to it",
        );
    }
    if let Some(kind) = &message.kind {
        sink.add(
            &path.field(Kind::key_of(kind)),
            "\"lo\" is the loopback interface and can be no other kind",
        );
    }
}
