//! Settings of interfaces.

use std::{fmt, iter};

use super::{At, Subject};
use crate::{
    model::{
        Endpoint, IfName, Kind, Mac, Place,
        observed::{LinkKind, LinkState},
    },
    plan::{
        LinkTarget, Op, Verb,
        command::{Hand, dev, name},
        place::PlaceDiff,
    },
    shell::word,
};

/// A setting of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The interface.
    pub at: Endpoint,
    /// What to change.
    pub change: LinkChange,
}

/// A changed setting of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkChange {
    /// Set up or down.
    Up(bool),
    /// Maximum transmission unit in bytes.
    Mtu(u32),
    /// MAC address.
    Mac(Mac),
    /// Member of this bridge, or of none.
    Master(Option<IfName>),
    /// The lab's mark: the group of its interfaces and, on the host, the alias with its name.
    Mark,
    /// On a bridge: VLAN-aware ports.
    VlanFiltering(bool),
    /// On a bridge: the Spanning Tree Protocol.
    Stp(bool),
    /// On a port of a bridge that no longer runs STP: it forwards at once, as a new port does.
    Forward,
}

impl fmt::Display for LinkChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up(true) => f.write_str("up"),
            Self::Up(false) => f.write_str("down"),
            Self::Mtu(mtu) => write!(f, "MTU {mtu}"),
            Self::Mac(mac) => write!(f, "MAC {mac}"),
            Self::Master(Some(bridge)) => write!(f, "a port of {bridge}"),
            Self::Master(None) => f.write_str("a port of no bridge"),
            Self::Mark => f.write_str("marked as the lab's"),
            Self::VlanFiltering(true) => f.write_str("VLAN-filtering"),
            Self::VlanFiltering(false) => f.write_str("not VLAN-filtering"),
            Self::Forward => f.write_str("forwarding"),
            Self::Stp(true) => f.write_str("running STP"),
            Self::Stp(false) => f.write_str("not running STP"),
        }
    }
}

impl Subject for Setting {
    fn at(&self) -> At<'_> {
        At::Interface(&self.at)
    }

    fn describe(&self, _: Verb) -> String {
        format!("set {} {}", self.at, self.change)
    }

    fn finding(&self, _: Verb) -> String {
        format!("{}: it is not {}", self.at, self.change)
    }

    fn command(&self, _: Verb, hand: Hand<'_>) -> String {
        let at = &self.at;
        let set = format!("{} link set {}", hand.ip(&at.place), dev(at.interface.as_str()));
        let switch = |on: &bool| u8::from(*on);
        match &self.change {
            LinkChange::Up(true) => format!("{set} up"),
            LinkChange::Up(false) => format!("{set} down"),
            LinkChange::Mtu(mtu) => format!("{set} mtu {mtu}"),
            LinkChange::Mac(mac) => format!("{set} address {mac}"),
            LinkChange::Master(Some(bridge)) => format!("{set} master {}", word(bridge.as_str())),
            LinkChange::Master(None) => format!("{set} nomaster"),
            LinkChange::Mark => {
                let group = format!("{set}{}", hand.group());
                iter::once(group).chain(hand.alias(at)).collect::<Vec<_>>().join("; ")
            }
            LinkChange::VlanFiltering(on) => format!("{set} type bridge vlan_filtering {}", switch(on)),
            LinkChange::Stp(on) => format!("{set} type bridge stp_state {}", switch(on)),
            LinkChange::Forward => format!("{} link set dev {} state 3", hand.bridge(&at.place), name(at)),
        }
    }

    // A port that has no carrier forwards once it has one.
    fn is_done_already(&self, _: Verb, errno: i32) -> bool {
        self.change == LinkChange::Forward && errno == libc::ENETDOWN
    }

    fn comment(&self) -> String {
        self.here(match self.change {
            LinkChange::Up(_) => "interfaces up",
            LinkChange::Mtu(_) => "MTU",
            LinkChange::Master(_) => "ports of the bridge",
            _ => "settings of interfaces",
        })
    }
}

fn set(at: &Endpoint, change: LinkChange) -> Op {
    Op::set(Setting { at: at.clone(), change })
}

/// An interface of the host gets a larger MTU early: macvlans made on it may not have more.
pub(in crate::plan) fn raise(place: &Place, want: &LinkTarget, seen: &LinkState) -> Option<LinkChange> {
    want.mtu.filter(|mtu| *place == Place::Host && seen.mtu < *mtu).map(LinkChange::Mtu)
}

/// What an interface that is there is not yet.
pub(super) fn shape(diff: &PlaceDiff<'_>, at: &Endpoint, want: &LinkTarget, ops: &mut Vec<Op>) {
    let Some(link) = diff.link(at) else { return };
    let (mut changes, mut stops_spanning) = (Vec::new(), false);
    changes.extend((!link.ours && want.kind != Kind::Loopback).then_some(LinkChange::Mark));
    // A bond gives its members its own address.
    let mac = want.mac.filter(|_| want.mac_is_said || diff.foreign_master(link, want).is_none());
    changes.extend(mac.filter(|mac| link.mac != Some(*mac)).map(LinkChange::Mac));
    let raised = raise(diff.place, want, link).is_some();
    changes.extend(want.mtu.filter(|mtu| link.mtu != *mtu && !raised).map(LinkChange::Mtu));
    if let (Kind::Bridge { vlan_filtering, stp }, LinkKind::Bridge { vlan_filtering: filters, stp: spans }) =
        (&want.kind, &link.kind)
    {
        let starts = *vlan_filtering && !filters;
        changes.extend(starts.then_some(LinkChange::VlanFiltering(true)));
        changes.extend((stp != spans).then_some(LinkChange::Stp(*stp)));
        stops_spanning = *spans && !stp;
    }
    ops.extend(changes.into_iter().map(|change| set(at, change)));
    if stops_spanning {
        ops.extend(forwarding(diff, at));
    }
}

/// Ports that were listening would only forward when STP's timers have run out.
fn forwarding(diff: &PlaceDiff<'_>, bridge: &Endpoint) -> Vec<Op> {
    let is_port = |want: &LinkTarget| want.master.as_ref() == Some(&bridge.interface);
    let ports = diff.wanted.links.iter().filter(|(_, want)| is_port(want)).map(|(name, _)| diff.at(name));
    let stays = |port: &Endpoint| {
        diff.link(port).is_some_and(|link| link.master.as_deref() == Some(bridge.interface.as_str()))
    };
    ports.filter(stays).map(|at| set(&at, LinkChange::Forward)).collect()
}

/// Ports of bridges.
pub(in crate::plan) fn master(diff: &PlaceDiff<'_>, ops: &mut Vec<Op>) {
    for (at, want) in &diff.pairs {
        let link = diff.link(at);
        // The master may be missed because it is about to be made anew.
        let master = link.and_then(|link| link.master.as_deref()).filter(|master| !diff.is_doomed(master));
        let foreign = link.is_some_and(|link| diff.foreign_master(link, want).is_some());
        if master != want.master.as_ref().map(IfName::as_str) && !foreign {
            ops.push(set(at, LinkChange::Master(want.master.clone())));
        }
    }
}

/// Bridges that filter no more, once all VLANs are what a bridge has that never did.
pub(in crate::plan) fn stops_filtering(diff: &PlaceDiff<'_>, ops: &mut Vec<Op>) {
    let filters = |link: &LinkState| matches!(link.kind, LinkKind::Bridge { vlan_filtering: true, .. });
    for (at, want) in &diff.pairs {
        if matches!(want.kind, Kind::Bridge { vlan_filtering: false, .. })
            && diff.link(at).is_some_and(filters)
        {
            ops.push(set(at, LinkChange::VlanFiltering(false)));
        }
    }
}

/// Interfaces up or down.
pub(in crate::plan) fn up(diff: &PlaceDiff<'_>, ops: &mut Vec<Op>) {
    for (at, want) in &diff.pairs {
        if diff.link(at).is_some_and(|link| link.up) != want.up {
            ops.push(set(at, LinkChange::Up(want.up)));
        }
    }
}
