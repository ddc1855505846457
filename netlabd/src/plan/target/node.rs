//! What must be in a node.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{
    LinkTarget, PlaceTarget, Whole, forwarding,
    interfaces::{is_up, links},
    segments::{self, Segments},
};
use crate::model::{
    Form, IfName, Interface, LabelRoute, Neighbour, Node, NodeName, Place, Route, RoutingRule, SysctlKey,
};

/// All of a node.
pub(super) fn node(whole: Whole<'_>, name: &NodeName, node: &Node, sent: &Segments) -> PlaceTarget {
    let mut target = PlaceTarget {
        links: links(whole, &Place::Node(name.clone()), &node.interfaces),
        routes: routes(node),
        label_routes: label_routes(node),
        rules: rules(node),
        neighbours: neighbours(node),
        sysctls: forwarding(node.forwarding),
        before: BTreeMap::new(),
        nat: node.nat.rules(),
        firewall: node.firewall.clone(),
        guard: None,
    };
    target.sysctls.extend(node.interfaces.iter().flat_map(|(name, it)| switches(name, it, node.forwarding)));
    if sent.are_at(node) {
        target.sysctls.extend(segments::sysctls(&target.links));
    }
    let labels = labels(&target);
    target.sysctls.extend(labels);
    target.sysctls.extend(node.sysctls.clone());
    target.links.entry(IfName::loopback()).or_insert_with(|| LinkTarget {
        form: Form::Loopback,
        mac: None,
        mac_is_said: false,
        mtu: None,
        up: true,
        master: None,
        port: None,
        fdb: BTreeSet::new(),
        vlans: None,
        addresses: Vec::new(),
        impair: None,
        gso_max_segs: None,
        wireguard: None,
        txqueuelen: None,
    });
    target
}

/// The sysctls behind switches of an interface. A forwarding node hears no advertisements at 1.
fn switches(name: &IfName, it: &Interface, forwards: bool) -> impl Iterator<Item = (SysctlKey, String)> {
    let heard = if forwards { "2" } else { "1" };
    let accept_ra = it.accept_ra.or(it.slaac.then_some(true)).map(|heed| if heed { heard } else { "0" });
    let all = [
        ("ipv4", "proxy_arp", it.proxy_arp.map(|on| if on { "1" } else { "0" })),
        ("ipv6", "accept_ra", accept_ra),
        ("ipv6", "autoconf", it.slaac.then_some("1")),
    ];
    let said = all.into_iter().filter_map(|(family, key, value)| Some((family, key, value?)));
    said.filter_map(move |(family, key, value)| {
        let path = format!("net/{family}/conf/{name}/{key}");
        Some((SysctlKey::from_path(&path).ok()?, value.to_owned()))
    })
}

/// What leads through a cable that is pulled comes with it, and so does what has an IPv6 address there as its source,
/// which goes with the interface.
fn routes(node: &Node) -> Vec<Route> {
    let up = |name: &IfName| is_up(name, &node.interfaces);
    let has = |interface: &Interface, src| interface.addresses.iter().any(|net| net.addr() == src);
    let owned = |src: IpAddr| node.interfaces.iter().any(|(name, it)| up(name) && has(it, src));
    let whole = |route: &Route| route.src.is_none_or(|src| src.is_ipv4() || owned(src));
    let mut routes: Vec<_> = node.routes.iter().filter_map(|route| route.through(up)).filter(whole).collect();
    for end in tables_of_vrfs(node).flat_map(Route::ends_of_vrf) {
        if !routes.iter().any(|route| route.replaces(&end)) {
            routes.push(end);
        }
    }
    routes
}

/// As far as there is an interface that is up.
fn label_routes(node: &Node) -> Vec<LabelRoute> {
    let up = |route: &&LabelRoute| is_up(&route.dev, &node.interfaces);
    node.label_routes.iter().filter(up).cloned().collect()
}

/// The sysctls behind label routes: room for all labels up to the largest, and interfaces that take packets with labels;
/// by `lo` come those that have labels left (`mpls_forward` in `net/mpls/af_mpls.c`).
fn labels(target: &PlaceTarget) -> Vec<(SysctlKey, String)> {
    let Some(last) = target.label_routes.iter().map(|route| route.label).max() else { return Vec::new() };
    let room = LabelRoute::room().map(|key| (key, (last.get() + 1).to_string()));
    let names = target.links.keys().map(IfName::as_str).filter(|name| *name != "lo").chain(["lo"]);
    let takes = names.filter_map(|name| SysctlKey::from_path(&format!("net/mpls/conf/{name}/input")).ok());
    room.into_iter().chain(takes.map(|key| (key, "1".to_owned()))).collect()
}

fn tables_of_vrfs(node: &Node) -> impl Iterator<Item = u32> {
    node.interfaces.values().filter_map(|interface| interface.form.ports().vrf())
}

/// The file's, and what VRFs need to have tables of their own.
fn rules(node: &Node) -> Vec<RoutingRule> {
    let has_vrfs = tables_of_vrfs(node).next().is_some();
    let of_vrfs = [false, true].map(RoutingRule::of_vrfs).into_iter().filter(|_| has_vrfs);
    node.rules.iter().cloned().chain(of_vrfs).collect()
}

/// An interface that is down has none.
fn neighbours(node: &Node) -> Vec<Neighbour> {
    node.neighbours.iter().filter(|it| is_up(&it.dev, &node.interfaces)).cloned().collect()
}
