//! Ipvlans, and macvlans on interfaces of the node.

use super::{bad, interfaces};

#[test]
fn what_they_are_on() {
    for (text, expected) in [
        (
            r#""v":{"ipvlan":{}}"#,
            "nodes.n.interfaces.v.ipvlan.parent: is missing: name an interface of the host, or by dev one of the node",
        ),
        (
            r#""v":{"ipvlan":{"parent":"eth9","dev":"eth0"}}"#,
            "nodes.n.interfaces.v.ipvlan.dev: parent is an interface of the host, and dev one of the node; give one of them",
        ),
        (
            r#""v":{"macvlan":{"dev":"eht0"}}"#,
            r#"nodes.n.interfaces.v.macvlan.dev: n has no interface "eht0"; did you mean "eth0"?"#,
        ),
        (
            r#""v":{"ipvlan":{"dev":"lo"}}"#,
            r#"nodes.n.interfaces.v.ipvlan.dev: "lo" cannot carry another interface; name another one"#,
        ),
        (
            r#""br0":{"bridge":{}},"eth0":{"port":{"bridge":"br0"}},"v":{"macvlan":{"dev":"eth0"}}"#,
            "nodes.n.interfaces.v.macvlan.dev: eth0 is a port of br0, which takes all that arrives there; name br0",
        ),
        (
            r#""v":{"ipvlan":{"dev":"eth0"}},"w":{"ipvlan":{"dev":"v"}}"#,
            "nodes.n.interfaces.w.ipvlan.dev: v is ipvlan itself, on eth0; name that",
        ),
    ] {
        bad(interfaces, text, expected);
    }
}

#[test]
fn what_is_beside_them() {
    for (text, expected) in [
        (
            r#""v":{"ipvlan":{"dev":"eth0"}},"w":{"ipvlan":{"dev":"eth0","mode":"l3"}}"#,
            "nodes.n.interfaces.w.ipvlan.mode: n:v has mode l2 on eth0, which all there share; use it here too",
        ),
        (
            r#""v":{"ipvlan":{"parent":"eth9"}},"w":{"macvlan":{"parent":"eth9"}}"#,
            "nodes.n.interfaces.w.macvlan.parent: n:v is ipvlan on eth9 already, which takes all that arrives there; use one \
             kind for both",
        ),
        (
            r#""v":{"ipvlan":{"dev":"eth0","mode":"l4"}}"#,
            r#"nodes.n.interfaces.v.ipvlan.mode: "l4" is not an ipvlan mode: l2, l3 or l3s"#,
        ),
        (
            r#""v":{"ipvlan":{"dev":"eth0"},"mac":"02:00:00:00:00:01"}"#,
            "nodes.n.interfaces.v.mac: an ipvlan has the MAC address of what it is on; leave it out, or use a macvlan",
        ),
        (
            r#""br0":{"bridge":{}},"v":{"ipvlan":{"dev":"eth0"},"port":{"bridge":"br0"}}"#,
            "nodes.n.interfaces.v.port: an ipvlan shares its MAC address, so that it is no port of a bridge; use a link",
        ),
    ] {
        bad(interfaces, text, expected);
    }
}
