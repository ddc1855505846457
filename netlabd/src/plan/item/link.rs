//! Interfaces other than veth pairs, to be made.

use super::{At, LinkChange, Setting, Subject, setting};
use crate::{
    model::{Endpoint, Kind, Mac, Place, Vxlan},
    plan::{
        LinkTarget, Op, PlaceTarget, Verb,
        command::{Hand, new},
        finding::Missing,
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
}

impl Subject for Link {
    fn at(&self) -> At<'_> {
        At::Interface(&self.at)
    }

    fn describe(&self, _: Verb) -> String {
        format!("make {} {}", self.kind.as_str(), self.at)
    }

    fn finding(&self, _: Verb) -> String {
        format!("{}: the {} is missing", self.at, self.kind.as_str())
    }

    fn command(&self, _: Verb, hand: Hand<'_>) -> String {
        let Self { at, kind, mac, mtu } = self;
        let own = new(at.interface.as_str());
        let mut line = match kind {
            Kind::Macvlan { parent, .. } => {
                format!("ip link add {own} link {}{}", word(parent.as_str()), hand.netns(&at.place))
            }
            Kind::Vlan { parent, .. } => {
                format!("{} link add {own} link {}", hand.ip(&at.place), word(parent.as_str()))
            }
            _ => format!("{} link add {own}", hand.ip(&at.place)),
        };
        line.extend(mac.map(|mac| format!(" address {mac}")));
        line.extend(mtu.map(|mtu| format!(" mtu {mtu}")));
        line += &hand.group();
        line += &kind_type(kind);
        std::iter::once(line).chain(hand.alias(at)).collect::<Vec<_>>().join("; ")
    }

    fn comment(&self) -> String {
        self.here(match &self.kind {
            Kind::Bridge { .. } => "a bridge",
            Kind::Vlan { .. } => "802.1Q VLANs on top of other interfaces",
            Kind::Vxlan(_) => "a VXLAN tunnel end point",
            Kind::Macvlan { .. } => "a macvlan on an interface of the host",
            _ => "a dummy interface",
        })
    }

    fn is_explained(&self, missing: &Missing<'_>) -> bool {
        missing.has(&self.at.place) || missing.is_wrong(&self.at)
    }
}

fn kind_type(kind: &Kind) -> String {
    match kind {
        Kind::Bridge { vlan_filtering, stp } => format!(
            " type bridge{}{}",
            if *vlan_filtering { " vlan_filtering 1" } else { "" },
            if *stp { " stp_state 1" } else { "" }
        ),
        Kind::Vlan { id, .. } => format!(" type vlan id {id}"),
        Kind::Vxlan(vxlan) => vxlan_type(vxlan),
        Kind::Macvlan { mode, .. } => format!(" type macvlan mode {}", mode.as_str()),
        Kind::Dummy | Kind::Veth { .. } | Kind::Loopback => " type dummy".to_owned(),
    }
}

fn vxlan_type(vxlan: &Vxlan) -> String {
    let mut line = format!(" type vxlan id {}", vxlan.vni);
    if let Some(remote) = vxlan.remote {
        line.extend([if remote.is_multicast() { " group " } else { " remote " }, &remote.to_string()]);
    }
    line.extend(vxlan.local.map(|local| format!(" local {local}")));
    line.extend([" dstport ", &vxlan.port.to_string()]);
    line.extend(vxlan.dev.as_ref().map(|dev| format!(" dev {}", word(dev.as_str()))));
    if !vxlan.learning {
        line += " nolearning";
    }
    line
}

/// Interfaces that are made inside a node, and their settings; the rest is made by [`links`](super::super::links).
/// Bottom-up: no VLAN may have a larger MTU than its parent.
pub(in crate::plan) fn inside(diff: &PlaceDiff<'_>, ops: &mut Vec<Op>) {
    for (at, want) in &diff.pairs {
        let inside =
            matches!(want.kind, Kind::Bridge { .. } | Kind::Vlan { .. } | Kind::Vxlan(_) | Kind::Dummy);
        if inside && *diff.place != Place::Host && diff.link(at).is_none() {
            ops.extend(add(at.clone(), want, diff.wanted));
        }
        setting::shape(diff, at, want, ops);
    }
}

/// Makes an interface. A VLAN takes its MTU from its parent, whatever that is at that moment: asked for
/// more, the kernel would refuse it, and a bridge's may be less until it has its ports.
pub(in crate::plan) fn add(at: Endpoint, want: &LinkTarget, place: &PlaceTarget) -> Vec<Op> {
    let (kind, mac) = (want.kind.clone(), want.mac);
    let Kind::Vlan { parent, .. } = &want.kind else {
        return vec![Op::add(Link { at, kind, mac, mtu: want.mtu })];
    };
    let own = want.mtu.filter(|_| place.links.get(parent).is_some_and(|parent| parent.mtu != want.mtu));
    let change = own.map(|mtu| Op::set(Setting { at: at.clone(), change: LinkChange::Mtu(mtu) }));
    [Op::add(Link { at, kind, mac, mtu: None })].into_iter().chain(change).collect()
}
