//! Static routes.

use std::borrow::Cow;

use super::{At, Subject};
use crate::{
    model::{self, Endpoint, Place, observed::RouteState},
    plan::{Op, Verb, command::Hand, place::PlaceDiff},
    shell::word,
};

/// A route; added, it takes the place of one with the same destination and metric.
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
        let mut ip = hand.ip(&self.place);
        if self.route.to.addr().is_ipv6() {
            ip = ip.replacen("ip", "ip -6", 1);
        }
        let line = line(&self.route);
        match verb {
            Verb::Delete => format!("{ip} route delete {line}"),
            Verb::Add | Verb::Set if hand.exact => {
                format!("{ip} route replace {line} proto {}", model::Route::PROTOCOL)
            }
            Verb::Add | Verb::Set => format!("{ip} route add {line}"),
        }
    }

    fn is_done_already(&self, verb: Verb, errno: i32) -> bool {
        verb == Verb::Delete && matches!(errno, libc::ESRCH | libc::ENODEV)
    }

    fn comment(&self) -> String {
        self.here("routes")
    }

    fn through(&self) -> Option<Endpoint> {
        Some(Endpoint { place: self.place.clone(), interface: self.route.dev.clone() })
    }
}

fn line(route: &model::Route) -> String {
    let to = if route.to.prefix_len() == 0 { "default".to_owned() } else { route.to.to_string() };
    let (via, choice) = (route.via_words(), route.choice_words());
    format!("{to}{via} dev {}{choice}", word(route.dev.as_str()))
}

/// Routes of the lab that are no longer wanted, and that no wanted one takes the place of.
pub(in crate::plan) fn stale(diff: &PlaceDiff<'_>, ops: &mut Vec<Op>) {
    let Some(seen) = diff.seen else { return };
    for state in seen.routes.iter().filter(|state| state.ours) {
        let gone = diff.is_removed(state.route.dev.as_str());
        if !gone && !diff.wanted.routes.iter().any(|want| want.replaces(&state.route)) {
            ops.push(Op::delete(Route { place: diff.place.clone(), route: state.route.clone() }));
        }
    }
}

/// Routes that are missing, once the interfaces that they lead through are up.
pub(in crate::plan) fn missing(diff: &PlaceDiff<'_>, ops: &mut Vec<Op>) {
    for want in &diff.wanted.routes {
        let stands =
            |state: &RouteState| state.route == *want && state.plain && !diff.is_removed(want.dev.as_str());
        if !diff.seen.is_some_and(|seen| seen.routes.iter().any(stands)) {
            ops.push(Op::add(Route { place: diff.place.clone(), route: want.clone() }));
        }
    }
}
