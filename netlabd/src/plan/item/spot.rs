//! Interfaces that must go.

use std::fmt;

use super::{At, Subject};
use crate::{
    model::Place,
    plan::{
        Verb,
        command::{Hand, dev},
        item::Missing,
    },
};

/// An interface under whatever name somebody gave it. Deleting it takes the other end of a veth pair away, and all that
/// stands on it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// Where.
    pub place: Place,
    /// Its present name.
    pub name: String,
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.place, self.name)
    }
}

impl Subject for Spot {
    fn at(&self) -> At<'_> {
        At::Spot(self)
    }

    fn describe(&self, _: Verb) -> String {
        format!("delete {self}")
    }

    fn finding(&self, _: Verb) -> String {
        format!("{self}: the interface is not what it should be")
    }

    fn command(&self, _: Verb, hand: Hand<'_>) -> String {
        format!("{} link delete {}", hand.ip(&self.place), dev(&self.name))
    }

    fn is_done_already(&self, _: Verb, errno: i32) -> bool {
        errno == libc::ENODEV
    }

    fn is_explained(&self, _: &Missing<'_>) -> bool {
        false
    }
}
