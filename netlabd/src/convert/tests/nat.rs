//! Translations to given addresses, of ranges of ports, and of prefixes.

use serde_json::{Value, json};

use super::super::lab;
use super::{bad, nat};

#[track_caller]
fn good(text: &str) {
    lab(&serde_json::from_str(text).unwrap()).unwrap_or_else(|faults| panic!("{faults}"));
}

#[test]
fn source_translations() {
    for (text, expected) in [
        (
            r#"{"source":"10.0.0.0/8"}"#,
            "[0].to: is missing: an address that the source becomes, or a range of them",
        ),
        (
            r#"{"to":"192.0.2.9-192.0.2.5"}"#,
            r#"[0].to: "192.0.2.9-192.0.2.5" ends before it begins; write 192.0.2.5-192.0.2.9"#,
        ),
        (
            r#"{"to":"192.0.2.9-2001:db8::5"}"#,
            r#"[0].to: "192.0.2.9-2001:db8::5" mixes IPv4 and IPv6; make it two rules"#,
        ),
        (
            r#"{"source":"10.0.0.0/8","to":"2001:db8::5"}"#,
            "[0]: source asks for IPv4 and to for IPv6, and no packet is both; make it two rules",
        ),
        (r#"{"to":"192.0.2.1:80"}"#, r#"[0].to: "192.0.2.1:80" is not an IP address"#),
        (
            r#"{"to":"192.0.2.1","out_interface":"eth9"}"#,
            r#"[0].out_interface: n has no interface "eth9"; did you mean "eth0"?"#,
        ),
        (
            r#"{"to":"192.0.2.1"},{"source":"10.0.0.0/8","to":"192.0.2.2","out_interface":"eth0"}"#,
            "[1]: snat[0] translates all of this before, so this never holds; leave one of them out, or make that one narrower",
        ),
    ] {
        bad(nat, &format!(r#""snat":[{text}]"#), &format!("nodes.n.nat.snat{expected}"));
    }
    let never = "snat[0] translates all of this before, so this never holds; leave one of them out, or make that one narrower";
    let masquerade =
        r#""snat":[{"source":"10.0.0.0/8","to":"192.0.2.1"}],"masquerade":[{"source":"10.1.0.0/16"}]"#;
    bad(nat, masquerade, &format!("nodes.n.nat.masquerade[0]: {never}"));
    let prefix = r#""snat":[{"to":"2001:db8::1"}],
        "prefixes":[{"internal":"fd00:1::/48","external":"2001:db8:1::/48","interface":"eth0"}]"#;
    bad(nat, prefix, &format!("nodes.n.nat.prefixes[0]: {never}"));
    for text in [
        r#""snat":[{"source":"10.1.0.0/16","to":"192.0.2.1"},{"source":"10.0.0.0/8","to":"192.0.2.2"}]"#,
        r#""snat":[{"source":"10.0.0.0/8","to":"192.0.2.1-192.0.2.9"},{"to":"2001:db8::1","out_interface":"eth0"}],"masquerade":[{}]"#,
    ] {
        good(&nat(text));
    }
}

#[test]
fn destination_translations() {
    for (text, expected) in [
        (
            r#"{"protocol":"tcp"}"#,
            "[0].to: is missing: an address that the destination becomes, such as 192.0.2.5 or 192.0.2.5:80",
        ),
        (
            r#"{"ports":"80","to":"192.0.2.5"}"#,
            "[0].ports: ports are those of a protocol; add protocol: tcp or protocol: udp",
        ),
        (
            r#"{"to":"192.0.2.5:80"}"#,
            "[0].to: names a port, and ports are those of a protocol; add protocol: tcp or protocol: udp",
        ),
        (
            r#"{"protocol":"icmp","to":"192.0.2.5"}"#,
            r#"[0].protocol: "icmp" is no protocol with ports: tcp, udp"#,
        ),
        (
            r#"{"protocol":"tcp","ports":"0","to":"192.0.2.5"}"#,
            r#"[0].ports: "0" is no port (1 to 65535) and no range of ports such as 8000-8010"#,
        ),
        (
            r#"{"protocol":"tcp","ports":"8010-8000","to":"192.0.2.5"}"#,
            r#"[0].ports: "8010-8000" ends before it begins; write 8000-8010"#,
        ),
        (
            r#"{"protocol":"tcp","ports":"8000-8010","to":"192.0.2.5:9000-9011"}"#,
            "[0].to: 11 ports cannot become 12 one by one; write as many on both sides, or one port in to",
        ),
        (
            r#"{"protocol":"tcp","ports":"80","to":"192.0.2.5:9000-9001"}"#,
            "[0].to: 1 port cannot become 2 one by one; write as many on both sides, or one port in to",
        ),
        (
            r#"{"protocol":"tcp","to":"192.0.2.5:9000-9001"}"#,
            "[0].to: 9000-9001 is a range and ports says nothing; write ports: 9000-9001, or one port in to",
        ),
        (
            r#"{"destination":"203.0.113.0/24","to":"2001:db8::5"}"#,
            "[0]: destination asks for IPv4 and to for IPv6, and no packet is both; make it two rules",
        ),
        (
            r#"{"in_interface":"lo","to":"192.0.2.5"}"#,
            "[0].in_interface: nothing that arrives through lo is led elsewhere; name the interface to those who send",
        ),
        (
            r#"{"in_interface":"eth0","to":"192.0.2.5"},{"in_interface":"eth0","protocol":"tcp","ports":"80","to":"192.0.2.6"}"#,
            "[1]: dnat[0] translates all of this before, so this never holds; leave one of them out, or put the narrower one first",
        ),
    ] {
        bad(nat, &format!(r#""dnat":[{text}]"#), &format!("nodes.n.nat.dnat{expected}"));
    }
    let forwarded = r#""port_forwards":[{"protocol":"tcp","port":80,"to":"192.0.2.5:80"}],
        "dnat":[{"protocol":"tcp","ports":"80","to":"192.0.2.6"}]"#;
    let expected = "nodes.n.nat.dnat[0]: port_forwards[0] translates all of this before, so this never holds; leave one of them out, or put the narrower one first";
    bad(nat, forwarded, expected);
    let many = (0..5).map(|at| {
        let (from, to) = (1000 * (at + 1), 1000 * (at + 11));
        format!(r#"{{"protocol":"tcp","ports":"{from}-{}","to":"192.0.2.5:{to}-{}"}}"#, from + 999, to + 999)
    });
    let many = format!(r#""dnat":[{}]"#, many.collect::<Vec<_>>().join(","));
    let expected = "nodes.n.nat.dnat: ranges of ports that become others stand for a rule a port, 5000 rules in all; at most 4000 are allowed: let ports keep their numbers, or lead a range to one port";
    bad(nat, &many, expected);
    good(&nat(
        r#""dnat":[{"in_interface":"eth0","protocol":"tcp","ports":"80","to":"192.0.2.5"},{"in_interface":"eth0","to":"192.0.2.6"},
            {"protocol":"tcp","ports":"1-65535","to":"192.0.2.5-192.0.2.9:1-65535"},{"destination":"2001:db8::1/128","to":"2001:db8::5"}]"#,
    ));
}

#[test]
fn prefixes() {
    let rule = |internal: &str, external: &str| {
        format!(r#"{{"internal":"{internal}","external":"{external}","interface":"eth0"}}"#)
    };
    let of = |rules: String| format!(r#""prefixes":[{rules}]"#);
    for (internal, external, expected) in [
        ("", "2001:db8:1::/48", "[0].internal: is missing: the prefix inside, such as fd00:1::/48"),
        (
            "fd00:1::/48",
            "2001:db8:1:2::/64",
            "[0].external: the prefix inside has 48 bits and that outside 64: one to one they are as long as each other; write 2001:db8:1::/48",
        ),
        (
            "10.0.0.0/24",
            "2001:db8:1::/48",
            "[0]: internal and external are of two families, and translating those (NAT64) the kernel cannot do; name two of one family",
        ),
        ("fd00:1::/48", "fd00:1::/48", "[0]: fd00:1::/48 becomes itself; name two prefixes"),
        ("fd00:1::/48", "::/0", r#"[0].external: "::/0" is all there is; name the prefix of a site"#),
        (
            "fe80::/64",
            "2001:db8::/64",
            r#"[0].internal: "fe80::/64" is no prefix that routers lead anywhere (RFC 6296, section 3.5, has unicast ones); name another"#,
        ),
    ] {
        bad(nat, &of(rule(internal, external)), &format!("nodes.n.nat.prefixes{expected}"));
    }
    let twice = [rule("fd00:1::/48", "2001:db8:1::/48"), rule("fd00:1:0:1::/64", "2001:db8:2::/64")];
    let expected =
        "nodes.n.nat.prefixes[1]: prefixes[0] has part of this already, and takes it; make them apart";
    bad(nat, &of(twice.join(",")), expected);
    let without = r#""prefixes":[{"internal":"fd00:1::/48","external":"2001:db8:1::/48"}]"#;
    bad(nat, without, "nodes.n.nat.prefixes[0].interface: is missing: the interface to the outside");
    good(&nat(&of(rule("192.0.2.0/24", "203.0.113.0/24"))));
}

#[test]
fn types() {
    for (text, expected) in [
        (
            r#"{"out_interface":"eth0","type":"full-cone"}"#,
            r#"[0].type: "full-cone" is no type of NAT: full_cone, restricted_cone, port_restricted, symmetric; did you mean "full_cone"?"#,
        ),
        (r#"{"type":"symmetric"}"#, "[0].type: a type is that of the side to the outside; add out_interface"),
        (
            r#"{"out_interface":"eth0","source":"2001:db8::/64","type":"symmetric"}"#,
            "[0].type: types are those of NAT for IPv4, where addresses are scarce; leave type or source out",
        ),
        (
            r#"{"out_interface":"eth0","source":"10.0.0.0/8","type":"symmetric"},{"out_interface":"eth0","type":"full_cone"}"#,
            "[1].type: masquerade[0] has a type already, and a node has one; leave one of them out",
        ),
    ] {
        bad(nat, &format!(r#""masquerade":[{text}]"#), &format!("nodes.n.nat.masquerade{expected}"));
    }
    good(&nat(r#""masquerade":[{"out_interface":"eth0","type":"restricted_cone"},{}]"#));
}

#[test]
fn the_host() {
    let host = |nat: &str| {
        format!(r#"{{"name":"x","nodes":{{"n":{{}}}},"host":{{"forwarding":true,"nat":{{{nat}}}}}}}"#)
    };
    let all = r#""dnat":[{"in_interface":"wan0","to":"192.0.2.5"}]"#;
    bad(
        host,
        all,
        "host.nat.dnat[0]: without protocol and ports this takes all that the host itself is sent; add both",
    );
    let typed = r#""masquerade":[{"out_interface":"wan0","type":"full_cone"}]"#;
    let expected = "host.nat.masquerade[0].type: a type would close the host's own ports and open them to others; have a node translate";
    bad(host, typed, expected);
    let prefixes =
        r#""prefixes":[{"internal":"fd00:1::/48","external":"2001:db8:1::/48","interface":"wan0"}]"#;
    let expected = "host.nat.prefixes: the host translates no prefixes, which would take what is sent to others too; do it in a node";
    bad(host, prefixes, expected);
}

/// The warnings of a router with `203.0.113.1/24` and `2001:db8:1::1/64` on `e1`.
fn warned(nat: &Value) -> Vec<(String, String)> {
    let interfaces =
        json!({ "e0": {}, "e1": { "addresses": ["203.0.113.1/24", "203.0.113.2/24", "2001:db8:1::1/64"] } });
    let router = json!({ "forwarding": true, "interfaces": interfaces, "nat": nat });
    let links = json!([{ "endpoints": ["r:e0", "a:e0"] }, { "endpoints": ["r:e1", "b:e0"] }]);
    let message = json!({ "name": "l", "nodes": { "r": router, "a": {}, "b": {} }, "links": links });
    let lab = lab(&serde_json::from_value(message).unwrap()).unwrap_or_else(|faults| panic!("{faults}"));
    lab.warnings.into_iter().map(|warning| (warning.path, warning.message)).collect()
}

#[test]
fn addresses_that_nobody_answers_for() {
    let snat = |to: &str| warned(&json!({ "snat": [{ "out_interface": "e1", "to": to }] }));
    assert_eq!(snat("203.0.113.1-203.0.113.2"), []);
    assert_eq!(snat("198.18.0.1-198.18.0.200"), [], "on no link: others have a route to it");
    let found = snat("203.0.113.1-203.0.113.9");
    assert!(found.len() == 1 && found[0].0 == "nodes.r.nat.snat[0].to", "{found:?}");
    let words = "203.0.113.3 is in the subnet of e1 (203.0.113.1/24), where nobody answers for it, and answers to it are \
                 lost; add 203.0.113.3/24 to the addresses of e1, or name one that r has";
    assert_eq!(found[0].1, words);
    let dnat = |to: &str| warned(&json!({ "dnat": [{ "destination": to, "to": "192.0.2.5" }] }));
    assert_eq!(dnat("203.0.113.2/32"), []);
    assert_eq!(dnat("203.0.113.0/24"), [], "whatever passes");
    assert_eq!(dnat("203.0.113.9/32")[0].0, "nodes.r.nat.dnat[0].destination");
    let prefix = |external: &str| {
        warned(
            &json!({ "prefixes": [{ "internal": "fd00:1::/64", "external": external, "interface": "e1" }] }),
        )
    };
    assert_eq!(prefix("2001:db8:2::/64"), []);
    let found = prefix("2001:db8:1::/64");
    assert!(found.len() == 1 && found[0].0 == "nodes.r.nat.prefixes[0].external", "{found:?}");
}
