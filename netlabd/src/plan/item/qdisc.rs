//! Queueing disciplines: what becomes of what leaves an interface.

use super::{At, Subject};
use crate::{
    model::{Endpoint, Impairment, observed::QdiscState},
    plan::{
        Op, Verb,
        command::{Hand, name},
        place::PlaceDiff,
    },
};

/// An interface's root queueing discipline, netem. To set it is to change it in place: what waits in it stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Qdisc {
    /// The interface.
    pub at: Endpoint,
    /// What it does; of no matter where it goes.
    pub impairment: Impairment,
    /// The kind of the one that somebody else has put in its place, and that goes.
    pub over: Option<String>,
}

impl Qdisc {
    /// The handle by which netlabd knows its own: "NL" in ASCII.
    pub const MAJOR: u16 = 0x4e4c;

    fn delete_by_hand(&self, hand: Hand<'_>) -> String {
        format!("{} qdisc delete dev {} root", hand.tc(&self.at.place), name(&self.at))
    }
}

impl Subject for Qdisc {
    fn at(&self) -> At<'_> {
        At::Interface(&self.at)
    }

    fn describe(&self, verb: Verb) -> String {
        let (at, words) = (&self.at, self.impairment.words());
        match (verb, &self.over) {
            (Verb::Delete, _) => format!("impair {at} no longer"),
            (_, Some(over)) => format!("impair {at} in place of {over}: {words}"),
            (_, None) => format!("impair {at}: {words}"),
        }
    }

    fn finding(&self, verb: Verb) -> String {
        let Self { at, impairment, over } = self;
        match (verb, over) {
            (Verb::Delete, _) => format!("{at}: the impairment is not wanted"),
            (_, Some(over)) => format!("{at}: the impairment is missing, its place has {over}"),
            (Verb::Add, None) => format!("{at}: the impairment is missing"),
            (Verb::Set, None) => format!("{at}: the impairment is another than {}", impairment.words()),
        }
    }

    fn command(&self, verb: Verb, hand: Hand<'_>) -> String {
        if verb == Verb::Delete {
            return self.delete_by_hand(hand);
        }
        let handle = if hand.exact { format!(" handle {:x}:", Self::MAJOR) } else { String::new() };
        let (tc, dev) = (hand.tc(&self.at.place), name(&self.at));
        // iproute2 has the word `seed` from 6.6 on only, and Debian 12 has 6.1: tc-netem(8) would refuse the line.
        let impairment = Impairment { seed: None, ..self.impairment.clone() };
        let add = format!("{tc} qdisc replace dev {dev} root{handle} netem {impairment}");
        let delete = self.over.as_ref().map(|_| self.delete_by_hand(hand));
        delete.into_iter().chain([add]).collect::<Vec<_>>().join("; ")
    }

    fn is_done_already(&self, verb: Verb, errno: i32) -> bool {
        verb == Verb::Delete && matches!(errno, libc::ENOENT | libc::ENODEV)
    }

    fn comment(&self) -> String {
        self.here("what becomes of what leaves by its interfaces")
    }
}

/// Impairments that come, change and go. What somebody else has put on an interface without one is left alone.
pub(in crate::plan) fn qdiscs(diff: &PlaceDiff<'_>, ops: &mut Vec<Op>) {
    for (at, want) in &diff.pairs {
        let seen = diff.link(at).and_then(|link| link.qdisc.as_ref());
        let item = |impairment: &Impairment, over: Option<&String>| Qdisc {
            at: at.clone(),
            impairment: impairment.clone(),
            over: over.cloned(),
        };
        ops.extend(match (&want.impair, seen) {
            (None, None | Some(QdiscState::Foreign(_))) => None,
            (None, Some(QdiscState::Ours(_))) => Some(Op::delete(item(&Impairment::default(), None))),
            (Some(want), None) => Some(Op::add(item(want, None))),
            (Some(want), Some(QdiscState::Foreign(kind))) => Some(Op::add(item(want, Some(kind)))),
            (Some(want), Some(QdiscState::Ours(seen))) => {
                let is_right = seen.as_ref().is_some_and(|seen| want.is_shown_as(seen));
                (!is_right).then(|| Op::set(item(want, None)))
            }
        });
    }
}
