//! netlabd and plain commands: the same lab.

use std::fmt::Write;

use super::Test;
use crate::{feature::Feature, host::TestHost};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("by_hand::vxlan", || same("vxlan", &["ns1", "router", "ns2"])).needs(&[Feature::Vxlan]),
    Test::new("by_hand::vlan", || same("vlan", &["ns1", "ns2", "bridge"])).needs(&[Feature::BridgeVlan]),
    Test::new("by_hand::internet_router", || same("internet-router", &["ns1", "router"]))
        .needs(&[Feature::Nat]),
    Test::new("by_hand::macvlan", || same("macvlan", &["net1", "net2", "lan"])).needs(&[Feature::Macvlan]),
    Test::new("by_hand::internet_bridge", || same("internet-bridge", &["ns1", "ns2", "bridge"]))
        .needs(&[Feature::Nat]),
];

/// What `show-commands` prints builds by hand what netlabd builds.
fn same(lab: &str, nodes: &[&str]) {
    let host = TestHost::started();
    let file = format!("labs/{lab}.yaml");
    host.ctl(&["create-lab", &file]).ok();
    let netlabd = picture(&host, lab, nodes);
    host.ctl(&["delete-lab", lab]).ok();
    let commands = host.ctl(&["show-commands", &file]).ok();
    host.sh(&format!("({commands}) >/dev/null"));
    let by_hand = picture(&host, lab, nodes);
    assert_eq!(by_hand, netlabd, "left: by hand, right: by netlabd");
}

/// What there is of a lab: interfaces, addresses, routes, VLANs, forwarding and NAT.
fn picture(host: &TestHost, lab: &str, nodes: &[&str]) -> String {
    let mut picture = String::new();
    for node in nodes {
        // MAC addresses follow the lab's uid, and so differ.
        let look = "ip -br link show up | sed 's/[@ ].*//' | sort
            ip -br -4 addr | sed 's/@[^ ]*//' | awk '{ $2 = \"\"; print }' | sort
            ip -o link | grep -o 'mtu [0-9]*' | sort
            ip -d link | grep -oE 'vxlan id .* dstport [0-9]+|macvlan mode [a-z]+|vlan_filtering [01]'
            ip route | sed 's/ proto [^ ]*//; s/ *$//' | sort
            bridge vlan show 2>/dev/null
            sysctl net.ipv4.ip_forward net.ipv6.conf.all.forwarding
            nft -s list ruleset | sed 's/ comment .*//'";
        let seen = host.run("ip", &["netns", "exec", &format!("{lab}.{node}"), "sh", "-c", look]);
        let _ = write!(picture, "--- {node}\n{}{}", seen.stdout, seen.stderr);
    }
    picture
}
