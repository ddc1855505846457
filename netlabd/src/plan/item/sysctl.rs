//! Sysctls.

use std::borrow::Cow;

use super::{At, Subject};
use crate::{
    model::{Endpoint, Place, SysctlKey},
    plan::{Op, Verb, command::Hand, place::PlaceDiff, sysctls::is_forwarding},
    shell::word,
};

/// The value of a sysctl.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sysctl {
    /// Where.
    pub place: Place,
    /// Which.
    pub key: SysctlKey,
    /// The value.
    pub value: String,
}

impl Subject for Sysctl {
    fn at(&self) -> At<'_> {
        At::Place(Cow::Borrowed(&self.place))
    }

    fn describe(&self, _: Verb) -> String {
        format!("set {} = {} in {}", self.key, self.value, self.place)
    }

    fn finding(&self, _: Verb) -> String {
        format!("{}: {} is not {}", self.place, self.key, self.value)
    }

    fn command(&self, _: Verb, hand: Hand<'_>) -> String {
        format!("{}sysctl -w {}", hand.exec(&self.place), word(&format!("{}={}", self.key, self.value)))
    }

    fn comment(&self) -> String {
        let forwards = is_forwarding(&self.key);
        self.here(if forwards { "forward packets between interfaces" } else { "kernel settings" })
    }

    fn through(&self) -> Option<Endpoint> {
        self.key.interface().map(|interface| Endpoint { place: self.place.clone(), interface })
    }
}

/// The operations that write sysctls of a place in their order.
pub(in crate::plan) fn writes(place: &Place, writes: &[(SysctlKey, String)]) -> Vec<Op> {
    let op = |(key, value): &(SysctlKey, String)| {
        Op::set(Sysctl { place: place.clone(), key: key.clone(), value: value.clone() })
    };
    writes.iter().map(op).collect()
}

/// Sysctls of interfaces, once these are there and before they are up.
pub(in crate::plan) fn of_interfaces(diff: &PlaceDiff<'_>, ops: &mut Vec<Op>) {
    ops.extend(writes(diff.place, diff.sysctls));
}
