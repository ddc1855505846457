//! Link-local addresses, which the kernel makes.

use std::net::Ipv6Addr;

use ipnet::{IpNet, Ipv6Net};

use super::{Address, At, Subject};
use crate::{
    link::LinkLocalFrom,
    model::{
        Endpoint, SysctlKey,
        observed::{LinkLocalMode, LinkState, link_local_of, link_local_with},
    },
    plan::{
        LinkTarget, Op, Verb,
        command::{Hand, name},
        place::PlaceDiff,
    },
    shell::word,
};

/// The link-local address that the kernel makes for an interface. To set it is to let the kernel make it again; it is
/// taken off what has lost its carrier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkLocal {
    /// The interface.
    pub at: Endpoint,
    /// The address; `None` where the kernel alone knows it, and it is to be made.
    pub address: Option<Ipv6Addr>,
    /// Whether it is the interface's only IPv6 address: then the route to multicast groups goes with it.
    pub alone: bool,
}

impl Subject for LinkLocal {
    fn at(&self) -> At<'_> {
        At::Interface(&self.at)
    }

    fn describe(&self, verb: Verb) -> String {
        let (at, address) = (&self.at, self.address_text());
        match verb {
            Verb::Add | Verb::Set => format!("make link-local address{address} of {at}"),
            Verb::Delete => format!("remove link-local address{address} and its routes from {at}"),
        }
    }

    fn finding(&self, verb: Verb) -> String {
        let (at, address) = (&self.at, self.address_text());
        match verb {
            Verb::Add | Verb::Set => format!("{at}: the link-local address{address} is missing"),
            Verb::Delete => {
                format!("{at}: it keeps the link-local address{address} or its routes without a carrier")
            }
        }
    }

    fn command(&self, verb: Verb, hand: Hand<'_>) -> String {
        if verb == Verb::Delete {
            let (ip, dev) = (hand.ip(&self.at.place), name(&self.at));
            let groups = format!("; {ip} -6 route delete multicast ff00::/8 dev {dev} table local");
            let groups = if self.alone { groups.as_str() } else { "" };
            let delete = |address| format!("{ip} address delete {address}/64 dev {dev}{groups}");
            return self.address.map(delete).unwrap_or_default();
        }
        let key = format!("net/ipv6/conf/{}/addr_gen_mode", self.at.interface);
        let values = [1, 0].map(|value| word(&format!("{key}={value}")).into_owned());
        format!("{}sysctl -w {}", hand.exec(&self.at.place), values.join(" "))
    }

    fn is_done_already(&self, verb: Verb, errno: i32) -> bool {
        verb == Verb::Delete && matches!(errno, libc::EADDRNOTAVAIL | libc::ENODEV | libc::ESRCH)
    }
}

impl LinkLocal {
    /// The address with a space before it, where it is known.
    fn address_text(&self) -> String {
        self.address.map(|address| format!(" {address}")).unwrap_or_default()
    }
}

/// The link-local address of an interface is the one that the kernel makes, as in a new one.
pub(in crate::plan) fn link_local(diff: &PlaceDiff<'_>, ops: &mut Vec<Op>) {
    for (at, want) in &diff.pairs {
        of(diff, at, want, ops);
    }
}

fn of(diff: &PlaceDiff<'_>, at: &Endpoint, want: &LinkTarget, ops: &mut Vec<Op>) {
    let (Some(link), true) = (diff.link(at), want.up) else { return };
    // A member of a bond has none (`addrconf_notify` in net/ipv6/addrconf.c).
    if diff.foreign_master(link, want).is_some() || diff.bond_of(want).is_some() {
        return;
    }
    // Of an interface whose MAC address is not the lab's, or that has none, the kernel alone knows which it is.
    let own = match want.form.link_local() {
        LinkLocalFrom::Nothing => return,
        LinkLocalFrom::Identifier => want.mac.map(link_local_of),
        LinkLocalFrom::Ipv4(local) => Some(link_local_with(local)),
    };
    // What the plan unplugs has its carrier still, and keeps it for up to a second (`net/core/link_watch.c`).
    if !diff.target.has_carrier(at) && (!link.carrier || diff.target.is_unplugged(at)) {
        without_carrier(at, want, link, own, ops);
        return;
    }
    let mode = |of: &str| {
        let key = SysctlKey::from_path(&format!("net/ipv6/conf/{of}/addr_gen_mode")).ok()?;
        diff.wanted.sysctls.get(&key)
    };
    // What is written for the interface stands, and `default` after `all`, which is written to it along.
    let said = [at.interface.as_str(), "default", "all"].into_iter().find_map(mode);
    let by_mac = said.is_none_or(|mode| mode.trim() == "0");
    let said = said.is_some();
    let stale = |address: &&Ipv6Addr| match link.makes_link_local {
        LinkLocalMode::Off => false,
        LinkLocalMode::Mac => own.is_some_and(|own| **address != own),
        LinkLocalMode::None => said,
        LinkLocalMode::Other => said && link.mac.is_some_and(|mac| **address == link_local_of(mac)),
    };
    for address in link.link_local.iter().filter(stale) {
        let address = IpNet::V6(Ipv6Net::new_assert(*address, 64));
        ops.push(Op::delete(Address { at: at.clone(), address }));
    }
    let makes = link.makes_link_local == LinkLocalMode::Mac && by_mac;
    let there = own.map_or(!link.link_local.is_empty(), |own| link.link_local.contains(&own));
    if makes && link.up && !there {
        ops.push(Op::set(LinkLocal { at: at.clone(), address: own, alone: false }));
    }
}

/// An interface that loses its carrier keeps its link-local address, and one that never had a carrier has none
/// (`addrconf_notify` in net/ipv6/addrconf.c, Linux 6.18). The route to multicast groups is made, too, where
/// `addr_gen_mode` is written while it is up (`addrconf_init_auto_addrs`).
fn without_carrier(
    at: &Endpoint,
    want: &LinkTarget,
    link: &LinkState,
    own: Option<Ipv6Addr>,
    ops: &mut Vec<Op>,
) {
    let is_ipv6 = |address: &IpNet| address.addr().is_ipv6();
    let others = want.addresses.iter().chain(link.addresses.iter().map(|state| &state.address));
    let alone = !others.into_iter().any(is_ipv6);
    let drop = |address| Op::delete(LinkLocal { at: at.clone(), address: Some(address), alone });
    ops.extend(link.link_local.iter().copied().map(drop));
    if link.link_local.is_empty() && link.hears_groups && alone {
        ops.extend(own.map(drop));
    }
}
