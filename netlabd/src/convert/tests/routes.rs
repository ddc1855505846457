//! Static routes.

use super::{bad, routes};

#[test]
fn destinations() {
    for (text, expected) in [
        (
            "{}",
            "nodes.n.routes[0].to: is missing: default, or an address range such as 203.0.113.0/24\nnodes.n.routes[0]: a route needs via (the next hop) or dev (the interface)",
        ),
        (r#"{"to":"default"}"#, "nodes.n.routes[0]: a route needs via (the next hop) or dev (the interface)"),
        (
            r#"{"via":"192.0.2.254"}"#,
            "nodes.n.routes[0].to: is missing: default, or an address range such as 203.0.113.0/24",
        ),
        (
            r#"{"to":"203.0.113.9","via":"192.0.2.254"}"#,
            r#"nodes.n.routes[0].to: "203.0.113.9" has no prefix length; write 203.0.113.9/32"#,
        ),
        (
            r#"{"to":"203.0.113.9/24","via":"192.0.2.254"}"#,
            r#"nodes.n.routes[0].to: "203.0.113.9/24" has bits set after its prefix; write 203.0.113.0/24"#,
        ),
        (
            r#"{"to":"everywhere","via":"192.0.2.254"}"#,
            r#"nodes.n.routes[0].to: "everywhere" is not an IP address with prefix length such as 192.0.2.1/24"#,
        ),
        (
            r#"{"to":"2001:db8:1::/48","via":"192.0.2.254"}"#,
            "nodes.n.routes[0].to: 2001:db8:1::/48 and the next hop 192.0.2.254 are of different families; use IPv4 or IPv6 for both",
        ),
        (
            r#"{"to":"192.0.2.0/24","dev":"eth0"}"#,
            "nodes.n.routes[0].to: 192.0.2.0/24 is the subnet of eth0, so the route is there already; leave it out",
        ),
        (
            r#"{"to":"2001:db8::/64","dev":"eth0","metric":256}"#,
            "nodes.n.routes[0].to: 2001:db8::/64 is the subnet of eth0, so the route is there already; leave it out",
        ),
    ] {
        bad(routes, text, expected);
    }
}

#[test]
fn next_hops() {
    for (text, expected) in [
        (r#"{"to":"default","via":"gateway"}"#, r#"nodes.n.routes[0].via: "gateway" is not an IP address"#),
        (
            r#"{"to":"default","via":"198.51.100.254"}"#,
            "nodes.n.routes[0].via: gateway 198.51.100.254 is on no link of n: its links have 198.18.0.1/24 (d1), 192.0.2.1/24 (eth0), 2001:db8::1/64 (eth0)",
        ),
        (
            r#"{"to":"default","via":"192.0.2.1"}"#,
            "nodes.n.routes[0].via: gateway 192.0.2.1 is n's own address, on eth0; name the neighbour's",
        ),
        (
            r#"{"to":"default","via":"192.0.2.255"}"#,
            "nodes.n.routes[0].via: gateway 192.0.2.255 is the network's own or broadcast address of 192.0.2.0/24",
        ),
        (
            r#"{"to":"default","via":"192.0.2.0"}"#,
            "nodes.n.routes[0].via: gateway 192.0.2.0 is the network's own or broadcast address of 192.0.2.0/24",
        ),
        (
            r#"{"to":"default","via":"224.0.0.1"}"#,
            r#"nodes.n.routes[0].via: "224.0.0.1" is a multicast address, not a host's"#,
        ),
        (
            r#"{"to":"default","via":"fe80::1"}"#,
            "nodes.n.routes[0].via: fe80::1 is link-local, so it is on every link; add dev",
        ),
        (
            r#"{"to":"default","via":"203.0.113.254","dev":"eth0"}"#,
            "nodes.n.routes[0].via: gateway 203.0.113.254 is not on eth0, which has 192.0.2.1/24, 2001:db8::1/64",
        ),
        (
            r#"{"to":"default","via":"203.0.113.254","dev":"d1"}"#,
            "nodes.n.routes[0].via: gateway 203.0.113.254 is not on d1, which has 198.18.0.1/24",
        ),
        (
            r#"{"to":"default","dev":"eth7"}"#,
            r#"nodes.n.routes[0].dev: n has no interface "eth7"; did you mean "eth0"?"#,
        ),
        (
            r#"{"to":"default","via":"192.0.2.254","dev":"eht0"}"#,
            r#"nodes.n.routes[0].dev: n has no interface "eht0"; did you mean "eth0"?"#,
        ),
        (
            r#"{"to":"198.51.100.0/24","dev":"down0"}"#,
            "nodes.n.routes[0]: leads through down0, which is down; leave out up: false there",
        ),
    ] {
        bad(routes, text, expected);
    }
}

#[test]
fn doubled() {
    for (text, expected) in [
        (
            r#"{"to":"default","via":"192.0.2.254"},{"to":"0.0.0.0/0","via":"192.0.2.253"}"#,
            "nodes.n.routes[1]: routes[0] leads to 0.0.0.0/0 with metric 0 already; change one",
        ),
        (
            r#"{"to":"default","via":"2001:db8::2"},{"to":"::/0","via":"2001:db8::3","metric":1024}"#,
            "nodes.n.routes[1]: routes[0] leads to ::/0 with metric 1024 already; change one",
        ),
    ] {
        bad(routes, text, expected);
    }
}

/// A node with two subnets on `eth0`, one within the other, and one on `down0`, which is down.
fn nested(routes: &str) -> String {
    let interfaces = r#""eth0":{"dummy":{},"addresses":["10.0.0.1/16","10.0.1.1/24"]},
        "down0":{"dummy":{},"up":false,"addresses":["192.0.2.1/24"]}"#;
    format!(r#"{{"name":"x","nodes":{{"n":{{"interfaces":{{{interfaces}}},"routes":[{routes}]}}}}}}"#)
}

#[test]
fn smallest_subnet_counts() {
    let expected =
        "nodes.n.routes[0].via: gateway 10.0.1.255 is the network's own or broadcast address of 10.0.1.0/24";
    bad(nested, r#"{"to":"default","via":"10.0.1.255"}"#, expected);
}

/// The kernel has no route to the subnet of an interface that is down.
#[test]
fn subnet_that_is_down() {
    let json = nested(r#"{"to":"192.0.2.0/24","via":"10.0.0.2"}"#);
    assert!(super::lab(&super::message(&json)).is_ok());
}
