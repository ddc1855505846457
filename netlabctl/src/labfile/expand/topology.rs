//! Who is next to whom: subnets, and the nodes that are in them.

use std::collections::{BTreeMap, HashMap};

use super::{
    draft::Draft,
    space::{self, Space},
};
use crate::labfile::{
    tree::Node,
    walk::{is_false, is_true},
};

/// A node in a subnet, by its number, with its address there.
pub(super) type Attached = (usize, u128);

/// A subnet on one wire, or on several that bridges join.
pub(super) struct Net {
    pub(super) space: Space,
    pub(super) all: Vec<Attached>,
    /// Those that forward.
    pub(super) routers: Vec<Attached>,
}

/// The lab as routing sees it.
pub(super) struct Topology {
    /// Whether each node forwards.
    pub(super) forwards: Vec<bool>,
    pub(super) nets: Vec<Net>,
    /// In which subnets each node is.
    pub(super) of_node: Vec<Vec<usize>>,
}

/// Interfaces that are joined, as sets.
struct Wires<'t> {
    ids: HashMap<(&'t str, &'t str), usize>,
    parents: Vec<usize>,
}

impl<'t> Wires<'t> {
    fn id(&mut self, node: &'t str, interface: &'t str) -> usize {
        let next = self.parents.len();
        let id = *self.ids.entry((node, interface)).or_insert(next);
        if id == next {
            self.parents.push(next);
        }
        id
    }

    fn root(&mut self, mut id: usize) -> usize {
        while self.parents[id] != id {
            self.parents[id] = self.parents[self.parents[id]];
            id = self.parents[id];
        }
        id
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.parents[a] = b;
    }
}

/// Reads the lab: what is down, belongs to a VRF or is learned has no part in it.
pub(super) fn read(lab: &Draft<'_>) -> Topology {
    let mut wires = Wires { ids: HashMap::new(), parents: Vec::new() };
    for link in lab.links.iter().filter(|link| !is(link, "up", is_false)) {
        let ends: Vec<(&str, &str)> = link
            .get("endpoints")
            .map_or(&[][..], |ends| ends.items())
            .iter()
            .filter_map(|end| end.word()?.split_once(':'))
            .collect();
        if let [a, b] = ends[..] {
            let (a, b) = (wires.id(a.0, a.1), wires.id(b.0, b.1));
            wires.join(a, b);
        }
    }
    let mut placed: Vec<(usize, usize, Space, u128)> = Vec::new();
    for (number, entry) in lab.nodes.iter().enumerate() {
        for interface in entry.node.get("interfaces").map_or(&[][..], |all| all.entries()) {
            let id = wires.id(&entry.key, &interface.key);
            if let Some((node, other)) = joined(&entry.key, &interface.node) {
                let other = wires.id(node, other);
                wires.join(id, other);
            }
            if let Some(bond) = bond(&entry.node, &interface.node) {
                let bond = wires.id(&entry.key, bond);
                wires.join(id, bond);
            }
            if is(&interface.node, "up", is_false) || interface.node.get("master").is_some() {
                continue;
            }
            let addresses = interface.node.get("addresses").map_or(&[][..], |all| all.items());
            for address in addresses {
                let found = address.word().and_then(space::around);
                if let Some((space, address)) = found.filter(|(_, address)| !is_link_local(*address)) {
                    placed.push((number, id, space, address));
                }
            }
        }
    }
    let forwards: Vec<bool> = lab.nodes.iter().map(|entry| is(&entry.node, "forwarding", is_true)).collect();
    let mut found: BTreeMap<(usize, u8, u128, u8), Vec<Attached>> = BTreeMap::new();
    for (node, id, space, address) in placed {
        let key = (wires.root(id), space.bits, space.first, space.prefix);
        found.entry(key).or_default().push((node, address));
    }
    let mut of_node = vec![Vec::new(); forwards.len()];
    let mut nets = Vec::new();
    for ((_, bits, first, prefix), all) in found {
        for (node, _) in &all {
            of_node[*node].push(nets.len());
        }
        let routers = all.iter().copied().filter(|(node, _)| forwards[*node]).collect();
        nets.push(Net { space: Space { first, prefix, bits }, all, routers });
    }
    Topology { forwards, nets, of_node }
}

/// The bond that an interface is a member of, and not the VRF.
fn bond<'t>(node: &'t Node, interface: &'t Node) -> Option<&'t str> {
    let master = interface.get("master")?.word()?;
    node.get("interfaces")?.get(master)?.get("bond").map(|_| master)
}

/// What an interface hands its frames to: a bridge, what it is on, or tunnels of the same kind.
fn joined<'t>(node: &'t str, interface: &'t Node) -> Option<(&'t str, &'t str)> {
    let word = |kind: &str, key: &str| interface.get(kind)?.get(key)?.word();
    let under = ["vlan", "macvlan", "ipvlan"].into_iter().find_map(|kind| word(kind, "parent"));
    if let Some(below) = word("port", "bridge").or(under) {
        return Some((node, below));
    }
    let tunnel = ["vxlan", "geneve"].into_iter().find_map(|kind| Some((kind, word(kind, "vni")?)));
    // No node has such a name.
    tunnel.map(|(kind, vni)| (if kind == "vxlan" { "/vxlan" } else { "/geneve" }, vni)).or_else(|| {
        let kinds = ["gre", "gretap", "ipip", "sit", "ip6gre", "ip6tnl", "wireguard"];
        kinds.into_iter().find(|kind| interface.get(kind).is_some()).map(|kind| ("/tunnel", kind))
    })
}

fn is(node: &Node, key: &str, what: fn(&str) -> bool) -> bool {
    node.get(key).and_then(|node| node.word()).is_some_and(what)
}

/// `fe80::/10`, which no router passes on. (An IPv4 address is a small number.)
fn is_link_local(address: u128) -> bool {
    address >> 118 == 0xfe80 >> 6
}
