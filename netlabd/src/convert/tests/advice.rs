//! What the kernel takes and what cannot work as it is written.

use serde_json::json;

use super::super::lab;

/// The warnings of a lab with these nodes: path and message.
#[allow(clippy::needless_pass_by_value)] // literals
fn warned(nodes: serde_json::Value, links: serde_json::Value) -> Vec<(String, String)> {
    let message = json!({ "name": "l", "nodes": nodes, "links": links });
    let lab = lab(&serde_json::from_value(message).unwrap()).unwrap_or_else(|faults| panic!("{faults}"));
    lab.warnings.into_iter().map(|warning| (warning.path, warning.message)).collect()
}

/// Fails unless there is just one warning, at this field and with this in it.
#[track_caller]
fn one(found: &[(String, String)], path: &str, words: &str) {
    assert!(found.len() == 1 && found[0].0 == path && found[0].1.contains(words), "{found:#?}");
}

#[test]
fn an_address_on_a_port_of_a_bridge() {
    let nodes = |addresses: &str, port: &str, route: &str, out: &str| {
        json!({
            "r": {
                "forwarding": true,
                "interfaces": {
                    "br0": { "bridge": {}, "addresses": addresses.split_whitespace().collect::<Vec<_>>() },
                    "p1": { "port": { "bridge": "br0" }, "addresses": port.split_whitespace().collect::<Vec<_>>() },
                    "e0": { "addresses": ["203.0.113.1/24"] }
                },
                "routes": [{ "to": "198.51.100.0/24", "dev": route }],
                "nat": { "masquerade": [{ "out_interface": out }] }
            },
            "h": {}
        })
    };
    let links = || json!([{ "endpoints": ["r:p1", "h:e0"] }, { "endpoints": ["r:e0", "h:e1"] }]);
    let right = "192.0.2.1/24";
    assert_eq!(warned(nodes(right, "", "br0", "br0"), links()), []);
    let found = warned(nodes("", right, "br0", "br0"), links());
    one(&found, "nodes.r.interfaces.p1.addresses[0]", "give it to br0");
    let found = warned(nodes(right, "", "p1", "br0"), links());
    one(&found, "nodes.r.routes[0].dev", "p1 is a port of br0");
    let found = warned(nodes(right, "", "br0", "p1"), links());
    one(&found, "nodes.r.nat.masquerade[0].out_interface", "name br0");
}

#[test]
fn tunnels_that_lead_nowhere() {
    let with = |vxlan: serde_json::Value| {
        let interfaces = json!({ "e0": { "addresses": ["192.0.2.1/24"] }, "vx": { "vxlan": vxlan } });
        warned(
            json!({ "a": { "interfaces": interfaces }, "b": {} }),
            json!([{ "endpoints": ["a:e0", "b:e0"] }]),
        )
    };
    assert_eq!(with(json!({ "vni": 1, "remote": "192.0.2.2", "local": "192.0.2.1", "dev": "e0" })), []);
    let own = with(json!({ "vni": 1, "remote": "192.0.2.1", "dev": "e0" }));
    one(&own, "nodes.a.interfaces.vx.vxlan.remote", "a's own address, on e0");
    let strange = with(json!({ "vni": 1, "remote": "192.0.2.2", "local": "192.0.2.9" }));
    one(&strange, "nodes.a.interfaces.vx.vxlan.local", "is on no interface of a");
}

#[test]
fn one_mac_address_twice_on_a_wire() {
    let mac = "02:00:00:00:00:01";
    let nodes = |second: &str, bridge: &str| {
        json!({
            "sw": { "interfaces": {
                "br0": { "bridge": {}, "mac": bridge },
                "p1": { "port": { "bridge": "br0" }, "mac": "02:00:00:00:00:aa" },
                "p2": { "port": { "bridge": "br0" } }
            } },
            "a": { "interfaces": { "e0": { "mac": mac } } },
            "b": { "interfaces": { "e0": { "mac": second } } }
        })
    };
    let links = || json!([{ "endpoints": ["sw:p1", "a:e0"] }, { "endpoints": ["sw:p2", "b:e0"] }]);
    // A bridge may have the address of its port.
    assert_eq!(warned(nodes("02:00:00:00:00:02", "02:00:00:00:00:aa"), links()), []);
    let found = warned(nodes(mac, "02:00:00:00:00:bb"), links());
    one(&found, "nodes.b.interfaces.e0.mac", "is that of a:e0 too");
    // On wires apart nobody minds.
    let apart = json!([{ "endpoints": ["sw:p1", "a:e0"] }, { "endpoints": ["sw:p2", "b:e1"] }, { "endpoints": ["a:e9", "b:e0"] }]);
    assert_eq!(warned(nodes(mac, "02:00:00:00:00:bb"), apart), []);
}

#[test]
fn routes_do_not_lead_through_vlans_whose_parent_is_down() {
    let message = |up: bool| {
        let interfaces = json!({
            "e0": { "up": up },
            "e0.5": { "vlan": { "parent": "e0", "id": 5 }, "addresses": ["192.0.2.1/24"] }
        });
        let node = json!({ "interfaces": interfaces, "routes": [{ "to": "default", "via": "192.0.2.2" }] });
        json!({ "name": "l", "nodes": { "a": node, "b": {} }, "links": [{ "endpoints": ["a:e0", "b:e0"] }] })
    };
    let read = |up| lab(&serde_json::from_value(message(up)).unwrap());
    assert!(read(true).is_ok());
    let faults = read(false).unwrap_err().to_string();
    assert!(faults.contains("nodes.a.routes[0]") && faults.contains("down with e0 below it"), "{faults}");
}

#[test]
fn firewalls_that_miss_something() {
    let with = |firewall: serde_json::Value| {
        let interfaces = json!({ "br0": { "bridge": {}, "addresses": ["192.0.2.1/24", "2001:db8::1/64"] },
            "p1": { "port": { "bridge": "br0" } } });
        let node = json!({ "interfaces": interfaces, "forwarding": true, "firewall": firewall });
        warned(json!({ "r": node, "h": {} }), json!([{ "endpoints": ["r:p1", "h:e0"] }]))
    };
    let input = |rule: serde_json::Value| with(json!({ "input": { "policy": "drop", "rules": [rule] } }));
    let icmpv6 = json!({ "protocol": "icmpv6", "action": "accept" });
    assert_eq!(input(icmpv6.clone()), []);
    assert_eq!(input(json!({ "state": ["untracked"], "action": "accept" })), []);
    assert_eq!(with(json!({ "forward": { "policy": "drop" }, "input": {} })), []);
    let lone = "this drops neighbour discovery (RFC 4861), and 2001:db8::1/64 then finds nobody";
    one(&input(json!({ "state": ["established"], "action": "accept" })), "nodes.r.firewall.input", lone);
    let types = ["nd-neighbor-solicit", "echo-request"];
    let some = json!({ "protocol": "icmpv6", "icmp_types": types, "action": "accept" });
    one(&input(some), "nodes.r.firewall.input", "add { protocol: icmpv6, action: accept }");
    one(&with(json!({ "output": { "rules": [{ "action": "reject" }] } })), "nodes.r.firewall.output", lone);
    let port = with(json!({ "forward": { "rules": [{ "in_interface": "p1", "action": "drop" }] } }));
    one(&port, "nodes.r.firewall.forward.rules[0].in_interface", "p1 is a port of br0");
    let to = |net: &str| with(json!({ "input": { "rules": [{ "destination": net, "action": "accept" }] } }));
    for own in
        ["192.0.2.0/24", "192.0.0.0/8", "192.0.2.255/32", "224.0.0.0/4", "ff02::/16", "127.0.0.0/8", "::/0"]
    {
        assert_eq!(to(own), [], "{own}");
    }
    one(&to("198.51.100.0/24"), "nodes.r.firewall.input.rules[0].destination", "stands in forward");
}

#[test]
fn a_node_that_answers_for_nobody() {
    let nodes = |to: &str, forwarding: bool, sysctl: &str| {
        json!({ "r": {
            "forwarding": forwarding,
            "interfaces": { "e.0": { "dummy": {} } },
            "neighbours": [{ "to": to, "dev": "e.0", "proxy": true }],
            "sysctls": { format!("net.ipv6.conf.{sysctl}.proxy_ndp"): "1" }
        } })
    };
    let proxy = "nodes.r.neighbours[0].proxy";
    one(&warned(nodes("192.0.2.7", false, "all"), json!([])), proxy, "set forwarding: true");
    assert_eq!(warned(nodes("192.0.2.7", true, "default"), json!([])), []);
    one(&warned(nodes("2001:db8::7", true, "default"), json!([])), proxy, "net.ipv6.conf.e/0.proxy_ndp");
    assert_eq!(warned(nodes("2001:db8::7", true, "all"), json!([])), []);
    assert_eq!(warned(nodes("2001:db8::7", true, "e/0"), json!([])), []);
}
