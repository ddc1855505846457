//! Addresses of interfaces, of places and of segments.

use super::{bad, interfaces, lab_fields};

/// The same text is read alike in every field, or refused in every field.
#[test]
fn zeros_before_numbers() {
    let why = "has a number that begins with 0, which some programs read as octal; write it without";
    let at = |field: &str, text: &str| format!("nodes.n.{field}: \"{text}\" {why}");
    for text in ["192.0.2.010/24", "192.0.2.1/024", "2001:db8::1/064"] {
        let fields = format!(r#""eth0":{{"addresses":["{text}"]}}"#);
        bad(interfaces, &fields, &at("interfaces.eth0.addresses[0]", text));
        let fields = format!(r#""masquerade":[{{"source":"{text}"}}]"#);
        bad(super::nat, &fields, &at("nat.masquerade[0].source", text));
    }
    for text in ["192.0.2.010", "::ffff:192.0.2.010"] {
        let fields = format!(r#""eth0":{{}},"v":{{"vxlan":{{"vni":1,"remote":"{text}","dev":"eth0"}}}}"#);
        bad(interfaces, &fields, &at("interfaces.v.vxlan.remote", text));
    }
    for text in ["192.0.2.01:80", "192.0.2.1:080", "[2001:db8::1]:080"] {
        let fields = format!(r#""port_forwards":[{{"protocol":"tcp","port":80,"to":"{text}"}}]"#);
        bad(super::nat, &fields, &at("nat.port_forwards[0].to", text));
    }
    let check = r#"{"from":"a","to":"192.0.2.010"}"#;
    bad(super::checks, check, &format!("checks[0].to: \"192.0.2.010\" {why}"));
}

#[test]
fn ipv6_texts() {
    for (text, expected) in [
        (
            r#""eth0":{"addresses":["2001:db8::1"]}"#,
            r#"nodes.n.interfaces.eth0.addresses[0]: "2001:db8::1" has no prefix length; write 2001:db8::1/64"#,
        ),
        (
            r#""eth0":{"addresses":["2001:db8::1/129"]}"#,
            r#"nodes.n.interfaces.eth0.addresses[0]: "2001:db8::1/129" has no valid prefix length: 0 to 128"#,
        ),
        (
            r#""eth0":{"addresses":["2001:db8::/64"]}"#,
            r#"nodes.n.interfaces.eth0.addresses[0]: "2001:db8::/64" is the network's own address, not a host's; the first host is 2001:db8::1/64"#,
        ),
        (
            r#""eth0":{"addresses":["ff02::1/64"]}"#,
            r#"nodes.n.interfaces.eth0.addresses[0]: "ff02::1/64" is a multicast address, not a host's"#,
        ),
        (
            r#""eth0":{"addresses":["::1/128"]}"#,
            r#"nodes.n.interfaces.eth0.addresses[0]: "::1/128" is a loopback address; it can only stand on "lo""#,
        ),
        (
            r#""eth0":{"addresses":["::ffff:192.0.2.1/128"]}"#,
            r#"nodes.n.interfaces.eth0.addresses[0]: "::ffff:192.0.2.1/128" is an IPv4-mapped address; write 192.0.2.1"#,
        ),
        (
            r#""lo":{"addresses":["::1/128"]}"#,
            r#"nodes.n.interfaces.lo.addresses[0]: "::1/128" is on "lo" of every node; leave it out"#,
        ),
    ] {
        bad(interfaces, text, expected);
    }
}

#[test]
fn texts() {
    for (text, expected) in [
        (
            r#""eth0":{"addresses":["192.0.2.1"]}"#,
            r#"nodes.n.interfaces.eth0.addresses[0]: "192.0.2.1" has no prefix length; write 192.0.2.1/24"#,
        ),
        (
            r#""eth0":{"addresses":["192.0.2.1/33"]}"#,
            r#"nodes.n.interfaces.eth0.addresses[0]: "192.0.2.1/33" has no valid prefix length: 0 to 32"#,
        ),
        (
            r#""eth0":{"addresses":["x"]}"#,
            r#"nodes.n.interfaces.eth0.addresses[0]: "x" is not an IP address with prefix length such as 192.0.2.1/24"#,
        ),
        (
            r#""eth0":{"addresses":["192.0.2.0/24"]}"#,
            r#"nodes.n.interfaces.eth0.addresses[0]: "192.0.2.0/24" is the network's own address, not a host's; the first host is 192.0.2.1/24"#,
        ),
        (
            r#""eth0":{"addresses":["192.0.2.255/24"]}"#,
            r#"nodes.n.interfaces.eth0.addresses[0]: "192.0.2.255/24" is the network's broadcast address, not a host's; the first host is 192.0.2.1/24"#,
        ),
        (
            r#""eth0":{"addresses":["192.0.2.1/0"]}"#,
            r#"nodes.n.interfaces.eth0.addresses[0]: "192.0.2.1/0" spans all addresses; give it the prefix length of its link"#,
        ),
        (
            r#""eth0":{"addresses":["224.0.0.1/24"]}"#,
            r#"nodes.n.interfaces.eth0.addresses[0]: "224.0.0.1/24" is a multicast address, not a host's"#,
        ),
        (
            r#""eth0":{"addresses":["0.0.0.0/32"]}"#,
            r#"nodes.n.interfaces.eth0.addresses[0]: "0.0.0.0/32" is the unspecified address, not a host's"#,
        ),
        (
            r#""eth0":{"addresses":["255.255.255.255/32"]}"#,
            r#"nodes.n.interfaces.eth0.addresses[0]: "255.255.255.255/32" is the broadcast address, not a host's"#,
        ),
        (
            r#""eth0":{"addresses":["127.0.0.2/8"]}"#,
            r#"nodes.n.interfaces.eth0.addresses[0]: "127.0.0.2/8" is a loopback address; it can only stand on "lo""#,
        ),
        (
            r#""lo":{"addresses":["127.0.0.1/8"]}"#,
            r#"nodes.n.interfaces.lo.addresses[0]: "127.0.0.1/8" is on "lo" of every node; leave it out"#,
        ),
    ] {
        bad(interfaces, text, expected);
    }
}

#[test]
fn doubled() {
    for (text, expected) in [
        (
            r#""eth0":{"addresses":["192.0.2.1/24","192.0.2.1/25"]}"#,
            "nodes.n.interfaces.eth0.addresses[1]: 192.0.2.1 is on eth0 already; each address stands once in a node",
        ),
        (
            r#""eth0":{"addresses":["192.0.2.1/32"]},"d0":{"dummy":{},"addresses":["192.0.2.1/32"]}"#,
            "nodes.n.interfaces.eth0.addresses[0]: 192.0.2.1 is on d0 already; each address stands once in a node",
        ),
    ] {
        bad(interfaces, text, expected);
    }
}

#[test]
fn overlaps() {
    for (text, expected) in [
        (
            r#""eth0":{"addresses":["192.0.2.1/24"]},"d0":{"dummy":{},"addresses":["192.0.2.129/25"]}"#,
            "nodes.n.interfaces.d0.addresses[0]: 192.0.2.129/25 overlaps 192.0.2.1/24 on eth0: a subnet belongs to one interface of a node; where n is meant to have two, overlapping_subnets: true says so",
        ),
        (
            r#""eth0":{"addresses":["2001:db8::1/64"]},"d0":{"dummy":{},"addresses":["2001:db8::2/64"]}"#,
            "nodes.n.interfaces.eth0.addresses[0]: 2001:db8::1/64 overlaps 2001:db8::2/64 on d0: a subnet belongs to one interface of a node; where n is meant to have two, overlapping_subnets: true says so",
        ),
    ] {
        bad(interfaces, text, expected);
    }
}

#[test]
fn overlaps_that_are_meant() {
    let lab = |routes: &str| {
        let interfaces = r#""d0":{"dummy":{},"addresses":["192.0.2.1/24"]},"d1":{"dummy":{},"addresses":["192.0.2.2/24","192.0.3.1/24"]}"#;
        let node = format!(r#""overlapping_subnets":true,"interfaces":{{{interfaces}}},"routes":[{routes}]"#);
        let text = format!(r#"{{"name":"x","nodes":{{"n":{{{node}}}}}}}"#);
        crate::convert::lab(&serde_json::from_str(&text).unwrap())
    };
    let warned = &lab("").unwrap().warnings;
    assert_eq!(warned.len(), 1, "{warned:?}");
    assert_eq!(warned[0].path, "nodes.n.interfaces.d1.addresses[0]");
    assert!(warned[0].message.starts_with("192.0.2.0/24 is on d0 too, and by which"), "{warned:?}");
    let split = r#"{"to":"192.0.2.128/25","dev":"d1"}"#;
    assert_eq!(lab(split).unwrap().warnings, []);
    let by = |via: &str, dev: &str| format!(r#"{split},{{"to":"198.18.0.0/24","via":"{via}"{dev}}}"#);
    let fault = lab(&by("192.0.2.9", "")).unwrap_err().to_string();
    let expected = "nodes.n.routes[1].via: 192.0.2.0/24 is on several links of n, d0, d1; add dev, the one that 192.0.2.9 is on";
    assert_eq!(fault, expected);
    for good in [by("192.0.2.9", r#","dev":"d0""#), by("192.0.2.200", ""), by("192.0.3.9", "")] {
        lab(&good).unwrap();
    }
}

#[test]
fn segments() {
    for (text, expected) in [
        (
            r#""name":"x","nodes":{"a":{"interfaces":{"eth0":{"addresses":["192.0.2.1/24"]}}},"b":{"interfaces":{"eth0":{"addresses":["192.0.2.1/24"]}}}},"links":[{"endpoints":["a:eth0","b:eth0"]}]"#,
            "nodes.b.interfaces.eth0.addresses[0]: 192.0.2.1 is on a:eth0 already (nodes.a.interfaces.eth0.addresses[0]), on the same wire; change one",
        ),
        (
            r#""name":"x","nodes":{"a":{"interfaces":{"eth0":{"addresses":["192.0.2.1/24"]}}},"b":{"interfaces":{"eth0":{"addresses":["192.0.2.1/24"]}}},"sw":{"interfaces":{"br0":{"bridge":{}},"p1":{"port":{"bridge":"br0"}},"p2":{"port":{"bridge":"br0"}}}}},"links":[{"endpoints":["a:eth0","sw:p1"]},{"endpoints":["b:eth0","sw:p2"]}]"#,
            "nodes.b.interfaces.eth0.addresses[0]: 192.0.2.1 is on a:eth0 already (nodes.a.interfaces.eth0.addresses[0]), on the same wire; change one",
        ),
        (
            r#""name":"x","nodes":{"a":{"interfaces":{"mv":{"macvlan":{"parent":"eth9"},"addresses":["198.18.0.50/24"]}}},"b":{"interfaces":{"mv":{"macvlan":{"parent":"eth9"},"addresses":["198.18.0.50/24"]}}}}"#,
            "nodes.b.interfaces.mv.addresses[0]: 198.18.0.50 is on a:mv already (nodes.a.interfaces.mv.addresses[0]), on the same wire; change one",
        ),
    ] {
        bad(lab_fields, text, expected);
    }
}
