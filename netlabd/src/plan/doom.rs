//! Which interfaces must go, and what goes with them.

use std::collections::{BTreeMap, BTreeSet};

use super::{LinkTarget, Op, Target, item::Spot};
use crate::model::{
    Endpoint, Kind, Place,
    observed::{LinkKind, LinkState, Observed},
};

/// What must go.
#[derive(Debug, Default)]
pub(super) struct Doom {
    /// The interfaces to delete.
    pub(super) roots: BTreeSet<Spot>,
    /// All that will be gone: the roots, other ends of veth pairs, and what stands on any of them.
    pub(super) all: BTreeSet<Spot>,
    /// Interfaces of others on the host under names that the lab wants: not to be touched.
    taken: BTreeSet<String>,
}

impl Doom {
    /// Finds what must go.
    pub(super) fn find(target: &Target, observed: &Observed) -> Self {
        let mut doom = Self::default();
        let mut reached = Vec::new();
        for (place, state) in &observed.places {
            let wanted = target.places.get(place);
            for (name, link) in &state.links {
                let spot = || Spot { place: place.clone(), name: name.clone() };
                let want = wanted.and_then(|place| place.links.get(name.as_str()));
                match verdict(place, wanted.is_some(), want, link, observed) {
                    Verdict::Stays => {}
                    Verdict::Conflict => drop(doom.taken.insert(name.clone())),
                    Verdict::Goes => {
                        doom.roots.insert(spot());
                        reached.push(spot());
                    }
                    Verdict::GoesWithNode => reached.push(spot()),
                }
            }
        }
        if reached.is_empty() {
            return doom;
        }
        let above = Above::new(observed);
        while let Some(spot) = reached.pop() {
            if doom.all.insert(spot.clone()) {
                reached.extend(above.of(observed, &spot));
            }
        }
        doom
    }

    /// The deletions: one for each pair of veth ends.
    pub(super) fn ops(&self, observed: &Observed) -> Vec<Op> {
        if self.roots.is_empty() {
            return Vec::new();
        }
        let by_index = index(observed);
        let mut done = BTreeSet::new();
        for spot in &self.roots {
            let peer = match state(observed, spot).map(|link| &link.kind) {
                Some(LinkKind::Veth { peer: Some(peer) }) => by_index.get(peer),
                _ => None,
            };
            if !peer.is_some_and(|peer| done.contains(peer)) {
                done.insert(spot.clone());
            }
        }
        done.into_iter().map(Op::delete).collect()
    }
}

enum Verdict {
    Stays,
    Goes,
    GoesWithNode,
    Conflict,
}

fn verdict(
    place: &Place,
    place_wanted: bool,
    want: Option<&LinkTarget>,
    link: &LinkState,
    observed: &Observed,
) -> Verdict {
    if link.kind == LinkKind::Loopback {
        return Verdict::Stays;
    }
    if !place_wanted && *place != Place::Host {
        return Verdict::GoesWithNode;
    }
    match want {
        Some(want) if fits(&want.kind, link, observed) && (link.ours || *place != Place::Host) => {
            Verdict::Stays
        }
        Some(want) if *place == Place::Host && !link.ours => {
            // Our own end of a link whose mark somebody took away is known by its MAC address.
            let same = fits(&want.kind, link, observed) && link.mac == want.mac;
            if same { Verdict::Stays } else { Verdict::Conflict }
        }
        Some(_) => Verdict::Goes,
        None if link.ours => Verdict::Goes,
        None => Verdict::Stays,
    }
}

/// Whether an interface can be made what is wanted without deleting it.
fn fits(want: &Kind, link: &LinkState, observed: &Observed) -> bool {
    match (want, &link.kind) {
        (Kind::Veth { peer }, LinkKind::Veth { peer: Some((place, index)) }) => {
            peer.place == *place && observed.link(peer).is_some_and(|other| other.index == *index)
        }
        (Kind::Vlan { parent, id }, LinkKind::Vlan { parent: Some(seen), id: seen_id }) => {
            parent.as_str() == seen && id.get() == *seen_id
        }
        (Kind::Vxlan(want), LinkKind::Vxlan(seen)) => seen.is(want),
        (Kind::Macvlan { parent, mode }, LinkKind::Macvlan { parent: Some(seen), mode: Some(seen_mode) }) => {
            parent.as_str() == seen && mode == seen_mode
        }
        (Kind::Bridge { .. }, LinkKind::Bridge { .. })
        | (Kind::Dummy, LinkKind::Dummy)
        | (Kind::Loopback, LinkKind::Loopback) => true,
        _ => false,
    }
}

fn state<'a>(observed: &'a Observed, spot: &Spot) -> Option<&'a LinkState> {
    observed.places.get(&spot.place)?.links.get(&spot.name)
}

fn index(observed: &Observed) -> BTreeMap<(Place, u32), Spot> {
    let mut index = BTreeMap::new();
    for (place, state) in &observed.places {
        for (name, link) in &state.links {
            index.insert((place.clone(), link.index), Spot { place: place.clone(), name: name.clone() });
        }
    }
    index
}

/// Who goes when an interface goes.
struct Above {
    by_index: BTreeMap<(Place, u32), Spot>,
    by_lower: BTreeMap<Spot, Vec<Spot>>,
}

impl Above {
    fn new(observed: &Observed) -> Self {
        let mut by_lower: BTreeMap<Spot, Vec<Spot>> = BTreeMap::new();
        for (place, state) in &observed.places {
            for (name, link) in &state.links {
                let lower = match &link.kind {
                    LinkKind::Vlan { parent: Some(parent), .. } => (place, parent),
                    LinkKind::Vxlan(vxlan) => match &vxlan.dev {
                        Some(dev) => (place, dev),
                        None => continue,
                    },
                    LinkKind::Macvlan { parent: Some(parent), .. } => (&Place::Host, parent),
                    _ => continue,
                };
                let lower = Spot { place: lower.0.clone(), name: lower.1.clone() };
                by_lower.entry(lower).or_default().push(Spot { place: place.clone(), name: name.clone() });
            }
        }
        Self { by_index: index(observed), by_lower }
    }

    fn of(&self, observed: &Observed, spot: &Spot) -> Vec<Spot> {
        let mut above = self.by_lower.get(spot).cloned().unwrap_or_default();
        if let Some(LinkKind::Veth { peer: Some(peer) }) = state(observed, spot).map(|link| &link.kind) {
            above.extend(self.by_index.get(peer).cloned());
        }
        above
    }
}

impl Doom {
    /// Whether somebody else has the name on the host, of the interface or of its other end.
    pub(super) fn is_taken(&self, at: &Endpoint, want: &LinkTarget) -> bool {
        let taken = |at: &Endpoint| at.place == Place::Host && self.taken.contains(at.interface.as_str());
        taken(at) || matches!(&want.kind, Kind::Veth { peer } if taken(peer))
    }

    /// What stands in the way, in words.
    pub(super) fn conflicts(&self) -> Vec<String> {
        let conflict = |name: &String| {
            format!("the host already has an interface {name} that is not the lab's; rename one of the two")
        };
        self.taken.iter().map(conflict).collect()
    }

    /// The interface at an end point, unless it is doomed.
    pub(super) fn survivor<'a>(&self, observed: &'a Observed, at: &Endpoint) -> Option<&'a LinkState> {
        if self.takes(&at.place, at.interface.as_str()) { None } else { observed.link(at) }
    }

    /// Whether the interface of that name will be gone.
    pub(super) fn takes(&self, place: &Place, name: &str) -> bool {
        // Usually nothing must go.
        !self.all.is_empty() && self.all.contains(&Spot { place: place.clone(), name: name.to_owned() })
    }
}
