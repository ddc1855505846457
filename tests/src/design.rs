//! Random labs, valid by construction, of all kinds that a kernel has; few names, so that changes meet.

use serde_json::{Map, Value, json};

use crate::{feature::Feature, host::TestHost, rng::Rng};

/// The host's interface that macvlans stand on.
pub const PARENT: &str = "parent0";

/// Makes what random labs need of a host: [`PARENT`].
pub const PREPARE: &str =
    "ip link add parent0 type veth peer name parent1; ip link set parent0 up; ip link set parent1 up";

/// Does that.
pub fn prepare(host: &TestHost) {
    host.sh(PREPARE);
}

/// Tunnels that name no interface to send through.
const TUNNELS: &[(Feature, &str)] = &[
    (Feature::Geneve, "geneve"),
    (Feature::Gre, "gre"),
    (Feature::Gre, "gretap"),
    (Feature::Ipip, "ipip"),
    (Feature::Sit, "sit"),
    (Feature::Ip6Gre, "ip6gre"),
    (Feature::Ip6Tunnel, "ip6tnl"),
];

/// Designs labs.
#[derive(Debug)]
pub struct Designer {
    features: Vec<Feature>,
}

/// A lab under design: what it has so far.
struct Draft {
    nodes: Vec<Node>,
    links: Vec<Value>,
    on_host: Map<String, Value>,
}

#[derive(Default)]
struct Node {
    interfaces: Map<String, Value>,
    routes: Vec<Value>,
    bridge: Option<bool>,
}

impl Designer {
    /// For what the kernel under `host` can do. Leaves interfaces behind, see [`Feature::works`].
    pub fn new(host: &TestHost) -> Self {
        Self { features: Feature::ALL.iter().copied().filter(|feature| feature.works(host)).collect() }
    }

    /// Whether the kernel has a feature.
    pub fn can(&self, feature: Feature) -> bool {
        self.features.contains(&feature)
    }

    /// A random lab as JSON. `number` keeps what it uses of the host apart from other labs, below 32.
    pub fn lab(&self, rng: &mut Rng, name: &str, number: usize) -> String {
        let mut draft = Draft { nodes: Vec::new(), links: Vec::new(), on_host: Map::new() };
        for _ in 0..=rng.below(3) {
            draft.nodes.push(self.node(rng));
        }
        for link in 0..rng.below(5) {
            draft.link(rng, link, number);
        }
        let count = draft.nodes.len();
        let nodes: Map<_, _> =
            (0..count).map(|n| (format!("n{n}"), self.fields(rng, &draft.nodes[n]))).collect();
        let mut lab = json!({ "name": name, "nodes": nodes, "links": draft.links });
        let mut host = json!({ "interfaces": draft.on_host });
        if rng.one_in(3) {
            host["forwarding"] = json!(true);
            if self.can(Feature::Nat) {
                host["nat"] = json!({ "masquerade": [{ "source": format!("198.18.{}.0/24", number * 8) }] });
            }
        }
        lab["host"] = host;
        lab.to_string()
    }

    fn node(&self, rng: &mut Rng) -> Node {
        let mut node = Node::default();
        let own = &mut node.interfaces;
        if rng.one_in(2) {
            let filtering = self.can(Feature::BridgeVlan) && rng.one_in(2);
            node.bridge = Some(filtering);
            own.insert("br0".into(), json!({ "bridge": { "vlan_filtering": filtering } }));
            if filtering && self.can(Feature::Vlan) && rng.one_in(2) {
                own.insert("br0.v".into(), json!({ "vlan": { "parent": "br0", "id": 10 } }));
            }
        }
        if self.can(Feature::Dummy) && rng.one_in(2) {
            let address = format!("198.51.100.{}/24", 1 + rng.below(3));
            own.insert("d0".into(), json!({ "dummy": {}, "addresses": [address, "2001:db8::1/64"] }));
            if self.can(Feature::Vlan) && rng.one_in(2) {
                let id = 10 * (1 + rng.below(3));
                own.insert("v0".into(), json!({ "vlan": { "parent": "d0", "id": id } }));
            }
            if self.can(Feature::Vxlan) && rng.one_in(2) {
                let vxlan = json!({ "vni": 1 + rng.below(3), "remote": "198.51.100.9", "dev": "d0" });
                own.insert("vx0".into(), json!({ "vxlan": vxlan, "addresses": ["203.0.113.1/24"] }));
            }
        }
        for (feature, kind) in TUNNELS {
            if self.can(*feature) && rng.one_in(8) {
                let remote = if kind.starts_with("ip6") { "2001:db8::9" } else { "198.51.100.9" };
                let mut tunnel = json!({ "remote": remote });
                if *kind == "geneve" {
                    tunnel["vni"] = json!(1 + rng.below(3));
                }
                own.insert(format!("{kind}.t"), json!({ *kind: tunnel, "up": !rng.one_in(4) }));
            }
        }
        if self.can(Feature::Macvlan) && rng.one_in(4) {
            own.insert("mv0".into(), json!({ "macvlan": { "parent": PARENT }, "mtu": 1500 }));
        }
        node
    }

    fn fields(&self, rng: &mut Rng, node: &Node) -> Value {
        let mut routes = node.routes.clone();
        let hop = |route: &Value| route["via"].as_str().map(|via| json!({ "via": via, "dev": route["dev"] }));
        let mut hops: Vec<Value> = routes.iter().filter_map(hop).collect();
        if hops.len() > 1 && self.can(Feature::Multipath) && rng.one_in(2) {
            hops[0]["weight"] = json!(1 + rng.below(3));
            routes.push(json!({ "to": "203.1.0.0/16", "next_hops": hops }));
        }
        let mut fields = json!({ "interfaces": node.interfaces, "routes": routes });
        if rng.one_in(2) {
            fields["forwarding"] = json!(true);
            if self.can(Feature::Nat) {
                fields["nat"] = json!({
                    "masquerade": [{ "source": "192.0.2.0/24" }],
                    "port_forwards": [{ "protocol": "tcp", "port": 8080, "to": "192.0.2.1:80" }],
                });
            }
        }
        if rng.one_in(2) {
            fields["sysctls"] = json!({ "net.ipv4.conf.all.rp_filter": "1" });
        }
        fields
    }
}

impl Draft {
    fn link(&mut self, rng: &mut Rng, link: usize, number: usize) {
        let (a, b) = (rng.below(self.nodes.len()), rng.below(self.nodes.len() + 1));
        if a == b {
            return;
        }
        let (name_a, name_b) = (format!("e{link}"), format!("l{number}-{link}"));
        let mtu = [1500, 1400, 1300][rng.below(3)];
        let mut end_a = end(rng, link, 1, self.nodes[a].bridge);
        end_a["mtu"] = json!(mtu);
        if end_a.get("addresses").is_some() {
            self.nodes[a].routes.extend(route(rng, link));
        }
        let at_b = if let Some(node) = self.nodes.get_mut(b) {
            let mut end_b = end(rng, link, 2, node.bridge);
            end_b["mtu"] = json!(mtu);
            node.interfaces.insert(name_b.clone(), end_b);
            format!("n{b}:{name_b}")
        } else {
            let address = format!("198.18.{}.1/24", number * 8 + link);
            self.on_host.insert(name_b.clone(), json!({ "addresses": [address], "mtu": mtu }));
            format!("host:{name_b}")
        };
        self.nodes[a].interfaces.insert(name_a.clone(), end_a);
        let mut cable = json!({ "endpoints": [format!("n{a}:{name_a}"), at_b] });
        if rng.one_in(6) {
            cable["up"] = json!(false);
        }
        self.links.push(cable);
    }
}

/// A route through a link, or one that sends nothing.
fn route(rng: &mut Rng, link: usize) -> Option<Value> {
    let (to, dev) = (format!("203.0.{link}.0/24"), format!("e{link}"));
    let kind = *rng.of(&["blackhole", "unreachable", "prohibit", "throw"]);
    let mut route = match rng.below(6) {
        0 | 1 => return None,
        2 => json!({ "to": to, "type": kind }),
        3 => json!({ "to": to, "via": format!("2001:db8:a{link}::2"), "dev": dev }),
        4 => json!({ "to": to, "via": "198.18.255.1", "dev": dev, "onlink": true }),
        _ => json!({ "to": to, "via": format!("192.0.{link}.2"), "dev": dev }),
    };
    if rng.one_in(3) {
        route["table"] = json!(100 * (1 + rng.below(2)));
    }
    if route["type"].is_null() && rng.one_in(3) {
        route["mtu"] = json!(1300);
        route["src"] = json!(format!("192.0.{link}.1"));
    }
    Some(route)
}

/// One end of a link: with addresses, or a port of the node's bridge.
fn end(rng: &mut Rng, link: usize, side: u8, bridge: Option<bool>) -> Value {
    let address = format!("192.0.{link}.{side}/24");
    match (bridge, rng.below(4)) {
        (None, _) | (_, 0) => json!({ "addresses": [address, format!("2001:db8:a{link}::{side}/64")] }),
        (Some(true), 1) => json!({ "port": { "bridge": "br0", "access": 10 } }),
        (Some(true), 2) => json!({ "port": { "bridge": "br0", "trunk": [10, 20], "native": 30 } }),
        _ => json!({ "port": { "bridge": "br0" } }),
    }
}
