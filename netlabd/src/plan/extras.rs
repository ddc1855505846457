//! What others added to the places of the lab, and what is left alone.

use std::collections::BTreeSet;

use super::{Target, place::foreign_master};
use crate::model::{
    is_fallback_device,
    observed::{Observed, ObservedForm, QdiscState},
};

/// All of it, in words.
pub(super) fn extras(target: &Target, observed: &Observed) -> BTreeSet<String> {
    let mut extras = BTreeSet::new();
    for (place, wanted) in &target.places {
        let Some(seen) = observed.places.get(place) else { continue };
        for (name, link) in &seen.links {
            let known = wanted.links.get(name.as_str());
            let by_itself = link.form == ObservedForm::Loopback || is_fallback_device(name);
            if known.is_none() && !link.ours && !by_itself {
                extras.insert(format!("{place}: interface {name}"));
            }
            let Some(known) = known else { continue };
            if let Some(master) = foreign_master(place, wanted, seen, link, known) {
                extras.insert(format!("{place}: {name} is a port of {master}"));
            }
            if let (None, Some(QdiscState::Foreign(kind))) = (&known.impair, &link.qdisc) {
                extras.insert(format!("{place}: queueing discipline {kind} on {name}"));
            }
            for state in link.addresses.iter().filter(|a| !a.ours && !known.addresses.contains(&a.address)) {
                extras.insert(format!("{place}: address {} on {name}", state.address));
            }
        }
        for state in seen.routes.iter().filter(|route| !route.ours() && !wanted.routes.contains(&route.route))
        {
            extras.insert(format!("{place}: route {}", state.route));
        }
        extras.extend(seen.tables.iter().map(|table| format!("{place}: {table}")));
    }
    extras
}
