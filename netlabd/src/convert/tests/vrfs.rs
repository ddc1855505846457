//! VRFs, what belongs to them, and routes in their tables.

use super::*;

/// More of a node `n` with the VRFs `red` (table 100) and `blue`, in which `r1` and `b1` have one subnet, a bridge `br0`,
/// and `d0`, in none; a node `m` has a VRF `green`.
fn node(more: &str) -> String {
    let (interfaces, rest) = more.split_once('|').unwrap_or((more, ""));
    let known = r#""red":{"vrf":{"table":100}},"blue":{"vrf":{}},"br0":{"bridge":{}},
        "r1":{"dummy":{},"master":"red","addresses":["10.1.0.1/24","2001:db8::1/64"]},
        "b1":{"dummy":{},"master":"blue","addresses":["10.1.0.1/24"]},
        "d0":{"dummy":{},"addresses":["192.0.2.1/24"]}"#;
    let n = format!(r#"{{"interfaces":{{{known}{interfaces}}}{rest}}}"#);
    format!(r#"{{"name":"x","nodes":{{"n":{n},"m":{{"interfaces":{{"green":{{"vrf":{{}}}}}}}}}}}}"#)
}

fn read(more: &str) -> Lab {
    lab(&message(&node(more))).unwrap_or_else(|faults| panic!("{faults}"))
}

fn table(lab: &Lab, vrf: &str) -> u32 {
    let node = &lab.nodes["n"];
    node.interfaces[vrf].form.ports().vrf().unwrap()
}

#[test]
fn what_is_at_fault_with_members() {
    for (more, expected) in [
        (r#","x":{"dummy":{},"master":"rad"}"#, r#"n has no interface "rad"; did you mean "red"?"#),
        (
            r#","x":{"dummy":{},"master":"green"}"#,
            "green is in m, not in n: a member and what it belongs to are in one node",
        ),
        (
            r#","x":{"dummy":{},"master":"br0"}"#,
            r#""br0" is a bridge: say port: { bridge: br0 } in place of master"#,
        ),
        (
            r#","x":{"dummy":{},"master":"d0"}"#,
            r#""d0" is a dummy interface, not a VRF or bond; name a VRF or bond"#,
        ),
        (
            r#","x":{"dummy":{},"master":"red","port":{"bridge":"br0"}}"#,
            r#"the interface is a port of "br0" already, and belongs to one only; leave out port or master"#,
        ),
        (r#","x":{"vrf":{},"master":"red"}"#, "x is a VRF, which belongs to no other; leave out master"),
        (r#","x":{"vrf":{},"master":"x"}"#, "stands on itself: x on x; break the loop"),
    ] {
        let at = if expected.starts_with("stands") { "" } else { ".master" };
        let more_of_x = "\nnodes.n.interfaces.x.master: x is a VRF, which belongs to none; leave out master";
        let more_of_x = if at.is_empty() { more_of_x } else { "" };
        bad(node, more, &format!("nodes.n.interfaces.x{at}: {expected}{more_of_x}"));
    }
    let lo = r#"nodes.n.interfaces.lo.master: "lo" is there and up in every node; only addresses may be added to it"#;
    bad(node, r#","lo":{"master":"red"}"#, lo);
    let loopback = r#""lab0":{"dummy":{},"master":"red"}"#;
    let words = "host.interfaces.lab0.master: VRFs and bonds are of nodes, and no interface of the host belongs to one; leave out master";
    bad(host, loopback, words);
}

#[test]
fn what_is_at_fault_with_vrfs() {
    for (more, expected) in [
        (
            r#","x":{"vrf":{"table":254}}"#,
            "x.vrf.table: 254 is the number of a table of the kernel's own (253 to 255); choose another",
        ),
        (r#","x":{"vrf":{"table":0}}"#, "x.vrf.table: 0 is no routing table: 1 to 4,294,967,295"),
        (
            r#","x":{"vrf":{"table":100}}"#,
            "x.vrf.table: red has table 100 already; give each its own, or leave it out for one that is free",
        ),
        (r#","x":{"vrf":{},"mtu":1279}"#, "x.mtu: 1279 is too small: a VRF needs at least 1280"),
        (
            r#","x":{"vrf":{},"mac":"02:00:00:00:00:01"}"#,
            "x.mac: a VRF carries no Ethernet frames and has no MAC address; leave it out",
        ),
        (
            r#","x":{"vlan":{"parent":"red","id":5}}"#,
            "x.vlan.parent: red is a VRF, which carries no Ethernet frames; name another one",
        ),
        (
            r#","x":{"dummy":{},"port":{"bridge":"red"}}"#,
            r#"x.port.bridge: "red" is a vrf interface, not a bridge; name a bridge"#,
        ),
    ] {
        bad(node, more, &format!("nodes.n.interfaces.{expected}"));
    }
    let on_host = "host.interfaces.red.vrf: a VRF is of a node: on the host the kernel's rule for VRFs would stay, and \
                   decide about the host's own packets";
    bad(host, r#""red":{"vrf":{}}"#, on_host);
    let rule =
        "nodes.n.rules[0].priority: 1000 is the priority of the kernel's own rule for VRFs; choose another";
    bad(node, r#"|,"rules":[{"priority":1000,"table":7}]"#, rule);
}

#[test]
fn what_is_at_fault_with_routes_of_vrfs() {
    let to = r#""to":"203.0.113.0/24""#;
    for (route, expected) in [
        (
            r#""via":"10.1.0.2""#,
            ".via: gateway 10.1.0.2 is on r1, which belongs to red: add vrf: red, or dev: r1 to leave by it",
        ),
        (
            r#""via":"192.0.2.2","vrf":"red""#,
            ".via: gateway 192.0.2.2 is on d0, which does not belong to red: add dev: d0 to leave by it",
        ),
        (
            r#""via":"10.1.0.1","vrf":"red""#,
            ".via: gateway 10.1.0.1 is n's own address, on r1; name the neighbour's",
        ),
        (
            r#""via":"10.1.0.2","vrf":"red","table":100"#,
            ".vrf: a VRF has a table of its own; leave out table or vrf",
        ),
        (r#""via":"10.1.0.2","vrf":"rde""#, r#".vrf: n has no interface "rde"; did you mean "red"?"#),
        (r#""via":"192.0.2.2","vrf":"d0""#, r#".vrf: "d0" is a dummy interface, not a VRF; name a VRF"#),
        (
            r#""via":"10.1.0.2","vrf":"red","src":"10.9.9.9""#,
            ".src: 10.9.9.9 is no address of n: it has 10.1.0.1 (b1), 192.0.2.1 (d0), 10.1.0.1 (r1)",
        ),
    ] {
        let routes = format!(r#"|,"routes":[{{{to},{route}}}]"#);
        bad(node, &routes, &format!("nodes.n.routes[0]{expected}"));
    }
    let connected = r#"|,"routes":[{"to":"10.1.0.0/24","dev":"d0","vrf":"red"}]"#;
    let words =
        "nodes.n.routes[0].to: 10.1.0.0/24 is the subnet of r1, so the route is there already; leave it out";
    bad(node, connected, words);
    let twice = r#","x":{"dummy":{},"master":"red","addresses":["10.1.0.9/25","10.1.0.1/24"]}"#;
    let words = "nodes.n.interfaces.x.addresses[1]: 10.1.0.1 is on r1 already; each address stands once in a node\n\
                 nodes.n.interfaces.x.addresses[0]: 10.1.0.9/25 overlaps 10.1.0.1/24 on r1: a subnet belongs to one \
                 interface of a node; where n is meant to have two, overlapping_subnets: true says so";
    bad(node, twice, words);
}

#[test]
fn routes_are_in_the_table_of_their_vrf_and_may_leave_it() {
    let routes = r#"|,"routes":[{"to":"203.0.113.0/24","via":"10.1.0.2","vrf":"red"},
        {"to":"203.0.113.0/24","via":"10.1.0.2","vrf":"blue","src":"10.1.0.1"},
        {"to":"198.51.100.0/24","via":"10.1.0.2","table":100},
        {"to":"198.18.0.0/24","via":"192.0.2.2","dev":"d0","vrf":"red"},
        {"to":"10.1.0.0/24","dev":"red"},{"to":"10.1.0.0/24","dev":"d0","table":7}]"#;
    let lab = read(routes);
    let node = &lab.nodes["n"];
    let blue = table(&lab, "blue");
    let mut found: Vec<String> = node.routes.iter().map(ToString::to_string).collect();
    found.sort();
    let expected = [
        "10.1.0.0/24 dev d0 table 7".to_owned(),
        "10.1.0.0/24 dev red".to_owned(),
        "198.18.0.0/24 via 192.0.2.2 dev d0 table 100".to_owned(),
        "198.51.100.0/24 via 10.1.0.2 dev r1 table 100".to_owned(),
        format!("203.0.113.0/24 via 10.1.0.2 dev b1 src 10.1.0.1 table {blue}"),
        "203.0.113.0/24 via 10.1.0.2 dev r1 table 100".to_owned(),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_table_follows_from_the_name_and_is_nobody_elses() {
    let plain = read("");
    let blue = table(&plain, "blue");
    assert!((1001..=9999).contains(&blue), "{blue}");
    assert_eq!(table(&read(r#","aaa":{"vrf":{}},"zzz":{"vrf":{"table":7}}"#), "blue"), blue);
    let in_the_way = [
        format!(r#","zzz":{{"vrf":{{"table":{blue}}}}}"#),
        format!(r#"|,"routes":[{{"to":"203.0.113.0/24","type":"blackhole","table":{blue}}}]"#),
        format!(r#"|,"rules":[{{"table":{blue}}}]"#),
    ];
    for more in in_the_way {
        assert_ne!(table(&read(&more), "blue"), blue, "{more}");
    }
}
