//! What is made through the host.

use std::collections::BTreeSet;

use super::{
    Op, PlaceTarget, Target,
    item::{Setting, Veth, VethEnd, link::add, setting::raise},
    removal::Removals,
};
use crate::{
    link::Lower,
    model::{Endpoint, Form, Place, observed::Observed},
};

/// What is made through the host: its own interfaces, veth pairs wherever they go, what stands on it.
pub(super) fn links(
    target: &Target,
    all: &[(&Place, &PlaceTarget)],
    observed: &Observed,
    removals: &Removals,
) -> Vec<Op> {
    let (mut first, mut pairs, mut last, mut placed) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut paired = BTreeSet::new();
    for (place, wanted) in all {
        for name in wanted.bottom_up() {
            let want = &wanted.links[name];
            let at = Endpoint { place: (*place).clone(), interface: name.clone() };
            if removals.is_taken(&at, want) {
                continue;
            }
            if let Some(seen) = removals.survivor(observed, &at) {
                first.extend(raise(place, want, seen).map(|change| Op::set(Setting { at, change })));
                continue;
            }
            match &want.form {
                Form::Veth { peer } => {
                    // Made with its first end; both may be here.
                    let first = paired.insert(at.clone()) && paired.insert(peer.clone());
                    pairs.extend(first.then(|| veth(target, &at, peer)).flatten());
                }
                Form::Loopback => {}
                Form::Made(kind) => match kind.lower() {
                    Some(Lower::Host(_)) => placed.extend(add(at, want, kind, wanted)),
                    _ if **place != Place::Host => {}
                    Some(Lower::Here(_)) => last.extend(add(at, want, kind, wanted)),
                    None => first.extend(add(at, want, kind, wanted)),
                },
            }
        }
    }
    [first, pairs, last, placed].concat()
}

fn veth(target: &Target, a: &Endpoint, b: &Endpoint) -> Option<Op> {
    let end = |at: &Endpoint| {
        let want = target.link(at)?;
        Some(VethEnd { at: at.clone(), mac: want.mac, mtu: want.mtu, gso_max_segs: want.gso_max_segs })
    };
    Some(Op::add(Veth { a: end(a)?, b: end(b)? }))
}
