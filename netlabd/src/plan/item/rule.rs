//! Rules of policy routing.

use std::{borrow::Cow, collections::BTreeSet};

use super::{At, Subject};
use crate::{
    model::{Place, RoutingRule, RuleAction, observed::LinkState},
    plan::{Op, Verb, command::Hand, place::PlaceDiff},
    shell::word,
};

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Where.
    pub place: Place,
    /// The rule.
    pub rule: RoutingRule,
}

impl Subject for Rule {
    fn at(&self) -> At<'_> {
        At::Place(Cow::Borrowed(&self.place))
    }

    fn describe(&self, verb: Verb) -> String {
        let Self { place, rule } = self;
        match verb {
            Verb::Add | Verb::Set => format!("add rule {rule} in {place}"),
            Verb::Delete => format!("remove rule {rule} in {place}"),
        }
    }

    fn finding(&self, verb: Verb) -> String {
        let Self { place, rule } = self;
        match verb {
            Verb::Add | Verb::Set => format!("{place}: the rule {rule} is missing"),
            Verb::Delete => format!("{place}: the rule {rule} is not wanted"),
        }
    }

    fn command(&self, verb: Verb, hand: Hand<'_>) -> String {
        let ip = hand.ip_of(&self.place, self.rule.ipv6);
        let words = self.rule.words(&|dev| word(dev.as_str()).into_owned());
        let mark = match self.rule.protocol() {
            libc::RTPROT_KERNEL => " protocol kernel".to_owned(),
            protocol if hand.exact => format!(" protocol {protocol}"),
            _ => String::new(),
        };
        match verb {
            Verb::Delete => format!("{ip} rule delete {words}"),
            Verb::Add | Verb::Set => format!("{ip} rule add {words}{mark}"),
        }
    }

    fn is_done_already(&self, verb: Verb, errno: i32) -> bool {
        match verb {
            Verb::Delete => errno == libc::ENOENT,
            Verb::Add | Verb::Set => errno == libc::EEXIST,
        }
    }

    fn comment(&self) -> String {
        self.here("rules of routing")
    }
}

/// Whether a rule is that for VRFs, and is not ours to add or to delete now: the kernel adds it with the first VRF, and
/// those of others need it.
fn waits(diff: &PlaceDiff<'_>, rule: &RoutingRule) -> bool {
    let stays = |(name, link): (&String, &LinkState)| link.is_vrf() && !diff.is_removed(name);
    let has_vrfs = || diff.seen.is_some_and(|seen| seen.links.iter().any(stays));
    rule.action == RuleAction::L3mdev && has_vrfs() != diff.wanted.rules.contains(rule)
}

/// Rules that are missing, once the routes of their tables are there, and then those that are wanted no more: a changed
/// rule leaves no moment without any.
pub(in crate::plan) fn rules(diff: &PlaceDiff<'_>, ops: &mut Vec<Op>) {
    let seen = diff.seen.map_or(&[][..], |seen| &seen.rules);
    let standing: BTreeSet<&RoutingRule> =
        seen.iter().filter(|state| state.plain).map(|state| &state.rule).collect();
    let rule = |rule: &RoutingRule| Rule { place: diff.place.clone(), rule: rule.clone() };
    let missing = diff.wanted.rules.iter().filter(|want| !standing.contains(want) && !waits(diff, want));
    ops.extend(missing.map(|want| Op::add(rule(want))));
    let stale = seen.iter().filter(|state| state.ours() && !diff.wanted.rules.contains(&state.rule));
    let stale = stale.filter(|state| !waits(diff, &state.rule));
    ops.extend(stale.map(|state| Op::delete(rule(&state.rule))));
}
