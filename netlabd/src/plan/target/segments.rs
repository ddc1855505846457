//! Which nodes of a lab take packets with segments of IPv6 (RFC 8754), and what they need for that.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv6Addr},
};

use super::LinkTarget;
use crate::model::{Encap, Form, IPV6_MIN_MTU, IfName, Lab, Node, PrefixMap, Seg6Mode, SysctlKey};

/// What the routes of a lab have packets visit.
#[derive(Debug, Default)]
pub(super) struct Segments {
    visited: BTreeSet<Ipv6Addr>,
    /// Where packets end that still have their segments with them.
    ends: PrefixMap<()>,
}

impl Segments {
    /// Those of a lab.
    pub(super) fn of(lab: &Lab) -> Self {
        let mut all = Self::default();
        for route in lab.nodes.values().flat_map(|node| &node.routes) {
            for hop in &route.hops {
                let Some(Encap::Seg6 { mode, segments }) = &hop.encap else { continue };
                all.visited.extend(segments);
                if *mode == Seg6Mode::Inline {
                    all.ends.entry(route.to).or_default();
                }
            }
        }
        all
    }

    /// Whether packets with segments are for an address of a node.
    pub(super) fn are_at(&self, node: &Node) -> bool {
        let visited = |address: IpAddr| match address {
            IpAddr::V6(address) => {
                self.visited.contains(&address) || self.ends.holding(address.into()).next().is_some()
            }
            IpAddr::V4(_) => false,
        };
        node.interfaces.values().flat_map(|interface| &interface.addresses).any(|net| visited(net.addr()))
    }
}

/// What lets a node take them: the kernel asks both what is said of all and what is said of the interface by which they
/// come (`ipv6_srh_rcv` in net/ipv6/exthdrs.c).
pub(super) fn sysctls(
    links: &BTreeMap<IfName, LinkTarget>,
) -> impl Iterator<Item = (SysctlKey, String)> + use<> {
    // What is too small for IPv6 has none of its sysctls; what comes to a port is its bridge's; by `lo` comes nothing.
    let has_ipv6 = |link: &LinkTarget| {
        link.port.is_none() && link.form != Form::Loopback && link.mtu.is_none_or(|mtu| mtu >= IPV6_MIN_MTU)
    };
    let names = links.iter().filter(|(_, link)| has_ipv6(link)).map(|(name, _)| name.as_str());
    let keys: Vec<_> = ["all"]
        .into_iter()
        .chain(names)
        .filter_map(|of| SysctlKey::from_path(&format!("net/ipv6/conf/{of}/seg6_enabled")).ok())
        .collect();
    keys.into_iter().map(|key| (key, "1".to_owned()))
}
