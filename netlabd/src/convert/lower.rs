//! Interfaces that stand on others.

use std::collections::BTreeMap;

use crate::{
    link::{Kind, Lower, Named},
    model::{Endpoint, Form, IfName, Mac, Place},
};

use super::draft::{Site, Sites};
use crate::input::{Path, Sink, listed, shown};

/// Checks what the interfaces stand on, and that no two of them are the same.
pub(super) fn check(sites: &Sites, sink: &mut Sink) {
    let mut uppers = Uppers::new();
    let mut taken: BTreeMap<&IfName, Path> = BTreeMap::new();
    for site in sites.iter() {
        check_site(site, sink);
        for (name, draft) in &site.interfaces {
            if let Some(Named { key, field, lower: Lower::Host(lower), takes: true, .. }) = &draft.lower {
                taken.entry(lower).or_insert_with(|| site.interface_path(name).field(key).field(field));
            }
            let kind = draft.form.as_ref().and_then(Form::kind);
            let meets = |kind: &&Kind| kind.lower_on_host().is_some() || kind.takes_lower();
            if let Some((kind, lower)) = kind.filter(meets).and_then(|kind| Some((kind, kind.lower()?))) {
                let at = Endpoint { place: site.place.clone(), interface: name.clone() };
                let path = site.interface_path(name);
                let on = (lower.place(&site.place), lower.name());
                uppers.entry(on).or_default().push(Upper { at, path, kind, mac: draft.mac });
            }
        }
    }
    for (lower, path) in taken {
        check_taken(lower, &path, sites, sink);
    }
    for ((_, lower), all) in &uppers {
        check_alone(lower, all, sink);
        check_alike(lower, all, sink);
        check_macs(all, sink);
    }
}

fn check_site(site: &Site, sink: &mut Sink) {
    let mut known: BTreeMap<(&str, String), &IfName> = BTreeMap::new();
    for (name, draft) in &site.interfaces {
        if let Some(Named { key, field, lower: Lower::Here(lower), takes, frames, foreign }) = &draft.lower {
            let path = site.interface_path(name).field(key).field(field);
            // Whether the host has it is looked for there, before anything changes.
            let elsewhere = *foreign && site.is_foreign(lower);
            if !elsewhere || *lower == IfName::loopback() {
                check_carrier(site, lower, *frames, &path, sink);
            }
            check_member(site, lower, &path, sink);
            if *takes {
                check_free(site, lower, key, &path, sink);
            }
        }
        let Some(kind) = draft.form.as_ref().and_then(Form::kind) else { continue };
        let path = site.interface_path(name).field(kind.key());
        let Some(identity) = kind.identity() else { continue };
        let first = *known.entry((kind.key(), identity.key)).or_insert(name);
        if first != name {
            let message = format!("{first} {} already; {}", identity.is, identity.way_out);
            sink.add(&path.field(identity.field), message);
        }
    }
}

/// What carries Ethernet frames or tunnels is in the same place and is not `lo`.
fn check_carrier(site: &Site, name: &IfName, frames: bool, path: &Path, sink: &mut Sink) {
    if *name == IfName::loopback() {
        sink.add(path, "\"lo\" cannot carry another interface; name another one");
        return;
    }
    let kind = site.find(name, path, sink).and_then(|draft| draft.form.as_ref()?.kind());
    if let Some(kind) = kind.filter(|kind| frames && !kind.ethernet()) {
        sink.add(
            path,
            format!("{name} is {}, which carries no Ethernet frames; name another one", kind.noun()),
        );
    }
}

/// What arrives at a member of a bond is the bond's.
fn check_member(site: &Site, lower: &IfName, path: &Path, sink: &mut Sink) {
    let bond = site.interfaces.get(lower).and_then(|draft| site.bond(draft));
    if let Some(bond) = bond {
        let message =
            format!("{lower} is a member of {bond}, which takes all that arrives there; name {bond}");
        sink.add(path, message);
    }
}

/// What stands on interfaces of the host, or takes all that arrives at those of a node, by these.
type Uppers<'a> = BTreeMap<(Place, &'a IfName), Vec<Upper<'a>>>;

struct Upper<'a> {
    at: Endpoint,
    path: Path,
    kind: &'a Kind,
    mac: Option<Mac>,
}

/// What takes all that arrives at an interface is one: a bridge, or what stands on it. What the lab does not make is
/// looked for on the host before anything changes.
fn check_taken(lower: &IfName, path: &Path, sites: &Sites, sink: &mut Sink) {
    let own = sites.get(&Place::Host).and_then(|host| host.interfaces.get(lower));
    if own.is_some_and(|draft| draft.port.is_some()) {
        let message = format!("the host's {} is a port of a bridge; name the bridge", shown(lower.as_str()));
        sink.add(path, message);
    }
}

/// What takes all that arrives at an interface of the node: that is no port of a bridge, and none of the same kind, whose
/// lower the kernel would take (`macvlan_common_newlink`, `ipvlan_link_new`).
fn check_free(site: &Site, lower: &IfName, key: &str, path: &Path, sink: &mut Sink) {
    let Some(draft) = site.interfaces.get(lower) else { return };
    if let Some(port) = &draft.port {
        sink.add(
            path,
            format!("{lower} is a port of {0}, which takes all that arrives there; name {0}", port.bridge),
        );
    }
    let below =
        draft.form.as_ref().and_then(Form::kind).filter(|kind| kind.key() == key).and_then(Kind::lower);
    if let Some(below) = below {
        sink.add(path, format!("{lower} is {key} itself, on {}; name that", below.name()));
    }
}

/// What takes all that arrives at an interface is of one kind, and where all share a setting, of one.
fn check_alike(lower: &IfName, all: &[Upper<'_>], sink: &mut Sink) {
    let mut takers = all.iter().filter(|it| it.kind.takes_lower());
    let Some(first) = takers.next() else { return };
    for it in takers {
        let (key, at) = (it.kind.key(), &first.at);
        if !it.kind.is_same(first.kind) {
            let message = format!(
                "{at} is {} on {lower} already, which takes all that arrives there; use one kind for both",
                first.kind.key()
            );
            sink.add(&it.path.field(key).field(it.kind.lower_field()), message);
        } else if let (Some((field, own)), Some((_, theirs))) = (it.kind.group(), first.kind.group())
            && own != theirs
        {
            let message =
                format!("{at} has {field} {theirs} on {lower}, which all there share; use it here too");
            sink.add(&it.path.field(key).field(field), message);
        }
    }
}

/// Some have what they stand on for themselves.
fn check_alone(lower: &IfName, all: &[Upper<'_>], sink: &mut Sink) {
    let Some((alone, (field, value))) = all.iter().find_map(|it| Some((it, it.kind.alone()?))) else {
        return;
    };
    if all.len() > 1 {
        let others = listed(all.iter().filter(|it| it.at != alone.at), |it| it.at.to_string());
        let message =
            format!("{value} takes {lower} for itself, but {others} is on it too; use another {field}");
        sink.add(&alone.path.field(alone.kind.key()).field(field), message);
    }
}

/// On one interface some kinds need different addresses.
fn check_macs(all: &[Upper<'_>], sink: &mut Sink) {
    let mut seen: BTreeMap<Mac, &Endpoint> = BTreeMap::new();
    for it in all.iter().filter(|it| it.kind.unique_mac()) {
        let Some(mac) = it.mac else { continue };
        let first = *seen.entry(mac).or_insert(&it.at);
        if *first != it.at {
            let message = format!("{mac} is that of {first} on the same parent already; change one");
            sink.add(&it.path.field("mac"), message);
        }
    }
}
