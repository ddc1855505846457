//! Interfaces other than veth pairs, to be made.

use super::{At, LinkChange, Setting, Subject, setting};
use crate::{
    link::Kind,
    model::{Endpoint, Mac, Place},
    plan::{
        LinkTarget, Op, PlaceTarget, Verb,
        command::{Hand, new, segments},
        item::Missing,
        place::PlaceDiff,
    },
    shell::word,
};

/// An interface of any kind but veth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Where and under which name.
    pub at: Endpoint,
    /// What.
    pub kind: Kind,
    /// With which MAC address; `None` leaves the kernel's choice.
    pub mac: Option<Mac>,
    /// With which MTU; `None` leaves the kernel's choice.
    pub mtu: Option<u32>,
    /// Of how many segments what it sends may be; `None` leaves the kernel's choice.
    pub gso_max_segs: Option<u32>,
}

impl Subject for Link {
    fn at(&self) -> At<'_> {
        At::Interface(&self.at)
    }

    fn describe(&self, _: Verb) -> String {
        format!("make {} {}", self.kind.key(), self.at)
    }

    fn finding(&self, _: Verb) -> String {
        format!("{}: the {} is missing", self.at, self.kind.key())
    }

    fn command(&self, _: Verb, hand: Hand<'_>) -> String {
        let Self { at, kind, mac, mtu, gso_max_segs } = self;
        let own = new(at.interface.as_str());
        let (ip, netns) = match kind.lower_on_host() {
            Some(_) => ("ip".to_owned(), hand.netns(&at.place)),
            None => (hand.ip(&at.place), String::new()),
        };
        let mut line = format!("{ip} link add {own}");
        if let Some(lower) = kind.lower().filter(|_| kind.linked()) {
            line.extend([" link ", &word(lower.name().as_str())]);
        }
        line += &netns;
        line.extend(mac.map(|mac| format!(" address {mac}")));
        line.extend(mtu.map(|mtu| format!(" mtu {mtu}")));
        line += &segments(*gso_max_segs);
        line += &hand.group();
        let untold = if hand.exact { kind.untold() } else { String::new() };
        line.extend([" type ", kind.key(), &untold, &kind.command()]);
        std::iter::once(line).chain(hand.alias(at)).collect::<Vec<_>>().join("; ")
    }

    fn comment(&self) -> String {
        self.here(self.kind.about())
    }

    fn is_explained(&self, missing: &Missing<'_>) -> bool {
        missing.has(&self.at.place) || missing.is_wrong(&self.at)
    }
}

/// Interfaces that are made inside a node, and their settings; the rest is made by [`links`](super::super::links).
/// Bottom-up: no VLAN may have a larger MTU than its parent.
pub(in crate::plan) fn inside(diff: &PlaceDiff<'_>, ops: &mut Vec<Op>) {
    for (at, want) in &diff.pairs {
        let inside = want.form.kind().filter(|kind| kind.lower_on_host().is_none());
        if let Some(kind) = inside.filter(|_| *diff.place != Place::Host && diff.link(at).is_none()) {
            ops.extend(add(at.clone(), want, kind, diff.wanted));
        }
        setting::shape(diff, at, want, ops);
    }
}

/// Makes an interface. What takes its MTU from its lower is made with whatever that is at that moment: asked for more,
/// the kernel would refuse it, and a bridge's may be less until it has its ports.
pub(in crate::plan) fn add(at: Endpoint, want: &LinkTarget, kind: &Kind, place: &PlaceTarget) -> Vec<Op> {
    let (kind, mac, gso_max_segs) = (kind.clone(), want.mac, want.gso_max_segs);
    let Some(lower) = kind.lower_here().filter(|_| kind.mtu_of_lower()) else {
        return vec![Op::add(Link { at, kind, mac, mtu: want.mtu, gso_max_segs })];
    };
    // On what the host has by itself it is as asked for.
    let own = want.mtu.filter(|_| place.links.get(lower).is_none_or(|lower| lower.mtu != want.mtu));
    let change = own.map(|mtu| Op::set(Setting { at: at.clone(), change: LinkChange::Mtu(mtu) }));
    [Op::add(Link { at, kind, mac, mtu: None, gso_max_segs })].into_iter().chain(change).collect()
}
