//! What must be on the host.

use std::collections::BTreeMap;

use super::{PlaceTarget, Whole, forwarding, interfaces::links};
use crate::model::{Firewall, Guard, IfName, Lab, NatRule, Place, SysctlKey};

/// All of the host's part.
pub(super) fn host(whole: Whole<'_>) -> PlaceTarget {
    let lab = whole.lab;
    let mut sysctls = BTreeMap::new();
    if lab.host.forwarding {
        sysctls = forwarding(true);
        if !host_uses_ipv6(lab) {
            sysctls.retain(|key, _| key.as_str().starts_with("net.ipv4."));
        }
    }
    for name in lab.host.interfaces.keys() {
        sysctls.extend(deaf(name));
    }
    sysctls.extend(lab.host.sysctls.clone());
    let guard = guard(lab, &sysctls);
    PlaceTarget {
        links: links(whole, &Place::Host, &lab.host.interfaces),
        routes: Vec::new(),
        label_routes: Vec::new(),
        rules: Vec::new(),
        neighbours: Vec::new(),
        sysctls,
        before: BTreeMap::new(),
        nat: lab.host.nat.rules(),
        firewall: Firewall::default(),
        guard,
    }
}

/// By what a neighbour could steer the host, all off on an interface to a lab: router advertisements (RFC 4861) and
/// the addresses (RFC 4862) and routes that come with them, redirects (RFC 792, RFC 4861), routes that the sender chooses
/// (RFC 791, RFC 8200, RFC 8754, RFC 6554). All of `ip-sysctl`; new interfaces have the host's defaults.
fn deaf(name: &IfName) -> impl Iterator<Item = (SysctlKey, String)> {
    const IPV4: [&str; 4] = ["accept_redirects", "secure_redirects", "send_redirects", "accept_source_route"];
    const IPV6: [&str; 6] = [
        "accept_ra",
        "autoconf",
        "accept_redirects",
        "accept_source_route",
        "seg6_enabled",
        "rpl_seg_enabled",
    ];
    let of = |family: &str, setting: &str| format!("net/{family}/conf/{name}/{setting}");
    let ipv4 = IPV4.map(|setting| of("ipv4", setting));
    let ipv6 = IPV6.map(|setting| of("ipv6", setting));
    let key = |path: String| Some((SysctlKey::from_path(&path).ok()?, "0".to_owned()));
    ipv4.into_iter().chain(ipv6).filter_map(key)
}

fn guard(lab: &Lab, sysctls: &BTreeMap<SysctlKey, String>) -> Option<Guard> {
    let ends: Vec<IfName> = lab.host.interfaces.keys().cloned().collect();
    let is_bridge = |name: &&IfName| lab.host.interfaces[*name].form.ports().of_bridge();
    let hears = |name: &&IfName| {
        let key = SysctlKey::from_path(&format!("net/ipv4/conf/{name}/accept_redirects"));
        key.is_ok_and(|key| sysctls.get(&key).is_some_and(|value| value != "0"))
    };
    let guard = Guard {
        bridges: ends.iter().filter(is_bridge).cloned().collect(),
        heard: ends.iter().filter(hears).cloned().collect(),
        forwards: lab.host.forwarding,
        joins: lab.host.joins.clone(),
        apart: None,
        ends,
    };
    (!guard.ends.is_empty() || guard.forwards).then_some(guard)
}

/// Whether the lab gives the host an IPv6 address or translates one.
fn host_uses_ipv6(lab: &Lab) -> bool {
    let address =
        lab.host.interfaces.values().flat_map(|interface| &interface.addresses).any(|a| a.addr().is_ipv6());
    let translates = |rule: &NatRule| match rule {
        NatRule::Masquerade(rule) => rule.source.is_some_and(|source| source.addr().is_ipv6()),
        NatRule::PortForward(rule) => rule.to.is_ipv6(),
        NatRule::Source(rule) => rule.to.is_ipv6(),
        NatRule::Destination(rule) => rule.to.is_ipv6(),
        NatRule::Prefix(rule) => rule.internal.addr().is_ipv6(),
        NatRule::LeaveBridged => false,
    };
    address || lab.host.nat.rules().iter().any(translates)
}
