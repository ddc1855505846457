//! veth(4) pairs.

use super::{At, Subject};
use crate::{
    model::{Endpoint, Mac},
    plan::{
        Verb,
        command::{Hand, name, new, segments},
        item::Missing,
    },
};

/// A veth pair to be made, both ends in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Veth {
    /// One end.
    pub a: VethEnd,
    /// The other.
    pub b: VethEnd,
}

/// One end of a veth pair to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VethEnd {
    /// Where and under which name.
    pub at: Endpoint,
    /// With which MAC address.
    pub mac: Option<Mac>,
    /// With which MTU.
    pub mtu: Option<u32>,
    /// Of how many segments what it sends may be.
    pub gso_max_segs: Option<u32>,
}

impl Subject for Veth {
    fn at(&self) -> At<'_> {
        At::Pair(&self.a.at, &self.b.at)
    }

    fn describe(&self, _: Verb) -> String {
        format!("link {} to {}", self.a.at, self.b.at)
    }

    fn finding(&self, _: Verb) -> String {
        format!("the link {} -- {} is missing", self.a.at, self.b.at)
    }

    fn command(&self, _: Verb, hand: Hand<'_>) -> String {
        let end = |end: &VethEnd| {
            let mac = end.mac.map(|mac| format!(" address {mac}")).unwrap_or_default();
            let mtu = end.mtu.map(|mtu| format!(" mtu {mtu}")).unwrap_or_default();
            let segments = segments(end.gso_max_segs);
            format!("{}{mac}{mtu}{segments}{}", hand.netns(&end.at.place), hand.group())
        };
        let Self { a, b } = self;
        let (first, second) = (a.at.interface.as_str(), name(&b.at));
        let made = format!("ip link add {}{} type veth peer name {second}{}", new(first), end(a), end(b));
        let aliases = [a, b].into_iter().filter_map(|end| hand.alias(&end.at));
        std::iter::once(made).chain(aliases).collect::<Vec<_>>().join("; ")
    }

    fn comment(&self) -> String {
        "Links: a pair of veth interfaces each, with both ends in place".to_owned()
    }

    fn is_explained(&self, missing: &Missing<'_>) -> bool {
        [&self.a, &self.b].into_iter().any(|end| missing.has(&end.at.place) || missing.is_wrong(&end.at))
    }
}
