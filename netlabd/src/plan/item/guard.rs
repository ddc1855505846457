//! What keeps the lab's interfaces on the host apart.

use std::borrow::Cow;

use super::{At, Subject};
use crate::{
    model::{
        self, Place,
        observed::{Observed, RulesState},
    },
    plan::{Op, Verb, command::Hand, guard, item::Missing},
    shell::word,
};

/// What keeps the lab's interfaces on the host apart from all else; taken away, it has no rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard(pub Option<model::Guard>);

impl Subject for Guard {
    fn at(&self) -> At<'_> {
        At::Place(Cow::Owned(Place::Host))
    }

    fn describe(&self, verb: Verb) -> String {
        match verb {
            Verb::Delete => "no longer keep the lab apart on host",
            Verb::Add | Verb::Set => "keep the lab apart on host",
        }
        .to_owned()
    }

    fn finding(&self, verb: Verb) -> String {
        match verb {
            Verb::Delete => "host: what kept the lab apart is not wanted",
            Verb::Add | Verb::Set => "host: the lab is not kept apart as it should be",
        }
        .to_owned()
    }

    fn command(&self, _: Verb, hand: Hand<'_>) -> String {
        format!("nft {}", word(&guard::statements(self.0.as_ref(), hand.lab).join("; ")))
    }

    fn is_explained(&self, _: &Missing<'_>) -> bool {
        false
    }
}

/// What is to be done about what keeps the lab apart on the host.
pub(in crate::plan) fn keep_apart(wanted: Option<&model::Guard>, observed: &Observed) -> Option<Op> {
    let seen = observed.places.get(&Place::Host).map(|host| host.guard).unwrap_or_default();
    let is = seen == RulesState::Unsupported || seen.is(wanted.is_some());
    let item = Guard(wanted.cloned());
    (!is).then(|| if wanted.is_some() { Op::set(item) } else { Op::delete(item) })
}
