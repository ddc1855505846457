//! What was seen of each lab, kept from look to look: only what may have changed is looked at again.
//!
//! The kernel tells of changes of links, addresses, routes, forwarding and rules, and the events of all
//! that happened before a look are read before it. What it does not tell of is looked at every time:
//! other sysctls, addresses for which a node answers, WireGuard's keys and peers, what stands on an interface of the host,
//! and the host; and pins when mounts have changed. And what was not looked at for long is, as a safety net: a lab is looked at every 30 seconds at the latest, so that each node is within a minute,
//! and within a minute and a half in a lab of more than 200.

use std::{
    collections::{BTreeMap, BTreeSet},
    os::fd::AsFd,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{Linux, dirty::Taken, namespaces::LabNamespaces, observe};
use crate::{
    model::{
        Firewall, LabName, NatRule, NodeName, Place, SysctlKey,
        observed::{Observed, ObservedForm, PlaceState},
    },
    plan::{PlaceTarget, Target},
    platform::{Failure, Scope},
};

/// A node is looked at anew when that was last done so long ago, and so are the pins.
const OLD: Duration = Duration::from_secs(25);
/// So many nodes for that reason in one look, or half of all where these are more: what was damaged meanwhile does not
/// wait for all of a large lab.
const AT_ONCE: usize = 100;
/// The sysctls whose changes the kernel tells of (`RTM_NEWNETCONF`), among those that labs often set.
const TOLD: [&str; 2] = ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"];

/// What was seen of all labs.
#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<BTreeMap<LabName, Arc<Mutex<LabCache>>>>);

/// What was seen of one lab; locked during a look, so that who looks at the same time shares it.
#[derive(Debug, Default)]
struct LabCache {
    /// What the last look showed of the host.
    host: Arc<PlaceState>,
    nodes: BTreeMap<NodeName, NodeCache>,
    /// When all pins were last looked for.
    pins: Option<Instant>,
    /// [`Taken::all`] of the last look.
    all: u64,
    /// [`Mounts::changes`](super::mounts::Mounts::changes) before all pins were last found in their places.
    pinned: Option<u64>,
}

/// What was seen of one node.
#[derive(Debug)]
struct NodeCache {
    state: Arc<PlaceState>,
    /// The sysctls that were asked about, whether they exist or not.
    asked: BTreeSet<SysctlKey>,
    /// The rules of nftables beside which it was looked at.
    rules: Rules,
    /// When it was looked at.
    at: Instant,
}

/// What of a place is compared where it is seen: to be looked at again when another is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Rules {
    nat: Vec<NatRule>,
    firewall: Firewall,
}

impl Rules {
    fn of(wanted: &PlaceTarget) -> Self {
        Self { nat: wanted.nat.clone(), firewall: wanted.firewall.clone() }
    }

    fn are_of(&self, wanted: &PlaceTarget) -> bool {
        self.nat == wanted.nat && self.firewall == wanted.firewall
    }
}

impl NodeCache {
    /// Whether a look now would show the same, if no event told of a change, and answer for `wanted`.
    fn holds_for(&self, wanted: Option<&PlaceTarget>) -> bool {
        let told = |key: &SysctlKey| TOLD.contains(&key.as_str()) && self.asked.contains(key);
        let proxies = |wanted: &PlaceTarget| wanted.neighbours.iter().any(|it| it.mac.is_none());
        let silent = |form: &ObservedForm| form.kind().is_some_and(|kind| kind.lower_on_host().is_some());
        let wireguard = |wanted: &PlaceTarget| wanted.links.values().any(|link| link.wireguard.is_some());
        let holds = |wanted: &PlaceTarget| {
            !proxies(wanted)
                && !wireguard(wanted)
                && wanted.sysctls.keys().chain(wanted.before.keys()).all(told)
                && self.rules.are_of(wanted)
        };
        wanted.is_none_or(holds) && !self.state.links.values().any(|link| silent(&link.form))
    }

    /// The veth ends whose other end is in that node: own index, and the other's.
    fn pairs_with(&self, node: &NodeName) -> BTreeSet<(u32, u32)> {
        let there = self.veths().filter(|(_, place, _)| matches!(place, Place::Node(at) if at == node));
        there.map(|(index, _, other)| (index, other)).collect()
    }

    fn veths(&self) -> impl Iterator<Item = (u32, &Place, u32)> {
        self.state.links.values().filter_map(|link| {
            let (place, other) = link.form.peer()?;
            Some((link.index, place, *other))
        })
    }

    fn neighbours(&self) -> impl Iterator<Item = &NodeName> {
        self.veths().filter_map(|(_, place, _)| if let Place::Node(node) = place { Some(node) } else { None })
    }
}

impl Cache {
    fn of(&self, lab: &LabName) -> Arc<Mutex<LabCache>> {
        let mut labs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        labs.entry(lab.clone()).or_default().clone()
    }

    /// Forgets a lab.
    pub(super) fn forget(&self, lab: &LabName) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(lab);
    }
}

/// Looks at a lab, as little as will do.
pub(super) fn observe(linux: &Linux, scope: Scope<'_>) -> Result<Observed, Failure> {
    let cache = linux.cache.of(scope.lab);
    let mut seen = cache.lock().unwrap_or_else(PoisonError::into_inner);
    let heard = linux.hear();
    // Identifiers, then marks, then the look: whatever happens after the look is heard and marks anew.
    let namespaces = linux.namespaces.identified(scope.lab)?;
    let marked = linux.marks.take(scope.lab);
    let looked = look_again(linux, scope, &namespaces, &mut seen, &marked, heard);
    if looked.is_err() || namespaces.nodes().is_empty() {
        *seen = LabCache::default();
        drop(seen);
        // Labs that are only asked about must not pile up.
        linux.cache.forget(scope.lab);
    }
    looked
}

fn look_again(
    linux: &Linux,
    scope: Scope<'_>,
    namespaces: &LabNamespaces,
    seen: &mut LabCache,
    marked: &Taken,
    heard: bool,
) -> Result<Observed, Failure> {
    let host = observe::host(scope, namespaces, linux.host.as_fd())?;
    let now = Instant::now();
    let whole = !heard || marked.all != seen.all;
    seen.all = marked.all;
    let due = due(seen.nodes.iter().map(|(node, known)| (node, known.at)), now);
    let holds = |node: &NodeName, known: &NodeCache| {
        !whole
            && namespaces.nodes().contains_key(node)
            && !marked.nodes.contains(node)
            && !due.contains(node)
            && known.holds_for(scope.target.place(&Place::Node(node.clone())))
    };
    let stale = seen.nodes.iter().filter(|(node, known)| !holds(node, known)).map(|(node, _)| node.clone());
    let stale: Vec<NodeName> = stale.collect();
    let mut old: BTreeMap<_, _> = stale.iter().filter_map(|node| seen.nodes.remove_entry(node)).collect();
    let mut again: BTreeSet<NodeName> =
        namespaces.nodes().keys().filter(|node| !seen.nodes.contains_key(*node)).cloned().collect();
    while !again.is_empty() {
        let nodes: Vec<&NodeName> = again.iter().collect();
        let states = observe::nodes(scope.target, &nodes, namespaces, linux.host.as_fd(), &host)?;
        let found: BTreeMap<_, _> = again
            .iter()
            .cloned()
            .zip(states)
            .map(|(node, state)| {
                let before = old.get(&node).map(|known| &known.state);
                remember(scope.target, node, shared(before, state), now)
            })
            .collect();
        again = disagreeing(&seen.nodes, &old, &found);
        for node in &again {
            old.extend(seen.nodes.remove_entry(node));
        }
        seen.nodes.extend(found);
    }
    seen.host = shared(Some(&seen.host), host.state);
    let nodes = seen.nodes.iter().map(|(node, known)| (Place::Node(node.clone()), known.state.clone()));
    let places = [(Place::Host, seen.host.clone())].into_iter().chain(nodes).collect();
    Ok(Observed { places, unpinned: unpinned(linux, scope.lab, namespaces, seen, now) })
}

/// The nodes whose pins are not in their places; looked for when mounts have changed, or now and then.
fn unpinned(
    linux: &Linux,
    lab: &LabName,
    namespaces: &LabNamespaces,
    seen: &mut LabCache,
    now: Instant,
) -> BTreeSet<NodeName> {
    // Before the look: what changes during it is looked at again.
    let changes = linux.mounts.changes();
    if seen.pinned == Some(changes) && seen.pins.is_some_and(|at| now - at < OLD) {
        return BTreeSet::new();
    }
    seen.pins = Some(now);
    let unpinned: BTreeSet<_> = linux.namespaces.unpinned(lab, namespaces).into_iter().collect();
    seen.pinned = unpinned.is_empty().then_some(changes);
    unpinned
}

/// The nodes that were last looked at long ago, the first of them first, as many as one look takes in.
fn due<'a>(
    nodes: impl ExactSizeIterator<Item = (&'a NodeName, Instant)>,
    now: Instant,
) -> BTreeSet<NodeName> {
    let most = AT_ONCE.max(nodes.len().div_ceil(2));
    let mut old: Vec<_> = nodes.filter(|(_, at)| now - *at >= OLD).map(|(node, at)| (at, node)).collect();
    old.sort_unstable();
    old.into_iter().take(most).map(|(_, node)| node.clone()).collect()
}

/// What was seen, as it was kept if it is the same: whoever compares it with what was seen before knows at once.
fn shared(before: Option<&Arc<PlaceState>>, now: PlaceState) -> Arc<PlaceState> {
    match before {
        Some(before) if **before == now => before.clone(),
        _ => Arc::new(now),
    }
}

fn remember(target: &Target, node: NodeName, state: Arc<PlaceState>, at: Instant) -> (NodeName, NodeCache) {
    let wanted = target.place(&Place::Node(node.clone()));
    let asked = wanted.into_iter().flat_map(|wanted| wanted.sysctls.keys().cloned()).collect();
    let rules = wanted.map(Rules::of).unwrap_or_default();
    (node, NodeCache { state, asked, rules, at })
}

/// The nodes that were not looked at but must be: a cable between them and one that was is not the one it
/// was. Moving one end of a veth pair elsewhere is no event for the other end.
fn disagreeing(
    kept: &BTreeMap<NodeName, NodeCache>,
    old: &BTreeMap<NodeName, NodeCache>,
    found: &BTreeMap<NodeName, NodeCache>,
) -> BTreeSet<NodeName> {
    let mut disagree = BTreeSet::new();
    for (node, now) in found {
        let before = old.get(node).into_iter().flat_map(NodeCache::neighbours);
        for neighbour in now.neighbours().chain(before) {
            let Some(known) = kept.get(neighbour) else { continue };
            let there: BTreeSet<_> =
                known.pairs_with(node).into_iter().map(|(own, other)| (other, own)).collect();
            if there != now.pairs_with(neighbour) {
                disagree.insert(neighbour.clone());
            }
        }
    }
    disagree
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_is_looked_at_within_a_minute_and_a_half() {
        let start = Instant::now();
        for count in [0, 1, 100, 101, 200, 201, 1_000, 1_999] {
            let mut looked: BTreeMap<NodeName, Instant> =
                (0..count).map(|number| (format!("n{number}").parse().unwrap(), start)).collect();
            for second in 1..=600 {
                let now = start + Duration::from_secs(second);
                // An actor that nothing wakes, and one that was woken just before the nodes were old.
                if second % 30 != 0 && second != 24 {
                    continue;
                }
                let due = due(looked.iter().map(|(node, at)| (node, *at)), now);
                assert!(due.len() <= AT_ONCE.max(count / 2 + 1), "{count} nodes: {} at once", due.len());
                looked.extend(due.into_iter().map(|node| (node, now)));
                let longest = looked.values().map(|at| (now - *at).as_secs()).max().unwrap_or(0);
                assert!(longest < if count > 200 { 90 } else { 60 }, "{count} nodes: not for {longest} s");
            }
        }
    }
}
