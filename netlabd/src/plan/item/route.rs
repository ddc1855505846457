//! Static routes.

use std::{borrow::Cow, collections::BTreeSet};

use super::{At, Missing, Subject};
use crate::{
    model::{self, Endpoint, NextHop, Place},
    plan::{Op, Verb, command::Hand, place::PlaceDiff},
    shell::word,
};

/// A route; added, it takes the place of one with the same table, destination and metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Where.
    pub place: Place,
    /// The route.
    pub route: model::Route,
}

impl Subject for Route {
    fn at(&self) -> At<'_> {
        At::Place(Cow::Borrowed(&self.place))
    }

    fn describe(&self, verb: Verb) -> String {
        let Self { place, route } = self;
        match verb {
            Verb::Add | Verb::Set => format!("add route {route} in {place}"),
            Verb::Delete => format!("remove route {route} in {place}"),
        }
    }

    fn finding(&self, verb: Verb) -> String {
        let Self { place, route } = self;
        match verb {
            Verb::Add | Verb::Set => format!("{place}: the route {route} is missing"),
            Verb::Delete => format!("{place}: the route {route} is not wanted"),
        }
    }

    fn command(&self, verb: Verb, hand: Hand<'_>) -> String {
        let ip = hand.ip_of(&self.place, self.route.to.addr().is_ipv6());
        let mark = format!(" proto {}", model::Route::PROTOCOL);
        match verb {
            Verb::Delete => format!("{ip} route delete {}", line(&self.route, "")),
            Verb::Add | Verb::Set if hand.exact => {
                format!("{ip} route replace {}", line(&self.route, &mark))
            }
            Verb::Add | Verb::Set => format!("{ip} route add {}", line(&self.route, "")),
        }
    }

    fn is_done_already(&self, verb: Verb, errno: i32) -> bool {
        verb == Verb::Delete && matches!(errno, libc::ESRCH | libc::ENODEV)
    }

    fn comment(&self) -> String {
        self.here("routes")
    }

    fn is_explained(&self, missing: &Missing<'_>) -> bool {
        let at = |hop: &NextHop| Endpoint { place: self.place.clone(), interface: hop.dev.clone() };
        missing.has(&self.place) || self.route.hops.iter().any(|hop| missing.has_link(&at(hop)))
    }
}

fn line(route: &model::Route, more: &str) -> String {
    route.words("default", more, &|dev| word(dev.as_str()).into_owned())
}

/// Whether an interface goes through which it leads: it goes too, or part of it.
fn is_broken(diff: &PlaceDiff<'_>, route: &model::Route) -> bool {
    route.hops.iter().any(|hop| diff.is_removed(hop.dev.as_str()))
}

/// Whether an interface through which it leads loses its routes.
fn is_lost(diff: &PlaceDiff<'_>, route: &model::Route) -> bool {
    route.hops.iter().any(|hop| diff.cycles(&hop.dev))
}

/// Routes of the lab that are no longer wanted, and that no wanted one takes the place of.
pub(in crate::plan) fn stale(diff: &PlaceDiff<'_>, ops: &mut Vec<Op>) {
    let Some(seen) = diff.seen else { return };
    for state in seen.routes.iter().filter(|state| state.ours()) {
        let gone = is_broken(diff, &state.route);
        if !gone && !diff.wanted.routes.iter().any(|want| want.replaces(&state.route)) {
            ops.push(Op::delete(Route { place: diff.place.clone(), route: state.route.clone() }));
        }
    }
}

/// Routes that are missing, once the interfaces that they lead through are up.
pub(in crate::plan) fn missing(diff: &PlaceDiff<'_>, ops: &mut Vec<Op>) {
    let seen = diff.seen.map_or(&[][..], |seen| &seen.routes);
    let standing: BTreeSet<&model::Route> =
        seen.iter().filter(|state| state.plain).map(|state| &state.route).collect();
    for want in &diff.wanted.routes {
        if !standing.contains(want) || is_broken(diff, want) || is_lost(diff, want) {
            ops.push(Op::add(Route { place: diff.place.clone(), route: want.clone() }));
        }
    }
}
