//! What to do about a refusal of the kernel, where its cause is known.

use crate::plan::{
    Op,
    item::{Address, Item, Link, LinkChange, Route, Setting},
};

/// What a refused operation is up against, and the way out; `None` where the kernel's own words must do.
pub(super) fn way_out(op: &Op, errno: i32) -> Option<String> {
    let text = match (&op.item, errno) {
        (_, libc::ENOSPC | libc::ENOMEM | libc::ENOBUFS) => {
            "the kernel is short of memory, or a limit is reached (netlabctl doctor shows them): free some, or raise it"
        }
        (Item::Link(Link { kind, .. }), libc::EOPNOTSUPP) => {
            let (feature, _) = kind.needs();
            return Some(format!(
                "this kernel lacks {feature}: load its module, or boot a kernel that has it"
            ));
        }
        (Item::Link(Link { kind, .. }), errno) if kind.way_out(errno).is_some() => {
            return kind.way_out(errno);
        }
        (_, libc::EPERM) => "netlabd may not do that here: see its capabilities (netlabctl doctor)",
        (Item::Link(_) | Item::Veth(_) | Item::Name(_), libc::EEXIST) => {
            "somebody has made an interface of that name there: delete or rename it"
        }
        (Item::Setting(Setting { change, .. }), errno) => {
            return set_link(change, errno).map(ToOwned::to_owned);
        }
        (Item::Address(Address { address, .. }), libc::EACCES | libc::EOPNOTSUPP)
            if address.addr().is_ipv6() =>
        {
            "IPv6 is off there: a sysctl net.ipv6.conf.*.disable_ipv6 is 1, or the kernel has none"
        }
        (Item::Route(Route { route, .. }), libc::EOPNOTSUPP) => {
            let feature = route.hops.iter().find_map(|hop| hop.encap.as_ref())?.needs();
            return Some(format!(
                "this kernel lacks {feature}: load its module, or boot a kernel that has it"
            ));
        }
        (Item::LabelRoute(_), libc::EINVAL) => {
            "the kernel has no room for the label: the sysctl net.mpls.platform_labels is too small"
        }
        (Item::Route(_), libc::ENETDOWN) => "the interface that it leads through is down",
        (Item::Route(_), libc::ENETUNREACH | libc::EHOSTUNREACH) => {
            "the gateway is on no network of that interface: an address is missing, or its route to the network is"
        }
        (Item::Route(_), libc::EINVAL) => {
            "the gateway is an address of the node itself, or not on that interface"
        }
        _ => return None,
    };
    Some(text.to_owned())
}

fn set_link(change: &LinkChange, errno: i32) -> Option<&'static str> {
    match (change, errno) {
        (LinkChange::Up(true), libc::ENETDOWN) => Some("the interface that carries it is down"),
        (LinkChange::Up(true), libc::EADDRINUSE) => Some(
            "another program or tunnel there has its UDP port (a VXLAN), or another interface on the same parent its MAC \
             address (a macvlan)",
        ),
        (LinkChange::Up(true), libc::EAFNOSUPPORT) => Some("IPv6 is off there, and the tunnel runs over it"),
        (LinkChange::Mtu(_), libc::EINVAL | libc::ERANGE) => {
            Some("what carries the interface has a smaller MTU, or its kind allows no more")
        }
        (LinkChange::Master { name: Some(_), .. }, libc::EBUSY) => {
            Some("it carries a macvlan, or belongs to something else: a port of a bridge can do neither")
        }
        (LinkChange::Master { name: Some(_), .. }, libc::ELOOP) => Some("a bridge would be a port of itself"),
        (LinkChange::Mac(_), libc::EADDRINUSE) => {
            Some("another interface on the same parent has that MAC address")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        link::{Kind, Macvlan, MacvlanMode},
        model::{Endpoint, Place},
    };

    #[test]
    fn known_causes_are_told_and_others_left_to_the_kernel() {
        let at = || Endpoint { place: Place::Host, interface: "m".parse().unwrap() };
        let parent = "eth9".parse().unwrap();
        let kind = Macvlan { lower: crate::link::Lower::Host(parent), mode: MacvlanMode::Bridge }.into();
        let add = Op::add(Link { at: at(), kind, mac: None, mtu: None, gso_max_segs: None });
        assert!(way_out(&add, libc::EBUSY).unwrap().contains("eth9 is a port of a bridge"));
        assert!(way_out(&add, libc::EOPNOTSUPP).unwrap().contains("CONFIG_MACVLAN"));
        assert!(way_out(&add, libc::ENOMEM).unwrap().contains("limit"));
        assert_eq!(way_out(&add, libc::EIO), None);
        assert!(way_out(&add, libc::EPERM).unwrap().contains("capabilities"));
        let ends_in_ipv6 =
            |kind: &Kind| matches!(kind, Kind::Vxlan(vxlan) if vxlan.remote.is_some_and(|end| end.is_ipv6()));
        let tunnels: Vec<Kind> =
            Kind::examples(&"eth9".parse().unwrap()).into_iter().filter(ends_in_ipv6).collect();
        assert!(!tunnels.is_empty());
        for kind in tunnels {
            let add = Op::add(Link { at: at(), kind, mac: None, mtu: None, gso_max_segs: None });
            assert!(way_out(&add, libc::EPERM).unwrap().contains("IPv6 is off there"));
        }
        let up = Op::set(Setting { at: at(), change: LinkChange::Up(true) });
        assert!(way_out(&up, libc::ENETDOWN).unwrap().contains("carries it is down"));
        assert_eq!(way_out(&up, libc::EIO), None);
    }
}
