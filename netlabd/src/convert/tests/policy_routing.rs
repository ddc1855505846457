//! Rules of policy routing, and neighbours.

use super::{bad, neighbours, policy};

#[test]
fn rules() {
    for (text, expected) in [
        (
            "{}",
            "nodes.n.rules[0]: a rule does something with packets: add table (where it looks for a route), or type: blackhole, unreachable or prohibit",
        ),
        (
            r#"{"table":0}"#,
            "nodes.n.rules[0].table: 0 is no routing table: 1 to 4,294,967,295; the main table is 254",
        ),
        (
            r#"{"type":"prohibt"}"#,
            r#"nodes.n.rules[0].type: "prohibt" is no type of rule: unicast, blackhole, unreachable or prohibit; did you mean "prohibit"?"#,
        ),
        (
            r#"{"type":"prohibit","table":7}"#,
            "nodes.n.rules[0].table: type: prohibit looks in no table; leave out one of the two",
        ),
        (
            r#"{"priority":0,"table":7}"#,
            "nodes.n.rules[0].priority: 0 is the priority of the kernel's own rule for the table local; choose another",
        ),
        (
            r#"{"priority":32766,"table":7}"#,
            "nodes.n.rules[0].priority: 32766 is the priority of the kernel's own rule for the table main; choose another",
        ),
        (
            r#"{"priority":32767,"table":7}"#,
            "nodes.n.rules[0].priority: 32767 is the priority of the kernel's own rule for the table default; choose another",
        ),
        (
            r#"{"from":"192.0.2.0/24","to":"2001:db8::/32","table":7}"#,
            "nodes.n.rules[0].to: 192.0.2.0/24 and 2001:db8::/32 are of different families: such a rule can never match",
        ),
        (
            r#"{"from":"192.0.2.1","table":7}"#,
            r#"nodes.n.rules[0].from: "192.0.2.1" has no prefix length; write 192.0.2.1/32"#,
        ),
        (
            r#"{"iif":"eth1","table":7}"#,
            r#"nodes.n.rules[0].iif: n has no interface "eth1"; did you mean "eth0"?"#,
        ),
        (
            r#"{"fwmark":256,"fwmask":255,"table":7}"#,
            "nodes.n.rules[0].fwmark: 0x100 has bits that fwmask 0xff has not: such a rule can never match; widen fwmask",
        ),
        (
            r#"{"fwmask":255,"table":7}"#,
            "nodes.n.rules[0].fwmask: says which bits of fwmark count; add fwmark, or leave it out",
        ),
        (
            r#"{"fwmark":0,"fwmask":0,"table":7}"#,
            "nodes.n.rules[0].fwmask: 0 compares no bit; leave out fwmark and fwmask",
        ),
        (
            r#"{"priority":9,"from":"192.0.2.0/24","table":7},{"priority":9,"fwmark":1,"table":8}"#,
            "nodes.n.rules[1]: rules[0] has priority 9 already; give one of them another",
        ),
        (
            r#"{"from":"192.0.2.0/24","type":"prohibit"},{"from":"192.0.2.128/25","fwmark":1,"table":7}"#,
            "nodes.n.rules[1]: can never match: rules[0], which is evaluated before it, takes all of its packets (priority 10000 from 192.0.2.0/24 type prohibit)",
        ),
        (
            r#"{"priority":9,"type":"blackhole"},{"priority":8,"table":7},{"priority":10,"table":7}"#,
            "nodes.n.rules[2]: can never match: rules[0], which is evaluated before it, takes all of its packets (priority 9 type blackhole)",
        ),
    ] {
        bad(policy, text, expected);
    }
    let many = vec![r#"{"table":7}"#; 1001].join(",");
    bad(policy, &many, "nodes.n.rules: 1001 rules; at most 1000 are allowed");
}

#[test]
fn good_rules() {
    let read = |text: &str| {
        let lab = super::lab(&super::message(&policy(text))).unwrap();
        lab.nodes["n"].rules.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    for (text, expected) in [
        (r#"{"from":"192.0.2.0/24","table":254}"#, vec!["priority 10000 from 192.0.2.0/24 table 254"]),
        (
            r#"{"fwmark":1,"table":7},{"priority":10000,"to":"::/0","iif":"lo","type":"unreachable"}"#,
            vec![
                "priority 10001 fwmark 0x1 table 7",
                "priority 10000 to ::/0 iif lo type unreachable",
                "priority 10001 fwmark 0x1 table 7 (IPv6)",
            ],
        ),
        (
            r#"{"from":"192.0.2.0/25","type":"prohibit"},{"from":"192.0.2.0/24","fwmark":0,"fwmask":15,"table":7}"#,
            vec![
                "priority 10000 from 192.0.2.0/25 type prohibit",
                "priority 10001 from 192.0.2.0/24 fwmark 0x0/0xf table 7",
            ],
        ),
    ] {
        assert_eq!(read(text), expected, "{text}");
    }
}

#[test]
fn of_links() {
    for (text, expected) in [
        (
            "{}",
            "nodes.n.neighbours[0]: a neighbour needs mac, or proxy: true where the node is to answer for it\nnodes.n.neighbours[0].to: is missing: the address of the neighbour, such as 192.0.2.77",
        ),
        (
            r#"{"to":"192.0.2.77","mac":"02:00:00:00:00:77","proxy":true,"dev":"eth0"}"#,
            "nodes.n.neighbours[0].mac: the node answers with the interface's own MAC address; leave out mac or proxy",
        ),
        (
            r#"{"to":"192.0.2.77","proxy":true}"#,
            "nodes.n.neighbours[0]: proxy needs dev: the interface on whose link the node answers for the address",
        ),
        (
            r#"{"to":"192.0.2.77","mac":"03:00:00:00:00:77"}"#,
            r#"nodes.n.neighbours[0].mac: "03:00:00:00:00:77" is a multicast address; an interface needs a unicast one"#,
        ),
        (
            r#"{"to":"198.51.100.77","mac":"02:00:00:00:00:77","dev":"eth0"}"#,
            "nodes.n.neighbours[0].to: 198.51.100.77 is not on eth0, which has 192.0.2.1/24, 2001:db8::1/64",
        ),
        (
            r#"{"to":"192.0.2.1","mac":"02:00:00:00:00:77","dev":"eth0"}"#,
            "nodes.n.neighbours[0].to: 192.0.2.1 is n's own address; name a neighbour's",
        ),
        (
            r#"{"to":"192.0.2.77","mac":"02:00:00:00:00:77","dev":"lo"}"#,
            "nodes.n.neighbours[0].dev: \"lo\" has no link and no neighbours; name another interface",
        ),
        (
            r#"{"to":"198.18.0.7","mac":"02:00:00:00:00:77"}"#,
            "nodes.n.neighbours[0]: down0 is down, and has no neighbours; leave out up: false there",
        ),
        (
            r#"{"to":"192.0.2.7","mac":"02:00:00:00:00:77"},{"to":"192.0.2.7","proxy":true,"dev":"eth0"}"#,
            "nodes.n.neighbours[1]: neighbours[0] says already what 192.0.2.7 is on eth0; leave one out",
        ),
    ] {
        bad(neighbours, text, expected);
    }
    let good = [
        (r#"{"to":"192.0.2.77","mac":"02:00:00:00:00:77"}"#, "192.0.2.77 lladdr 02:00:00:00:00:77 dev eth0"),
        (
            r#"{"to":"fe80::77","mac":"02:00:00:00:00:77","dev":"d1"}"#,
            "fe80::77 lladdr 02:00:00:00:00:77 dev d1",
        ),
        (
            r#"{"to":"203.0.113.7","mac":"02:00:00:00:00:77","dev":"d1"}"#,
            "203.0.113.7 lladdr 02:00:00:00:00:77 dev d1",
        ),
        (r#"{"to":"198.51.100.7","proxy":true,"dev":"d1"}"#, "proxy 198.51.100.7 dev d1"),
    ];
    for (text, expected) in good {
        let lab = super::lab(&super::message(&neighbours(text))).unwrap();
        assert_eq!(lab.nodes["n"].neighbours[0].to_string(), expected, "{text}");
    }
}
