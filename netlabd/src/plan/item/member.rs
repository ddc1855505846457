//! What interfaces belong to: ports of bridges, members of VRFs and of bonds.

use super::{LinkChange, setting::set};
use crate::{
    link::{Membership, Ports},
    model::{Endpoint, IfName, observed::LinkState},
    plan::{LinkTarget, Op, place::PlaceDiff},
};

/// What each interface belongs to.
pub(in crate::plan) fn master(diff: &PlaceDiff<'_>, ops: &mut Vec<Op>) {
    for (at, want) in &diff.pairs {
        of(diff, at, want, ops);
    }
    // A bond that loses its last member takes an address by chance, and then that of the next one
    // (`__bond_release_one`, `bond_enslave` in `drivers/net/bonding/bond_main.c`).
    for (at, want) in diff.pairs.iter().filter(|(at, want)| is_emptied(diff, at, want)) {
        ops.extend(want.mac.map(|mac| set(at, LinkChange::Mac(mac))));
    }
}

fn of(diff: &PlaceDiff<'_>, at: &Endpoint, want: &LinkTarget, ops: &mut Vec<Op>) {
    let link = diff.link(at);
    if diff.is_no_bridge(want) || link.is_some_and(|link| diff.foreign_master(link, want).is_some()) {
        return;
    }
    // The master may be missed because it is about to be made anew.
    let master = link.and_then(|link| link.master.as_deref()).filter(|master| !diff.is_removed(master));
    // What others have is a bridge, or nothing that is joined.
    let of_others = Ports::Bridge { filtering: false, stp: false };
    let ports = |master| diff.wanted.links.get(master).map_or(of_others, |link| link.form.ports());
    let joins = want.master.as_ref().map(ports);
    let mut now = master;
    if let Some(link) = link.filter(|link| diff.leaves_bond(link, want)) {
        let out = LinkChange::Master { name: None, of: Membership::Bond, first_down: false };
        ops.extend(now.take().map(|_| set(at, out)));
        ops.extend(
            want.mac.filter(|mac| link.own_mac != Some(*mac)).map(|mac| set(at, LinkChange::Mac(mac))),
        );
        let mtu = want.mtu.filter(|_| joins != Some(Ports::Bond));
        ops.extend(mtu.map(|mtu| set(at, LinkChange::Mtu(mtu))));
    } else if now == want.master.as_ref().map(IfName::as_str) {
        return;
    }
    if now.is_none() && want.master.is_none() {
        return;
    }
    let seen = || diff.link(&diff.at(&now?.parse().ok()?)).map(|link| link.form.ports());
    let of = joins.or_else(seen).unwrap_or(Ports::None).membership();
    let first_down =
        of == Membership::Bond && link.is_some_and(|link| link.up && !diff.leaves_bond(link, want));
    ops.push(set(at, LinkChange::Master { name: want.master.clone(), of, first_down }));
}

/// Whether a bond that stays has had members, and none of them stays.
fn is_emptied(diff: &PlaceDiff<'_>, at: &Endpoint, want: &LinkTarget) -> bool {
    let (Some(seen), true, Some(_)) = (diff.seen, want.form.ports().of_bond(), diff.link(at)) else {
        return false;
    };
    let stays = |name: &String, link: &LinkState| {
        let want = diff.wanted.links.get(name.as_str());
        !diff.is_removed(name) && want.is_none_or(|want| diff.keeps_master(link, want))
    };
    let mut members = seen
        .links
        .iter()
        .filter(|(_, link)| link.master.as_deref() == Some(at.interface.as_str()))
        .peekable();
    members.peek().is_some() && !members.any(|(name, link)| stays(name, link))
}

/// The members of bonds that work whenever they can. The kernel takes one that belongs to the bond, and knows it by name when
/// it comes again.
pub(in crate::plan) fn primary(diff: &PlaceDiff<'_>, ops: &mut Vec<Op>) {
    for (at, want) in diff.pairs.iter().filter(|(_, want)| want.form.ports().of_bond()) {
        let seen = diff.link(at).and_then(|link| link.form.kind()?.primary());
        let wanted = want.form.kind().and_then(|kind| kind.primary());
        if seen != wanted {
            ops.push(set(at, LinkChange::Primary(wanted.cloned())));
        }
    }
}
