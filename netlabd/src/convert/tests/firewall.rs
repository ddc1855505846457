//! Firewalls.

use super::{bad, firewall, forward, lab, lab_fields, message};

#[test]
fn rules_that_do_not_make_sense() {
    for (text, expected) in [
        (r#"{"state":["new"]}"#, "action: is missing: accept, drop or reject"),
        (r#"{"action":"allow"}"#, r#"action: "allow" is no action: accept, drop, reject"#),
        (
            r#"{"action":"accept","state":["establised"]}"#,
            r#"state[0]: "establised" is no state of a connection: established, related, new, invalid, untracked; did you mean "established"?"#,
        ),
        (r#"{"action":"accept","state":["new","new"]}"#, "state[1]: new stands here already; leave it out"),
        (
            r#"{"action":"accept","in_interface":"eth7"}"#,
            r#"in_interface: n has no interface "eth7"; did you mean "eth0"?"#,
        ),
        (
            r#"{"action":"accept","out_interface":"lo"}"#,
            "out_interface: nothing is forwarded from or to lo, so this never holds; leave the rule out",
        ),
        (
            r#"{"action":"accept","source":"192.0.2.1"}"#,
            r#"source: "192.0.2.1" has no prefix length; write 192.0.2.1/32"#,
        ),
        (
            r#"{"action":"accept","protocol":"tpc"}"#,
            r#"protocol: "tpc" is no protocol: tcp, udp, icmp, icmpv6, sctp, igmp, ipip, ipv6, gre, esp, ah, ospf, pim, vrrp, or its number, 0 to 255; did you mean "tcp"?"#,
        ),
        (
            r#"{"action":"accept","ports":["80"]}"#,
            "ports: a rule without a protocol has no ports, so this never holds; set protocol to tcp, udp or sctp",
        ),
        (
            r#"{"action":"accept","protocol":"icmp","source_ports":["80"]}"#,
            "source_ports: icmp has no ports, so this never holds; set protocol to tcp, udp or sctp",
        ),
        (
            r#"{"action":"accept","protocol":"tcp","ports":["90-80"]}"#,
            r#"ports[0]: "90-80" ends before it begins; write 80-90"#,
        ),
        (
            r#"{"action":"accept","protocol":"tcp","ports":["http"]}"#,
            r#"ports[0]: "http" is no port (1 to 65535) and no range of ports such as 8000-8010"#,
        ),
        (
            r#"{"action":"accept","protocol":"tcp","ports":["80","80"]}"#,
            "ports[1]: 80 stands here already; leave it out",
        ),
        (
            r#"{"action":"accept","protocol":"tcp","ports":["80-90","85-95"]}"#,
            "ports[1]: 85-95 and 80-90 overlap; make them one range",
        ),
        (
            r#"{"action":"accept","protocol":"tcp","icmp_types":["echo-request"]}"#,
            "icmp_types: only ICMP has such types; set protocol to icmp or icmpv6",
        ),
        (
            r#"{"action":"accept","protocol":"icmp","icmp_types":["echo_request"]}"#,
            r#"icmp_types[0]: "echo_request" is no type of icmp: echo-reply, destination-unreachable, redirect, echo-request, router-advertisement, router-solicitation, time-exceeded, parameter-problem, timestamp-request; did you mean "echo-request"?"#,
        ),
    ] {
        bad(forward, text, &format!("nodes.n.firewall.forward.rules[0].{expected}"));
    }
}

#[test]
fn rules_that_never_match() {
    let families = "and no packet is both; make it two rules";
    for (text, expected) in [
        (
            r#"{"action":"drop","source":"192.0.2.0/24","destination":"2001:db8::/32"}"#,
            format!("[0]: source asks for IPv4 and destination for IPv6, {families}"),
        ),
        (
            r#"{"action":"drop","protocol":"icmp","source":"2001:db8::/32"}"#,
            format!("[0]: protocol asks for IPv4 and source for IPv6, {families}"),
        ),
        (
            r#"{"action":"drop","protocol":"icmpv6","destination":"192.0.2.0/24"}"#,
            format!("[0]: destination asks for IPv4 and protocol for IPv6, {families}"),
        ),
        (
            r#"{"action":"drop","state":["new"]},{"action":"accept","state":["new"]}"#,
            "[1]: rules[0] asks for the same and decides first; leave one of them out".to_owned(),
        ),
        (
            r#"{"action":"drop","protocol":"tcp","ports":["1","2"]},{"action":"drop","protocol":"tcp","ports":["2","1"]}"#,
            "[1]: rules[0] asks for the same and decides first; leave one of them out".to_owned(),
        ),
        (
            r#"{"action":"drop"},{"action":"accept","state":["new"]},{"action":"accept"}"#,
            "[1]: rules[0] decides about every packet, so none gets here; put that one last".to_owned(),
        ),
    ] {
        bad(forward, text, &format!("nodes.n.firewall.forward.rules{expected}"));
    }
    bad(
        firewall,
        r#""input":{"rules":[{"action":"drop","out_interface":"eth0"}]}"#,
        "nodes.n.firewall.input.rules[0].out_interface: what is for the node itself leaves by no interface, so this never \
         holds; use in_interface, or leave it out",
    );
    bad(
        firewall,
        r#""output":{"rules":[{"action":"drop","in_interface":"eth0"}]}"#,
        "nodes.n.firewall.output.rules[0].in_interface: what the node itself sends came in by no interface, so this never \
         holds; use out_interface, or leave it out",
    );
}

#[test]
fn policies() {
    bad(
        firewall,
        r#""input":{"policy":"deny"}"#,
        r#"nodes.n.firewall.input.policy: "deny" is no policy: accept, drop"#,
    );
    bad(
        firewall,
        r#""input":{"policy":"reject"}"#,
        "nodes.n.firewall.input.policy: nftables has no policy reject; write drop, and { action: reject } as the last rule",
    );
    let node = r#""name":"x","nodes":{"n":{"firewall":{"forward":{"policy":"drop"}}}}"#;
    bad(
        lab_fields,
        node,
        "nodes.n.forwarding: nodes.n.firewall.forward filters what is forwarded, and n forwards nothing; set it to true",
    );
}

#[test]
fn too_many_rules() {
    let many = |count: usize, of: &dyn Fn(usize) -> String| (1..=count).map(of).collect::<Vec<_>>().join(",");
    let rule = |port| format!(r#"{{"action":"accept","protocol":"tcp","ports":["{port}"]}}"#);
    bad(
        forward,
        &many(10_000, &rule),
        "nodes.n.firewall.forward.rules: 10000 rules; at most 1000 are allowed",
    );
    let ports = |from: usize| many(65, &|port| format!(r#""{}""#, from + 2 * port));
    let wide = |from: usize| format!(r#"{{"action":"accept","protocol":"tcp","ports":[{}]}}"#, ports(from));
    bad(forward, &wide(1), "nodes.n.firewall.forward.rules[0].ports: 65 words; at most 64 are allowed");
    let both = |from: usize| {
        let ports = many(60, &|port| format!(r#""{}""#, from + 2 * port));
        format!(r#"{{"action":"accept","protocol":"tcp","ports":[{ports}],"source_ports":[{ports}]}}"#)
    };
    bad(
        forward,
        &[both(1), both(2)].join(","),
        "nodes.n.firewall.forward.rules: lists of ports stand for a rule each, 7200 rules in all; at most 4000 are allowed: \
         use ranges of ports",
    );
}

#[test]
fn a_good_firewall() {
    let text = firewall(
        r#""input":{},"forward":{"policy":"drop","rules":[
            {"state":["established","related"],"action":"accept"},
            {"in_interface":"eth0","out_interface":"eth1","protocol":"tcp","ports":["443","80"],"action":"accept"},
            {"protocol":"89","action":"accept"},
            {"action":"reject"}]}"#,
    );
    let firewall = lab(&message(&text)).unwrap().nodes["n"].firewall.clone();
    let rules: Vec<_> = firewall.chains()[1].rules.iter().map(ToString::to_string).collect();
    assert_eq!(
        rules,
        [
            "ct state established,related counter accept",
            "iifname \"eth0\" oifname \"eth1\" tcp dport 80 counter accept",
            "iifname \"eth0\" oifname \"eth1\" tcp dport 443 counter accept",
            "meta l4proto 89 counter accept",
            "counter reject",
        ]
    );
    assert!(firewall.output.is_none() && firewall.input.is_some());
}
