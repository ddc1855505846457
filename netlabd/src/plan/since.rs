//! What has to be compared again since a lab was found to be as wanted: the places of which something else is wanted or
//! seen, and those around them.
//!
//! What is planned for a place follows from what is wanted and seen of it, of the other ends of its links, and of the
//! host. So a change in a large lab costs what it changes.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{PlaceTarget, Plan, Target};
use crate::model::{
    Form, Place,
    observed::{Observed, PlaceState},
};

/// A lab that was compared, and nothing differed.
#[derive(Debug, Clone)]
pub struct Settled {
    target: Arc<Target>,
    observed: Arc<Observed>,
    extras: Extras,
}

/// What others added, in words, by place.
pub(super) type Extras = BTreeMap<Place, BTreeSet<String>>;

impl Settled {
    /// Keeps what a comparison showed; `None` where something differed.
    pub fn of(target: &Arc<Target>, observed: &Arc<Observed>, plan: &Plan) -> Option<Self> {
        let (target, observed) = (target.clone(), observed.clone());
        plan.is_empty().then(|| Self { target, observed, extras: plan.extras.clone() })
    }

    /// What others had added outside of a scope.
    pub(super) fn extras_outside(&self, scope: &Scope<'_>) -> Extras {
        let outside = |(place, _): &(&Place, _)| !scope.holds(place);
        let kept = self.extras.iter().filter(outside);
        kept.map(|(place, words)| (place.clone(), words.clone())).collect()
    }

    /// Those to which the links of a place lead.
    fn around(&self, place: &Place) -> impl Iterator<Item = &Place> {
        wanted_around(&self.target, place).chain(seen_around(&self.observed, place))
    }
}

/// The places that are compared.
pub(super) struct Scope<'a>(Option<BTreeSet<&'a Place>>);

impl<'a> Scope<'a> {
    /// Those that may differ from what they were when nothing did.
    pub(super) fn since(settled: Option<&'a Settled>, target: &'a Target, observed: &'a Observed) -> Self {
        let Some(settled) = settled else { return Self(None) };
        let mut scope: BTreeSet<&Place> = differing(&settled.target.places, &target.places).collect();
        scope.extend(differing(&settled.observed.places, &observed.places));
        // Much stands on the host.
        if scope.contains(&Place::Host) {
            return Self(None);
        }
        // Once for those whose other ends differ, and once for those that lose theirs with them.
        for _ in 0..2 {
            let around = |place: &&'a Place| {
                let now = wanted_around(target, place).chain(seen_around(observed, place));
                now.chain(settled.around(place)).collect::<Vec<_>>()
            };
            let around: Vec<&Place> = scope.iter().flat_map(around).collect();
            scope.extend(around);
        }
        Self(Some(scope))
    }

    /// Whether a place is compared.
    fn holds(&self, place: &Place) -> bool {
        self.0.as_ref().is_none_or(|scope| scope.contains(place))
    }

    /// What is wanted of each of them.
    pub(super) fn wanted<'t>(&self, target: &'t Target) -> Vec<(&'t Place, &'t PlaceTarget)> {
        self.of(&target.places)
    }

    /// What is seen of each of them.
    pub(super) fn seen<'o>(&self, observed: &'o Observed) -> Vec<(&'o Place, &'o PlaceState)> {
        self.of(&observed.places)
    }

    fn of<'p, T>(&self, places: &'p BTreeMap<Place, Arc<T>>) -> Vec<(&'p Place, &'p T)> {
        let whole = |(place, it): (&'p Place, &'p Arc<T>)| (place, it.as_ref());
        match &self.0 {
            Some(scope) => scope.iter().filter_map(|place| places.get_key_value(*place)).map(whole).collect(),
            None => places.iter().map(whole).collect(),
        }
    }
}

/// Where the links lead that a place is to have.
fn wanted_around<'a>(target: &'a Target, place: &Place) -> impl Iterator<Item = &'a Place> + use<'a> {
    let links = target.place(place).into_iter().flat_map(|place| place.links.values());
    links.filter_map(|link| if let Form::Veth { peer } = &link.form { Some(&peer.place) } else { None })
}

/// Where the links lead that a place has.
fn seen_around<'a>(observed: &'a Observed, place: &Place) -> impl Iterator<Item = &'a Place> + use<'a> {
    let links = observed.places.get(place).into_iter().flat_map(|place| place.links.values());
    links.filter_map(|link| link.form.peer().as_ref().map(|(place, _)| place))
}

/// The places that are in one of two alone, or other in the one than in the other.
fn differing<'a, T: Eq>(
    a: &'a BTreeMap<Place, Arc<T>>,
    b: &'a BTreeMap<Place, Arc<T>>,
) -> impl Iterator<Item = &'a Place> {
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    std::iter::from_fn(move || {
        loop {
            let order = match (a.peek(), b.peek()) {
                (Some((left, _)), Some((right, _))) => left.cmp(right),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return None,
            };
            let left = if order.is_le() { a.next() } else { None };
            let right = if order.is_ge() { b.next() } else { None };
            // What is shared is the same without a look.
            match (left, right) {
                (Some((_, left)), Some((_, right))) if left == right => {}
                (Some((place, _)), _) | (None, Some((place, _))) => return Some(place),
                (None, None) => return None,
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{convert, model::NodeName};

    /// Nodes in a row, of which one has its interfaces down.
    fn row(down: Option<usize>) -> Arc<Target> {
        let node = |n: usize| {
            let ends = ["w", "e"].iter().filter(|end| !(n == 0 && **end == "w" || n == 6 && **end == "e"));
            let up = down != Some(n);
            let interfaces: BTreeMap<_, _> = ends.map(|end| (*end, json!({ "up": up }))).collect();
            (format!("n{n}"), json!({ "interfaces": interfaces }))
        };
        let nodes: serde_json::Map<String, Value> = (0..7).map(node).collect();
        let link = |n: usize| json!({ "endpoints": [format!("n{n}:e"), format!("n{}:w", n + 1)] });
        let links: Vec<Value> = (0..6).map(link).collect();
        let lab = json!({ "name": "row", "nodes": nodes, "links": links });
        Target::new(&convert::lab(&serde_json::from_value(lab).unwrap()).unwrap(), "uid").into()
    }

    #[test]
    fn what_changes_is_compared_with_those_around_it() {
        let (before, after) = (row(None), row(Some(3)));
        let settled = Settled::of(&before, &Arc::default(), &Plan::default()).unwrap();
        let node = |n: usize| Place::Node(format!("n{n}").parse::<NodeName>().unwrap());
        let scope = Scope::since(Some(&settled), &after, &settled.observed);
        let held: Vec<usize> = (0..7).filter(|n| scope.holds(&node(*n))).collect();
        assert_eq!(held, [1, 2, 3, 4, 5]);
        let scope = Scope::since(Some(&settled), &before, &settled.observed);
        assert!((0..7).all(|n| !scope.holds(&node(n))));
        assert!((0..7).all(|n| Scope::since(None, &before, &settled.observed).holds(&node(n))));
    }
}
