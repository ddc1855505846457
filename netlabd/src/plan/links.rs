//! What is made through the host.

use std::collections::BTreeSet;

use super::{
    Op, Target,
    doom::Doom,
    item::{Setting, Veth, VethEnd, link::add, setting::raise},
};
use crate::model::{Endpoint, Kind, Place, observed::Observed};

/// What is made through the host: its own interfaces, veth pairs wherever they go, macvlans.
pub(super) fn links(target: &Target, observed: &Observed, doom: &Doom) -> Vec<Op> {
    let (mut first, mut pairs, mut last, mut macvlans) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut paired = BTreeSet::new();
    for (place, wanted) in &target.places {
        for name in wanted.bottom_up() {
            let want = &wanted.links[name];
            let at = Endpoint { place: place.clone(), interface: name.clone() };
            if doom.is_taken(&at, want) {
                continue;
            }
            if let Some(seen) = doom.survivor(observed, &at) {
                first.extend(raise(place, want, seen).map(|change| Op::set(Setting { at, change })));
                continue;
            }
            match &want.kind {
                Kind::Veth { peer } => {
                    // Made with its first end; both may be here.
                    let first = paired.insert(at.clone()) && paired.insert(peer.clone());
                    pairs.extend(first.then(|| veth(target, &at, peer)).flatten());
                }
                Kind::Macvlan { .. } => macvlans.extend(add(at, want, wanted)),
                Kind::Loopback => {}
                _ if *place == Place::Host && want.lower().is_some() => last.extend(add(at, want, wanted)),
                _ if *place == Place::Host => first.extend(add(at, want, wanted)),
                _ => {}
            }
        }
    }
    [first, pairs, last, macvlans].concat()
}

fn veth(target: &Target, a: &Endpoint, b: &Endpoint) -> Option<Op> {
    let end = |at: &Endpoint| {
        let want = target.link(at)?;
        Some(VethEnd { at: at.clone(), mac: want.mac, mtu: want.mtu })
    };
    Some(Op::add(Veth { a: end(a)?, b: end(b)? }))
}
