//! Random labs, valid by construction and dense: few names, so that changes meet.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use netlab_proto::v1 as proto;

/// The choices behind a lab; each number picks one of a few ways.
#[derive(Debug, Clone)]
struct Choices {
    nodes: Vec<Node>,
    links: Vec<Link>,
    host_nat: bool,
}

#[derive(Debug, Clone)]
struct Node {
    bridge: u8,
    dummy: u8,
    vlan: u8,
    vxlan: u8,
    macvlan: bool,
    router: bool,
    /// Which of [`SYSCTLS`] it has.
    sysctls: u16,
}

const SYSCTLS: [(&str, &str); 9] = [
    ("net.ipv4.conf.all.rp_filter", "1"),
    ("net.ipv4.conf.default.rp_filter", "2"),
    ("net.ipv4.conf.d0.rp_filter", "1"),
    ("net.ipv4.conf.default.forwarding", "1"),
    ("net.ipv4.conf.d0.forwarding", "1"),
    ("net.ipv6.conf.all.disable_ipv6", "1"),
    ("net.ipv6.conf.default.disable_ipv6", "1"),
    ("net.ipv6.conf.lo.disable_ipv6", "1"),
    ("net.ipv6.conf.d0.disable_ipv6", "1"),
];

#[derive(Debug, Clone)]
struct Link {
    ends: (usize, usize),
    use_a: u8,
    use_b: u8,
    mtu: u8,
    down: bool,
    route: bool,
}

fn node() -> impl Strategy<Value = Node> {
    (0..3_u8, 0..3_u8, 0..4_u8, 0..3_u8, prop::bool::weighted(0.2), any::<bool>(), 0..512_u16).prop_map(
        |(bridge, dummy, vlan, vxlan, macvlan, router, sysctls)| Node {
            bridge,
            dummy,
            vlan,
            vxlan,
            macvlan,
            router,
            sysctls,
        },
    )
}

fn link() -> impl Strategy<Value = Link> {
    ((0..4_usize, 0..4_usize), 0..5_u8, 0..5_u8, 0..3_u8, prop::bool::weighted(0.2), any::<bool>())
        .prop_map(|(ends, use_a, use_b, mtu, down, route)| Link { ends, use_a, use_b, mtu, down, route })
}

/// A random lab of a name. On the host it uses interfaces and subnets numbered from `host`.
pub(crate) fn design(name: &'static str, host: u8) -> impl Strategy<Value = proto::Lab> {
    (prop::collection::vec(node(), 0..4), prop::collection::vec(link(), 0..5), any::<bool>())
        .prop_map(move |(nodes, links, host_nat)| lab(name, host, &Choices { nodes, links, host_nat }))
}

fn lab(name: &str, host: u8, choices: &Choices) -> proto::Lab {
    let mut interfaces: Vec<Map<String, Value>> = choices.nodes.iter().map(own_interfaces).collect();
    let mut on_host = Map::new();
    let mut routes: Vec<Vec<Value>> = vec![Vec::new(); choices.nodes.len()];
    let mut cables = Vec::new();
    for (number, link) in choices.links.iter().enumerate() {
        let (Some(node_a), place_b) = (choices.nodes.get(link.ends.0), link.ends.1) else { continue };
        if link.ends.0 == place_b {
            continue;
        }
        let b_name = format!("l{host}-{number}");
        let a_name = format!("e{number}");
        let mut a = end(link.use_a, 1, number, node_a.bridge);
        let b_node = choices.nodes.get(place_b);
        let mut b = match b_node {
            Some(node) => end(link.use_b, 2, number, node.bridge),
            None => json!({ "addresses": [format!("198.18.{}.1/24", host as usize * 8 + number)] }),
        };
        if link.mtu > 0 {
            a["mtu"] = json!(1200 + u32::from(link.mtu) * 200);
        }
        if link.down {
            b["up"] = json!(false);
        }
        let plain = link.use_a < 2 && (b_node.is_some() && link.use_b < 2) && !link.down;
        if link.route && plain {
            let via = format!("192.0.{number}.2");
            routes[link.ends.0].push(json!({ "to": format!("203.0.{number}.0/24"), "via": via }));
        }
        interfaces[link.ends.0].insert(a_name.clone(), a);
        let place = if b_node.is_some() {
            interfaces[place_b].insert(b_name.clone(), b);
            format!("n{place_b}")
        } else {
            on_host.insert(b_name.clone(), b);
            "host".to_owned()
        };
        let a_place = link.ends.0;
        cables.push(json!({ "endpoints": [format!("n{a_place}:{a_name}"), format!("{place}:{b_name}")] }));
    }
    let nodes = choices.nodes.iter().enumerate().map(|(number, node)| {
        (format!("n{number}"), node_fields(node, &interfaces[number], &routes[number]))
    });
    let nodes: Map<_, _> = nodes.collect();
    let mut text = json!({ "name": name, "nodes": nodes, "links": cables });
    let mut host_part = json!({ "interfaces": on_host });
    if choices.host_nat {
        host_part["forwarding"] = json!(true);
        host_part["nat"] =
            json!({ "masquerade": [{ "source": format!("198.18.{}.0/24", host as usize * 8) }] });
    }
    text["host"] = host_part;
    serde_json::from_value(text).expect("a message")
}

fn own_interfaces(node: &Node) -> Map<String, Value> {
    let mut own = Map::new();
    match node.bridge {
        1 => drop(own.insert("br0".into(), json!({ "bridge": {} }))),
        2 => drop(own.insert("br0".into(), json!({ "bridge": { "vlan_filtering": true } }))),
        _ => {}
    }
    if node.dummy > 0 {
        let address = format!("198.51.100.{}/24", node.dummy);
        own.insert("d0".into(), json!({ "dummy": {}, "addresses": [address, "2001:db8::1/64"] }));
        if node.vlan > 0 {
            let id = u32::from(node.vlan) * 10;
            own.insert("v0".into(), json!({ "vlan": { "parent": "d0", "id": id }, "up": node.vlan != 3 }));
        }
        if node.vxlan > 0 {
            let vxlan = json!({ "vni": node.vxlan, "remote": "198.51.100.9", "dev": "d0" });
            own.insert("vx0".into(), json!({ "vxlan": vxlan, "addresses": ["203.0.113.1/24"] }));
        }
    }
    if node.bridge == 2 && node.vlan > 0 {
        let id = u32::from(node.vlan) * 10;
        own.insert("br0.v".into(), json!({ "vlan": { "parent": "br0", "id": id } }));
    }
    if node.macvlan {
        own.insert("mv0".into(), json!({ "macvlan": { "parent": "eth9" }, "mtu": 1500 }));
    }
    own
}

/// One end of a link: with addresses, or a port of the node's bridge.
fn end(usage: u8, side: u8, number: usize, bridge: u8) -> Value {
    let address = format!("192.0.{number}.{side}/24");
    match (usage, bridge) {
        (0, _) | (_, 0) => json!({ "addresses": [address] }),
        (1, _) => json!({ "addresses": [address, format!("2001:db8:a{number}::{side}/64")] }),
        (2, 2) => json!({ "port": { "bridge": "br0", "access": 10 } }),
        (3, 2) => json!({ "port": { "bridge": "br0", "trunk": [10, 20], "native": 30 } }),
        _ => json!({ "port": { "bridge": "br0" } }),
    }
}

fn node_fields(node: &Node, interfaces: &Map<String, Value>, routes: &[Value]) -> Value {
    let mut fields = json!({ "interfaces": interfaces, "routes": routes });
    if node.router {
        fields["forwarding"] = json!(true);
        fields["nat"] = json!({
            "masquerade": [{ "source": "192.0.2.0/24" }],
            "port_forwards": [{ "protocol": "tcp", "port": 8080, "to": "192.0.2.1:80" }],
        });
    }
    let chosen = |(number, (key, _)): &(usize, &(&str, &str))| {
        node.sysctls & (1 << number) != 0 && (node.dummy > 0 || !key.contains(".d0."))
    };
    let chosen = SYSCTLS.iter().enumerate().filter(chosen);
    let chosen: Map<_, _> = chosen.map(|(_, (key, value))| ((*key).to_owned(), json!(value))).collect();
    fields["sysctls"] = Value::Object(chosen);
    fields
}
