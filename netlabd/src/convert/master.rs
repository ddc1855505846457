//! Members of VRFs and of bonds.

use std::collections::BTreeMap;

use netlab_proto::v1 as proto;

use crate::{
    link::{Kind, Lower, Ports},
    model::{Form, IfName, Place},
};

use super::draft::{Draft, Site, Sites};
use crate::input::{Path, Sink, listed, name, shown};

/// Reads what an interface belongs to.
pub(super) fn read(
    place: &Place,
    message: &proto::Interface,
    path: &Path,
    sink: &mut Sink,
) -> Option<IfName> {
    let path = path.field("master");
    let master = name::optional(&message.master, &path, sink)?;
    if *place == Place::Host {
        sink.add(
            &path,
            "VRFs and bonds are of nodes, and no interface of the host belongs to one; leave out master",
        );
        return None;
    }
    if let Some(port) = &message.port {
        let message = format!(
            "the interface is a port of {} already, and belongs to one only; leave out port or master",
            shown(&port.bridge)
        );
        sink.add(&path, message);
        return None;
    }
    Some(master)
}

/// Checks members against what they belong to.
pub(super) fn check(sites: &Sites, sink: &mut Sink) {
    let mut elsewhere: BTreeMap<&IfName, &Place> = BTreeMap::new();
    for site in sites.iter() {
        let has_members = |draft: &Draft| draft.form.as_ref().is_some_and(|form| members(form.ports()));
        for (name, _) in site.interfaces.iter().filter(|(_, draft)| has_members(draft)) {
            elsewhere.entry(name).or_insert(&site.place);
        }
    }
    for site in sites.iter() {
        for (name, draft) in &site.interfaces {
            if let Some(master) = &draft.master {
                let path = site.interface_path(name).field("master");
                match (site.interfaces.get(master), elsewhere.get(master)) {
                    (None, Some(other)) => {
                        let message = format!(
                            "{master} is in {other}, not in {}: a member and what it belongs to are in one node",
                            site.place
                        );
                        sink.add(&path, message);
                    }
                    _ => check_member(site, (name, draft), master, &path, sink),
                }
            }
            check_primary(site, name, draft, sink);
        }
    }
}

/// Whether something belongs to these by `master`.
fn members(ports: Ports) -> bool {
    ports.vrf().is_some() || ports.of_bond()
}

fn check_member(
    site: &Site,
    (name, draft): (&IfName, &Draft),
    master: &IfName,
    path: &Path,
    sink: &mut Sink,
) {
    let Some(found) = site.find(master, path, sink) else { return };
    let shown = shown(master.as_str());
    let Some(form) = &found.form else {
        if !found.has_kind {
            sink.add(path, format!("{shown} is no VRF or bond; name one"));
        }
        return;
    };
    match form.ports() {
        Ports::Vrf { .. } if draft.table().is_some() => {
            let words = if name == master { "belongs to none" } else { "belongs to no other" };
            sink.add(path, format!("{name} is a VRF, which {words}; leave out master"));
        }
        Ports::Vrf { .. } => {}
        Ports::Bond => check_member_of_bond(site, (name, draft), master, path, sink),
        Ports::Bridge { .. } => {
            let message = format!("{shown} is a bridge: say port: {{ bridge: {master} }} in place of master");
            sink.add(path, message);
        }
        Ports::None => {
            let message =
                format!("{shown} is a {} interface, not a VRF or bond; name a VRF or bond", form.as_str());
            sink.add(path, message);
        }
    }
}

/// What arrives at a member is the bond's, and so are its MAC address and its MTU.
fn check_member_of_bond(
    site: &Site,
    (name, draft): (&IfName, &Draft),
    bond: &IfName,
    path: &Path,
    sink: &mut Sink,
) {
    if let Some(why) = draft.form.as_ref().and_then(Form::kind).and_then(|kind| unfit(name, kind, bond)) {
        sink.add(path, why);
        return;
    }
    let at = site.interface_path(name);
    let taken = format!("{name} is a member of {bond}");
    for (index, address) in &draft.addresses {
        sink.add(
            &site.address_path(name, *index),
            format!("{taken}, which takes all that arrives there; give {address} to {bond}"),
        );
    }
    if draft.slaac {
        sink.add(
            &at.field("addresses"),
            format!("{taken}, which takes all that arrives there; give slaac to {bond}"),
        );
    }
    let given = [("mac", "MAC address", draft.mac.is_some()), ("mtu", "MTU", draft.mtu.is_some())];
    for (field, what, _) in given.into_iter().filter(|(.., given)| *given) {
        let message = format!("{taken} and has its {what}; say it at {bond}, and leave it out here");
        sink.add(&at.field(field), message);
    }
}

/// Why a kind is no member of bonds, and what to do.
fn unfit(name: &IfName, kind: &Kind, bond: &IfName) -> Option<String> {
    let key = kind.key();
    let lower = kind.lower().filter(|_| kind.linked()).map(Lower::name);
    Some(match kind.ports() {
        Ports::Bridge { .. } => format!(
            "{name} is a bridge, which belongs to no bond; make {bond} a port of it: port: {{ bridge: {name} }}"
        ),
        Ports::Bond => format!("{name} is a bond, which belongs to no bond; name {bond} at its members"),
        Ports::Vrf { .. } => {
            format!("{name} is a VRF, which belongs to nothing; say master: {name} at {bond}")
        }
        Ports::None if !kind.ethernet() => format!(
            "{name} is {}, which carries no Ethernet frames, and a bond does; gretap, geneve and vxlan do",
            kind.noun()
        ),
        Ports::None => {
            let lower = lower?;
            format!(
                "{name} is a {key} on {lower}, whose MAC address and state it goes by; make what carries frames a member, and put the {key} on {bond}"
            )
        }
    })
}

/// The primary of a bond is one of its members.
fn check_primary(site: &Site, bond: &IfName, draft: &Draft, sink: &mut Sink) {
    let kind = draft.form.as_ref().and_then(Form::kind);
    let Some(primary) = kind.and_then(Kind::primary) else { return };
    let path = site.interface_path(bond).field("bond").field("primary");
    let Some(found) = site.find(primary, &path, sink) else { return };
    if found.master.as_ref() == Some(bond) {
        return;
    }
    let members = site.interfaces.iter().filter(|(_, draft)| draft.master.as_ref() == Some(bond));
    let members = listed(members, |(name, _)| name.to_string());
    let or = if members.is_empty() { String::new() } else { format!(", or name one of {members}") };
    sink.add(&path, format!("{primary} is no member of {bond}; say master: {bond} there{or}"));
}
