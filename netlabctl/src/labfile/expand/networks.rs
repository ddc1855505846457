//! Networks: a bridge in a node of its own, and a link to each member.

use std::rc::Rc;

use netlab_proto::suggest::nearest;

use super::{
    draft::{Draft, INTERFACE, LINKS, NODES, list, mapping, of},
    fill::{self, Filler},
    pools::{Block, Pools, Use},
    range,
    select::{self, End},
};
use crate::labfile::{
    fault::Position,
    tree::{Entry, Node, Value},
    walk::show,
};

/// What a network can say.
pub(super) const KEYS: [&str; 5] = ["members", "gateway", "pool", "bridge", "impair"];

/// The bridge of a network's node.
const BRIDGE: &str = "br0";

/// Adds the networks that are written.
pub(super) fn write(root: &Node, pools: &mut Pools, filler: &mut Filler, lab: &mut Draft<'_>) {
    let Some(networks) = root.get("networks") else { return };
    if !networks.is_nothing() && !matches!(networks.value, Value::Map(_)) {
        lab.fault(networks.at, format!("networks: expected a mapping of names, found {}", show(networks)));
    }
    // Nodes first: a network is no member of another by a star.
    let mut all = Vec::new();
    for entry in networks.entries() {
        match range::members(&entry.key, NODES) {
            Err(why) => lab.fault(entry.at, why),
            Ok(members) if lab.nodes.len() + all.len() + members.len() > NODES => {
                let message = format!("with {} the lab has more than {NODES} nodes, the most", entry.key);
                lab.fault(entry.at, message);
            }
            Ok(members) => all.extend(members.into_iter().map(|member| (entry, member))),
        }
    }
    let mut nodes = Vec::new();
    for (entry, member) in all {
        let label: Option<Rc<str>> =
            range::has(&entry.key).then(|| format!("{}, {}", entry.key, member.name).into());
        let before = lab.faults.len();
        let words = |word: &str| fill::of_values(&member.values, word);
        let body = match &label {
            Some(_) => filler.fill(&entry.node, &words, lab.faults),
            None => Rc::clone(&entry.node),
        };
        let network = Network { name: &member.name, at: entry.at, member: label.clone(), body: &body };
        nodes.extend(network.write(pools, lab));
        if let Some(label) = &label {
            lab.faults[before..].iter_mut().for_each(|fault| fault.of(label));
        }
    }
    for (entry, member) in nodes {
        let (name, at) = (entry.key.clone(), entry.at);
        match lab.add(entry) {
            Ok(()) => lab.networks += 1,
            Err(first) => {
                let first = lab.place(first, at);
                let message = format!("{name:?} is a node already, on {first}; call the network otherwise");
                lab.fault_of(at, member.as_ref(), message);
            }
        }
    }
}

struct Network<'n> {
    name: &'n str,
    at: Position,
    member: Option<Rc<str>>,
    body: &'n Rc<Node>,
}

impl Network<'_> {
    fn write(&self, pools: &mut Pools, lab: &mut Draft<'_>) -> Option<(Entry, Option<Rc<str>>)> {
        for key in self.body.entries().iter().filter(|key| !KEYS.contains(&key.key.as_str())) {
            let near = nearest(&key.key, KEYS.into_iter());
            let hint = near.map_or(format!("; known here: {}", KEYS.join(", ")), |near| {
                format!(", did you mean {near:?}?")
            });
            lab.fault(key.at, format!("unknown field {:?}{hint}", key.key));
        }
        let (gateway, members) = self.ends(lab)?;
        let ends: Vec<(End, String)> = gateway
            .iter()
            .chain(
                members.iter().filter(|member| gateway.as_ref().is_none_or(|gate| gate.node != member.node)),
            )
            .filter_map(|end| Some((end.clone(), self.interface(end, lab)?)))
            .collect();
        if lab.links.len() + ends.len() > LINKS {
            lab.fault(self.at, format!("with {} the lab has more than {LINKS} links, the most", self.name));
            return None;
        }
        let empty = || mapping(self.at, Vec::new());
        let bridge = self.body.get("bridge").map_or_else(empty, Rc::clone);
        let mut ports = vec![(BRIDGE.to_owned(), mapping(self.at, vec![("bridge", bridge)]))];
        for (number, (end, name)) in ends.iter().enumerate() {
            if lab.node(&end.node).is_none() && end.node != "host" {
                let message = select::unknown(&end.node, lab);
                lab.fault_of(end.at, self.member.as_ref(), message);
                continue;
            }
            let fits = end.node.len() <= INTERFACE && end.node != BRIDGE;
            let port = if fits { end.node.clone() } else { format!("p{}", number + 1) };
            self.link(end, name, &port, lab);
            let bridge = mapping(end.at, vec![("bridge", Node::text(end.at, BRIDGE))]);
            ports.push((port, mapping(end.at, vec![("port", bridge)])));
        }
        self.addresses(&ends, gateway.is_some(), pools, lab);
        let ports = ports.into_iter().map(|(key, node)| Entry { key, at: self.at, node }).collect();
        let interfaces = Rc::new(Node::new(self.at, Value::Map(ports)));
        let node = mapping(self.at, vec![("interfaces", interfaces)]);
        let entry = Entry { key: self.name.to_owned(), at: self.at, node: of(&node, self.member.as_ref()) };
        Some((entry, self.member.clone()))
    }

    /// The gateway and the members, as they are written.
    fn ends(&self, lab: &mut Draft<'_>) -> Option<(Option<End>, Vec<End>)> {
        let gateway = match self.body.get("gateway") {
            None => None,
            Some(gateway) => match <[End; 1]>::try_from(select::ends(gateway, lab)?) {
                Ok([end]) => Some(end),
                Err(several) => {
                    lab.fault(gateway.at, format!("gateway: {} nodes; a network has one", several.len()));
                    return None;
                }
            },
        };
        let Some(members) = self.body.get("members").filter(|members| !members.items().is_empty()) else {
            lab.fault(self.at, "members: expected a list of nodes, such as [h1, \"h[2-4]\"]");
            return None;
        };
        let all: Option<Vec<Vec<End>>> = members.items().iter().map(|item| select::ends(item, lab)).collect();
        let members: Vec<End> = all?.into_iter().flatten().collect();
        let mut seen = std::collections::HashSet::new();
        for end in &members {
            if !seen.insert(&end.node) {
                lab.fault_of(end.at, self.member.as_ref(), format!("{} is a member twice", end.node));
                return None;
            }
        }
        Some((gateway, members))
    }

    /// What a member calls its interface: as the network, unless another name is said.
    fn interface(&self, end: &End, lab: &mut Draft<'_>) -> Option<String> {
        let said = end.interface.as_deref().unwrap_or(self.name);
        let name = match fill::text(said, &|word| fill::of_values(&end.values, word)) {
            Ok(filled) => filled.unwrap_or_else(|| said.to_owned()),
            Err(why) => {
                lab.fault_of(end.at, self.member.as_ref(), why);
                return None;
            }
        };
        if name.len() > INTERFACE {
            let message = format!(
                "{name:?} is too long for an interface, of at most {INTERFACE} bytes; say another name, such as \
                 \"{}:eth0\"",
                end.node
            );
            lab.fault_of(end.at, self.member.as_ref(), message);
            return None;
        }
        Some(name)
    }

    fn link(&self, end: &End, name: &str, port: &str, lab: &mut Draft<'_>) {
        let words = [format!("{}:{name}", end.node), format!("{}:{port}", self.name)];
        let ends = list(end.at, words.map(|word| Node::text(end.at, word)).to_vec());
        let mut keys = vec![("endpoints", ends)];
        if let Some(impair) = self.body.get("impair") {
            keys.push(("impair", Rc::clone(impair)));
        }
        lab.links.push(of(&mapping(end.at, keys), Some(&self.label(end))));
    }

    /// Which member this is, of all that the network has.
    fn label(&self, end: &End) -> Rc<str> {
        format!("{}, {}", self.name, end.node).into()
    }

    fn addresses(&self, ends: &[(End, String)], gateway: bool, pools: &mut Pools, lab: &mut Draft<'_>) {
        let places: Vec<(&str, &str)> =
            ends.iter().map(|(end, name)| (end.node.as_str(), name.as_str())).collect();
        let named = self.body.get("pool").map_or_else(Vec::new, |pool| pools.named(pool, lab));
        for pool in &named {
            let Some(block) = pools.take(pool, Use::Networks, self.member.as_ref(), &places, lab) else {
                continue;
            };
            self.assign(&block, pool.at, ends, lab);
        }
        let Some((first, name)) = ends.first().filter(|_| gateway) else { return };
        let addresses: Vec<String> = lab
            .addresses(&first.node, name)
            .iter()
            .filter_map(|address| Some(address.word()?.split_once('/')?.0.to_owned()))
            .collect();
        if addresses.is_empty() {
            if lab.faults.is_empty() {
                let message =
                    format!("{} has no address in {}: name a pool, or write one", first.node, self.name);
                lab.fault_of(first.at, self.member.as_ref(), message);
            }
            return;
        }
        for (end, _) in &ends[1..] {
            for v6 in [false, true] {
                let Some(via) = addresses.iter().find(|address| address.contains(':') == v6) else {
                    continue;
                };
                if end.node != "host" && !has_default(&end.node, v6, lab) {
                    let keys =
                        vec![("to", Node::text(first.at, "default")), ("via", Node::text(first.at, via))];
                    lab.add_route(&end.node, of(&mapping(first.at, keys), Some(&self.label(end))));
                }
            }
        }
    }

    fn assign(&self, block: &Block, at: Position, ends: &[(End, String)], lab: &mut Draft<'_>) {
        for (number, (end, name)) in ends.iter().enumerate() {
            let Some(address) = block.address(number) else {
                let message = format!(
                    "{} of pool {} has no address left for {}; choose a smaller prefix",
                    block.space, block.pool, end.node
                );
                return lab.fault_of(at, self.member.as_ref(), message);
            };
            let v6 = address.contains(':');
            let own = |node: &Rc<Node>| node.word().is_some_and(|word| word.contains(':') == v6);
            if !lab.addresses(&end.node, name).iter().any(own) {
                lab.add_address(&end.node, name, of(&Node::text(at, address), Some(&self.label(end))));
            }
        }
    }
}

/// Whether a node has a default route of a family in its main table.
fn has_default(node: &str, v6: bool, lab: &Draft<'_>) -> bool {
    let routes = lab.node(node).and_then(|node| node.node.get("routes"));
    routes.is_some_and(|routes| {
        routes.items().iter().any(|route| {
            let word = |key: &str| route.get(key).and_then(|node| node.word());
            let hop = route.get("next_hops").and_then(|hops| hops.items().first()?.get("via")?.word());
            let of_v6 = word("via").or(hop).is_some_and(|via| via.contains(':'));
            match word("to") {
                _ if word("table").is_some() || word("vrf").is_some() => false,
                Some("default") => of_v6 == v6,
                Some("0.0.0.0/0") => !v6,
                Some("::/0") => v6,
                _ => false,
            }
        })
    })
}
