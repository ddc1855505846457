//! Events of neighbours: the kernel tells of each that comes, is asked for or is forgotten, which is much. Those are heard
//! once a lab has neighbours of its own, and only what is there for ever, or bears our mark, is looked at.

use std::sync::atomic::Ordering;

use super::{
    super::netlink::{self, Message},
    Linux,
};
use crate::{
    model::Neighbour,
    plan::{PlaceTarget, Target},
};

/// `sizeof(struct ndmsg)` (linux/neighbour.h).
const NEIGHBOUR: usize = 12;
/// `AF_BRIDGE`.
const AF_BRIDGE: u8 = 7;
/// `NDA_PROTOCOL` (linux/neighbour.h).
const PROTOCOL: u16 = 12;

/// Whether an event of rtnetlink is about anything but a neighbour that comes and goes by itself.
pub(super) fn is_of_interest(event: Message<'_>) -> bool {
    if !matches!(event.kind(), libc::RTM_NEWNEIGH | libc::RTM_DELNEIGH) {
        return true;
    }
    let payload = event.payload();
    // Of bridges and VXLANs what is learned is left out.
    if payload.first() == Some(&AF_BRIDGE) {
        let state = payload.get(8..10).and_then(|bytes| bytes.try_into().ok()).map(u16::from_ne_bytes);
        return state.is_some_and(|state| state & (libc::NUD_PERMANENT | libc::NUD_NOARP) != 0);
    }
    let state = payload.get(8..10).and_then(|bytes| bytes.try_into().ok()).map(u16::from_ne_bytes);
    let by = payload.get(NEIGHBOUR..).and_then(|rest| netlink::attribute(rest, PROTOCOL));
    state.is_some_and(|state| state & libc::NUD_PERMANENT != 0) || by == Some(&[Neighbour::PROTOCOL])
}

impl Linux {
    /// Hears of neighbours from now on if a lab has any.
    pub(in crate::kernel) fn hear_neighbours(&self, target: &Target) {
        let Some(events) = self.events.get() else { return };
        let fdb = |place: &PlaceTarget| place.links.values().any(|link| !link.fdb.is_empty());
        let has =
            target.places().map(|(_, place)| place).any(|place| !place.neighbours.is_empty() || fdb(place));
        if !has || events.neighbours.swap(true, Ordering::Relaxed) {
            return;
        }
        match events.routes.socket.join(libc::RTNLGRP_NEIGH) {
            // Nobody told what happened before.
            Ok(()) => self.marks.mark_all(),
            Err(error) => {
                tracing::warn!(%error, "changes of neighbours are noticed late");
                events.neighbours.store(false, Ordering::Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: u16, state: u16, attributes: &[u8]) -> Vec<u8> {
        let mut payload = vec![2_u8, 0, 0, 0, 7, 0, 0, 0];
        payload.extend(state.to_ne_bytes());
        payload.extend([0, 1]);
        payload.extend(attributes);
        let mut bytes = u32::try_from(16 + payload.len()).unwrap().to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend(payload);
        bytes
    }

    #[test]
    fn what_was_asked_for_is_passed_over() {
        let interest = |bytes: &[u8]| netlink::split(bytes).any(is_of_interest);
        let ours = [5, 0, 12, 0, Neighbour::PROTOCOL, 0, 0, 0];
        let theirs = [5, 0, 12, 0, 186, 0, 0, 0];
        assert!(!interest(&event(libc::RTM_NEWNEIGH, libc::NUD_REACHABLE, &[])));
        assert!(!interest(&event(libc::RTM_NEWNEIGH, libc::NUD_REACHABLE, &theirs)));
        assert!(interest(&event(libc::RTM_NEWNEIGH, libc::NUD_PERMANENT, &[])));
        assert!(interest(&event(libc::RTM_DELNEIGH, libc::NUD_FAILED, &ours)));
        assert!(interest(&event(libc::RTM_NEWROUTE, 0, &[])));
        for (state, expected) in
            [(libc::NUD_REACHABLE, false), (libc::NUD_STALE, false), (libc::NUD_NOARP, true)]
        {
            let mut learned = event(libc::RTM_NEWNEIGH, state, &[]);
            learned[16] = AF_BRIDGE;
            assert_eq!(interest(&learned), expected, "{state}");
        }
    }
}
