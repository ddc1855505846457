//! Links and the interfaces at their ends.

use super::{bad, lab_fields, links};

#[test]
fn names() {
    for (text, expected) in [
        (r#""name":"No""#, r#"name: "No" may hold only a-z, 0-9 and '-'"#),
        (r#""name":"x","nodes":{"host":{}}"#, r#"nodes.host: "host" is reserved for the host itself"#),
        (r#""name":"x","nodes":{"a_b":{}}"#, r#"nodes.a_b: "a_b" may hold only a-z, 0-9 and '-'"#),
    ] {
        bad(lab_fields, text, expected);
    }
}

#[test]
fn end_points() {
    for (text, expected) in [
        (
            "{}",
            "links[0].endpoints: a link has two end points, not 0; name the interface at either end of the cable",
        ),
        (
            r#"{"endpoints":["a:eth0"]}"#,
            "links[0].endpoints: a link has two end points, not 1; name the interface at either end of the cable",
        ),
        (
            r#"{"endpoints":["a:eth0","b:eth0","a:eth1"]}"#,
            "links[0].endpoints: a link is a cable with two end points, not 3; join more by networks, or by a bridge in a node of its own and a link to each",
        ),
        (
            r#"{"endpoints":["a","b:eth0"]}"#,
            r#"links[0].endpoints[0]: "a" is not node:interface, such as ns1:eth0"#,
        ),
        (
            r#"{"endpoints":["A:eth0","b:eth0"]}"#,
            r#"links[0].endpoints[0]: "A:eth0" is not node:interface: the node's name may hold only a-z, 0-9 and '-'"#,
        ),
        (
            r#"{"endpoints":["a:","b:eth0"]}"#,
            r#"links[0].endpoints[0]: "a:" is not node:interface: the interface's name is empty"#,
        ),
        (r#"{"endpoints":["a:eth0","c:eth0"]}"#, r#"links[0].endpoints[1]: the lab has no node "c""#),
        (
            r#"{"endpoints":["a:eth0","node-bb:eth0"]}"#,
            r#"links[0].endpoints[1]: the lab has no node "node-bb"; did you mean "node-b"?"#,
        ),
        (
            r#"{"endpoints":["a:eth0","node-b:lo"]}"#,
            r#"links[0].endpoints[1]: "node-b:lo" cannot be the end of a link"#,
        ),
        (
            r#"{"endpoints":["a:eth0","a:eth0"]}"#,
            r#"links[0].endpoints[1]: "a:eth0" is both ends of this link; a link joins two interfaces"#,
        ),
        (
            r#"{"endpoints":["a:eth0","b:eth0"]},{"endpoints":["b:eth1","a:eth0"]}"#,
            r#"links[1].endpoints[1]: "a:eth0" is already an end of links[0].endpoints[0]; each interface has one link"#,
        ),
        (
            r#"{"endpoints":["a:d0","b:eth0"]}"#,
            r#"links[0].endpoints[0]: "a:d0" is of kind dummy already and cannot be the end of a link; use another name or leave out the kind"#,
        ),
    ] {
        bad(links, text, expected);
    }
}

#[test]
fn equal_macs() {
    let text = r#""name":"x","nodes":{"a":{"interfaces":{"eth0":{"mac":"02:00:00:00:00:01"}}},"b":{"interfaces":{"eth0":{"mac":"02:00:00:00:00:01"}}}},"links":[{"endpoints":["a:eth0","b:eth0"]}]"#;
    bad(
        lab_fields,
        text,
        "nodes.b.interfaces.eth0.mac: 02:00:00:00:00:01 is that of a:eth0 at the other end of the link too; change one",
    );
}

#[test]
fn wrong_node_of_an_end() {
    let text = r#""name":"x","nodes":{"ns1":{},"router":{},"ns2":{"interfaces":{"ns2-veth0":{"addresses":["203.0.113.1/24"]}},"routes":[{"to":"default","via":"203.0.113.254"}]}},"links":[{"endpoints":["ns1:ns1-veth0","router:gw-veth0"]},{"endpoints":["router:ns2-veth0","router:gw-veth1"]}]"#;
    bad(
        lab_fields,
        text,
        r#"nodes.ns2.interfaces.ns2-veth0: ns2:ns2-veth0 has no kind and no link names it: links[1].endpoints[0] is "router:ns2-veth0"; did you mean "ns2:ns2-veth0" there?"#,
    );
}

#[test]
fn port_as_macvlan_parent() {
    let text = r#""name":"x","nodes":{"a":{"interfaces":{"mv0":{"macvlan":{"parent":"p0"}}}}},"host":{"interfaces":{"br0":{"bridge":{}},"p0":{"dummy":{},"port":{"bridge":"br0"}}}}"#;
    bad(
        lab_fields,
        text,
        r#"nodes.a.interfaces.mv0.macvlan.parent: the host's "p0" is a port of a bridge; name the bridge"#,
    );
}

/// One slip of each sort, all found at once and in order.
#[test]
fn all_at_once() {
    let text = r#""name":"X","nodes":{
        "a":{"interfaces":{"eth0":{"addresses":["192.0.2.1","192.0.2.2/24"],"mtu":9}},"routes":[{"to":"default","via":"192.0.2.2"}]},
        "b":{"sysctls":{"net.ipv4.ip_forward":"1"}}},
        "links":[{"endpoints":["a:eth0","bb:eth0"]}],"checks":[{"from":"c-node","to":"a"}]"#;
    let expected = r#"name: "X" may hold only a-z, 0-9 and '-'
nodes.a.interfaces.eth0.addresses[0]: "192.0.2.1" has no prefix length; write 192.0.2.1/24
nodes.a.interfaces.eth0.mtu: 9 is not an MTU: 68 to 65,535 bytes
links[0].endpoints[1]: the lab has no node "bb"
nodes.a.routes[0].via: gateway 192.0.2.2 is a's own address, on eth0; name the neighbour's
nodes.b.sysctls["net.ipv4.ip_forward"]: "net.ipv4.ip_forward" is set by the node's field forwarding; use that
checks[0].from: the lab has no node "c-node""#;
    bad(lab_fields, text, expected);
}
