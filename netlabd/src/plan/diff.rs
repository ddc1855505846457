//! The comparison of what is wanted with what is.

use std::collections::BTreeMap;

use super::{
    Op, PlaceTarget, Plan, Stage, Target,
    extras::extras,
    facets,
    item::{Namespace, Nat, guard::keep_apart, sysctl, wireguard},
    links::links,
    place::PlaceDiff,
    removal::Removals,
    renames::renames,
    sysctls::{self, Writes},
};
use crate::model::{Place, observed::Observed};

/// Plans how to get from `observed` to `target`. Empty when all is as it should be.
///
/// What others added (not marked as ours) is left alone and listed in [`Plan::extras`]; what stands
/// in the way on the host is listed in [`Plan::conflicts`], and nothing is planned for it.
pub fn diff(target: &Target, observed: &Observed) -> Plan {
    let (renames, observed) = renames(target, observed);
    let removals = Removals::find(target, &observed);
    let stays = |place: &Place, name: &str| !removals.takes(place, name);
    let writes = |(place, wanted): (&Place, &PlaceTarget)| {
        let seen = observed.places.get(place).map(AsRef::as_ref);
        (place.clone(), sysctls::writes(wanted, seen, &|name| stays(place, name)))
    };
    let writes: BTreeMap<Place, Writes> = target.places.iter().map(writes).collect();
    let mut stages = vec![
        Stage { name: "names", ops: renames },
        Stage { name: "removal", ops: removal(target, &observed, &removals) },
        Stage { name: "namespaces", ops: namespaces(target, &observed) },
        Stage {
            name: "sysctls",
            ops: writes.iter().flat_map(|(at, w)| sysctl::writes(at, &w.early)).collect(),
        },
        Stage { name: "links", ops: links(target, &observed, &removals) },
    ];
    let (calls, settings): (Vec<_>, Vec<_>) =
        settings(target, &observed, &removals, &writes).into_iter().partition(wireguard::calls);
    stages.push(Stage { name: "settings", ops: settings });
    stages.push(Stage { name: "calls", ops: calls });
    stages.retain(|stage| !stage.ops.is_empty());
    Plan { stages, extras: extras(target, &observed), conflicts: removals.conflicts() }
}

fn removal(target: &Target, observed: &Observed, removals: &Removals) -> Vec<Op> {
    let unwanted = observed.places.keys().filter(|place| !target.places.contains_key(place));
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
    for place in unwanted {
        if let Place::Node(node) = place {
            ops.push(Op::delete(Namespace(node.clone())));
        }
    }
    ops
}

fn namespaces(target: &Target, observed: &Observed) -> Vec<Op> {
    let missing = |node: &_| !observed.places.contains_key(&Place::Node(Clone::clone(node)));
    let nodes = target.nodes();
    let made = nodes.iter().filter(|node| missing(**node)).map(|node| Op::add(Namespace((*node).clone())));
    let pinned = observed
        .unpinned
        .iter()
        .filter(|node| nodes.contains(node))
        .cloned()
        .map(|node| Op::set(Namespace(node)));
    // Nothing is to pass before it is there.
    let host = target.places.get(&Place::Host);
    let guarded = host.and_then(|host| keep_apart(host.guard.as_ref(), observed));
    guarded.into_iter().chain(made).chain(pinned).collect()
}

fn settings(
    target: &Target,
    observed: &Observed,
    removals: &Removals,
    writes: &BTreeMap<Place, Writes>,
) -> Vec<Op> {
    let ops = |(place, wanted)| {
        let seen = observed.places.get(place).map(AsRef::as_ref);
        let late = writes.get(place).map_or(&[][..], |writes| &writes.late);
        facets::ops(&PlaceDiff::new(target, (place, wanted), seen, late, removals))
    };
    target.places.iter().flat_map(ops).collect()
}
