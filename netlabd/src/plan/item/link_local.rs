//! Link-local addresses, which the kernel makes.

use std::net::Ipv6Addr;

use ipnet::{IpNet, Ipv6Net};

use super::{Address, At, Subject};
use crate::{
    model::{
        Endpoint, SysctlKey,
        observed::{LinkLocalMode, link_local_of},
    },
    plan::{LinkTarget, Op, Verb, command::Hand, place::PlaceDiff},
    shell::word,
};

/// The link-local address of an interface, which the kernel is to make out of its MAC address again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkLocal {
    /// The interface.
    pub at: Endpoint,
    /// The address that comes of it.
    pub address: Ipv6Addr,
}

impl Subject for LinkLocal {
    fn at(&self) -> At<'_> {
        At::Interface(&self.at)
    }

    fn describe(&self, _: Verb) -> String {
        format!("make link-local address {} of {}", self.address, self.at)
    }

    fn finding(&self, _: Verb) -> String {
        format!("{}: the link-local address {} is missing", self.at, self.address)
    }

    fn command(&self, _: Verb, hand: Hand<'_>) -> String {
        let key = format!("net/ipv6/conf/{}/addr_gen_mode", self.at.interface);
        let values = [1, 0].map(|value| word(&format!("{key}={value}")).into_owned());
        format!("{}sysctl -w {}", hand.exec(&self.at.place), values.join(" "))
    }
}

/// The link-local address of an interface is that of its MAC address, as in a new one.
pub(in crate::plan) fn link_local(diff: &PlaceDiff<'_>, ops: &mut Vec<Op>) {
    for (at, want) in &diff.pairs {
        of(diff, at, want, ops);
    }
}

fn of(diff: &PlaceDiff<'_>, at: &Endpoint, want: &LinkTarget, ops: &mut Vec<Op>) {
    let (Some(link), Some(mac), true) = (diff.link(at), want.mac, want.up) else { return };
    if diff.foreign_master(link, want).is_some() {
        return;
    }
    let own = link_local_of(mac);
    let said = ["all", "default", at.interface.as_str()].iter().any(|of| {
        let key = SysctlKey::from_path(&format!("net/ipv6/conf/{of}/addr_gen_mode"));
        key.is_ok_and(|key| diff.wanted.sysctls.contains_key(&key))
    });
    let stale = |address: &&Ipv6Addr| match link.makes_link_local {
        LinkLocalMode::Off => false,
        LinkLocalMode::Mac => **address != own,
        LinkLocalMode::None => said,
        LinkLocalMode::Other => said && link.mac.is_some_and(|mac| **address == link_local_of(mac)),
    };
    for address in link.link_local.iter().filter(stale) {
        let address = IpNet::V6(Ipv6Net::new_assert(*address, 64));
        ops.push(Op::delete(Address { at: at.clone(), address }));
    }
    if link.makes_link_local == LinkLocalMode::Mac && link.up && !link.link_local.contains(&own) {
        ops.push(Op::set(LinkLocal { at: at.clone(), address: own }));
    }
}
