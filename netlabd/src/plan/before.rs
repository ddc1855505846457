//! What sysctls of nodes were before the lab first set them: what is to be kept of that, and for how long.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    PlaceTarget, Plan, Target,
    item::{Item, Sysctl},
    sysctls::is_forwarding,
};
use crate::model::{
    IfName, NodeName, PerInterface, Place, SysctlKey,
    observed::{Observed, PlaceState},
    spread_by,
};

/// By node and key; `None`: what an interface has when it is made.
pub type Before = BTreeMap<NodeName, BTreeMap<SysctlKey, Option<String>>>;

/// What is to be kept before `plan` is carried out. `fresh` gives the values in a new namespace; it is asked only where
/// that matters.
pub fn claim(
    target: &Target,
    observed: &Observed,
    plan: &Plan,
    fresh: &mut dyn FnMut(&BTreeSet<SysctlKey>) -> BTreeMap<SysctlKey, String>,
) -> Before {
    let idle = |place: &PlaceTarget| place.before.is_empty() && place.sysctls.keys().all(is_forwarding);
    if target.places().map(|(_, place)| place).all(idle) {
        return Before::new();
    }
    let made = Made::by(plan);
    let mut set: BTreeMap<&Place, BTreeSet<&SysctlKey>> = BTreeMap::new();
    for op in plan.ops() {
        if let Item::Sysctl(Sysctl { place, key, .. }) = &op.item {
            set.entry(place).or_default().insert(key);
        }
    }
    let mut claims = Vec::new();
    for (place, wanted) in target.places() {
        let Place::Node(node) = place else { continue };
        let is_new = made.nodes.contains(node) || !observed.places.contains_key(place);
        let seen = observed.places.get(place).filter(|_| !is_new).map(AsRef::as_ref);
        let is_kept = |key: &SysctlKey| {
            let interface = PerInterface::of(key).and_then(|per| per.interface());
            let there = interface.is_none_or(|name| wanted.links.contains_key(&name));
            seen.is_some() && there
        };
        let mut before = wanted.before.clone();
        before.retain(|key, _| is_kept(key));
        for (key, value) in &mut before {
            let has_default = PerInterface::of(key).is_some_and(|per| per.default_key().is_some());
            if has_default && made.interface_of(place, key) {
                *value = None;
            }
        }
        let set = set.remove(place).unwrap_or_default();
        let claim = Claim { place, wanted, seen, made: &made, set, before };
        claims.push((node.clone(), claim));
    }
    let unknown: BTreeSet<SysctlKey> = claims.iter().flat_map(|(_, claim)| claim.needs_fresh()).collect();
    let fresh = if unknown.is_empty() { BTreeMap::new() } else { fresh(&unknown) };
    let kept = claims.into_iter().map(|(node, claim)| (node, claim.with(&fresh)));
    kept.filter(|(_, before)| !before.is_empty()).collect()
}

/// What is to be kept of `before` once all is as it is wanted: what went back to what it was is forgotten.
pub fn settle(target: &Target, mut before: Before) -> Before {
    for (node, values) in &mut before {
        let wanted = target.place(&Place::Node(node.clone()));
        let needed = |wanted: &PlaceTarget| -> BTreeSet<SysctlKey> {
            wanted.sysctls.keys().flat_map(|key| along(wanted, key)).collect()
        };
        let needed = wanted.map(needed).unwrap_or_default();
        values.retain(|key, _| needed.contains(key));
    }
    before.retain(|_, values| !values.is_empty());
    before
}

/// What a plan makes anew.
struct Made {
    nodes: BTreeSet<NodeName>,
    interfaces: BTreeSet<(Place, IfName)>,
}

impl Made {
    fn by(plan: &Plan) -> Self {
        let mut made = Self { nodes: BTreeSet::new(), interfaces: BTreeSet::new() };
        for op in plan.ops() {
            made.nodes.extend(op.makes_node().cloned());
            let interfaces = op.makes_links().map(|at| (at.place.clone(), at.interface.clone()));
            made.interfaces.extend(interfaces);
        }
        made
    }

    /// Whether a sysctl is that of an interface which is made anew.
    fn interface_of(&self, place: &Place, key: &SysctlKey) -> bool {
        let interface = PerInterface::of(key).and_then(|per| per.interface());
        interface.is_some_and(|name| self.interfaces.contains(&(place.clone(), name)))
    }
}

/// The sysctls whose values change when one is written, as far as the lab has to put them back by itself.
fn along(wanted: &PlaceTarget, key: &SysctlKey) -> Vec<SysctlKey> {
    if is_forwarding(key) {
        // Every node has it; what goes along goes along at every change.
        return Vec::new();
    }
    let mut keys = vec![key.clone()];
    if key.as_str() == "net.ipv4.conf.all.accept_redirects" {
        keys.extend("net.ipv4.ip_forward".parse::<SysctlKey>());
    }
    if let Some(spread) = spread_by(key) {
        keys.extend(["default", "lo"].into_iter().filter_map(|of| spread.key_of(of)));
        keys.extend(wanted.links.keys().filter_map(|name| spread.key_of(name.as_str())));
    }
    keys
}

struct Claim<'a> {
    place: &'a Place,
    wanted: &'a PlaceTarget,
    /// What is there; `None` where the namespace is made anew.
    seen: Option<&'a PlaceState>,
    made: &'a Made,
    /// What the plan sets.
    set: BTreeSet<&'a SysctlKey>,
    before: BTreeMap<SysctlKey, Option<String>>,
}

/// Where the value before is known from.
enum Source {
    /// It was seen.
    Seen(String),
    /// It is what every new interface has.
    AtBirth,
    /// It is what that sysctl has in a new namespace.
    Fresh(SysctlKey),
}

impl Claim<'_> {
    /// The sysctls that are not yet known, by what set them off.
    fn missing(&self) -> Vec<SysctlKey> {
        let all = self.wanted.sysctls.keys().flat_map(|word| {
            let is_set = self.set.contains(word);
            // Of an interface that is not the word's own, only what the word is about to change.
            along(self.wanted, word).into_iter().filter(move |key| key == word || is_set || !is_own(key))
        });
        all.filter(|key| !self.before.contains_key(key)).collect()
    }

    fn source(&self, key: &SysctlKey) -> Source {
        let seen = self.seen.and_then(|seen| seen.sysctls.get(key));
        let Some(per) = PerInterface::of(key).filter(|_| is_own(key)) else {
            // Not set now: it has been, by a netlabd that kept nothing, or it happens to be what is wanted.
            return match seen.filter(|_| self.is_changed(key)) {
                Some(seen) => Source::Seen(seen.clone()),
                None => Source::Fresh(key.clone()),
            };
        };
        let default = per.default_key();
        let seen = seen.filter(|_| !self.made.interface_of(self.place, key) && self.is_changed(key));
        match (seen, default) {
            (Some(seen), Some(default)) => {
                let usual = self.seen.and_then(|state| state.sysctls.get(&default)) == Some(seen);
                if usual { Source::AtBirth } else { Source::Seen(seen.clone()) }
            }
            (Some(seen), None) => Source::Seen(seen.clone()),
            (None, Some(_)) => Source::AtBirth,
            // A new `lo` has what every new interface has.
            (None, None) => per.key_of("lo").map_or(Source::AtBirth, Source::Fresh),
        }
    }

    /// Whether the plan changes a sysctl, by itself or along with another.
    fn is_changed(&self, key: &SysctlKey) -> bool {
        let along = |set: &&SysctlKey| along(self.wanted, set).contains(key);
        self.seen.is_some() && self.set.iter().any(along)
    }

    fn needs_fresh(&self) -> Vec<SysctlKey> {
        let fresh =
            |key: SysctlKey| if let Source::Fresh(key) = self.source(&key) { Some(key) } else { None };
        self.missing().into_iter().filter_map(fresh).collect()
    }

    fn with(mut self, fresh: &BTreeMap<SysctlKey, String>) -> BTreeMap<SysctlKey, Option<String>> {
        for key in self.missing() {
            let value = match self.source(&key) {
                Source::Seen(value) => Some(value),
                // What is only changed along needs no word.
                Source::AtBirth if !self.wanted.sysctls.contains_key(&key) => continue,
                Source::AtBirth => None,
                Source::Fresh(from) => match fresh.get(&from) {
                    Some(value) => Some(value.clone()),
                    None => continue,
                },
            };
            self.before.insert(key, value);
        }
        self.before
    }
}

/// Whether a sysctl is that of one interface and begins as the default: what `lo` has of IPv6 begins before that.
fn is_own(key: &SysctlKey) -> bool {
    PerInterface::of(key).is_some_and(|per| match per.of.as_str() {
        "all" | "default" => false,
        "lo" => per.reaches_loopback(),
        _ => true,
    })
}
