//! Which interfaces must go, and what goes with them.

use std::collections::{BTreeMap, BTreeSet};

use super::{LinkTarget, Op, Target, item::Spot};
use crate::{
    link::{Change, Kind},
    model::{
        Endpoint, Form, Place,
        observed::{LinkState, Observed, ObservedForm, PlaceState},
    },
};

/// What must go.
#[derive(Debug, Default)]
pub(super) struct Removals {
    /// The interfaces to delete.
    pub(super) roots: BTreeSet<Spot>,
    /// All that will be gone: the roots, other ends of veth pairs, and what stands on any of them.
    pub(super) all: BTreeSet<Spot>,
    /// Interfaces of others on the host under names that the lab wants: not to be touched.
    taken: BTreeSet<String>,
}

impl Removals {
    /// Finds what must go of `places`, and all that goes with it.
    pub(super) fn find(target: &Target, places: &[(&Place, &PlaceState)], observed: &Observed) -> Self {
        let mut removals = Self::default();
        let mut reached = Vec::new();
        for (place, state) in places {
            let wanted = target.place(place);
            for (name, link) in &state.links {
                let spot = || Spot { place: (*place).clone(), name: name.clone() };
                let want = wanted.and_then(|place| place.links.get(name.as_str()));
                match verdict(place, wanted.is_some(), want, link, observed) {
                    Disposition::Stays => {}
                    Disposition::Conflict => drop(removals.taken.insert(name.clone())),
                    Disposition::Goes => {
                        removals.roots.insert(spot());
                        reached.push(spot());
                    }
                    Disposition::GoesWithNode => reached.push(spot()),
                }
            }
        }
        if reached.is_empty() {
            return removals;
        }
        let dependents = Dependents::new(observed);
        while let Some(spot) = reached.pop() {
            if removals.all.insert(spot.clone()) {
                reached.extend(dependents.of(observed, &spot));
            }
        }
        removals
    }

    /// The deletions: one for each pair of veth ends.
    pub(super) fn ops(&self, observed: &Observed) -> Vec<Op> {
        if self.roots.is_empty() {
            return Vec::new();
        }
        let by_index = index(observed);
        let mut done = BTreeSet::new();
        for spot in &self.roots {
            let peer = state(observed, spot).and_then(|link| by_index.get(link.form.peer()?));
            if !peer.is_some_and(|peer| done.contains(peer)) {
                done.insert(spot.clone());
            }
        }
        done.into_iter().map(Op::delete).collect()
    }
}

enum Disposition {
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
) -> Disposition {
    if link.form == ObservedForm::Loopback {
        return Disposition::Stays;
    }
    if !place_wanted && *place != Place::Host {
        return Disposition::GoesWithNode;
    }
    match want {
        Some(want) if fits(&want.form, link, observed) && (link.ours || *place != Place::Host) => {
            Disposition::Stays
        }
        Some(want) if *place == Place::Host && !link.ours => {
            // Our own end of a link whose mark somebody took away is known by its MAC address.
            let same = fits(&want.form, link, observed) && link.known_by() == want.mac;
            if same { Disposition::Stays } else { Disposition::Conflict }
        }
        Some(_) => Disposition::Goes,
        None if link.ours => Disposition::Goes,
        None => Disposition::Stays,
    }
}

/// Whether an interface can be made what is wanted without deleting it.
fn fits(want: &Form, link: &LinkState, observed: &Observed) -> bool {
    match (want, &link.form) {
        (Form::Loopback, ObservedForm::Loopback) => true,
        (Form::Veth { peer }, ObservedForm::Veth { peer: Some((place, index)) }) => {
            peer.place == *place && observed.link(peer).is_some_and(|other| other.index == *index)
        }
        (Form::Made(want), ObservedForm::Made(seen)) => want.change(seen) != Change::Remake,
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
struct Dependents {
    by_index: BTreeMap<(Place, u32), Spot>,
    by_lower: BTreeMap<Spot, Vec<Spot>>,
}

impl Dependents {
    fn new(observed: &Observed) -> Self {
        let mut by_lower: BTreeMap<Spot, Vec<Spot>> = BTreeMap::new();
        for (place, state) in &observed.places {
            for (name, link) in &state.links {
                let Some(lower) = link.form.kind().and_then(Kind::lower) else { continue };
                let lower = Spot { place: lower.place(place), name: lower.name().to_string() };
                by_lower.entry(lower).or_default().push(Spot { place: place.clone(), name: name.clone() });
            }
        }
        Self { by_index: index(observed), by_lower }
    }

    fn of(&self, observed: &Observed, spot: &Spot) -> Vec<Spot> {
        let mut above = self.by_lower.get(spot).cloned().unwrap_or_default();
        above.extend(state(observed, spot).and_then(|link| self.by_index.get(link.form.peer()?)).cloned());
        above
    }
}

impl Removals {
    /// Whether somebody else has the name on the host, of the interface or of its other end.
    pub(super) fn is_taken(&self, at: &Endpoint, want: &LinkTarget) -> bool {
        let taken = |at: &Endpoint| at.place == Place::Host && self.taken.contains(at.interface.as_str());
        taken(at) || matches!(&want.form, Form::Veth { peer } if taken(peer))
    }

    /// What stands in the way, in words.
    pub(super) fn conflicts(&self) -> Vec<String> {
        let conflict = |name: &String| {
            format!("the host already has an interface {name} that is not the lab's; rename one of the two")
        };
        self.taken.iter().map(conflict).collect()
    }

    /// The interface at an end point, unless it will be gone.
    pub(super) fn survivor<'a>(&self, observed: &'a Observed, at: &Endpoint) -> Option<&'a LinkState> {
        if self.takes(&at.place, at.interface.as_str()) { None } else { observed.link(at) }
    }

    /// Whether the interface of that name will be gone.
    pub(super) fn takes(&self, place: &Place, name: &str) -> bool {
        // Usually nothing must go.
        !self.all.is_empty() && self.all.contains(&Spot { place: place.clone(), name: name.to_owned() })
    }
}
