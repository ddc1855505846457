//! What routes put around packets.

use super::{bad, lab, message, routes};

#[test]
fn faults() {
    for (text, expected) in [
        (r#""encap":{}"#, "encap: puts nothing around packets; give it mpls (labels) or seg6 (segments)"),
        (
            r#""encap":{"mpls":[16],"seg6":["2001:db8:1::1"]}"#,
            "encap: is either mpls or seg6; leave one of the two out",
        ),
        (
            r#""encap":{"mpls":[100,3]}"#,
            "encap.mpls[1]: 3 is reserved (RFC 3032); labels of one's own begin at 16",
        ),
        (
            r#""encap":{"mpls":[1048576]}"#,
            "encap.mpls[0]: 1048576 is no MPLS label: 16 to 1,048,575 (20 bits)",
        ),
        (
            r#""encap":{"mpls":[100],"mode":"encap"}"#,
            "encap.mode: is said of segments; leave it out, or add seg6",
        ),
        (
            r#""encap":{"seg6":["2001:db8:1::1"],"mode":"inlined"}"#,
            r#"encap.mode: "inlined" is no mode of segments: encap or inline; did you mean "inline"?"#,
        ),
        (
            r#""encap":{"seg6":["2001:db8:1::1"],"mode":"inline"}"#,
            "encap.mode: only packets of IPv6 have room for the header; leave out mode for a route of IPv4",
        ),
        (
            r#""encap":{"seg6":["192.0.2.9"]}"#,
            "encap.seg6[0]: 192.0.2.9 is of IPv4, and segments are addresses of IPv6",
        ),
        (
            r#""encap":{"seg6":["ff02::1"]}"#,
            r#"encap.seg6[0]: "ff02::1" is a multicast address, not a host's"#,
        ),
        (
            r#""encap":{"seg6":["fe80::1"]}"#,
            "encap.seg6[0]: fe80::1 is link-local, so that no route leads there; name one that the node's routes lead to",
        ),
        (
            r#""encap":{"seg6":["2001:db8:1::1","2001:db8::1"]}"#,
            "encap.seg6[1]: 2001:db8::1 is n's own address, on eth0; name a segment of another node",
        ),
    ] {
        let route = format!(r#"{{"to":"203.0.113.0/24","via":"192.0.2.254",{text}}}"#);
        bad(routes, &route, &format!("nodes.n.routes[0].{expected}"));
    }
}

#[test]
fn where_it_has_no_place() {
    for (text, expected) in [
        (
            r#"{"to":"203.0.113.0/24","type":"blackhole","encap":{"mpls":[100]}}"#,
            "encap: a blackhole route sends nothing and has no encap; leave out one of the two",
        ),
        (
            r#"{"to":"203.0.113.0/24","next_hops":[{"via":"192.0.2.2"}],"encap":{"mpls":[100]}}"#,
            "encap: next_hops say where the route leads; move it into one of them",
        ),
        (
            r#"{"to":"203.0.113.0/24","dev":"lo","encap":{"mpls":[100]}}"#,
            "encap: nothing leaves by lo, so that nothing can be put around it; name another interface",
        ),
        (
            r#"{"to":"203.0.113.0/24","next_hops":[{"via":"192.0.2.2","encap":{"mpls":[100]}},{"via":"192.0.2.2","encap":{"mpls":[100]}}]}"#,
            "next_hops[1]: is next_hops[0] again; give that one more weight instead",
        ),
    ] {
        bad(routes, text, &format!("nodes.n.routes[0].{expected}"));
    }
    let loops = r#"{"to":"2001:db8:1::/48","via":"2001:db8::2","encap":{"seg6":["2001:db8:1::9"]}}"#;
    let expected = "nodes.n.routes[0]: 2001:db8:1::/48 is where this route itself leads to: what is sent to the segment would \
                    come back to it for ever; add a route to 2001:db8:1::9/128";
    bad(routes, loops, expected);
    let by_itself = r#"{"to":"2001:db8:1::9/128","via":"2001:db8::2"}"#;
    lab(&message(&routes(&format!("{loops},{by_itself}")))).unwrap();
}

#[test]
fn two_stacks_to_one_neighbour_are_two_next_hops() {
    let text = r#"{"to":"203.0.113.0/24","next_hops":[{"via":"192.0.2.2","encap":{"mpls":[100]}},{"via":"192.0.2.2","encap":{"mpls":[200]}}]}"#;
    let read = lab(&message(&routes(text))).unwrap();
    let route = &read.nodes.values().next().unwrap().routes[0];
    assert_eq!(
        route.to_string(),
        "203.0.113.0/24 nexthop encap mpls 100 via 192.0.2.2 dev eth0 nexthop encap mpls 200 via 192.0.2.2 dev eth0"
    );
}

/// The warnings of a lab in which `n` has `eth0` with that MTU and a route with two labels by it.
fn warnings(mtu: u32, more: &str) -> Vec<String> {
    let interfaces = format!(r#""eth0":{{"mtu":{mtu},"addresses":["192.0.2.1/24"]}},"in0":{{"dummy":{{}}}}"#);
    let route = format!(r#"{{"to":"203.0.113.0/24","via":"192.0.2.2","encap":{{"mpls":[100,200]}}{more}}}"#);
    let nodes = format!(r#""n":{{"interfaces":{{{interfaces}}},"routes":[{route}]}},"m":{{}}"#);
    let text = format!(r#"{{"name":"x","nodes":{{{nodes}}},"links":[{{"endpoints":["n:eth0","m:eth0"]}}]}}"#);
    lab(&message(&text)).unwrap().warnings.iter().map(|it| format!("{}: {}", it.path, it.message)).collect()
}

#[test]
fn what_grows_beyond_its_link_is_warned_of() {
    let expected = "nodes.n.routes[0]: packets grow by 8 bytes, and eth0 takes 1500: those of more than 1492 bytes are split \
                    or refused; give eth0 an mtu of 1508, or this route one of 1492";
    assert_eq!(warnings(1500, ""), [expected]);
    assert_eq!(warnings(1508, ""), <[String; 0]>::default());
    assert_eq!(warnings(1500, r#","mtu":1492"#), <[String; 0]>::default());
}
