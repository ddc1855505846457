//! The order in which interfaces of a place stand on each other: no loops, no towers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::model::{Form, IfName};

use super::draft::{Site, Sites};
use crate::input::Sink;

/// Levels that the kernel allows (`MAX_NEST_DEV` in include/linux/netdevice.h).
const MAX_LEVELS: usize = 8;

/// The interfaces of each place, lower ones first, in the order of the places. What stands on a loop
/// is left out.
pub(super) type Stacks = Vec<Vec<IfName>>;

/// Sorts the interfaces of all places; faults for loops and for towers.
pub(super) fn check(sites: &Sites, sink: &mut Sink) -> Stacks {
    sites.iter().map(|site| sort(site, sink)).collect()
}

type Edges<'a> = BTreeMap<&'a IfName, Vec<&'a IfName>>;

/// What each interface stands on: that of its kind, and a bridge, VRF or bond on what belongs to it.
fn lowers(site: &Site) -> Edges<'_> {
    let mut lowers = Edges::new();
    let known = |name: &IfName| site.interfaces.contains_key(name);
    for (name, draft) in &site.interfaces {
        if let Some(lower) = draft.form.as_ref().and_then(Form::lower_here).filter(|lower| known(lower)) {
            lowers.entry(name).or_default().push(lower);
        }
        let bridge = draft.port.as_ref().map(|port| &port.bridge);
        if let Some(master) = bridge.or(draft.master.as_ref()).filter(|master| known(master)) {
            lowers.entry(master).or_default().push(name);
        }
    }
    lowers
}

/// Sorts topologically (Kahn 1962).
fn sort(site: &Site, sink: &mut Sink) -> Vec<IfName> {
    let lowers = lowers(site);
    let mut uppers = Edges::new();
    for (upper, below) in &lowers {
        for lower in below {
            uppers.entry(lower).or_default().push(upper);
        }
    }
    let mut waiting: BTreeMap<&IfName, usize> =
        lowers.iter().map(|(name, below)| (*name, below.len())).collect();
    let mut ready: VecDeque<&IfName> =
        site.interfaces.keys().filter(|name| !waiting.contains_key(name)).collect();
    let mut levels: BTreeMap<&IfName, usize> = BTreeMap::new();
    let mut order = Vec::with_capacity(site.interfaces.len());
    while let Some(name) = ready.pop_front() {
        order.push(name.clone());
        let below = lowers.get(name).into_iter().flatten();
        let level = 1 + below.filter_map(|lower| levels.get(lower)).max().unwrap_or(&0);
        levels.insert(name, level);
        if level == MAX_LEVELS + 1 {
            let message =
                format!("stands on {MAX_LEVELS} others; the kernel allows {MAX_LEVELS} levels in all");
            sink.add(&site.interface_path(name), message);
        }
        for upper in uppers.get(name).into_iter().flatten() {
            let left = waiting.entry(upper).or_default();
            *left = left.saturating_sub(1);
            if *left == 0 {
                ready.push_back(upper);
            }
        }
    }
    waiting.retain(|_, left| *left > 0);
    report_loops(site, &lowers, &waiting.into_keys().collect(), sink);
    order
}

/// Walks down from each interface that was not sorted: it leads into a loop, as every one of them
/// stands on another.
fn report_loops(site: &Site, lowers: &Edges<'_>, left: &BTreeSet<&IfName>, sink: &mut Sink) {
    let mut walked = BTreeSet::new();
    for start in left {
        let mut walk: Vec<&IfName> = Vec::new();
        let mut next = Some(*start);
        while let Some(name) = next.filter(|name| walked.insert(*name)) {
            walk.push(name);
            next =
                lowers.get(name).and_then(|below| below.iter().copied().find(|lower| left.contains(lower)));
        }
        let Some(first) = next.and_then(|name| walk.iter().position(|it| *it == name)) else { continue };
        let members = &walk[first..];
        let chain: Vec<_> = members.iter().chain(members.first()).map(ToString::to_string).collect();
        let message = chain.join(" on ");
        sink.add(&site.interface_path(members[0]), format!("stands on itself: {message}; break the loop"));
    }
}
