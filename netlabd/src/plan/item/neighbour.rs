//! Neighbours of interfaces.

use std::borrow::Cow;

use super::{At, Missing, Subject};
use crate::{
    model::{self, Endpoint, Place},
    plan::{Op, Verb, command::Hand, place::PlaceDiff},
    shell::word,
};

/// A neighbour; added, it takes the place of what the kernel knows of the same address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour {
    /// Where.
    pub place: Place,
    /// The neighbour.
    pub neighbour: model::Neighbour,
}

impl Subject for Neighbour {
    fn at(&self) -> At<'_> {
        At::Place(Cow::Borrowed(&self.place))
    }

    fn describe(&self, verb: Verb) -> String {
        let Self { place, neighbour } = self;
        match verb {
            Verb::Add | Verb::Set => format!("add neighbour {neighbour} in {place}"),
            Verb::Delete => format!("remove neighbour {neighbour} in {place}"),
        }
    }

    fn finding(&self, verb: Verb) -> String {
        let Self { place, neighbour } = self;
        match verb {
            Verb::Add | Verb::Set => format!("{place}: the neighbour {neighbour} is missing"),
            Verb::Delete => format!("{place}: the neighbour {neighbour} is not wanted"),
        }
    }

    fn command(&self, verb: Verb, hand: Hand<'_>) -> String {
        let ip = hand.ip(&self.place);
        let words = self.neighbour.words(&|dev| word(dev.as_str()).into_owned());
        match verb {
            Verb::Delete => format!("{ip} neighbour delete {words}"),
            Verb::Add | Verb::Set if hand.exact => {
                format!("{ip} neighbour replace {words} protocol {}", model::Neighbour::PROTOCOL)
            }
            Verb::Add | Verb::Set => format!("{ip} neighbour add {words}"),
        }
    }

    fn is_done_already(&self, verb: Verb, errno: i32) -> bool {
        verb == Verb::Delete && matches!(errno, libc::ENOENT | libc::ENODEV | libc::ESRCH)
    }

    fn comment(&self) -> String {
        self.here("neighbours")
    }

    fn is_explained(&self, missing: &Missing<'_>) -> bool {
        let interface = self.neighbour.dev.clone();
        missing.has(&self.place) || missing.has_link(&Endpoint { place: self.place.clone(), interface })
    }
}

/// Neighbours that are wanted no more, and those that are missing, once their interfaces are up.
pub(in crate::plan) fn neighbours(diff: &PlaceDiff<'_>, ops: &mut Vec<Op>) {
    let seen = diff.seen.map_or(&[][..], |seen| &seen.neighbours);
    let item = |it: &model::Neighbour| Neighbour { place: diff.place.clone(), neighbour: it.clone() };
    for state in seen.iter().filter(|state| state.ours() && !diff.is_removed(state.neighbour.dev.as_str())) {
        if !diff.wanted.neighbours.iter().any(|want| want.replaces(&state.neighbour)) {
            ops.push(Op::delete(item(&state.neighbour)));
        }
    }
    for want in &diff.wanted.neighbours {
        let stands = seen.iter().any(|state| state.neighbour == *want);
        if !stands || diff.is_removed(want.dev.as_str()) || diff.cycles(&want.dev) {
            ops.push(Op::add(item(want)));
        }
    }
}
