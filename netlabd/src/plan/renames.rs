//! Interfaces that somebody renamed.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use super::{
    Op, PlaceTarget,
    item::{Name, Spot},
};
use crate::model::{
    IfName, Place,
    observed::{Observed, ObservedForm, PlaceState},
};

/// Finds marked interfaces that somebody renamed, known by MAC address and kind, and the loopback interface, of
/// which each namespace has one; and returns the observation as it will be once they have their names back.
pub(super) fn renames<'a>(
    places: &[(&Place, &PlaceTarget)],
    observed: &'a Observed,
) -> (Vec<Op>, Cow<'a, Observed>) {
    let mut ops = Vec::new();
    let mut seen = Cow::Borrowed(observed);
    for (place, wanted) in places {
        let Some(state) = observed.places.get(*place) else { continue };
        let strays = state.links.iter().filter(|(name, link)| {
            let known = link.ours && link.known_by().is_some() || link.form == ObservedForm::Loopback;
            known && !wanted.links.contains_key(name.as_str())
        });
        let mut names = BTreeMap::new();
        for (name, link) in strays {
            let own = wanted.links.iter().find(|(own, want)| {
                (want.mac.is_none() || want.mac == link.known_by())
                    && link.form.is_alike(&want.form)
                    && !state.links.contains_key(own.as_str())
                    && !names.values().any(|taken| taken == *own)
            });
            if let Some((own, _)) = own {
                names.insert(name.clone(), own.clone());
            }
        }
        for (from, to) in &names {
            let from = Spot { place: (*place).clone(), name: from.clone() };
            ops.push(Op::set(Name { from, to: to.clone() }));
        }
        if let Some(state) = (!names.is_empty()).then(|| seen.to_mut().places.get_mut(*place)).flatten() {
            rename_in(Arc::make_mut(state), &names);
        }
    }
    (ops, seen)
}

fn rename_in(state: &mut PlaceState, names: &BTreeMap<String, IfName>) {
    let fix = |name: &mut String| {
        if let Some(own) = names.get(name) {
            own.as_str().clone_into(name);
        }
    };
    let links = std::mem::take(&mut state.links);
    for (mut name, mut link) in links {
        fix(&mut name);
        link.master.iter_mut().for_each(fix);
        if let ObservedForm::Made(kind) = &mut link.form
            && let Some(own) = kind.lower_here().and_then(|lower| names.get(lower.as_str()))
            && let Some(lower) = kind.lower_mut()
        {
            *lower = own.clone();
        }
        state.links.insert(name, link);
    }
    for state in &mut state.neighbours {
        if let Some(own) = names.get(state.neighbour.dev.as_str()) {
            state.neighbour.dev = own.clone();
        }
    }
    for hop in state.routes.iter_mut().flat_map(|state| &mut state.route.hops) {
        if let Some(own) = names.get(hop.dev.as_str()) {
            hop.dev = own.clone();
        }
    }
}
