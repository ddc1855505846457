//! What is as wanted and not at work yet: carriers on which the kernel has not acted, ports that listen and learn.

use std::collections::BTreeMap;

use super::{LinkTarget, PlaceTarget, Target};
use crate::link::{Carrier, Ports};
use crate::model::{
    Form, Place,
    observed::{LinkState, Observed, PlaceState, PortState},
};

/// The interfaces that have what carries them and do not work yet, by place and index, lower ones first.
///
/// The kernel acts on a carrier at once where it must hold packets back until then, and else once a second
/// (`linkwatch_urgent_event` in `net/core/link_watch.c`).
pub fn waiting(target: &Target, observed: &Observed) -> Vec<(Place, u32)> {
    let mut waiting = Vec::new();
    for (place, wanted) in target.places() {
        let Some(seen) = observed.places.get(place) else { continue };
        for name in wanted.bottom_up() {
            let (want, link) = (&wanted.links[name], seen.links.get(name.as_str()));
            if let Some(link) = link.filter(|link| want.up && waits(wanted, seen, want, link)) {
                waiting.push((order(&want.form), place.clone(), link.index));
            }
        }
    }
    waiting.sort_by_key(|(order, ..)| *order);
    waiting.into_iter().map(|(_, place, index)| (place, index)).collect()
}

/// What decides whether an interface is at work.
fn carrier(form: &Form) -> Carrier {
    match form {
        Form::Loopback => Carrier::Always,
        Form::Veth { .. } => Carrier::Own,
        Form::Made(kind) => kind.carrier(),
    }
}

/// Some work when their ports do, some when what carries them does.
fn order(form: &Form) -> u8 {
    match carrier(form) {
        Carrier::Always | Carrier::Own => 0,
        Carrier::Ports => 1,
        Carrier::Lower => 2,
    }
}

fn waits(wanted: &PlaceTarget, seen: &PlaceState, want: &LinkTarget, link: &LinkState) -> bool {
    if !link.up || link.carrier && link.at_work {
        return false;
    }
    let works = |name: &str| seen.links.get(name).is_some_and(|link| link.carrier);
    match carrier(&want.form) {
        Carrier::Always => false,
        Carrier::Own => link.carrier,
        // What others have on the host is not looked at: what stands there has its carrier.
        Carrier::Lower => want.lower().is_some_and(|lower| {
            if wanted.links.contains_key(lower) { works(lower.as_str()) } else { link.carrier }
        }),
        Carrier::Ports => {
            let own = |name: &&str| seen.links.get(*name).is_some_and(|port| port.index == link.index);
            let own = seen.links.keys().map(String::as_str).find(own).unwrap_or_default();
            let port =
                |want: &LinkTarget| want.up && want.master.as_ref().is_some_and(|it| it.as_str() == own);
            wanted.links.iter().any(|(name, want)| port(want) && works(name.as_str()))
        }
    }
}

/// The ports of bridges that run the Spanning Tree Protocol and forward nothing yet, because they listen or learn:
/// by bridge, for example `sw1:br0 (p1, p2)`. `None` where no bridge runs it.
pub fn learning(target: &Target, observed: &Observed) -> Option<Vec<String>> {
    let mut bridges: Option<Vec<String>> = None;
    for (place, wanted) in target.places() {
        let spans =
            |(_, want): &(_, &LinkTarget)| matches!(want.form.ports(), Ports::Bridge { stp: true, .. });
        let seen = observed.places.get(place);
        let of_others = seen.is_some_and(|seen| {
            seen.foreign.values().filter_map(|link| link.bridge).any(|bridge| bridge.stp)
        });
        if !of_others && !wanted.links.iter().any(|it| spans(&it)) {
            continue;
        }
        let all = bridges.get_or_insert_default();
        let Some(seen) = seen else { continue };
        let mut ports: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, link) in &seen.links {
            let waits = matches!(link.port, Some(PortState::Listening | PortState::Learning));
            if let Some(bridge) = link.master.as_deref().filter(|_| waits) {
                ports.entry(bridge).or_default().push(name);
            }
        }
        all.extend(ports.iter().map(|(bridge, ports)| format!("{place}:{bridge} ({})", ports.join(", "))));
    }
    bridges
}
