//! VLANs of bridges and their ports.

use std::collections::BTreeMap;

use super::{At, Subject};
use crate::{
    model::{
        Endpoint, VlanId,
        observed::{ForeignBridge, VlanFlags},
    },
    plan::{
        LinkTarget, Op, Verb,
        command::{Hand, name},
        place::PlaceDiff,
    },
};

/// A VLAN that a bridge port, or a bridge itself, carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vlan {
    /// The port or bridge.
    pub at: Endpoint,
    /// The VLAN.
    pub vlan: VlanId,
    /// How it is carried; of no matter where it goes.
    pub flags: VlanFlags,
    /// Whether `at` is the bridge itself.
    pub on_bridge: bool,
}

impl Subject for Vlan {
    fn at(&self) -> At<'_> {
        At::Interface(&self.at)
    }

    fn describe(&self, verb: Verb) -> String {
        let Self { at, vlan, flags, .. } = self;
        match verb {
            Verb::Add | Verb::Set => format!("add VLAN {vlan}{flags} to {at}"),
            Verb::Delete => format!("remove VLAN {vlan} from {at}"),
        }
    }

    fn finding(&self, verb: Verb) -> String {
        let Self { at, vlan, flags, .. } = self;
        match verb {
            Verb::Add | Verb::Set => format!("{at}: VLAN {vlan}{flags} is missing"),
            Verb::Delete => format!("{at}: VLAN {vlan} is not wanted"),
        }
    }

    fn command(&self, verb: Verb, hand: Hand<'_>) -> String {
        let Self { at, vlan, flags, on_bridge } = self;
        let itself = if *on_bridge { " self" } else { "" };
        let bridge = hand.bridge(&at.place);
        match verb {
            Verb::Add | Verb::Set => format!("{bridge} vlan add vid {vlan} dev {}{flags}{itself}", name(at)),
            Verb::Delete => format!("{bridge} vlan del vid {vlan} dev {}{itself}", name(at)),
        }
    }

    fn is_done_already(&self, verb: Verb, errno: i32) -> bool {
        verb == Verb::Delete && matches!(errno, libc::ENOENT | libc::ENODEV)
    }

    fn comment(&self) -> String {
        self.here("VLANs of the bridge's ports; VLAN 1 is there by default")
    }
}

/// VLANs that go, and VLANs that come.
pub(in crate::plan) fn vlans(diff: &PlaceDiff<'_>, ops: &mut Vec<Op>) {
    for (at, want) in &diff.pairs {
        of(diff, at, want, ops);
    }
}

/// What a new bridge, and a new port, carries: VLAN 1 untagged, or what the owner of another's bridge has said.
fn fresh(diff: &PlaceDiff<'_>, want: &LinkTarget) -> BTreeMap<VlanId, VlanFlags> {
    let usual = || BTreeMap::from([(VlanId::DEFAULT, VlanFlags { pvid: true, untagged: true })]);
    diff.foreign_bridge(want).map_or_else(usual, ForeignBridge::of_new_ports)
}

/// The VLANs that a bridge or a port is to carry; `None`: they do not matter.
pub(super) fn wanted(
    diff: &PlaceDiff<'_>,
    at: &Endpoint,
    want: &LinkTarget,
) -> Option<BTreeMap<VlanId, VlanFlags>> {
    if let Some(vlans) = &want.vlans {
        return Some(vlans.clone());
    }
    let bridge = if want.is_bridge() { Some(&at.interface) } else { want.master.as_ref() };
    let bridge = bridge.and_then(|name| diff.link(&diff.at(name)));
    let of_others = diff.foreign_bridge(want).is_some_and(|bridge| bridge.filtering);
    let filters = of_others || bridge.is_some_and(|bridge| bridge.form.ports().filtering());
    filters.then(|| fresh(diff, want))
}

fn of(diff: &PlaceDiff<'_>, at: &Endpoint, want: &LinkTarget, ops: &mut Vec<Op>) {
    let Some(vlans) = wanted(diff, at, want) else { return };
    let (link, on_bridge) = (diff.link(at), want.is_bridge());
    let seen = link.filter(|link| on_bridge || diff.keeps_master(link, want));
    let seen = seen.map_or_else(|| fresh(diff, want), |link| link.vlans.clone());
    let item = |vlan: VlanId, flags| Vlan { at: at.clone(), vlan, flags, on_bridge };
    for vlan in seen.keys().filter(|vlan| !vlans.contains_key(vlan)) {
        ops.push(Op::delete(item(*vlan, VlanFlags::default())));
    }
    for (vlan, flags) in vlans.iter().filter(|(vlan, flags)| seen.get(vlan) != Some(flags)) {
        ops.push(Op::add(item(*vlan, *flags)));
    }
}
