//! Bonds and their members.

use super::{bad, host, lab, message};

/// Interfaces of a node `n` whose `eth0` to `eth2` are on links.
fn bonded(interfaces: &str) -> String {
    let nodes = format!(r#""nodes":{{"n":{{"interfaces":{{{interfaces}}}}},"m":{{}}}}"#);
    let links = [0, 1, 2].map(|number| format!(r#"{{"endpoints":["n:eth{number}","m:eth{number}"]}}"#));
    format!(r#"{{"name":"x",{nodes},"links":[{}]}}"#, links.join(","))
}

const BOND: &str = r#""bond0":{"bond":{"mode":"active-backup"}}"#;

#[track_caller]
fn bad_beside(text: &str, expected: &str) {
    bad(bonded, &format!("{BOND},{text}"), expected);
}

#[test]
fn what_is_no_member() {
    for (text, expected) in [
        (
            r#""br0":{"bridge":{},"master":"bond0"}"#,
            "nodes.n.interfaces.br0.master: br0 is a bridge, which belongs to no bond; make bond0 a port of it: port: { bridge: \
             br0 }",
        ),
        (
            r#""bond1":{"bond":{"mode":"802.3ad"},"master":"bond0"}"#,
            "nodes.n.interfaces.bond1.master: bond1 is a bond, which belongs to no bond; name bond0 at its members",
        ),
        (
            r#""red":{"vrf":{},"master":"bond0"}"#,
            "nodes.n.interfaces.red.master: red is a VRF, which belongs to nothing; say master: red at bond0",
        ),
        (
            r#""g":{"gre":{"remote":"192.0.2.2"},"master":"bond0"}"#,
            "nodes.n.interfaces.g.master: g is a gre tunnel, which carries no Ethernet frames, and a bond does; gretap, geneve \
             and vxlan do",
        ),
        (
            r#""v":{"vlan":{"parent":"eth0","id":7},"master":"bond0"}"#,
            "nodes.n.interfaces.v.master: v is a vlan on eth0, whose MAC address and state it goes by; make what carries \
             frames a member, and put the vlan on bond0",
        ),
        (
            r#""eth0":{"master":"bond1"}"#,
            r#"nodes.n.interfaces.eth0.master: n has no interface "bond1"; did you mean "bond0"?"#,
        ),
        (
            r#""eth0":{"master":"eth1"}"#,
            r#"nodes.n.interfaces.eth0.master: "eth1" is a link interface, not a VRF or bond; name a VRF or bond"#,
        ),
        (
            r#""br0":{"bridge":{}},"eth0":{"master":"bond0","port":{"bridge":"br0"}}"#,
            r#"nodes.n.interfaces.eth0.master: the interface is a port of "br0" already, and belongs to one only; leave out port or master"#,
        ),
        (
            r#""v":{"vlan":{"parent":"eth0","id":7}},"eth0":{"master":"bond0"}"#,
            "nodes.n.interfaces.v.vlan.parent: eth0 is a member of bond0, which takes all that arrives there; name bond0",
        ),
        (
            r#""v":{"macvlan":{"dev":"eth0"}},"eth0":{"master":"bond0"}"#,
            "nodes.n.interfaces.v.macvlan.dev: eth0 is a member of bond0, which takes all that arrives there; name bond0",
        ),
    ] {
        bad_beside(text, expected);
    }
}

#[test]
fn what_a_member_cannot_say() {
    bad_beside(
        r#""eth0":{"master":"bond0","addresses":["192.0.2.1/24"],"mac":"02:00:00:00:00:01","mtu":1400}"#,
        "nodes.n.interfaces.eth0.addresses[0]: eth0 is a member of bond0, which takes all that arrives there; give \
         192.0.2.1/24 to bond0\n\
         nodes.n.interfaces.eth0.mac: eth0 is a member of bond0 and has its MAC address; say it at bond0, and leave it out \
         here\n\
         nodes.n.interfaces.eth0.mtu: eth0 is a member of bond0 and has its MTU; say it at bond0, and leave it out here",
    );
    bad_beside(
        r#""eth0":{"master":"bond0","addresses":["slaac"]}"#,
        "nodes.n.interfaces.eth0.addresses: eth0 is a member of bond0, which takes all that arrives there; give slaac to bond0",
    );
    bad(
        bonded,
        r#""bond0":{"bond":{"mode":"802.3ad"},"mtu":9000},"x":{"vxlan":{"vni":7,"remote":"192.0.2.2","dev":"eth1"},"master":"bond0"}"#,
        "nodes.n.interfaces.bond0.mtu: 9000 does not fit its members: eth1, less 50 bytes for VXLAN, has room for 1450; lower it",
    );
}

#[test]
fn primaries_are_members() {
    let with = |primary: &str, rest: &str| {
        let bond = format!(r#""bond0":{{"bond":{{"mode":"active-backup","primary":"{primary}"}}}}"#);
        format!("{bond}{rest}")
    };
    for (text, expected) in [
        (
            with("eth0", r#","eth1":{"master":"bond0"},"eth2":{"master":"bond0"}"#),
            "nodes.n.interfaces.bond0.bond.primary: eth0 is no member of bond0; say master: bond0 there, or name one of eth1, \
             eth2",
        ),
        (
            with("eth0", ""),
            "nodes.n.interfaces.bond0.bond.primary: eth0 is no member of bond0; say master: bond0 there",
        ),
        (
            with("eht0", ""),
            r#"nodes.n.interfaces.bond0.bond.primary: n has no interface "eht0"; did you mean "eth0"?"#,
        ),
    ] {
        bad(bonded, &text, expected);
    }
}

#[test]
fn none_is_on_the_host() {
    bad(
        host,
        BOND,
        "host.interfaces.bond0.bond: a bond is of a node: the host's own ends of a lab belong to nothing but bridges; put the \
         bond in a node, and link that to the host",
    );
    bad(
        host,
        r#""d0":{"dummy":{},"master":"bond0"}"#,
        "host.interfaces.d0.master: VRFs and bonds are of nodes, and no interface of the host belongs to one; leave out master",
    );
}

/// A bond is one wire: both its members reach the same neighbours.
#[test]
fn addresses_meet_through_bonds() {
    let node = |address: &str| {
        let interfaces = format!(
            r#"{{"bond0":{{"bond":{{"mode":"802.3ad"}},"addresses":["{address}"]}},"eth0":{{"master":"bond0"}},
            "eth1":{{"master":"bond0"}}}}"#
        );
        format!(r#"{{"interfaces":{interfaces}}}"#)
    };
    let of = |a: &str, b: &str| {
        let links = r#"[{"endpoints":["a:eth0","b:eth0"]},{"endpoints":["a:eth1","b:eth1"]}]"#;
        format!(r#"{{"name":"x","nodes":{{"a":{},"b":{}}},"links":{links}}}"#, node(a), node(b))
    };
    lab(&message(&of("192.0.2.1/24", "192.0.2.2/24"))).unwrap();
    let faults = lab(&message(&of("192.0.2.1/24", "192.0.2.1/24"))).unwrap_err().to_string();
    assert!(faults.contains("192.0.2.1 is on a:bond0 already"), "{faults}");
}

#[test]
fn rules_and_routes_that_name_members_are_warned_of() {
    let text = r#"{"name":"x","nodes":{"n":{"forwarding":true,"interfaces":{
        "bond0":{"bond":{"mode":"balance-xor"},"addresses":["192.0.2.1/24"]},"eth0":{"master":"bond0"}},
        "routes":[{"to":"203.0.113.0/24","dev":"eth0"}],
        "firewall":{"forward":{"rules":[{"in_interface":"eth0","action":"accept"}]}}},"m":{}},
        "links":[{"endpoints":["n:eth0","m:eth0"]}]}"#;
    let lab = lab(&message(text)).unwrap();
    let said: Vec<_> =
        lab.warnings.iter().map(|warning| format!("{}: {}", warning.path, warning.message)).collect();
    for (path, expected) in [
        (
            "nodes.n.routes[0].dev",
            "eth0 is a member of bond0: what is sent leaves by bond0, and this never holds; name bond0",
        ),
        (
            "nodes.n.firewall.forward.rules[0].in_interface",
            "eth0 is a member of bond0: to IP, packets come and go by bond0",
        ),
    ] {
        assert!(said.iter().any(|said| said.starts_with(path) && said.contains(expected)), "{said:#?}");
    }
}
