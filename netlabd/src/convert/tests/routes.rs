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
            "nodes.n.routes[0].via: 192.0.2.254 is no next hop for 2001:db8:1::/48, which is of IPv6; name one of IPv6",
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
            "nodes.n.routes[0].via: gateway 203.0.113.254 is not on eth0, which has 192.0.2.1/24, 2001:db8::1/64; onlink: true says that it is there all the same",
        ),
        (
            r#"{"to":"default","via":"203.0.113.254","dev":"d1"}"#,
            "nodes.n.routes[0].via: gateway 203.0.113.254 is not on d1, which has 198.18.0.1/24; onlink: true says that it is there all the same",
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
            "nodes.n.routes[1]: routes[0] leads to 0.0.0.0/0 with metric 0 already; change one, or write one route with next_hops",
        ),
        (
            r#"{"to":"default","via":"2001:db8::2"},{"to":"::/0","via":"2001:db8::3","metric":1024}"#,
            "nodes.n.routes[1]: routes[0] leads to ::/0 with metric 1024 already; change one, or write one route with next_hops",
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

#[test]
fn kinds() {
    for (text, expected) in [
        (
            r#"{"to":"203.0.113.0/24","type":"blackhol"}"#,
            r#"nodes.n.routes[0].type: "blackhol" is no type of route: unicast, blackhole, unreachable, prohibit or throw; did you mean "blackhole"?"#,
        ),
        (
            r#"{"to":"203.0.113.0/24","type":"unreachable","via":"192.0.2.254","mtu":1400}"#,
            "nodes.n.routes[0].via: an unreachable route sends nothing and has no via; leave out one of the two\nnodes.n.routes[0].mtu: an unreachable route sends nothing and has no mtu; leave out one of the two",
        ),
        (
            r#"{"to":"203.0.113.0/24","type":"blackhole","next_hops":[{"via":"192.0.2.254"}]}"#,
            "nodes.n.routes[0].next_hops: a blackhole route sends nothing and has no next_hops; leave out one of the two",
        ),
        (
            r#"{"to":"203.0.113.0/24","type":"blackhole"},{"to":"203.0.113.0/24","via":"192.0.2.254"}"#,
            "nodes.n.routes[1]: routes[0] leads to 203.0.113.0/24 with metric 0 already; change one, or write one route with next_hops",
        ),
    ] {
        bad(routes, text, expected);
    }
}

#[test]
fn settings() {
    let route = |rest: &str| format!(r#"{{"to":"203.0.113.0/24","via":"192.0.2.254",{rest}}}"#);
    for (rest, expected) in [
        (r#""table":254"#, "nodes.n.routes[0].table: 254 is the main table: leave out table"),
        (
            r#""table":255"#,
            "nodes.n.routes[0].table: 255 is the number of a table of the kernel's own (253 to 255); choose another",
        ),
        (
            r#""table":253"#,
            "nodes.n.routes[0].table: 253 is the number of a table of the kernel's own (253 to 255); choose another",
        ),
        (r#""table":0"#, "nodes.n.routes[0].table: 0 is no routing table: 1 to 4,294,967,295"),
        (
            r#""src":"192.0.2.9""#,
            "nodes.n.routes[0].src: 192.0.2.9 is no address of n: it has 198.18.0.1 (d1), 192.0.2.1 (eth0)",
        ),
        (
            r#""src":"2001:db8::1""#,
            "nodes.n.routes[0].src: 2001:db8::1 is of another family than 203.0.113.0/24; name an address of the same",
        ),
        (r#""mtu":65521"#, "nodes.n.routes[0].mtu: 65521 is no MTU of a route: 68 to 65,520 bytes"),
        (
            r#""onlink":true"#,
            "nodes.n.routes[0].onlink: needs dev: nothing else says on which link the next hop is",
        ),
        (
            r#""next_hops":[{"via":"192.0.2.2"}]"#,
            "nodes.n.routes[0].via: next_hops say where the route leads; move it into one of them",
        ),
    ] {
        bad(routes, &route(rest), expected);
    }
    for (text, expected) in [
        (
            r#"{"to":"::/0","via":"2001:db8::2","mtu":1279}"#,
            "nodes.n.routes[0].mtu: 1279 is too small for IPv6, which needs 1280 bytes (RFC 8200)",
        ),
        (
            r#"{"to":"default","dev":"eth0","onlink":true}"#,
            "nodes.n.routes[0].onlink: is said of a next hop: add via, or leave it out",
        ),
        (
            r#"{"to":"default","via":"192.0.2.1","dev":"d1","onlink":true}"#,
            "nodes.n.routes[0].via: gateway 192.0.2.1 is n's own address, on eth0; name the neighbour's",
        ),
    ] {
        bad(routes, text, expected);
    }
}

#[test]
fn several_next_hops() {
    let to = |hops: &str| format!(r#"{{"to":"203.0.113.0/24","next_hops":[{hops}]}}"#);
    for (hops, expected) in [
        (
            r#"{"via":"192.0.2.2"},{"via":"203.0.113.9"}"#,
            "nodes.n.routes[0].next_hops[1].via: gateway 203.0.113.9 is on no link of n: its links have 198.18.0.1/24 (d1), 192.0.2.1/24 (eth0), 2001:db8::1/64 (eth0)",
        ),
        (
            r#"{"via":"192.0.2.2","weight":0},{"via":"192.0.2.3","weight":257}"#,
            "nodes.n.routes[0].next_hops[0].weight: 0 is no weight of a next hop: 1 to 256\nnodes.n.routes[0].next_hops[1].weight: 257 is no weight of a next hop: 1 to 256",
        ),
        (
            r#"{"via":"192.0.2.2"},{"via":"192.0.2.2","dev":"eth0"}"#,
            "nodes.n.routes[0].next_hops[1]: is next_hops[0] again; give that one more weight instead",
        ),
        (
            r#"{"via":"192.0.2.2"},{"dev":"down0"}"#,
            "nodes.n.routes[0].next_hops[1]: leads through down0, which is down; leave out up: false there",
        ),
        (
            r#"{"via":"192.0.2.2"},{}"#,
            "nodes.n.routes[0].next_hops[1]: a route needs via (the next hop) or dev (the interface)",
        ),
    ] {
        bad(routes, &to(hops), expected);
    }
    for (text, expected) in [
        (
            r#"{"to":"2001:db8:1::/48","next_hops":[{"via":"2001:db8::2"},{"dev":"d1"}]}"#,
            "nodes.n.routes[0].next_hops[1]: one of several next hops of IPv6 needs via: the kernel takes none by dev alone",
        ),
        (
            r#"{"to":"2001:db8:1::/48","next_hops":[{"via":"2001:db8::2"},{"via":"192.0.2.2"}]}"#,
            "nodes.n.routes[0].next_hops[1].via: 192.0.2.2 is no next hop for 2001:db8:1::/48, which is of IPv6; name one of IPv6",
        ),
    ] {
        bad(routes, text, expected);
    }
}

/// What is taken, and what becomes of it.
#[test]
fn good() {
    let read = |text: &str| {
        let lab = super::lab(&super::message(&routes(text))).unwrap();
        lab.nodes["n"].routes.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    for (text, expected) in [
        (r#"{"to":"192.0.2.128/25","via":"2001:db8::2"}"#, "192.0.2.128/25 via inet6 2001:db8::2 dev eth0"),
        (r#"{"to":"default","via":"2001:db8::2"}"#, "default (IPv6) via 2001:db8::2 dev eth0"),
        (
            r#"{"to":"default","next_hops":[{"via":"192.0.2.2","weight":2},{"via":"fe80::2","dev":"d1"}]}"#,
            "default nexthop via 192.0.2.2 dev eth0 weight 2 nexthop via inet6 fe80::2 dev d1",
        ),
        (
            r#"{"to":"203.0.113.0/24","next_hops":[{"via":"192.0.2.2","weight":9}],"table":7,"src":"198.18.0.1"}"#,
            "203.0.113.0/24 via 192.0.2.2 dev eth0 src 198.18.0.1 table 7",
        ),
        (
            r#"{"to":"default","via":"203.0.113.1","dev":"d1","onlink":true,"mtu":1400}"#,
            "default via 203.0.113.1 dev d1 onlink mtu 1400",
        ),
        (r#"{"to":"::/0","type":"prohibit","metric":9}"#, "prohibit default (IPv6) metric 9"),
        (r#"{"to":"192.0.2.0/24","dev":"d1","table":7}"#, "192.0.2.0/24 dev d1 table 7"),
    ] {
        assert_eq!(read(text), [expected], "{text}");
    }
    // A gateway that a route without a next hop leads to, whichever stands first.
    let cloud = r#"{"to":"default","via":"203.0.113.1","dev":"d1"},{"to":"203.0.113.1/32","dev":"d1"}"#;
    assert_eq!(read(cloud), ["203.0.113.1/32 dev d1", "default via 203.0.113.1 dev d1"]);
    assert_eq!(read(&cloud.replacen(r#","dev":"d1""#, "", 1)), read(cloud));
}
