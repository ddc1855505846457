//! Forwarding databases: stations behind ports of bridges, and where a VXLAN sends what is for all.

use super::{At, Subject, vlan};
use crate::{
    model::{
        Endpoint, FdbEntry, VlanId,
        observed::{FdbState, LinkState},
    },
    plan::{
        LinkTarget, Op, Verb,
        command::{Hand, name},
        place::PlaceDiff,
    },
};

/// An entry of the forwarding database of an interface. That of a station takes the place of what was learned of it, and
/// is there in frames without a VLAN and in those of all VLANs that the port carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fdb {
    /// The interface.
    pub at: Endpoint,
    /// The entry.
    pub entry: FdbEntry,
}

impl Subject for Fdb {
    fn at(&self) -> At<'_> {
        At::Interface(&self.at)
    }

    fn describe(&self, verb: Verb) -> String {
        let Self { at, entry } = self;
        match verb {
            Verb::Add | Verb::Set => format!("add {entry} to {at}"),
            Verb::Delete => format!("remove {entry} from {at}"),
        }
    }

    fn finding(&self, verb: Verb) -> String {
        let Self { at, entry } = self;
        match verb {
            Verb::Add | Verb::Set => format!("{at}: the {entry} is missing"),
            Verb::Delete => format!("{at}: the {entry} is not wanted"),
        }
    }

    fn command(&self, verb: Verb, hand: Hand<'_>) -> String {
        let (bridge, words) = (hand.bridge(&self.at.place), self.entry.words(&name(&self.at)));
        match (verb, self.entry) {
            (Verb::Delete, _) => format!("{bridge} fdb delete {words}"),
            (_, FdbEntry::Station(_)) => format!("{bridge} fdb replace {words} static sticky"),
            (_, FdbEntry::Remote(_)) => {
                let mark = if hand.exact { " extern_learn" } else { "" };
                format!("{bridge} fdb append {words} permanent{mark}")
            }
        }
    }

    fn is_done_already(&self, verb: Verb, errno: i32) -> bool {
        verb == Verb::Delete && matches!(errno, libc::ENOENT | libc::ENODEV)
    }

    fn comment(&self) -> String {
        self.here(match self.entry {
            FdbEntry::Station(_) => "stations behind the bridge's ports",
            FdbEntry::Remote(_) => "where VXLANs send what is for all",
        })
    }
}

/// Entries that go, while the VLANs of ports are those that they were: the kernel keeps an entry in a VLAN that leaves the
/// port, and takes no word about it then (`br_fdb_delete_by_port`, `br_fdb_delete` in `net/bridge/br_fdb.c`).
pub(in crate::plan) fn stale(diff: &PlaceDiff<'_>, ops: &mut Vec<Op>) {
    for (at, want) in &diff.pairs {
        let Some(link) = diff.link(at) else { continue };
        let goes = |entry: &&FdbEntry| goes(diff, (at, want), link, entry);
        let item = |entry: &FdbEntry| Op::delete(Fdb { at: at.clone(), entry: *entry });
        ops.extend(link.fdb.keys().filter(goes).map(item));
    }
}

fn goes(
    diff: &PlaceDiff<'_>,
    (at, want): (&Endpoint, &LinkTarget),
    link: &LinkState,
    entry: &FdbEntry,
) -> bool {
    let Some(state) = state(diff, want, link, entry).filter(|state| state.ours) else { return false };
    let carried = vlan::wanted(diff, at, want);
    let leaves = |vlan: &VlanId| {
        link.vlans.contains_key(vlan) && carried.as_ref().is_some_and(|it| !it.contains_key(vlan))
    };
    !want.fdb.contains(entry) || state.vlans.iter().any(leaves)
}

/// Entries that come, once the VLANs of ports are those that they will be.
pub(in crate::plan) fn fdb(diff: &PlaceDiff<'_>, ops: &mut Vec<Op>) {
    for (at, want) in &diff.pairs {
        let link = diff.link(at);
        let stands = |entry: &&FdbEntry| {
            let seen = link.and_then(|link| state(diff, want, link, entry));
            seen.is_some_and(|state| is_whole(want, entry, state))
                && !link.is_some_and(|link| goes(diff, (at, want), link, entry))
        };
        let item = |entry: &FdbEntry| Op::add(Fdb { at: at.clone(), entry: *entry });
        ops.extend(want.fdb.iter().filter(|entry| !stands(entry)).map(item));
    }
}

/// What is there and stays: stations are lost with the port.
fn state<'a>(
    diff: &PlaceDiff<'_>,
    want: &LinkTarget,
    link: &'a LinkState,
    entry: &FdbEntry,
) -> Option<&'a FdbState> {
    let stays = match entry {
        FdbEntry::Station(_) => diff.keeps_master(link, want),
        FdbEntry::Remote(_) => true,
    };
    link.fdb.get(entry).filter(|_| stays)
}

fn is_whole(want: &LinkTarget, entry: &FdbEntry, state: &FdbState) -> bool {
    let mut vlans = want.vlans.iter().flat_map(|vlans| vlans.keys());
    match entry {
        FdbEntry::Station(_) => state.ours && state.untagged && vlans.all(|vlan| state.vlans.contains(vlan)),
        FdbEntry::Remote(_) => true,
    }
}
