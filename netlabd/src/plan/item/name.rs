//! Names of interfaces.

use super::{At, Spot, Subject};
use crate::{
    model::IfName,
    plan::{
        Verb,
        command::{Hand, dev},
        item::Missing,
    },
    shell::word,
};

/// The name of an interface that somebody renamed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The interface under its present name.
    pub from: Spot,
    /// Its own name.
    pub to: IfName,
}

impl Subject for Name {
    fn at(&self) -> At<'_> {
        At::Spot(&self.from)
    }

    fn describe(&self, _: Verb) -> String {
        format!("rename {} to {}", self.from, self.to)
    }

    fn finding(&self, _: Verb) -> String {
        format!("{}:{}: it was renamed to {}", self.from.place, self.to, self.from.name)
    }

    fn command(&self, _: Verb, hand: Hand<'_>) -> String {
        let Self { from, to } = self;
        format!("{} link set {} name {}", hand.ip(&from.place), dev(&from.name), word(to.as_str()))
    }

    fn is_explained(&self, _: &Missing<'_>) -> bool {
        false
    }
}
