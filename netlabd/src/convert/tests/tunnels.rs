//! Tunnels: their ends, what carries them, and what they carry.

use super::{bad, interfaces, lab, message};
use crate::{model::Place, plan::Target};

/// A node `n` with `eth0` (`192.0.2.1/24`, `2001:db8::1/64`, MTU 9000) and more interfaces, and routes.
fn tunnels(rest: &str) -> String {
    let (more, routes) = rest.split_once("ROUTES").unwrap_or((rest, ""));
    format!(
        r#"{{"name":"x","nodes":{{"n":{{"interfaces":{{
            "eth0":{{"dummy":{{}},"mtu":9000,"addresses":["192.0.2.1/24","2001:db8::1/64"]}},{more}}},
            "routes":[{routes}]}}}}}}"#
    )
}

fn faults(text: &str, expected: &str) {
    bad(tunnels, text, expected);
}

/// The MTU of an interface of the node.
fn mtu(text: &str, name: &str) -> Option<u32> {
    let lab = lab(&message(&tunnels(text))).unwrap_or_else(|faults| panic!("{faults}"));
    let target = Target::new(&lab, "uid");
    target.places[&Place::Node("n".parse().unwrap())].links[name].mtu
}

#[test]
fn the_way_to_the_other_end_decides_the_mtu() {
    let plain = |kind: &str, remote: &str| format!(r#""t":{{"{kind}":{{"remote":"{remote}"}}}}"#);
    for (kind, remote, overhead) in [
        ("gre", "192.0.2.9", 24),
        ("gretap", "192.0.2.9", 38),
        ("ipip", "192.0.2.9", 20),
        ("sit", "192.0.2.9", 20),
        ("ip6gre", "2001:db8::9", 44),
        ("ip6tnl", "2001:db8::9", 40),
    ] {
        assert_eq!(mtu(&plain(kind, remote), "t"), Some(9000 - overhead), "{kind}");
        let elsewhere = if remote.contains(':') { "2001:db8:9::9" } else { "203.0.113.9" };
        assert_eq!(mtu(&plain(kind, elsewhere), "t"), Some(1500 - overhead), "{kind}");
        let route = format!(r#"ROUTES{{"to":"default","via":"{remote}"}}"#);
        assert_eq!(mtu(&(plain(kind, elsewhere) + &route), "t"), Some(9000 - overhead), "{kind}");
    }
    let geneve = |remote: &str| format!(r#""t":{{"geneve":{{"vni":1,"remote":"{remote}"}}}}"#);
    assert_eq!(mtu(&geneve("192.0.2.9"), "t"), Some(8950));
    assert_eq!(mtu(&geneve("2001:db8::9"), "t"), Some(8930));
    let keyed = r#""t":{"gre":{"remote":"192.0.2.9","key":0}}"#;
    assert_eq!(mtu(keyed, "t"), Some(8972));
    // A tunnel in a tunnel.
    let nested = r#""t":{"gre":{"remote":"192.0.2.9"},"addresses":["10.0.0.1/30"]},"u":{"ipip":{"remote":"10.0.0.2"}}"#;
    assert_eq!(mtu(nested, "u"), Some(9000 - 24 - 20));
    // One whose interface is down leads nowhere.
    let down = r#""d":{"dummy":{},"mtu":2000,"up":false,"addresses":["198.51.100.1/24"]},"t":{"ipip":{"remote":"198.51.100.9"}}"#;
    assert_eq!(mtu(down, "t"), Some(1480));
}

/// A bridge that carries one of its ports has the MTU of its other ports.
#[test]
fn a_port_may_be_carried_by_its_bridge() {
    let bridge = r#""br0":{"bridge":{},"addresses":["198.51.100.1/24"]},"p":{"dummy":{},"mtu":1600,"port":{"bridge":"br0"}}"#;
    let tap = r#","t":{"gretap":{"remote":"198.51.100.9"},"port":{"bridge":"br0"}}"#;
    let text = format!("{bridge}{tap}");
    assert_eq!((mtu(&text, "t"), mtu(&text, "br0")), (Some(1462), Some(1462)));
}

#[test]
fn tunnels_that_lead_through_themselves() {
    faults(
        r#""t":{"gre":{"remote":"192.0.2.1"}}"#,
        "nodes.n.interfaces.t.gre.remote: 192.0.2.1 is n's own address, on eth0: the tunnel would end where it begins; \
         give the other end's",
    );
    faults(
        r#""t":{"gre":{"remote":"10.0.0.2"},"addresses":["10.0.0.1/30"]}"#,
        "nodes.n.interfaces.t.gre.remote: 10.0.0.2 is reached by t itself: the tunnel would carry its own packets; give n \
         a route to 10.0.0.2 through another interface",
    );
    faults(
        r#""t":{"gre":{"remote":"10.0.1.2"},"addresses":["10.0.0.1/30"]},"u":{"ipip":{"remote":"10.0.0.2"},"addresses":["10.0.1.1/30"]}"#,
        "nodes.n.interfaces.t.gre.remote: 10.0.1.2 is reached by u, and by t itself: the tunnel would carry its own \
         packets; give n a route to 10.0.1.2 through another interface",
    );
    // A route that is longer than the tunnel's own subnet leads elsewhere.
    let text = r#""t":{"gre":{"remote":"10.0.0.2"},"addresses":["10.0.0.1/30"]}ROUTES{"to":"10.0.0.2/32","via":"192.0.2.9"}"#;
    assert_eq!(mtu(text, "t"), Some(8976));
}

#[test]
fn ends_of_tunnels() {
    for (text, expected) in [
        (r#""t":{"gre":{}}"#, "t.gre.remote: is missing: give the address of the tunnel's other end"),
        (
            r#""t":{"gre":{"remote":"2001:db8::9"}}"#,
            "t.gre.remote: 2001:db8::9 is no IPv4 address, as gre needs; ip6gre is GRE over IPv6",
        ),
        (
            r#""t":{"ip6tnl":{"remote":"2001:db8::9","local":"192.0.2.1"}}"#,
            "t.ip6tnl.local: 192.0.2.1 is no IPv6 address, as ip6tnl needs; ipip and sit tunnel over IPv4",
        ),
        (
            r#""t":{"sit":{"remote":"192.0.2.9","local":"192.0.2.9"}}"#,
            "t.sit.remote: 192.0.2.9 is local too: a tunnel has two ends; change one",
        ),
        (
            r#""t":{"ip6gre":{"remote":"fe80::1"}}"#,
            "t.ip6gre.remote: fe80::1 is link-local, so it is on every link; give another address of the other end",
        ),
        (
            r#""t":{"ipip":{"remote":"239.1.1.1"}}"#,
            r#"t.ipip.remote: "239.1.1.1" is a multicast address, not a host's"#,
        ),
        (r#""t":{"ipip":{"remote":"192.0.2.9","ttl":0}}"#, "t.ipip.ttl: 0 is not a time to live: 1 to 255"),
        (
            r#""t":{"gre":{"remote":"192.0.2.9"}},"u":{"gre":{"remote":"192.0.2.9"}}"#,
            "u.gre.remote: t leads to 192.0.2.9 already; change one",
        ),
        (
            r#""t":{"gre":{"remote":"192.0.2.9","key":1}},"u":{"gre":{"remote":"192.0.2.9","key":1}}"#,
            "u.gre.remote: t leads to 192.0.2.9 with key 1 already; change one",
        ),
    ] {
        faults(text, &format!("nodes.n.interfaces.{expected}"));
    }
    let apart = r#""t":{"gre":{"remote":"192.0.2.9"}},"u":{"gre":{"remote":"192.0.2.9","key":1}},"v":{"gretap":{"remote":"192.0.2.9"}}"#;
    assert_eq!(mtu(apart, "u"), Some(8972));
}

#[test]
fn what_tunnels_carry() {
    for (text, expected) in [
        (
            r#""t":{"ipip":{"remote":"192.0.2.9"},"addresses":["2001:db8:9::1/64"]}"#,
            "t.addresses[0]: 2001:db8:9::1/64 is on a ipip tunnel, which carries no IPv6 packets; gre, ip6gre and ip6tnl \
             carry both versions",
        ),
        (
            r#""t":{"sit":{"remote":"192.0.2.9"},"addresses":["10.0.0.1/30"]}"#,
            "t.addresses[0]: 10.0.0.1/30 is on a sit tunnel, which carries no IPv4 packets; gre, ip6gre and ip6tnl carry \
             both versions",
        ),
        (
            r#""t":{"gre":{"remote":"192.0.2.9"},"mac":"02:00:00:00:00:01"}"#,
            "t.mac: a gre tunnel carries no Ethernet frames and has no MAC address; leave it out",
        ),
        (
            r#""br0":{"bridge":{}},"t":{"gre":{"remote":"192.0.2.9"},"port":{"bridge":"br0"}}"#,
            "t.port: a gre tunnel carries no Ethernet frames, so that it is no port of a bridge; gretap, geneve and vxlan do",
        ),
        (
            r#""t":{"gre":{"remote":"192.0.2.9"}},"v":{"vlan":{"parent":"t","id":5}}"#,
            "v.vlan.parent: t is a gre tunnel, which carries no Ethernet frames; name another one",
        ),
        (
            r#""t":{"gre":{"remote":"192.0.2.9"},"mtu":8977}"#,
            "t.mtu: 8977 does not fit: eth0, less 24 bytes for GRE, has room for 8976; lower it",
        ),
        (
            r#""t":{"sit":{"remote":"192.0.2.9"},"mtu":1279}"#,
            "t.mtu: 1279 is too small: a sit tunnel needs at least 1280",
        ),
    ] {
        faults(text, &format!("nodes.n.interfaces.{expected}"));
    }
    // VXLAN's packets are IP.
    let text = r#""t":{"gre":{"remote":"192.0.2.9"}},"v":{"vxlan":{"vni":5,"dev":"t"}}"#;
    assert_eq!(mtu(text, "v"), Some(8976 - 50));
}

#[test]
fn fallback_devices_have_their_names_for_themselves() {
    let text = r#""sit0":{"sit":{"remote":"192.0.2.9"}}"#;
    let faults = lab(&message(&interfaces(text))).unwrap_err().to_string();
    assert!(faults.starts_with("nodes.n.interfaces.sit0: "), "{faults}");
}
