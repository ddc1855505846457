//! The comparison of what is wanted with what is.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Op, PlaceTarget, Plan, Stage, Target,
    extras::extras,
    facets,
    item::{Namespace, Nat, guard::keep_apart, sysctl, wireguard},
    links::links,
    place::PlaceDiff,
    removal::Removals,
    renames::renames,
    since::{Scope, Settled},
    sysctls::{self, Writes},
};
use crate::model::{
    NodeName, Place,
    observed::{Observed, PlaceState},
};

/// Plans how to get from `observed` to `target`. Empty when all is as it should be.
///
/// What others added (not marked as ours) is left alone and listed in [`Plan::extras`]; what stands
/// in the way on the host is listed in [`Plan::conflicts`], and nothing is planned for it.
pub fn diff(target: &Target, observed: &Observed) -> Plan {
    diff_since(target, observed, None)
}

/// The same, without comparing again what was found to be as wanted and has not changed since.
pub fn diff_since(target: &Target, observed: &Observed, settled: Option<&Settled>) -> Plan {
    let scope = Scope::since(settled, target, observed);
    let places = scope.wanted(target);
    let (renames, observed) = renames(&places, observed);
    let there = scope.seen(&observed);
    let removals = Removals::find(target, &there, &observed);
    let stays = |place: &Place, name: &str| !removals.takes(place, name);
    let writes = |(place, wanted): &(&Place, &PlaceTarget)| {
        let seen = observed.places.get(*place).map(AsRef::as_ref);
        ((*place).clone(), sysctls::writes(wanted, seen, &|name| stays(place, name)))
    };
    let writes: BTreeMap<Place, Writes> = places.iter().map(writes).collect();
    let mut stages = vec![
        Stage { name: "names", ops: renames },
        Stage { name: "removal", ops: removal(target, &there, &observed, &removals) },
        Stage { name: "namespaces", ops: namespaces(target, &places, &observed) },
        Stage {
            name: "sysctls",
            ops: writes.iter().flat_map(|(at, w)| sysctl::writes(at, &w.early)).collect(),
        },
        Stage { name: "links", ops: links(target, &places, &observed, &removals) },
    ];
    let settings = places.iter().flat_map(|(place, wanted)| {
        let seen = observed.places.get(*place).map(AsRef::as_ref);
        let late = writes.get(*place).map_or(&[][..], |writes| &writes.late);
        facets::ops(&PlaceDiff::new(target, (place, wanted), seen, late, &removals))
    });
    let (calls, settings): (Vec<_>, Vec<_>) = settings.partition(wireguard::calls);
    stages.push(Stage { name: "settings", ops: settings });
    stages.push(Stage { name: "calls", ops: calls });
    stages.retain(|stage| !stage.ops.is_empty());
    let mut extras = settled.map(|settled| settled.extras_outside(&scope)).unwrap_or_default();
    extras.extend(self::extras(&places, &observed));
    let mut conflicts = removals.conflicts();
    conflicts.extend(no_bridges(target, &observed));
    Plan { stages, conflicts, extras }
}

/// What interfaces of the lab are to be ports of and is something else.
fn no_bridges(target: &Target, observed: &Observed) -> BTreeSet<String> {
    let (Some(wanted), Some(seen)) = (target.host(), observed.places.get(&Place::Host)) else {
        return BTreeSet::new();
    };
    let masters = wanted.links.values().filter_map(|link| wanted.foreign_master_of(link));
    let others =
        masters.filter(|name| seen.foreign.get(name.as_str()).is_some_and(|link| link.bridge.is_none()));
    let words = |name| {
        format!("the host's {name}, of which the lab is to have ports, is no bridge: rename one of the two")
    };
    others.map(words).collect()
}

fn removal(
    target: &Target,
    there: &[(&Place, &PlaceState)],
    observed: &Observed,
    removals: &Removals,
) -> Vec<Op> {
    let unwanted = there.iter().filter(|(place, _)| !target.places.contains_key(*place));
    let mut ops = Vec::new();
    if let Some(host) = observed.places.get(&Place::Host)
        && !target.places.contains_key(&Place::Host)
        && !host.nat.is(false)
    {
        ops.push(Nat::hold(&Place::Host, &[], &[]));
    }
    ops.extend(removals.ops(observed));
    if !target.places.contains_key(&Place::Host) {
        ops.extend(keep_apart(None, observed));
    }
    for (place, _) in unwanted {
        if let Place::Node(node) = place {
            ops.push(Op::delete(Namespace(node.clone())));
        }
    }
    ops
}

fn namespaces(target: &Target, places: &[(&Place, &PlaceTarget)], observed: &Observed) -> Vec<Op> {
    let missing = |(place, _): &&(&Place, &PlaceTarget)| !observed.places.contains_key(*place);
    let node =
        |(place, _): &(&Place, _)| if let Place::Node(node) = place { Some(node.clone()) } else { None };
    let made = places.iter().filter(missing).filter_map(node).map(|node| Op::add(Namespace(node)));
    let stays = |node: &&NodeName| target.places.contains_key(&Place::Node((*node).clone()));
    let pinned = observed.unpinned.iter().filter(stays).map(|node| Op::set(Namespace(node.clone())));
    // Nothing is to pass before it is there.
    let guarded = target.host().and_then(|host| keep_apart(host.guard.as_ref(), observed));
    guarded.into_iter().chain(made).chain(pinned).collect()
}
