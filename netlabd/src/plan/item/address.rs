//! Addresses of interfaces.

use ipnet::IpNet;

use super::{At, Subject};
use crate::{
    model::{Endpoint, observed::AddressState},
    plan::{
        LinkTarget, Op, Verb,
        addresses::{self, Step},
        command::{Hand, name},
        place::PlaceDiff,
    },
};

/// An address of an interface. To set it is to take it off and add it again: it stands behind others that it came
/// before, or somebody took away the route to its network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The interface.
    pub at: Endpoint,
    /// Address and prefix length.
    pub address: IpNet,
}

impl Address {
    fn add_by_hand(&self, hand: Hand<'_>) -> String {
        let Self { at, address } = self;
        let nodad = if hand.exact && address.addr().is_ipv6() { " nodad" } else { "" };
        format!("{} address add {address} dev {}{nodad}", hand.ip(&at.place), name(at))
    }

    fn delete_by_hand(&self, hand: Hand<'_>) -> String {
        let Self { at, address } = self;
        format!("{} address delete {address} dev {}", hand.ip(&at.place), name(at))
    }
}

impl Subject for Address {
    fn at(&self) -> At<'_> {
        At::Interface(&self.at)
    }

    fn describe(&self, verb: Verb) -> String {
        let Self { at, address } = self;
        match verb {
            Verb::Add => format!("add address {address} to {at}"),
            Verb::Set => format!("add address {address} to {at} again"),
            Verb::Delete => format!("remove address {address} from {at}"),
        }
    }

    fn finding(&self, verb: Verb) -> String {
        let Self { at, address } = self;
        match verb {
            Verb::Add => format!("{at}: address {address} is missing"),
            Verb::Set => format!("{at}: address {address} lacks its route or its place among the others"),
            Verb::Delete => format!("{at}: address {address} is not wanted"),
        }
    }

    fn command(&self, verb: Verb, hand: Hand<'_>) -> String {
        match verb {
            Verb::Add => self.add_by_hand(hand),
            Verb::Set => format!("{}; {}", self.delete_by_hand(hand), self.add_by_hand(hand)),
            Verb::Delete => self.delete_by_hand(hand),
        }
    }

    fn is_done_already(&self, verb: Verb, errno: i32) -> bool {
        verb != Verb::Add && matches!(errno, libc::EADDRNOTAVAIL | libc::ENODEV)
    }

    fn comment(&self) -> String {
        self.here("addresses")
    }
}

/// Addresses that are no longer wanted and keep wanted ones from being added: an interface has each IPv6 address
/// once, whatever the length of its prefix.
pub(in crate::plan) fn in_the_way(diff: &PlaceDiff<'_>, ops: &mut Vec<Op>) {
    for (at, want) in &diff.pairs {
        let Some(link) = diff.link(at) else { continue };
        for state in link.addresses.iter().filter(|state| is_in_the_way(state, want)) {
            ops.push(Op::delete(Address { at: at.clone(), address: state.address }));
        }
    }
}

fn is_in_the_way(state: &AddressState, want: &LinkTarget) -> bool {
    let address = state.address.addr();
    let unwanted = state.ours && !want.addresses.contains(&state.address);
    unwanted && address.is_ipv6() && want.addresses.iter().any(|other| other.addr() == address)
}

/// Addresses come before others go: an interface that has none for a moment loses its routes.
pub(in crate::plan) fn addresses(diff: &PlaceDiff<'_>, ops: &mut Vec<Op>) {
    let mut stale = Vec::new();
    for (at, want) in &diff.pairs {
        let link = diff.link(at);
        let mut seen = link.map_or_else(Vec::new, |link| link.addresses.clone());
        seen.retain(|state| !is_in_the_way(state, want));
        if link.is_some_and(|link| diff.is_cycled(link, want)) {
            seen.retain(|state| state.address.addr().is_ipv4());
        }
        // Whoever else has made it a port of something decides about the order.
        let own = link.is_none_or(|link| diff.foreign_master(link, want).is_none());
        for state in &mut seen {
            state.cut_off &= want.up;
        }
        let op = |step: &Step| match (at.clone(), *step) {
            (at, Step::Add(address)) => Op::add(Address { at, address }),
            (at, Step::Renew(address)) => Op::set(Address { at, address }),
            (at, Step::Delete(address)) => Op::delete(Address { at, address }),
        };
        for steps in addresses::steps(&want.addresses, &seen, own) {
            let comes = |step: &Step| !matches!(step, Step::Delete(_));
            let (now, last) = steps.split_at(steps.iter().rposition(comes).map_or(0, |at| at + 1));
            ops.extend(now.iter().map(op));
            stale.extend(last.iter().map(op));
        }
    }
    ops.append(&mut stale);
}
