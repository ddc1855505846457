//! Interfaces by themselves, their kinds and ports.

use super::{bad, host, interfaces, lab, message, without_kind};

#[test]
fn names() {
    for (text, expected) in [
        (
            r#""0123456789abcdef":{"dummy":{}}"#,
            r#"nodes.n.interfaces.0123456789abcdef: "0123456789abcdef" has 16 bytes; the kernel takes at most 15"#,
        ),
        (
            r#""a:b":{"dummy":{}}"#,
            r#"nodes.n.interfaces["a:b"]: "a:b" may not hold white space, '/', ':', '%' or control characters"#,
        ),
        (
            r#""all":{"dummy":{}}"#,
            r#"nodes.n.interfaces.all: "all" is not a name that an interface can have"#,
        ),
    ] {
        bad(interfaces, text, expected);
    }
}

#[test]
fn mtus() {
    for (text, expected) in [
        (r#""d0":{"dummy":{},"mtu":67}"#, "nodes.n.interfaces.d0.mtu: 67 is not an MTU: 68 to 65,535 bytes"),
        (
            r#""d0":{"dummy":{},"mtu":65536}"#,
            "nodes.n.interfaces.d0.mtu: 65536 is not an MTU: 68 to 65,535 bytes",
        ),
        (
            r#""d0":{"dummy":{},"mtu":1279,"addresses":["2001:db8::1/64"]}"#,
            "nodes.n.interfaces.d0.mtu: 1279 is too small: IPv6 addresses need at least 1280",
        ),
    ] {
        bad(interfaces, text, expected);
    }
}

#[test]
fn macs() {
    for (text, expected) in [
        (
            r#""d0":{"dummy":{},"mac":"03:00:00:00:00:01"}"#,
            r#"nodes.n.interfaces.d0.mac: "03:00:00:00:00:01" is a multicast address; an interface needs a unicast one"#,
        ),
        (
            r#""d0":{"dummy":{},"mac":"00:00:00:00:00:00"}"#,
            r#"nodes.n.interfaces.d0.mac: "00:00:00:00:00:00" is all zeros"#,
        ),
        (
            r#""d0":{"dummy":{},"mac":"2:0:0:0:0:1"}"#,
            r#"nodes.n.interfaces.d0.mac: "2:0:0:0:0:1" is not a MAC address such as 02:00:00:00:00:01"#,
        ),
    ] {
        bad(interfaces, text, expected);
    }
}

#[test]
fn loopback() {
    let text = r#""lo":{"mtu":1500,"mac":"02:00:00:00:00:01","up":false,"port":{"bridge":"br0"},"dummy":{}}"#;
    bad(
        interfaces,
        text,
        r#"nodes.n.interfaces.lo.mtu: "lo" is there and up in every node; only addresses may be added to it
nodes.n.interfaces.lo.mac: "lo" is there and up in every node; only addresses may be added to it
nodes.n.interfaces.lo.up: "lo" is there and up in every node; only addresses may be added to it
nodes.n.interfaces.lo.port: "lo" is there and up in every node; only addresses may be added to it
nodes.n.interfaces.lo.dummy: "lo" is the loopback interface and can be no other kind"#,
    );
}

#[test]
fn kinds_of_the_host() {
    for (text, expected) in [
        (r#""lo":{}"#, r#"host.interfaces.lo: "lo" of the host is not the lab's; use a dummy interface"#),
        (
            r#""vx0":{"vxlan":{"vni":1,"remote":"192.0.2.9"}}"#,
            "host.interfaces.vx0.vxlan: a VXLAN on the host would let the lab send from the host's addresses; put it in a node",
        ),
        (
            r#""mv0":{"macvlan":{"parent":"eth9"}}"#,
            "host.interfaces.mv0.macvlan: a macvlan on the host would give the lab a place in the host's own network; put it in a node",
        ),
    ] {
        bad(host, text, expected);
    }
}

#[test]
fn no_kind() {
    let text = r#""p9":{}"#;
    bad(interfaces, text, &format!("nodes.n.interfaces.p9: n:p9 {}", without_kind()));
}

#[test]
fn vlans() {
    for (text, expected) in [
        (
            r#""v0":{"vlan":{"id":100}}"#,
            "nodes.n.interfaces.v0.vlan.parent: is missing: name the interface that carries the VLAN",
        ),
        (
            r#""v0":{"vlan":{"parent":"eth0","id":0}}"#,
            "nodes.n.interfaces.v0.vlan.id: 0 is not a VLAN: 1 to 4094 (IEEE 802.1Q reserves 0 and 4095)",
        ),
        (
            r#""v0":{"vlan":{"parent":"eth0","id":4095}}"#,
            "nodes.n.interfaces.v0.vlan.id: 4095 is not a VLAN: 1 to 4094 (IEEE 802.1Q reserves 0 and 4095)",
        ),
        (
            r#""v0":{"vlan":{"parent":"eth1","id":5}}"#,
            r#"nodes.n.interfaces.v0.vlan.parent: n has no interface "eth1"; did you mean "eth0"?"#,
        ),
        (
            r#""v0":{"vlan":{"parent":"lo","id":5}}"#,
            r#"nodes.n.interfaces.v0.vlan.parent: "lo" cannot carry another interface; name another one"#,
        ),
        (
            r#""v0":{"vlan":{"parent":"eth0","id":5}},"v1":{"vlan":{"parent":"eth0","id":5}}"#,
            "nodes.n.interfaces.v1.vlan.id: v0 is VLAN 5 on eth0 already; give each its own id or parent",
        ),
        (
            r#""v0":{"vlan":{"parent":"eth0","id":5},"mtu":1501}"#,
            "nodes.n.interfaces.v0.mtu: 1501 does not fit: the parent eth0 has room for 1500; lower it",
        ),
    ] {
        bad(interfaces, text, expected);
    }
}

#[test]
fn vxlans() {
    for (text, expected) in [
        (
            r#""x":{"vxlan":{"remote":"192.0.2.9"}}"#,
            "nodes.n.interfaces.x.vxlan.vni: is missing: give the VXLAN network identifier, 0 to 16,777,215",
        ),
        (
            r#""x":{"vxlan":{"vni":16777216,"remote":"192.0.2.9"}}"#,
            "nodes.n.interfaces.x.vxlan.vni: 16777216 is not a VXLAN network identifier: 0 to 16,777,215 (24 bits)",
        ),
        (
            r#""x":{"vxlan":{"vni":1,"remote":"192.0.2"}}"#,
            r#"nodes.n.interfaces.x.vxlan.remote: "192.0.2" is not an IP address"#,
        ),
        (
            r#""x":{"vxlan":{"vni":1,"remote":"192.0.2.9/24"}}"#,
            r#"nodes.n.interfaces.x.vxlan.remote: "192.0.2.9/24" must be an address without prefix length; write 192.0.2.9"#,
        ),
        (
            r#""x":{"vxlan":{"vni":1,"remote":"0.0.0.0"}}"#,
            "nodes.n.interfaces.x.vxlan.remote: is the unspecified address; name the other end, or leave it out",
        ),
        (
            r#""x":{"vxlan":{"vni":1,"remote":"::ffff:192.0.2.9"}}"#,
            r#"nodes.n.interfaces.x.vxlan.remote: "::ffff:192.0.2.9" is an IPv4-mapped address; write 192.0.2.9"#,
        ),
        (
            r#""x":{"vxlan":{"vni":1,"remote":"239.1.1.1"}}"#,
            "nodes.n.interfaces.x.vxlan.dev: is missing: the group 239.1.1.1 is joined on an interface; name it",
        ),
        (
            r#""x":{"vxlan":{"vni":1,"remote":"192.0.2.9","local":"2001:db8::1"}}"#,
            "nodes.n.interfaces.x.vxlan.local: 2001:db8::1 and the remote 192.0.2.9 are of different families; use IPv4 or IPv6 for both",
        ),
        (
            r#""x":{"vxlan":{"vni":1,"remote":"fe80::1","local":"2001:db8::1","dev":"eth0"}}"#,
            "nodes.n.interfaces.x.vxlan.local: 2001:db8::1 and the remote fe80::1 must be both link-local or neither",
        ),
        (
            r#""x":{"vxlan":{"vni":1,"remote":"192.0.2.9","local":"239.1.1.1"}}"#,
            r#"nodes.n.interfaces.x.vxlan.local: "239.1.1.1" is a multicast address, not a host's"#,
        ),
        (
            r#""x":{"vxlan":{"vni":1,"remote":"192.0.2.9","port":0}}"#,
            "nodes.n.interfaces.x.vxlan.port: 0 is not a port: 1 to 65,535",
        ),
        (
            r#""x":{"vxlan":{"vni":1,"remote":"192.0.2.9","port":65536}}"#,
            "nodes.n.interfaces.x.vxlan.port: 65536 is not a port: 1 to 65,535",
        ),
    ] {
        bad(interfaces, text, expected);
    }
}

#[test]
fn tunnels() {
    for (text, expected) in [
        (
            r#""x":{"vxlan":{"vni":1,"remote":"192.0.2.9","dev":"eht0"}}"#,
            r#"nodes.n.interfaces.x.vxlan.dev: n has no interface "eht0"; did you mean "eth0"?"#,
        ),
        (
            r#""x":{"vxlan":{"vni":1,"remote":"192.0.2.9","dev":"x"}}"#,
            "nodes.n.interfaces.x: stands on itself: x on x; break the loop",
        ),
        (
            r#""x":{"vxlan":{"vni":1,"remote":"192.0.2.9","dev":"eth0"}},"y":{"vxlan":{"vni":1,"remote":"192.0.2.8"}}"#,
            "nodes.n.interfaces.y.vxlan.vni: x has VNI 1 at port 4789 already; change one",
        ),
        (
            r#""x":{"vxlan":{"vni":1,"remote":"192.0.2.9","dev":"eth0"},"mtu":1451}"#,
            "nodes.n.interfaces.x.mtu: 1451 does not fit: eth0, less 50 bytes for VXLAN, has room for 1450; lower it",
        ),
        (
            r#""x":{"vxlan":{"vni":1,"remote":"2001:db8::9","dev":"eth0"},"mtu":1431}"#,
            "nodes.n.interfaces.x.mtu: 1431 does not fit: eth0, less 70 bytes for VXLAN, has room for 1430; lower it",
        ),
        (
            r#""eth0":{"mtu":1300},"x":{"vxlan":{"vni":1,"remote":"192.0.2.9","dev":"eth0"},"addresses":["2001:db8::1/64"]}"#,
            "nodes.n.interfaces.x: gets an MTU of 1250 from below, but IPv6 addresses need at least 1280; raise the one below",
        ),
    ] {
        bad(interfaces, text, expected);
    }
}

#[test]
fn macvlans() {
    for (text, expected) in [
        (
            r#""mv0":{"macvlan":{}}"#,
            "nodes.n.interfaces.mv0.macvlan.parent: is missing: name an interface of the host, or by dev one of the node",
        ),
        (
            r#""mv0":{"macvlan":{"parent":"lo"}}"#,
            r#"nodes.n.interfaces.mv0.macvlan.parent: "lo" carries no Ethernet; name another interface of the host"#,
        ),
        (
            r#""mv0":{"macvlan":{"parent":"eth9","mode":"source"}}"#,
            r#"nodes.n.interfaces.mv0.macvlan.mode: "source" is not a macvlan mode: bridge, private, vepa or passthru"#,
        ),
        (
            r#""mv0":{"macvlan":{"parent":"eth9","mode":"passthru"}},"mv1":{"macvlan":{"parent":"eth9"}}"#,
            "nodes.n.interfaces.mv0.macvlan.mode: passthru takes eth9 for itself, but n:mv1 is on it too; use another mode",
        ),
        (
            r#""mv0":{"macvlan":{"parent":"eth9"},"mac":"02:00:00:00:00:01"},"mv1":{"macvlan":{"parent":"eth9"},"mac":"02:00:00:00:00:01"}"#,
            "nodes.n.interfaces.mv1.mac: 02:00:00:00:00:01 is that of n:mv0 on the same parent already; change one",
        ),
    ] {
        bad(interfaces, text, expected);
    }
}

#[test]
fn ports_of_nothing() {
    let expected = format!(
        "nodes.n.interfaces.p: n:p {}\nnodes.n.interfaces.eth0.port.bridge: \"p\" is not a bridge; name a bridge",
        without_kind()
    );
    bad(interfaces, r#""eth0":{"port":{"bridge":"p"}},"p":{}"#, &expected);
}

#[test]
fn ports() {
    for (text, expected) in [
        (
            r#""eth0":{"port":{}}"#,
            "nodes.n.interfaces.eth0.port.bridge: is missing: name a bridge of the same node, on the host any that is there",
        ),
        (
            r#""eth0":{"port":{"bridge":"br1"}},"br0":{"bridge":{}}"#,
            r#"nodes.n.interfaces.eth0.port.bridge: n has no interface "br1"; did you mean "br0"?"#,
        ),
        (
            r#""eth0":{"port":{"bridge":"d0"}},"d0":{"dummy":{}}"#,
            r#"nodes.n.interfaces.eth0.port.bridge: "d0" is a dummy interface, not a bridge; name a bridge"#,
        ),
        (
            r#""br0":{"bridge":{},"port":{"bridge":"br1"}},"br1":{"bridge":{}}"#,
            "nodes.n.interfaces.br0.port: a bridge cannot be a port of a bridge; join two bridges by a link",
        ),
        (
            r#""eth0":{"port":{"bridge":"br0","access":100}},"br0":{"bridge":{}}"#,
            r#"nodes.n.interfaces.eth0.port.access: VLANs of a port need a bridge that filters them; set vlan_filtering: true on "br0""#,
        ),
        (
            r#""eth0":{"port":{"bridge":"br0","trunk":[100]}},"br0":{"bridge":{}}"#,
            r#"nodes.n.interfaces.eth0.port.trunk: VLANs of a port need a bridge that filters them; set vlan_filtering: true on "br0""#,
        ),
        (
            r#""eth0":{"port":{"bridge":"br0","access":0}},"br0":{"bridge":{"vlan_filtering":true}}"#,
            "nodes.n.interfaces.eth0.port.access: 0 is not a VLAN: 1 to 4094 (IEEE 802.1Q reserves 0 and 4095)",
        ),
        (
            r#""eth0":{"port":{"bridge":"br0","access":4095}},"br0":{"bridge":{"vlan_filtering":true}}"#,
            "nodes.n.interfaces.eth0.port.access: 4095 is not a VLAN: 1 to 4094 (IEEE 802.1Q reserves 0 and 4095)",
        ),
        (
            r#""eth0":{"port":{"bridge":"br0","access":100,"trunk":[200]}},"br0":{"bridge":{"vlan_filtering":true}}"#,
            "nodes.n.interfaces.eth0.port: a port is an access or a trunk port; give either access or trunk",
        ),
        (
            r#""eth0":{"port":{"bridge":"br0","native":1}},"br0":{"bridge":{"vlan_filtering":true}}"#,
            "nodes.n.interfaces.eth0.port.native: native is the untagged VLAN of a trunk port; add trunk, or use access instead",
        ),
        (
            r#""eth0":{"port":{"bridge":"br0","access":100,"native":1}},"br0":{"bridge":{"vlan_filtering":true}}"#,
            "nodes.n.interfaces.eth0.port.native: native is the untagged VLAN of a trunk port; leave it out",
        ),
        (
            r#""eth0":{"port":{"bridge":"br0","trunk":[100,100]}},"br0":{"bridge":{"vlan_filtering":true}}"#,
            "nodes.n.interfaces.eth0.port.trunk[1]: VLAN 100 is listed twice; once is enough",
        ),
        (
            r#""eth0":{"port":{"bridge":"br0","trunk":[100,5000]}},"br0":{"bridge":{"vlan_filtering":true}}"#,
            "nodes.n.interfaces.eth0.port.trunk[1]: 5000 is not a VLAN: 1 to 4094 (IEEE 802.1Q reserves 0 and 4095)",
        ),
        (
            r#""eth0":{"port":{"bridge":"br0","trunk":[100],"native":100}},"br0":{"bridge":{"vlan_filtering":true}}"#,
            "nodes.n.interfaces.eth0.port.native: VLAN 100 cannot be tagged and untagged at once; take it out of trunk or of native",
        ),
        (
            r#""eth0":{"port":{"bridge":"br0","trunk":[100],"native":0}},"br0":{"bridge":{"vlan_filtering":true}}"#,
            "nodes.n.interfaces.eth0.port.native: 0 is not a VLAN: 1 to 4094 (IEEE 802.1Q reserves 0 and 4095)",
        ),
    ] {
        bad(interfaces, text, expected);
    }
}

#[test]
fn loops() {
    for (text, expected) in [
        (
            r#""a":{"vlan":{"parent":"b","id":1}},"b":{"vlan":{"parent":"a","id":1}}"#,
            "nodes.n.interfaces.a: stands on itself: a on b on a; break the loop",
        ),
        (
            r#""br0":{"bridge":{}},"p":{"vlan":{"parent":"br0","id":1},"port":{"bridge":"br0"}}"#,
            "nodes.n.interfaces.br0: stands on itself: br0 on p on br0; break the loop",
        ),
        (
            r#""x":{"vxlan":{"vni":1,"remote":"192.0.2.9","dev":"y"}},"y":{"vxlan":{"vni":2,"remote":"192.0.2.9","dev":"x"}}"#,
            "nodes.n.interfaces.x: stands on itself: x on y on x; break the loop",
        ),
        (
            r#""v1":{"vlan":{"parent":"eth0","id":1}},"v2":{"vlan":{"parent":"v1","id":1}},"v3":{"vlan":{"parent":"v2","id":1}},"v4":{"vlan":{"parent":"v3","id":1}},"v5":{"vlan":{"parent":"v4","id":1}},"v6":{"vlan":{"parent":"v5","id":1}},"v7":{"vlan":{"parent":"v6","id":1}},"v8":{"vlan":{"parent":"v7","id":1}}"#,
            "nodes.n.interfaces.v8: stands on 8 others; the kernel allows 8 levels in all",
        ),
    ] {
        bad(interfaces, text, expected);
    }
}

#[test]
fn a_kind_at_fault_hides_nothing_of_what_it_stands_on() {
    for (text, expected) in [
        (
            r#""vx0":{"vxlan":{"vni":99999999,"dev":"ethX"}}"#,
            r#"nodes.n.interfaces.vx0.vxlan.vni: 99999999 is not a VXLAN network identifier: 0 to 16,777,215 (24 bits)
nodes.n.interfaces.vx0.vxlan.dev: n has no interface "ethX"; did you mean "eth0"?"#,
        ),
        (
            r#""v0":{"vlan":{"id":5000,"parent":"ethX"}}"#,
            r#"nodes.n.interfaces.v0.vlan.id: 5000 is not a VLAN: 1 to 4094 (IEEE 802.1Q reserves 0 and 4095)
nodes.n.interfaces.v0.vlan.parent: n has no interface "ethX"; did you mean "eth0"?"#,
        ),
        (
            r#""v0":{"vlan":{"parent":"lo"}}"#,
            r#"nodes.n.interfaces.v0.vlan.id: 0 is not a VLAN: 1 to 4094 (IEEE 802.1Q reserves 0 and 4095)
nodes.n.interfaces.v0.vlan.parent: "lo" cannot carry another interface; name another one"#,
        ),
    ] {
        bad(interfaces, text, expected);
    }
}

#[test]
fn settings() {
    let path = "nodes.n.interfaces.eth0";
    for (text, expected) in [
        (r#""txqueuelen":2000000"#, ".txqueuelen: 2000000 is not how many packets may wait: 0 to 1,000,000"),
        (
            r#""proxy_arp":true"#,
            ".proxy_arp: n would get packets of others and drop them; set its forwarding to true",
        ),
        (r#""addresses":["slaac","slaac"]"#, r#".addresses[1]: "slaac" stands here already"#),
        (
            r#""addresses":["slaac"],"accept_ra":false"#,
            ".accept_ra: addresses has slaac, which needs advertisements; leave one of both out",
        ),
    ] {
        bad(interfaces, &format!(r#""eth0":{{{text}}}"#), &format!("{path}{expected}"));
    }
    bad(
        interfaces,
        r#""lo":{"addresses":["slaac"]}"#,
        r#"nodes.n.interfaces.lo.addresses[0]: nothing is advertised on "lo"; leave it out"#,
    );
    bad(
        host,
        r#""d":{"dummy":{},"addresses":["slaac"],"accept_ra":true}"#,
        "host.interfaces.d.addresses[0]: the host learns nothing from a lab, no addresses by advertisements either; give it \
         one\nhost.interfaces.d.accept_ra: is for nodes: the host hears no advertisements of a lab, and answers for nobody; \
         leave it out",
    );
    let twice = |node: &str| {
        format!(
            r#"{{"name":"x","nodes":{{"n":{{"forwarding":true,{node}}},"m":{{}}}},"links":[{{"endpoints":["n:eth0","m:eth0"]}}]}}"#
        )
    };
    let text = r#""interfaces":{"eth0":{"proxy_arp":true}},"sysctls":{"net.ipv4.conf.eth0.proxy_arp":"0"}"#;
    let faults = lab(&message(&twice(text))).unwrap_err().to_string();
    assert!(faults.ends_with("is set by proxy_arp of interface eth0; leave one of both out"), "{faults}");
}

#[test]
fn geneves() {
    for (text, expected) in [
        (
            r#""g":{"geneve":{"remote":"192.0.2.9"}}"#,
            "nodes.n.interfaces.g.geneve.vni: is missing: give the GENEVE network identifier, 0 to 16,777,215",
        ),
        (
            r#""g":{"geneve":{"vni":1}}"#,
            "nodes.n.interfaces.g.geneve.remote: is missing: give the address of the tunnel's other end",
        ),
        (
            r#""g":{"geneve":{"vni":1,"remote":"239.1.1.1"}}"#,
            r#"nodes.n.interfaces.g.geneve.remote: "239.1.1.1" is a multicast address, not a host's"#,
        ),
        (
            r#""g":{"geneve":{"vni":1,"remote":"fe80::1"}}"#,
            "nodes.n.interfaces.g.geneve.remote: fe80::1 is link-local, so it is on every link; give another address of the other end",
        ),
        (
            r#""g":{"geneve":{"vni":1,"remote":"192.0.2.9","ttl":256}}"#,
            "nodes.n.interfaces.g.geneve.ttl: 256 is not a time to live: 1 to 255",
        ),
        (
            r#""g":{"geneve":{"vni":1,"remote":"192.0.2.9"}},"h":{"geneve":{"vni":1,"remote":"192.0.2.9","port":6081}}"#,
            "nodes.n.interfaces.h.geneve.vni: g has VNI 1 at port 6081 to 192.0.2.9 already; change one",
        ),
    ] {
        bad(interfaces, text, expected);
    }
    let text = r#""g":{"geneve":{"vni":1,"remote":"192.0.2.9"}}"#;
    bad(
        host,
        text,
        "host.interfaces.g.geneve: a tunnel on the host would let the lab send from the host's addresses; put it in a node",
    );
}
