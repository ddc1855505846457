//! The comparison of one place, item by item.

use super::{LinkTarget, PlaceTarget, Target, removal::Removals};
use crate::{
    link::Ports,
    model::{
        Endpoint, IfName, Mac, Place, SysctlKey,
        observed::{ForeignBridge, ForeignLink, LinkState, PlaceState},
    },
};

/// One place, as wanted and as it is.
pub(super) struct PlaceDiff<'a> {
    /// The whole that is wanted.
    pub(super) target: &'a Target,
    /// Which.
    pub(super) place: &'a Place,
    /// What is wanted.
    pub(super) wanted: &'a PlaceTarget,
    /// What is there.
    pub(super) seen: Option<&'a PlaceState>,
    /// Its interfaces as wanted, each after those that it stands on, without those whose name others have.
    pub(super) pairs: Vec<(Endpoint, &'a LinkTarget)>,
    /// The sysctls to write once interfaces are there.
    pub(super) sysctls: &'a [(SysctlKey, String)],
    removals: &'a Removals,
}

impl<'a> PlaceDiff<'a> {
    /// Of a place that stays.
    pub(super) fn new(
        target: &'a Target,
        (place, wanted): (&'a Place, &'a PlaceTarget),
        seen: Option<&'a PlaceState>,
        sysctls: &'a [(SysctlKey, String)],
        removals: &'a Removals,
    ) -> Self {
        let mut diff = Self { target, place, wanted, seen, pairs: Vec::new(), sysctls, removals };
        let pairs = wanted.bottom_up().into_iter().map(|name| (diff.at(name), &wanted.links[name]));
        diff.pairs = pairs.filter(|(at, want)| !removals.is_taken(at, want)).collect();
        diff
    }

    /// An interface of the place.
    pub(super) fn at(&self, name: &IfName) -> Endpoint {
        Endpoint { place: self.place.clone(), interface: name.clone() }
    }

    /// The interface that is there and stays.
    pub(super) fn link(&self, at: &Endpoint) -> Option<&'a LinkState> {
        let seen = self.seen?.links.get(at.interface.as_str());
        seen.filter(|_| !self.is_removed(at.interface.as_str()))
    }

    /// Whether an interface is down for a moment, because it comes to a VRF or leaves one (`cycle_netdev` in
    /// drivers/net/vrf.c) or a bond (`bond_enslave`, `__bond_release_one` in `drivers/net/bonding/bond_main.c`): it loses its
    /// IPv6 addresses, its neighbours, and the routes through it.
    pub(super) fn is_cycled(&self, link: &LinkState, want: &LinkTarget) -> bool {
        let before = link.master.as_deref();
        let leaves = before.is_some_and(|master| {
            let is_vrf = self.seen.and_then(|seen| seen.links.get(master)).is_some_and(LinkState::is_vrf);
            is_vrf && (self.is_removed(master) || want.master.as_ref().is_none_or(|it| it.as_str() != master))
        });
        let comes = want.master.as_ref().is_some_and(|master| {
            let cycles = |ports: Ports| ports.vrf().is_some() || ports.of_bond();
            let cycles = self.wanted.links.get(master).is_some_and(|link| cycles(link.form.ports()));
            cycles && before != Some(master.as_str())
        });
        let cycled = leaves || comes || self.leaves_bond(link, want);
        link.up && cycled && self.foreign_master(link, want).is_none()
    }

    /// Whether a bond loses the interface, with which the interface goes down and gets back its own MAC address and the MTU
    /// that it came with; it may belong to the same or another after that.
    pub(super) fn leaves_bond(&self, link: &LinkState, want: &LinkTarget) -> bool {
        link.is_bonded() && !self.keeps_master(link, want) && self.foreign_master(link, want).is_none()
    }

    /// Whether the plan makes it a member of a bond, which sets it up.
    pub(super) fn comes_to_bond(&self, at: &Endpoint, want: &LinkTarget) -> bool {
        let kept = self.link(at).is_some_and(|link| self.keeps_master(link, want));
        self.bond_of(want).is_some() && !kept
    }

    /// The MAC address that an interface that is there is to have now. A bond gives its members its own, until they leave.
    pub(super) fn mac(&self, link: &LinkState, want: &LinkTarget) -> Option<Mac> {
        if self.foreign_master(link, want).is_some() {
            return want.mac.filter(|_| want.mac_is_said);
        }
        if !link.is_bonded() {
            return want.mac.or(self.foreign_lower(want).and_then(|lower| lower.mac));
        }
        let bond = self.bond_of(want).filter(|_| self.keeps_master(link, want))?;
        // It follows where the bond's own is set.
        let seen = self.link(&self.at(want.master.as_ref()?))?.mac;
        bond.mac.filter(|_| seen != link.mac)
    }

    /// The bond that it is to belong to.
    pub(super) fn bond_of(&self, want: &LinkTarget) -> Option<&'a LinkTarget> {
        let master = self.wanted.links.get(want.master.as_ref()?);
        master.filter(|master| master.form.ports().of_bond())
    }

    /// Whether that happens to the interface of that name.
    pub(super) fn cycles(&self, name: &IfName) -> bool {
        let at = self.at(name);
        let pair = self.link(&at).zip(self.wanted.links.get(name));
        pair.is_some_and(|(link, want)| self.is_cycled(link, want))
    }

    /// Whether the interface of that name will be gone.
    pub(super) fn is_removed(&self, name: &str) -> bool {
        self.removals.takes(self.place, name)
    }

    /// The bridge of others that an interface is to be a port of, as it is.
    pub(super) fn foreign_bridge(&self, want: &LinkTarget) -> Option<ForeignBridge> {
        self.seen?.foreign.get(self.wanted.foreign_master_of(want)?.as_str())?.bridge
    }

    /// Whether what others have under the name of that is no bridge: whatever it is, the lab does not join it.
    pub(super) fn is_no_bridge(&self, want: &LinkTarget) -> bool {
        let named = self.wanted.foreign_master_of(want).zip(self.seen);
        let seen = named.and_then(|(name, seen)| seen.foreign.get(name.as_str()));
        seen.is_some_and(|link| link.bridge.is_none())
    }

    /// The interface of others that an interface is to stand on: what is said of neither MTU nor MAC address is that one's.
    pub(super) fn foreign_lower(&self, want: &LinkTarget) -> Option<ForeignLink> {
        self.seen?.foreign.get(self.wanted.foreign_lower_of(want)?.as_str()).copied()
    }

    /// Whether it belongs to what it is to belong to, and that is not made anew. A member of a bond that would get back
    /// another MAC address than its own came to it as it should not.
    pub(super) fn keeps_master(&self, link: &LinkState, want: &LinkTarget) -> bool {
        let master = link.master.as_deref().filter(|master| !self.is_removed(master));
        let own = link.own_mac.is_none() || link.own_mac == want.mac;
        master.is_some() && master == want.master.as_ref().map(IfName::as_str) && own
    }

    /// Whoever else has made the interface a port of something: that is left alone where the file gives it no master.
    pub(super) fn foreign_master(&self, link: &'a LinkState, want: &LinkTarget) -> Option<&'a str> {
        foreign_master(self.place, self.wanted, self.seen?, link, want)
    }
}

/// The master of a node's interface to which the file gives none, unless it is one of the lab's own. What is the
/// lab's on the host belongs to nothing else: that would join the lab to what others have there.
pub(super) fn foreign_master<'a>(
    place: &Place,
    wanted: &PlaceTarget,
    seen: &PlaceState,
    link: &'a LinkState,
    want: &LinkTarget,
) -> Option<&'a str> {
    let left_alone = *place != Place::Host && want.master.is_none();
    let master = link.master.as_deref().filter(|_| left_alone)?;
    let own = wanted.links.contains_key(master) || seen.links.get(master).is_some_and(|link| link.ours);
    (!own).then_some(master)
}
