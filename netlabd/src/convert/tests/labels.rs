//! Label routes.

use super::{bad, lab, message, routes};

#[test]
fn faults() {
    for (text, expected) in [
        (
            r#"{"to":"mpls:","dev":"lo"}"#,
            r#"[0].to: "mpls:" is no label; write mpls: and its number, such as mpls:100"#,
        ),
        (
            r#"{"to":"mpls:3","dev":"lo"}"#,
            "[0].to: 3 is reserved (RFC 3032); labels of one's own begin at 16",
        ),
        (
            r#"{"to":"mpls:100","as":[1048576],"via":"192.0.2.2"}"#,
            "[0].as[0]: 1048576 is no MPLS label: 16 to 1,048,575 (20 bits)",
        ),
        (r#"{"to":"mpls:100"}"#, "[0]: a label route needs via (the next hop) or dev: lo (the node itself)"),
        (
            r#"{"to":"mpls:100","dev":"eth0"}"#,
            "[0].dev: there are many neighbours on eth0; add via, or name lo (the node itself) or a VRF",
        ),
        (
            r#"{"to":"mpls:100","as":[200],"dev":"lo"}"#,
            "[0].as: what lo gets is looked at by this node, with no new label; leave out as, or add via",
        ),
        (
            r#"{"to":"mpls:100","via":"192.0.2.1"}"#,
            "[0].via: gateway 192.0.2.1 is n's own address, on eth0; name the neighbour's",
        ),
        (
            r#"{"to":"mpls:100","via":"fe80::1","dev":"down0"}"#,
            "[0]: leads through down0, and down0 is down; leave out up: false there",
        ),
        (
            r#"{"to":"mpls:100","dev":"lo","metric":5}"#,
            "[0].metric: a route of a label has no metric; leave it out",
        ),
        (
            r#"{"to":"mpls:100","via":"192.0.2.2","encap":{"mpls":[200]}}"#,
            "[0].encap: a route of a label has no encap; new labels stand in as",
        ),
        (
            r#"{"to":"mpls:100","dev":"lo"},{"to":"mpls:100","via":"192.0.2.2"}"#,
            "[1].to: routes[0] is that of label 100 already; change one",
        ),
        (
            r#"{"to":"203.0.113.0/24","as":[100],"via":"192.0.2.2"}"#,
            "[0].as: is said of a label, to: mpls:100; labels before packets of IP are encap: { mpls: [...] }",
        ),
    ] {
        bad(routes, text, &format!("nodes.n.routes{expected}"));
    }
}

/// A node with a label route and a sysctl.
fn room(value: &str) -> String {
    let node = format!(
        r#""routes":[{{"to":"mpls:100","dev":"lo"}}],"sysctls":{{"net.mpls.platform_labels":"{value}"}}"#
    );
    format!(r#"{{"name":"x","nodes":{{"n":{{{node}}}}}}}"#)
}

#[test]
fn there_must_be_room_for_labels() {
    let expected = "nodes.n.sysctls[\"net.mpls.platform_labels\"]: \"100\" leaves no room for label 100; make it 101 or \
                    more, or leave it out: it follows from the routes";
    bad(room, "100", expected);
    lab(&message(&room("101"))).unwrap();
}

#[test]
fn more_labels_than_before_are_warned_of() {
    let text = r#"{"to":"mpls:100","as":[200,300],"via":"192.0.2.2"}"#;
    let read = lab(&message(&routes(text))).unwrap();
    assert_eq!(
        read.warnings[0].message,
        "packets grow by 4 bytes, and eth0 takes 1500: larger ones are lost without a word; give eth0 an mtu of 1504"
    );
}
