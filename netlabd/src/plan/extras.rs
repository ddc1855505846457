//! What others added to the places of the lab, and what is left alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::{PlaceTarget, place::foreign_master, since::Extras};
use crate::{
    link::Kind,
    model::{
        FdbEntry, Place, is_fallback_device,
        observed::{FdbState, Observed, ObservedForm, PlaceState, QdiscState},
    },
};

/// So many of a kind are named one by one; more are counted.
const NAMED: usize = 8;

/// All of it, in words.
pub(super) fn extras(places: &[(&Place, &PlaceTarget)], observed: &Observed) -> Extras {
    let mut all = Extras::new();
    for (place, wanted) in places {
        let Some(seen) = observed.places.get(*place) else { continue };
        let mut extras = BTreeSet::new();
        links(place, wanted, seen, &mut extras);
        let words = routing(wanted, seen)
            .chain(forwarding(wanted, seen))
            .chain(seen.tables.iter().map(ToString::to_string));
        extras.extend(words.map(|words| format!("{place}: {words}")));
        if !extras.is_empty() {
            all.insert((*place).clone(), extras);
        }
    }
    all
}

fn links(place: &Place, wanted: &PlaceTarget, seen: &PlaceState, extras: &mut BTreeSet<String>) {
    for (name, link) in &seen.links {
        let known = wanted.links.get(name.as_str());
        let by_itself = link.form == ObservedForm::Loopback || is_fallback_device(name);
        if known.is_none() && !link.ours && !by_itself {
            extras.insert(format!("{place}: interface {name}"));
        }
        let Some(known) = known else { continue };
        if let Some(master) = foreign_master(place, wanted, seen, link, known) {
            extras.insert(format!("{place}: {name} is a port of {master}"));
        }
        if let (None, Some(QdiscState::Foreign(kind))) = (&known.impair, &link.qdisc) {
            extras.insert(format!("{place}: queueing discipline {kind} on {name}"));
        }
        for state in link.addresses.iter().filter(|a| !a.ours && !known.addresses.contains(&a.address)) {
            extras.insert(format!("{place}: address {} on {name}", state.address));
        }
    }
}

/// Entries of forwarding databases; that of a VXLAN's own remote goes with it.
fn forwarding(wanted: &PlaceTarget, seen: &PlaceState) -> Vec<String> {
    let mut entries = Group::new("forwarding entry");
    for (name, link) in &seen.links {
        let Some(known) = wanted.links.get(name.as_str()) else { continue };
        let own = link.form.kind().and_then(Kind::tunnel).and_then(|ends| ends.remote).map(FdbEntry::Remote);
        let foreign = |(entry, state): &(&FdbEntry, &FdbState)| {
            !state.ours && !known.fdb.contains(entry) && Some(**entry) != own
        };
        for (entry, _) in link.fdb.iter().filter(foreign) {
            entries.add(0, &format!("{entry} on {name}"));
        }
    }
    entries.words()
}

/// Routes, rules and neighbours.
fn routing(wanted: &PlaceTarget, seen: &PlaceState) -> impl Iterator<Item = String> {
    let (mut routes, mut rules) = (Group::new("route"), Group::new("rule"));
    let (mut labels, mut neighbours) = (Group::new("label route"), Group::new("neighbour"));
    for state in seen.label_routes.iter().filter(|it| !it.ours() && !wanted.label_routes.contains(&it.route))
    {
        labels.add(state.protocol, &state.route);
    }
    for state in seen.routes.iter().filter(|it| !it.ours() && !wanted.routes.contains(&it.route)) {
        routes.add(state.protocol, &state.route);
    }
    for state in seen.rules.iter().filter(|it| !it.ours() && !wanted.rules.contains(&it.rule)) {
        rules.add(state.protocol, &state.rule);
    }
    for state in seen.neighbours.iter().filter(|it| !it.ours() && !wanted.neighbours.contains(&it.neighbour))
    {
        neighbours.add(state.protocol, &state.neighbour);
    }
    [routes, labels, rules, neighbours].into_iter().flat_map(Group::words)
}

/// What is alike: what was done by hand, one by one while it is little, and what daemons have made by their protocol.
struct Group {
    what: &'static str,
    by_hand: Vec<String>,
    more: usize,
    by: BTreeMap<u8, usize>,
}

impl Group {
    fn new(what: &'static str) -> Self {
        Self { what, by_hand: Vec::new(), more: 0, by: BTreeMap::new() }
    }

    fn add(&mut self, protocol: u8, item: &dyn fmt::Display) {
        if !by_hand(protocol) {
            *self.by.entry(protocol).or_default() += 1;
        } else if self.by_hand.len() < NAMED {
            self.by_hand.push(item.to_string());
        } else {
            self.more += 1;
        }
    }

    fn words(self) -> Vec<String> {
        let Self { what, by_hand, more, by } = self;
        let named = |count| if count == 1 { what.to_owned() } else { plural(what) };
        let mut words: Vec<String> = if more == 0 {
            by_hand.iter().map(|item| format!("{what} {item}")).collect()
        } else {
            vec![format!("{} {} by hand", by_hand.len() + more, plural(what))]
        };
        let counted = by
            .into_iter()
            .map(|(protocol, count)| format!("{count} {} by {}", named(count), protocol_name(protocol)));
        words.extend(counted);
        words
    }
}

fn plural(what: &str) -> String {
    what.strip_suffix('y').map_or_else(|| format!("{what}s"), |stem| format!("{stem}ies"))
}

/// What ip(8) makes where nobody says another protocol, and what administrators say (`RTPROT_UNSPEC`, `RTPROT_BOOT`,
/// `RTPROT_STATIC`).
fn by_hand(protocol: u8) -> bool {
    matches!(protocol, 0 | 3 | 4)
}

/// The name of a routing protocol (`RTPROT_*` of linux/rtnetlink.h, and those of FRR's `rt_protos.d`).
fn protocol_name(protocol: u8) -> String {
    let name = match protocol {
        8 => "gated",
        10 => "mrt",
        11 => "zebra",
        12 => "bird",
        14 => "xorp",
        16 => "dhcp",
        17 => "mrouted",
        18 => "keepalived",
        42 => "babel",
        99 => "openr",
        186 => "bgp",
        187 => "isis",
        188 => "ospf",
        189 => "rip",
        191 => "nhrp",
        192 => "eigrp",
        193 => "ldp",
        194 => "sharp",
        195 => "pbr",
        196 => "zebra's static routes",
        197 => "openfabric",
        _ => return format!("protocol {protocol}"),
    };
    name.to_owned()
}
