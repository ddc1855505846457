//! Label routes.

use std::{borrow::Cow, collections::BTreeSet};

use super::{At, Missing, Subject};
use crate::{
    model::{self, Endpoint, Place, Route},
    plan::{Op, Verb, command::Hand, place::PlaceDiff},
    shell::word,
};

/// A label route; added, it takes the place of that of the same label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelRoute {
    /// Where.
    pub place: Place,
    /// The route.
    pub route: model::LabelRoute,
}

impl Subject for LabelRoute {
    fn at(&self) -> At<'_> {
        At::Place(Cow::Borrowed(&self.place))
    }

    fn describe(&self, verb: Verb) -> String {
        let Self { place, route } = self;
        match verb {
            Verb::Add | Verb::Set => format!("add label route {route} in {place}"),
            Verb::Delete => format!("remove label route {route} in {place}"),
        }
    }

    fn finding(&self, verb: Verb) -> String {
        let Self { place, route } = self;
        match verb {
            Verb::Add | Verb::Set => format!("{place}: the label route {route} is missing"),
            Verb::Delete => format!("{place}: the label route {route} is not wanted"),
        }
    }

    fn command(&self, verb: Verb, hand: Hand<'_>) -> String {
        let ip = hand.ip_of_labels(&self.place);
        let line = |more: &str| self.route.words(more, &|dev| word(dev.as_str()).into_owned());
        match verb {
            Verb::Delete => format!("{ip} route delete {}", self.route.label),
            Verb::Add | Verb::Set if hand.exact => {
                format!("{ip} route replace {}", line(&format!(" proto {}", Route::PROTOCOL)))
            }
            Verb::Add | Verb::Set => format!("{ip} route add {}", line("")),
        }
    }

    // The routes of labels for which there is no room any more went with it, and the kernel hears of none of them.
    fn is_done_already(&self, verb: Verb, errno: i32) -> bool {
        verb == Verb::Delete && matches!(errno, libc::ESRCH | libc::ENODEV | libc::EINVAL)
    }

    fn comment(&self) -> String {
        self.here("label routes")
    }

    fn is_explained(&self, missing: &Missing<'_>) -> bool {
        let at = Endpoint { place: self.place.clone(), interface: self.route.dev.clone() };
        missing.has(&self.place) || missing.has_link(&at)
    }
}

/// Label routes of the lab that are no longer wanted, and that no wanted one takes the place of.
pub(in crate::plan) fn stale(diff: &PlaceDiff<'_>, ops: &mut Vec<Op>) {
    let Some(seen) = diff.seen else { return };
    let wanted: BTreeSet<_> = diff.wanted.label_routes.iter().map(|want| want.label).collect();
    for state in seen.label_routes.iter().filter(|state| state.ours()) {
        let goes = diff.is_removed(state.route.dev.as_str());
        if !goes && !wanted.contains(&state.route.label) {
            ops.push(Op::delete(LabelRoute { place: diff.place.clone(), route: state.route.clone() }));
        }
    }
}

/// Label routes that are missing, once there is room for them and their interfaces are there.
pub(in crate::plan) fn missing(diff: &PlaceDiff<'_>, ops: &mut Vec<Op>) {
    let seen = diff.seen.map_or(&[][..], |seen| &seen.label_routes);
    let standing: BTreeSet<&model::LabelRoute> =
        seen.iter().filter(|state| state.plain).map(|state| &state.route).collect();
    for want in &diff.wanted.label_routes {
        if !standing.contains(want) || diff.is_removed(want.dev.as_str()) {
            ops.push(Op::add(LabelRoute { place: diff.place.clone(), route: want.clone() }));
        }
    }
}
