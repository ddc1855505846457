//! What operations are done to: one file an item, with its words, the line that does it by hand, and how what is
//! wanted of it is compared with what is there.

use std::{borrow::Cow, fmt};

use super::{Verb, command::Hand};
use crate::model::{Endpoint, Place};

pub(super) mod address;
pub(super) mod fdb;
pub(super) mod firewall;
pub(super) mod guard;
pub(super) mod label_route;
pub(super) mod link;
pub(super) mod link_local;
pub(super) mod member;
mod missing;
mod name;
mod namespace;
pub(super) mod nat;
pub(super) mod neighbour;
pub(super) mod qdisc;
pub(super) mod route;
pub(super) mod rule;
pub(super) mod setting;
mod spot;
pub(super) mod sysctl;
mod veth;
pub(super) mod vlan;
pub(super) mod wireguard;

pub use address::Address;
pub use fdb::Fdb;
pub use firewall::Firewall;
pub use guard::Guard;
pub use label_route::LabelRoute;
pub use link::Link;
pub use link_local::LinkLocal;
pub(super) use missing::Missing;
pub use name::Name;
pub use namespace::Namespace;
pub use nat::Nat;
pub use neighbour::Neighbour;
pub use qdisc::Qdisc;
pub use route::Route;
pub use rule::Rule;
pub use setting::{LinkChange, Setting};
pub use spot::Spot;
pub use sysctl::Sysctl;
pub use veth::{Veth, VethEnd};
pub use vlan::Vlan;
pub use wireguard::Wireguard;

/// All that is said of an item.
pub(super) trait Subject {
    /// Where it is.
    fn at(&self) -> At<'_>;

    /// What is done, in words.
    fn describe(&self, verb: Verb) -> String;

    /// What was amiss where that is part of a repair.
    fn finding(&self, verb: Verb) -> String;

    /// The line that does it by hand.
    fn command(&self, verb: Verb, hand: Hand<'_>) -> String;

    /// Whether a refusal says only that somebody else has done already what is to be done.
    fn is_done_already(&self, _: Verb, _errno: i32) -> bool {
        false
    }

    /// What it and others like it do, in words, where lines are noted that build a lab by hand.
    fn comment(&self) -> String {
        self.here("other changes")
    }

    /// The same for one place.
    fn here(&self, what: &str) -> String {
        format!("{}: {what}", self.at().place())
    }

    /// The interface without which it cannot be.
    fn through(&self) -> Option<Endpoint> {
        if let At::Interface(at) = self.at() { Some(at.clone()) } else { None }
    }

    /// Whether it goes without saying, because what it is in, or leads through, is missing itself.
    fn is_explained(&self, missing: &Missing<'_>) -> bool {
        missing.has(&self.at().place()) || self.through().is_some_and(|at| missing.has_link(&at))
    }
}

macro_rules! items {
    ($($name:ident),+ $(,)?) => {
        /// What an operation is done to.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Item {
            $(#[doc = concat!("See [`", stringify!($name), "`].")] $name($name)),+
        }

        impl Item {
            pub(super) fn get(&self) -> &dyn Subject {
                match self {
                    $(Self::$name(item) => item),+
                }
            }
        }

        $(impl From<$name> for Item {
            fn from(item: $name) -> Self {
                Self::$name(item)
            }
        })+
    };
}

items!(
    Namespace, Veth, Link, Spot, Name, Setting, Wireguard, Qdisc, Vlan, Address, LinkLocal, Route,
    LabelRoute, Rule, Neighbour, Sysctl, Firewall, Nat, Guard, Fdb,
);

/// Where an item is.
#[derive(Debug, Clone)]
pub(super) enum At<'a> {
    /// In a place.
    Place(Cow<'a, Place>),
    /// An interface, or at one.
    Interface(&'a Endpoint),
    /// An interface under whatever name it has.
    Spot(&'a Spot),
    /// Two interfaces at once.
    Pair(&'a Endpoint, &'a Endpoint),
}

impl At<'_> {
    /// The place; of two that of the first.
    pub(super) fn place(&self) -> Place {
        match self {
            Self::Place(place) => place.clone().into_owned(),
            Self::Interface(at) | Self::Pair(at, _) => at.place.clone(),
            Self::Spot(spot) => spot.place.clone(),
        }
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Place(place) => place.fmt(f),
            Self::Interface(at) => at.fmt(f),
            Self::Spot(spot) => spot.fmt(f),
            Self::Pair(a, b) => write!(f, "{a} -- {b}"),
        }
    }
}
