//! Random labs, valid by construction and dense: few names, so that changes meet. Property tests, fuzzers and tests on
//! real kernels make their labs of it. The kinds of interfaces come from [`Kind::examples`].

mod bond;
mod host;
mod rules;

use std::net::Ipv4Addr;

use serde_json::{Map, Value, json};

use netlab_proto::v1 as proto;

use crate::{
    feature::Feature,
    link::{Kind, Lower, Ports},
    model::IfName,
};

/// Where choices come from: a fuzzer's bytes, a property test's numbers, chance.
pub trait Choices {
    /// A number below `end`, which is not 0; the plainest choice is 0.
    fn below(&mut self, end: usize) -> usize;

    /// True once in `n` times.
    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == n - 1
    }
}

/// Numbers one after the other, then 0 for ever.
impl<T: Iterator<Item = u32>> Choices for T {
    fn below(&mut self, end: usize) -> usize {
        self.next().map_or(0, |number| number as usize % end)
    }
}

/// What labs are made of.
pub struct Design<'a> {
    /// Keeps what a lab uses of the host apart from other labs, below 32.
    pub number: usize,
    /// An interface of the host that is up, with an MTU of 1,500.
    pub parent: &'a str,
    /// A bridge of the host with an MTU of 1,500 and a MAC address of its own, that filters no VLANs.
    pub bridge: &'a str,
    /// Whether the kernel has a feature.
    pub has: &'a dyn Fn(Feature) -> bool,
    /// Sysctls to choose from; `d0` is a dummy that not every node has.
    pub sysctls: &'a [(&'a str, &'a str)],
}

/// Sysctls that hang together, of namespaces and of interfaces.
pub const SYSCTLS: [(&str, &str); 9] = [
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

/// The interface that others of a node stand on.
const BASE: &str = "d0";
/// The bridge of a node.
const BRIDGE: &str = "br0";
/// The VRF of a node.
const VRF: &str = "red";
/// The bond of a node.
const BOND: &str = "bond0";

/// A node so far.
#[derive(Default)]
struct Node {
    interfaces: Map<String, Value>,
    routes: Vec<Value>,
    bridge: Option<Ports>,
    vrf: bool,
    bond: bool,
}

impl Node {
    /// Has an interface belong to the VRF now and then; answers whether it does.
    fn enslave(&self, interface: &mut Value, choices: &mut dyn Choices) -> bool {
        let may = self.vrf && interface.get("port").is_none() && choices.one_in(3);
        if may {
            interface["master"] = json!(VRF);
        }
        may
    }
}

/// A lab so far.
struct Draft {
    nodes: Vec<Node>,
    links: Vec<Value>,
    on_host: Map<String, Value>,
}

impl Design<'_> {
    /// A lab as JSON.
    pub fn json(&self, name: &str, choices: &mut dyn Choices) -> Value {
        let nodes = 1 + choices.below(3);
        let mut draft = Draft { nodes: Vec::new(), links: Vec::new(), on_host: Map::new() };
        draft.nodes.extend((0..nodes).map(|number| self.node(number, choices)));
        for link in 0..choices.below(5) {
            self.link(&mut draft, link, choices);
        }
        let vlan = self.examples(self.parent).into_iter().find(|kind| kind.vlan().is_some());
        if let Some(vlan) = vlan.filter(|_| choices.one_in(4)) {
            draft.on_host.insert(format!("v{}", self.number), host::vlan(&vlan, self.number, choices));
        }
        let fields = draft.nodes.iter().map(|node| self.fields(node, choices));
        let nodes: Map<_, _> =
            fields.enumerate().map(|(number, node)| (format!("n{number}"), node)).collect();
        let mut host = json!({ "interfaces": draft.on_host });
        if choices.one_in(3) {
            host["forwarding"] = json!(true);
            if (self.has)(Feature::NAT) {
                let source = format!("198.18.{}.0/24", self.number * 8);
                host["nat"] = json!({ "masquerade": [{ "source": source }] });
            }
        }
        json!({ "name": name, "nodes": nodes, "links": draft.links, "host": host })
    }

    /// The same as a message.
    ///
    /// # Errors
    /// Only where an example of a kind is no message.
    pub fn lab(&self, name: &str, choices: &mut dyn Choices) -> Result<proto::Lab, serde_json::Error> {
        serde_json::from_value(self.json(name, choices))
    }

    /// Examples that the kernel can make and that others on the same interface put up with.
    fn examples(&self, lower: &str) -> Vec<Kind> {
        let Ok(lower) = lower.parse::<IfName>() else { return Vec::new() };
        let mut all = Kind::examples(&lower);
        // Those that take all that arrives: of one kind on the host, of one kind and mode in a node.
        let is_alike = |kind: &Kind| match kind.lower() {
            Some(Lower::Host(_)) => kind.group().is_none(),
            Some(Lower::Here(_)) => !kind.takes_lower() || kind.group() == Some(("mode", "l2")),
            None => true,
        };
        all.retain(|kind| (self.has)(kind.needs().0) && kind.alone().is_none() && is_alike(kind));
        all
    }

    fn node(&self, number: usize, choices: &mut dyn Choices) -> Node {
        let mut node = Node::default();
        let bridges: Vec<_> = self.examples(BASE).into_iter().filter(|it| it.ports().of_bridge()).collect();
        if !bridges.is_empty() && choices.one_in(2) {
            let bridge = &bridges[choices.below(bridges.len())];
            node.bridge = Some(bridge.ports());
            node.interfaces.insert(BRIDGE.into(), interface(bridge));
        }
        let vrf = self.examples(BASE).into_iter().find(|kind| kind.ports().vrf().is_some());
        if let Some(vrf) = vrf.filter(|_| choices.one_in(3)) {
            node.vrf = true;
            node.interfaces.insert(VRF.into(), interface(&vrf));
        }
        self.bond(&mut node, number, choices);
        let base = self.examples(BASE).into_iter().find(|kind| kind.key() == "dummy");
        if let Some(base) = base.filter(|_| choices.one_in(2)) {
            let mut d0 = interface(&base);
            d0["addresses"] = json!([format!("198.51.100.{}/24", 1 + choices.below(3)), "2001:db8::1/64"]);
            node.enslave(&mut d0, choices);
            node.interfaces.insert(BASE.into(), d0);
        }
        self.uppers(&mut node, number, choices);
        node
    }

    /// Interfaces of all kinds, on what the node has and on the host.
    fn uppers(&self, node: &mut Node, number: usize, choices: &mut dyn Choices) {
        let mut known = Vec::new();
        for upper in 0..choices.below(5) {
            let lower = match choices.below(3) {
                2 if node.bridge.is_some() => BRIDGE,
                1 if node.interfaces.get(BOND).is_some_and(|bond| bond.get("port").is_none()) => BOND,
                _ => BASE,
            };
            let mut examples = self.examples(lower);
            examples.retain(|kind| kind.ports().vrf().is_none() && !kind.ports().of_bond());
            if examples.is_empty() {
                return;
            }
            let mut kind = examples[choices.below(examples.len())].clone();
            let mut made = Value::Null;
            if kind.lower_on_host().is_some() {
                if let (Some(on_host), Ok(parent)) = (kind.lower_mut(), self.parent.parse()) {
                    *on_host = parent;
                }
                made = json!(1500_u32.saturating_sub(kind.overhead()));
            }
            let identity = (kind.key(), kind.identity().map(|identity| identity.key));
            let missing = kind.lower_here().is_some_and(|name| !node.interfaces.contains_key(name.as_str()));
            if missing || identity.1.is_some() && known.contains(&identity) {
                continue;
            }
            known.push(identity);
            let mut interface = interface(&kind);
            if !made.is_null() {
                interface["mtu"] = made;
            }
            if choices.one_in(3) {
                let carries_ipv4 = kind.carries(Ipv4Addr::LOCALHOST.into());
                let ipv4 = format!("10.{number}.{upper}.1/24");
                let address = if carries_ipv4 { ipv4 } else { format!("2001:db8:b{number}:{upper}::1/64") };
                interface["addresses"] = json!([address]);
            }
            if choices.one_in(4) {
                interface["up"] = json!(false);
            }
            if let Some(impair) = self.impairment(choices) {
                interface["impair"] = impair;
            }
            node.enslave(&mut interface, choices);
            if choices.one_in(4) {
                interface["txqueuelen"] = json!([0, 100, 1000][choices.below(3)]);
            }
            node.interfaces.insert(format!("u{upper}"), interface);
        }
    }

    fn link(&self, draft: &mut Draft, link: usize, choices: &mut dyn Choices) {
        let (a, b) = (choices.below(draft.nodes.len()), choices.below(draft.nodes.len() + 1));
        if a == b {
            return;
        }
        let (name_a, name_b) = (format!("e{link}"), format!("l{}-{link}", self.number));
        let mtu = [1500, 1400, 1300][choices.below(3)];
        let mut end_a = end(choices, link, 1, &draft.nodes[a]);
        let mut end_b = match draft.nodes.get(b) {
            Some(node) => end(choices, link, 2, node),
            None => json!({ "addresses": [format!("198.18.{}.1/24", self.number * 8 + link)] }),
        };
        // A member of a bond has the bond's.
        if end_a.get("master").is_none() {
            end_a["mtu"] = json!(mtu);
        }
        if end_b.get("master").is_none() && !choices.one_in(3) {
            end_b["mtu"] = json!(mtu);
        }
        if let Some(impair) = self.impairment(choices) {
            end_b["impair"] = impair;
        }
        // One of a lab at most: two might be joined in the lab.
        if b == draft.nodes.len() && link == 0 && mtu == 1500 && choices.one_in(3) {
            end_b = host::port(self.bridge, choices);
        }
        let down = choices.one_in(5);
        if down {
            end_b["up"] = json!(false);
        }
        if end_a.get("addresses").is_some() && !down && choices.one_in(2) {
            let ipv6 = end_a["addresses"].as_array().is_some_and(|addresses| addresses.len() > 1);
            let in_vrf = draft.nodes[a].enslave(&mut end_a, choices);
            draft.nodes[a].routes.extend(self.route(link, ipv6, in_vrf, choices));
        }
        let at_b = if let Some(node) = draft.nodes.get_mut(b) {
            node.interfaces.insert(name_b.clone(), end_b);
            format!("n{b}:{name_b}")
        } else {
            draft.on_host.insert(name_b.clone(), end_b);
            format!("host:{name_b}")
        };
        draft.nodes[a].interfaces.insert(name_a.clone(), end_a);
        let mut cable = json!({ "endpoints": [format!("n{a}:{name_a}"), at_b] });
        if choices.one_in(6) {
            cable["up"] = json!(false);
        }
        if let Some(impair) = self.impairment(choices) {
            cable["impair"] = impair;
        }
        draft.links.push(cable);
    }

    /// A route through a link, or one that sends nothing; what it sends it puts something around now and then.
    fn route(&self, link: usize, ipv6: bool, in_vrf: bool, choices: &mut dyn Choices) -> Option<Value> {
        let mut route = route(link, ipv6, in_vrf, choices)?;
        let encaps = [
            (Feature::MPLS_IPTUNNEL, json!({ "mpls": [100, 200 + link] })),
            (Feature::SEG6, json!({ "seg6": ["2001:db8:5::1", format!("2001:db8:5::{link}")] })),
        ];
        if route["type"].is_null() && choices.one_in(4) {
            let (feature, encap) = encaps[choices.below(2)].clone();
            if (self.has)(feature) {
                route["encap"] = encap;
            }
        }
        Some(route)
    }

    /// The routes of a node, and one with all their next hops.
    fn several(&self, node: &Node, choices: &mut dyn Choices) -> Vec<Value> {
        let mut routes = node.routes.clone();
        let hop = |route: &Value| {
            let mut hop = json!({ "via": route["via"], "dev": route["dev"], "onlink": route["onlink"] });
            hop["encap"] = route["encap"].clone();
            let Value::Object(mut hop) = hop else { return None };
            // One in a VRF is on the link of nothing outside of it.
            if route.get("vrf").is_some() {
                return None;
            }
            hop.retain(|_, value| !value.is_null());
            hop.contains_key("via").then_some(Value::Object(hop))
        };
        let mut hops: Vec<Value> = routes.iter().filter_map(hop).collect();
        if hops.len() > 1 && (self.has)(Feature::MULTIPATH) && choices.one_in(2) {
            hops[0]["weight"] = json!(1 + choices.below(3));
            routes.push(json!({ "to": "203.1.0.0/16", "next_hops": hops }));
        }
        routes
    }

    /// What a wire or an interface does to packets, seldom anything.
    fn impairment(&self, choices: &mut dyn Choices) -> Option<Value> {
        let all = [
            json!({ "delay": "5ms" }),
            json!({ "delay": "20ms", "jitter": "2ms", "correlation": "25%", "distribution": "normal" }),
            json!({ "delay": "20ms", "jitter": "2ms", "reorder": "5%", "seed": 7 }),
            json!({ "loss": "2%", "loss_burst": 4, "duplicate": "1%", "corrupt": "0.1%" }),
            json!({ "rate": "10mbit", "queue": 50 }),
            json!({}),
        ];
        let some = (self.has)(Feature::NETEM) && choices.one_in(4);
        some.then(|| all[choices.below(all.len())].clone())
    }

    fn fields(&self, node: &Node, choices: &mut dyn Choices) -> Value {
        let routes = self.several(node, choices);
        let mut fields = json!({ "interfaces": node.interfaces, "routes": routes });
        if (self.has)(Feature::TABLES) && choices.one_in(3) {
            fields["rules"] = rules(choices);
        }
        fields["neighbours"] = neighbours(node, choices);
        if choices.one_in(2) {
            fields["forwarding"] = json!(true);
            if (self.has)(Feature::NAT) {
                let interfaces: Vec<&String> = node.interfaces.keys().collect();
                fields["nat"] = rules::nat(&interfaces, choices);
            }
        }
        if (self.has)(Feature::FIREWALL) && choices.one_in(3) {
            fields["firewall"] = rules::firewall(fields["forwarding"] == true, choices);
        }
        if choices.one_in(6) {
            fields["overlapping_subnets"] = json!(true);
        }
        if (self.has)(Feature::MPLS) && choices.one_in(4) {
            let label = json!({ "to": format!("mpls:{}", 100 + choices.below(3)), "dev": "lo" });
            fields["routes"].as_array_mut().into_iter().for_each(|routes| routes.push(label.clone()));
        }
        let mut sysctls = Map::new();
        for (key, value) in self.sysctls {
            let exists = node.interfaces.contains_key(BASE) || !key.contains(&format!(".{BASE}."));
            if choices.one_in(2) && exists {
                sysctls.insert((*key).to_owned(), json!(value));
            }
        }
        fields["sysctls"] = Value::Object(sysctls);
        fields
    }
}

/// A few rules of both families; what each does hangs on its place.
fn rules(choices: &mut dyn Choices) -> Value {
    let rule = |number: usize| match number {
        0 => json!({ "priority": 7, "from": "192.0.2.0/24", "table": 100 }),
        1 => json!({ "fwmark": 1, "fwmask": 255, "to": "203.0.0.0/16", "type": "prohibit" }),
        2 => json!({ "priority": 9, "fwmark": 3, "table": 200 }),
        3 => json!({ "from": "2001:db8:a0::/48", "iif": "lo", "table": 254 }),
        _ => json!({ "priority": 40_000, "type": "unreachable" }),
    };
    let mut numbers: Vec<usize> = (0..choices.below(4)).map(|_| choices.below(5)).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers.into_iter().map(rule).collect()
}

/// Neighbours on the links of a node.
fn neighbours(node: &Node, choices: &mut dyn Choices) -> Value {
    let mut all = Vec::new();
    for (name, interface) in &node.interfaces {
        let addresses = interface["addresses"].as_array().map_or(&[][..], Vec::as_slice);
        let up = interface["up"] != false;
        let ipv4 = addresses.first().and_then(Value::as_str).filter(|text| text.starts_with("192.0."));
        let Some(address) = ipv4.filter(|_| up && choices.one_in(4)) else { continue };
        let net = address.rsplit_once('.').map_or(address, |(net, _)| net);
        all.push(match choices.below(2) {
            0 => json!({ "to": format!("{net}.77"), "mac": "02:00:00:00:00:77", "dev": name }),
            _ => json!({ "to": format!("{net}.78"), "dev": name, "proxy": true }),
        });
    }
    Value::Array(all)
}

/// A route through a link, or one that sends nothing.
fn route(link: usize, ipv6: bool, in_vrf: bool, choices: &mut dyn Choices) -> Option<Value> {
    let to = format!("203.0.{link}.0/24");
    let kind = ["blackhole", "unreachable", "prohibit", "throw"][choices.below(4)];
    let mut route = match choices.below(6) {
        0 => return None,
        1 => json!({ "to": to, "type": kind }),
        2 if ipv6 => json!({ "to": to, "via": format!("2001:db8:a{link}::2") }),
        3 => json!({ "to": to, "via": "198.18.255.1", "dev": format!("e{link}"), "onlink": true }),
        _ => json!({ "to": to, "via": format!("192.0.{link}.2") }),
    };
    if in_vrf {
        route["vrf"] = json!(VRF);
    } else if choices.one_in(3) {
        route["table"] = json!(100 * (1 + choices.below(2)));
    }
    if route["type"].is_null() && choices.one_in(3) {
        route["mtu"] = json!(1300);
        route["src"] = json!(format!("192.0.{link}.1"));
    }
    Some(route)
}

/// An interface of a kind as the lab file has it.
fn interface(kind: &Kind) -> Value {
    let message = proto::Interface { kind: Some(kind.message()), ..proto::Interface::default() };
    let all = serde_json::to_value(message).unwrap_or_default();
    json!({ kind.key(): all[kind.key()] })
}

/// One end of a link: with addresses, a member of the node's bond, or a port of its bridge.
fn end(choices: &mut dyn Choices, link: usize, side: u8, node: &Node) -> Value {
    let address = format!("192.0.{link}.{side}/24");
    if node.bond && choices.one_in(2) {
        return json!({ "master": BOND });
    }
    match (node.bridge, choices.below(6)) {
        (_, 0) => json!({ "addresses": [address] }),
        (None, _) | (_, 1) => {
            json!({ "addresses": [address, format!("2001:db8:a{link}::{side}/64")] })
        }
        (Some(_), 5) => json!({ "port": {
            "bridge": BRIDGE, "cost": 10, "isolated": true, "learning": false, "group_fwd_mask": ["lacp"],
            "fdb": [format!("02:00:00:00:{link:02x}:{side:02x}")],
        } }),
        (Some(ports), 2) if ports.filtering() => json!({ "port": { "bridge": BRIDGE, "access": 10 } }),
        (Some(ports), 3) if ports.filtering() => {
            json!({ "port": { "bridge": BRIDGE, "trunk": [10, 20], "native": 30 } })
        }
        _ => json!({ "port": { "bridge": BRIDGE } }),
    }
}
