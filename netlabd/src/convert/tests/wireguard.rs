//! WireGuard: keys, peers, ends.

use super::*;

/// Fields of `wg0` of a node `n`, which is `192.0.2.1` on `eth0`; a node `m` has another one, and the host a dummy.
fn wireguard(fields: &str) -> String {
    let n = format!(r#""eth0":{{"addresses":["192.0.2.1/24"]}},"wg0":{{"wireguard":{{{fields}}}}}"#);
    let nodes =
        format!(r#""n":{{"interfaces":{{{n}}}}},"m":{{"interfaces":{{"wg0":{{"wireguard":{{}}}}}}}}"#);
    format!(r#"{{"name":"x","nodes":{{{nodes}}},"links":[{{"endpoints":["n:eth0","m:eth0"]}}]}}"#)
}

/// One peer of it.
fn peer(fields: &str) -> String {
    wireguard(&format!(r#""peers":[{{{fields}}}]"#))
}

const PRIVATE: &str = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
const PUBLIC: &str = "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=";

#[test]
fn interfaces() {
    for (text, expected) in [
        (r#""listen_port":0"#, "listen_port: 0 is not a port: 1 to 65,535"),
        (r#""listen_port":70000"#, "listen_port: 70000 is not a port: 1 to 65,535"),
        (r#""fwmark":0"#, "fwmark: 0 is no mark: 1 to 4,294,967,295, or leave it out"),
        (
            r#""private_key":"secret!""#,
            "private_key: the key is not base64; give 44 characters as `wg genkey` prints them, or write auto",
        ),
        (
            r#""private_key":"AAAA""#,
            "private_key: the key has 3 bytes, and a key has 32; give 44 characters as `wg genkey` prints them, or write \
             auto",
        ),
    ] {
        bad(wireguard, text, &format!("nodes.n.interfaces.wg0.wireguard.{expected}"));
    }
    let text = r#""wg0":{"wireguard":{}}"#;
    bad(
        host,
        text,
        "host.interfaces.wg0.wireguard: a tunnel on the host would let the lab send from the host's addresses; put it in a node",
    );
    let both = r#""a":{"wireguard":{"listen_port":7}},"b":{"wireguard":{"listen_port":7}}"#;
    bad(
        super::interfaces,
        both,
        "nodes.n.interfaces.b.wireguard.listen_port: a listens on UDP port 7 already; give each its own",
    );
    let port =
        r#""br0":{"bridge":{}},"w":{"wireguard":{},"port":{"bridge":"br0"},"mac":"02:00:00:00:00:01"}"#;
    bad(
        super::interfaces,
        port,
        "nodes.n.interfaces.w.mac: a wireguard tunnel carries no Ethernet frames and has no MAC address; leave it out\n\
         nodes.n.interfaces.w.port: a wireguard tunnel carries no Ethernet frames, so that it is no port of a bridge; \
         gretap, geneve and vxlan do",
    );
}

#[test]
fn peers() {
    let base = r#""node":"m:wg0""#;
    for (text, expected) in [
        ("", ": names no peer: give node, such as b:wg0, or the public_key of a peer outside of the lab"),
        (r#""node":"m""#, r#".node: "m" is not node:interface, such as ns1:eth0"#),
        (r#""node":"n:wg0""#, ".node: n:wg0 is this interface itself; name the other end"),
        (r#""node":"o:wg0""#, r#".node: the lab has no node "o""#),
        (r#""node":"m:wg1""#, r#".node: m has no interface "wg1"; did you mean "wg0"?"#),
        (r#""node":"m:eth0""#, r#".node: "m:eth0" is no wireguard interface; name one that is"#),
        (r#""node":"host:wg0""#, ".node: the host has no WireGuard interface of the lab; name one of a node"),
        (
            r#""public_key":"AA==""#,
            ".public_key: the key has 1 bytes, and a key has 32; give 44 characters as `wg pubkey` prints them",
        ),
        (
            &format!(r#"{base},"public_key":"{PUBLIC}""#),
            ".public_key: node fills in the public key; leave one of both out",
        ),
        (
            &format!(r#""public_key":"{PUBLIC}","preshared_key":"auto""#),
            ".preshared_key: auto derives a key of two interfaces of the lab: name the peer by node, or give the key",
        ),
        (
            &format!(r#"{base},"endpoint":"192.0.2.2""#),
            r#".endpoint: "192.0.2.2" has no port; write 192.0.2.2:51820, with the port on which the peer listens"#,
        ),
        (
            &format!(r#"{base},"endpoint":"192.0.2.2:0""#),
            r#".endpoint: "192.0.2.2:0" has port 0; ports are 1 to 65,535"#,
        ),
        (
            &format!(r#"{base},"endpoint":"192.0.2.1:7""#),
            ".endpoint: 192.0.2.1 is n's own address, on eth0: the tunnel would end where it begins; give the other end's",
        ),
        (
            &format!(r#"{base},"persistent_keepalive":"25""#),
            r#".persistent_keepalive: "25" has no unit; write 25s"#,
        ),
        (
            &format!(r#"{base},"persistent_keepalive":"20ms""#),
            r#".persistent_keepalive: "20ms" is not whole seconds, 1s to 65535s; change it, or leave it out"#,
        ),
        (
            &format!(r#"{base},"allowed_ips":["10.9.0.2/24"]"#),
            r#".allowed_ips[0]: "10.9.0.2/24" has bits set after its prefix; write 10.9.0.0/24"#,
        ),
    ] {
        bad(peer, text, &format!("nodes.n.interfaces.wg0.wireguard.peers[0]{expected}"));
    }
}

#[test]
fn peers_of_one_interface() {
    let path = "nodes.n.interfaces.wg0.wireguard.peers";
    let two = format!(
        r#""peers":[{{"node":"m:wg0","allowed_ips":["10.0.0.0/8"]}},{{"public_key":"{PUBLIC}","allowed_ips":["10.9.0.0/24","10.0.0.0/8"]}}]"#
    );
    bad(
        wireguard,
        &two,
        &format!(
            "{path}[1].allowed_ips[1]: 10.0.0.0/8 is allowed to peers[0] already, and only one can have it; make one of \
             them narrower"
        ),
    );
    let same = r#""peers":[{"node":"m:wg0"},{"node":"m:wg0"}]"#;
    bad(
        wireguard,
        same,
        &format!("{path}[1].node: is peers[0] already; put both in one, with all allowed_ips"),
    );
    let own = format!(r#""private_key":"{PRIVATE}","peers":[{{"public_key":"{PUBLIC}"}}]"#);
    bad(
        wireguard,
        &own,
        &format!("{path}[0].public_key: is this interface's own public key: give the other end's"),
    );
}

#[test]
fn what_cannot_work_is_told() {
    let warned = |fields: &str| {
        let lab = lab(&message(&wireguard(fields))).unwrap();
        lab.warnings.into_iter().map(|it| format!("{}: {}", it.path, it.message)).collect::<Vec<_>>()
    };
    let path = "nodes.n.interfaces.wg0.wireguard.peers[0]";
    assert_eq!(
        warned(r#""peers":[{"node":"m:wg0"}]"#),
        [
            format!(
                "{path}.allowed_ips: nothing is sent to the peer, and nothing taken from it: give its addresses"
            ),
            format!("{path}.node: m:wg0 has no peer n:wg0, and takes nothing from it: add it there"),
        ]
    );
}
