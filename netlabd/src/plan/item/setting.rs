//! Settings of interfaces.

use std::{collections::BTreeSet, fmt, iter};

use super::{At, Subject};
use crate::{
    link::{self, Change, Membership, When},
    model::{Endpoint, Form, IfName, Mac, Place, PortSetting, observed::LinkState},
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
    /// Member of this, or of nothing.
    Master {
        /// A bridge, VRF or bond.
        name: Option<IfName>,
        /// What it belongs to then, or did before.
        of: Membership,
        /// Whether it is set down first, without which no bond takes it.
        first_down: bool,
    },
    /// On a bond: the member that works whenever it can.
    Primary(Option<IfName>),
    /// The lab's mark: the group of its interfaces and, on the host, the alias with its name.
    Mark,
    /// A setting of its kind.
    OfKind(link::Setting),
    /// Of how many segments what is sent by it may be.
    GsoMaxSegs(u32),
    /// How many packets may wait.
    TxQueueLen(u32),
    /// On a port of a bridge that no longer runs STP: it forwards at once, as a new port does.
    Forward,
    /// A setting as a port of a bridge.
    Port(PortSetting),
}

impl fmt::Display for LinkChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up(true) => f.write_str("up"),
            Self::Up(false) => f.write_str("down"),
            Self::Mtu(mtu) => write!(f, "MTU {mtu}"),
            Self::Mac(mac) => write!(f, "MAC {mac}"),
            Self::Master { name, of, .. } => f.write_str(&of.words(name.as_ref())),
            Self::Primary(Some(member)) => write!(f, "preferring {member}"),
            Self::Primary(None) => f.write_str("preferring no member"),
            Self::Mark => f.write_str("marked as the lab's"),
            Self::OfKind(setting) => setting.fmt(f),
            Self::GsoMaxSegs(count) => write!(f, "gso_max_segs {count}"),
            Self::TxQueueLen(length) => write!(f, "txqueuelen {length}"),
            Self::Forward => f.write_str("forwarding"),
            Self::Port(setting) => f.write_str(&setting.words()),
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
        let change = self.change.to_string();
        match change.strip_prefix("not ") {
            Some(change) => format!("{}: it is {change}", self.at),
            None => format!("{}: it is not {change}", self.at),
        }
    }

    fn command(&self, _: Verb, hand: Hand<'_>) -> String {
        let at = &self.at;
        let set = format!("{} link set {}", hand.ip(&at.place), dev(at.interface.as_str()));
        match &self.change {
            LinkChange::Up(true) => format!("{set} up"),
            LinkChange::Up(false) => format!("{set} down"),
            LinkChange::Mtu(mtu) => format!("{set} mtu {mtu}"),
            LinkChange::Mac(mac) => format!("{set} address {mac}"),
            LinkChange::Master { name: Some(master), first_down, .. } => {
                let down = if *first_down { format!("{set} down; ") } else { String::new() };
                format!("{down}{set} master {}", word(master.as_str()))
            }
            LinkChange::Primary(Some(member)) => {
                format!("{set} type bond primary {}", word(member.as_str()))
            }
            // ip(8) has no word for it.
            LinkChange::Primary(None) => {
                let file = format!("/sys/class/net/{}/bonding/primary", at.interface);
                format!("{}sh -c {}", hand.exec(&at.place), word(&format!("echo > {}", word(&file))))
            }
            LinkChange::Master { name: None, .. } => format!("{set} nomaster"),
            LinkChange::Mark => {
                let group = format!("{set}{}", hand.group());
                iter::once(group).chain(hand.alias(at)).collect::<Vec<_>>().join("; ")
            }
            LinkChange::OfKind(setting) => format!("{set} type {} {}", setting.then.key(), setting.command),
            LinkChange::GsoMaxSegs(count) => format!("{set} gso_max_segs {count}"),
            LinkChange::TxQueueLen(length) => format!("{set} txqueuelen {length}"),
            LinkChange::Forward => format!("{} link set dev {} state 3", hand.bridge(&at.place), name(at)),
            LinkChange::Port(setting) => format!("{set} type bridge_slave {setting}"),
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
            LinkChange::Master { of: Membership::Bridge, .. } => "ports of the bridge",
            LinkChange::Master { of: Membership::Vrf, .. } => "members of VRFs",
            LinkChange::Master { of: Membership::Bond, .. } => "members of bonds",
            LinkChange::Port(_) => "settings of the bridge's ports",
            _ => "settings of interfaces",
        })
    }
}

pub(super) fn set(at: &Endpoint, change: LinkChange) -> Op {
    Op::set(Setting { at: at.clone(), change })
}

/// An interface of the host gets a larger MTU early: macvlans made on it may not have more.
pub(in crate::plan) fn raise(place: &Place, want: &LinkTarget, seen: &LinkState) -> Option<LinkChange> {
    want.mtu.filter(|mtu| *place == Place::Host && seen.mtu < *mtu).map(LinkChange::Mtu)
}

/// What an interface that is there is not yet.
pub(super) fn shape(diff: &PlaceDiff<'_>, at: &Endpoint, want: &LinkTarget, ops: &mut Vec<Op>) {
    let Some(link) = diff.link(at) else { return };
    let (mut changes, mut frees_ports) = (Vec::new(), false);
    changes.extend((!link.ours && want.form != Form::Loopback).then_some(LinkChange::Mark));
    changes.extend(diff.mac(link, want).filter(|mac| link.mac != Some(*mac)).map(LinkChange::Mac));
    // What leaves a bond gets back what it came with.
    let raised = raise(diff.place, want, link).is_some() || diff.leaves_bond(link, want);
    let mtu = want.mtu.or(diff.foreign_lower(want).map(|lower| lower.mtu));
    changes.extend(mtu.filter(|mtu| link.mtu != *mtu && !raised).map(LinkChange::Mtu));
    changes.extend(segments(want, link));
    for setting in of_kind(want, link).into_iter().filter(|setting| setting.when != When::AfterVlans) {
        frees_ports |= setting.when == When::FreesPorts;
        changes.push(LinkChange::OfKind(setting));
    }
    ops.extend(changes.into_iter().map(|change| set(at, change)));
    if frees_ports {
        ops.extend(forwarding(diff, at));
    }
}

/// What was made to take single packets takes as many segments again as a new interface.
fn segments(want: &LinkTarget, link: &LinkState) -> Option<LinkChange> {
    const SINGLE: u32 = 1;
    let wanted = match want.gso_max_segs {
        Some(count) => count,
        None if link.segments.now == SINGLE => link.segments.most,
        None => return None,
    };
    (link.segments.now != wanted).then_some(LinkChange::GsoMaxSegs(wanted))
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

/// Settings of ports of bridges: of one that joins its bridge, those that differ from a new port's.
pub(in crate::plan) fn port(diff: &PlaceDiff<'_>, ops: &mut Vec<Op>) {
    for (at, want) in &diff.pairs {
        let Some(settings) = &want.port else { continue };
        let seen =
            diff.link(at).filter(|link| diff.keeps_master(link, want)).and_then(|link| link.port_settings);
        let fresh = LinkTarget::fresh_port(&want.form);
        let missing = settings.missing(&seen.unwrap_or(fresh));
        ops.extend(missing.into_iter().map(|setting| set(at, LinkChange::Port(setting))));
    }
}

/// Settings that wait until all VLANs are those of a bridge that never had others.
pub(in crate::plan) fn after_vlans(diff: &PlaceDiff<'_>, ops: &mut Vec<Op>) {
    for (at, want) in &diff.pairs {
        let settings = diff.link(at).map(|link| of_kind(want, link)).unwrap_or_default();
        let late = settings.into_iter().filter(|setting| setting.when == When::AfterVlans);
        ops.extend(late.map(|setting| set(at, LinkChange::OfKind(setting))));
    }
}

/// The settings of its kind by which what is there becomes what is wanted.
fn of_kind(want: &LinkTarget, link: &LinkState) -> Vec<link::Setting> {
    match want.form.kind().zip(link.form.kind()).map(|(want, seen)| want.change(seen)) {
        Some(Change::Set(settings)) => settings,
        Some(Change::Remake) | None => Vec::new(),
    }
}

/// How many packets may wait at interfaces, those that are just made among them.
pub(in crate::plan) fn queues(diff: &PlaceDiff<'_>, ops: &mut Vec<Op>) {
    for (at, want) in &diff.pairs {
        let seen = diff.link(at).map_or(LinkState::TXQUEUELEN, |link| link.txqueuelen);
        let wanted = want.txqueuelen.filter(|length| *length != seen);
        ops.extend(wanted.map(|length| set(at, LinkChange::TxQueueLen(length))));
    }
}

/// Interfaces up or down. Some come up with what they stand on, whether they are to be up or not: those are set down
/// after it.
pub(in crate::plan) fn up(diff: &PlaceDiff<'_>, ops: &mut Vec<Op>) {
    let mut raised: BTreeSet<&IfName> = BTreeSet::new();
    for (at, want) in &diff.pairs {
        let is_up = diff.link(at).is_some_and(|link| link.up && !diff.leaves_bond(link, want));
        let comes_up = want.form.up_with().is_some_and(|lower| raised.contains(lower));
        // A bond sets up what comes to it.
        let is_up = is_up || diff.comes_to_bond(at, want);
        if comes_up || want.up && !is_up {
            raised.insert(&at.interface);
        }
        if is_up != want.up || comes_up && !want.up {
            ops.push(set(at, LinkChange::Up(want.up)));
        }
    }
}
