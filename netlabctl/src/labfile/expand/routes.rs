//! `static_routes: shortest_paths`: routes along the fewest hops, several where they are as short.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    rc::Rc,
};

use super::{
    draft::{Draft, list, mapping, of},
    space::{self, Space},
    topology::{self, Topology},
};
use crate::labfile::{fault::Position, tree::Node, walk::show};

/// Most routes of a node, as netlabd has it.
const ROUTES: usize = 1000;
/// Most next hops of a route.
const HOPS: usize = 64;
/// No way.
const FAR: u32 = u32::MAX;

/// Adds to each node a route to each subnet for which the file has none.
pub(super) fn write(root: &Node, lab: &mut Draft<'_>) {
    let Some(how) = root.get("static_routes") else { return };
    if how.word() != Some("shortest_paths") {
        return lab.fault(how.at, format!("static_routes: expected shortest_paths, found {}", show(how)));
    }
    // Faults leave parts out, and the routes would be others'.
    if !lab.faults.is_empty() {
        return;
    }
    let topology = topology::read(lab);
    let mut paths = Paths::new(&topology, lab);
    let mut spaces: BTreeMap<(u8, u128, u8), Vec<usize>> = BTreeMap::new();
    for (number, net) in topology.nets.iter().enumerate() {
        spaces.entry((net.space.bits, net.space.first, net.space.prefix)).or_default().push(number);
    }
    for ((bits, first, prefix), nets) in spaces {
        paths.to(Space { first, prefix, bits }, &nets);
    }
    let routes = paths.routes;
    for (number, (all, written)) in routes.into_iter().zip(paths.written).enumerate() {
        let name = lab.nodes[number].key.clone();
        let all = if topology.forwards[number] { all } else { shorter(&all, &written) };
        if all.len() > ROUTES {
            let message = format!(
                "{name} would get more than {ROUTES} routes, the most of a node; write a default route where one way \
                 is enough, or number the nodes so that fewer subnets are needed"
            );
            return lab.fault(how.at, message);
        }
        let label = lab.nodes[number].node.member.clone().unwrap_or_else(|| name.as_str().into());
        for (to, hops) in all {
            lab.add_route(&name, of(&route(how.at, to, &hops), Some(&label)));
        }
    }
}

type Hops = Rc<BTreeSet<u128>>;

/// Routes of a node that forwards nothing: where all go the same way, that is its default route.
fn shorter(all: &[(Space, Hops)], written: &[Space]) -> Vec<(Space, Hops)> {
    let mut out = Vec::new();
    for bits in [32, 128] {
        let default = Space { first: 0, prefix: 0, bits };
        let mut family = all.iter().filter(|(space, _)| space.bits == bits).peekable();
        let Some((_, hops)) = family.peek() else { continue };
        if written.iter().any(|space| space.bits == bits) {
            out.extend(family.cloned());
            continue;
        }
        let hops = Rc::clone(hops);
        if all.iter().filter(|(space, _)| space.bits == bits).all(|(_, other)| *other == hops) {
            out.push((default, hops));
        } else {
            out.extend(family.cloned());
        }
    }
    out
}

fn route(at: Position, to: Space, hops: &BTreeSet<u128>) -> Rc<Node> {
    let to_word = if to.prefix == 0 { "default".to_owned() } else { to.to_string() };
    let via = |hop: &u128| Node::text(at, to.show(*hop).to_string());
    let mut keys = vec![("to", Node::text(at, to_word))];
    match hops.iter().take(HOPS).collect::<Vec<_>>().as_slice() {
        [only] => keys.push(("via", via(only))),
        several => {
            let hops = several.iter().map(|hop| mapping(at, vec![("via", via(hop))])).collect();
            keys.push(("next_hops", list(at, hops)));
        }
    }
    mapping(at, keys)
}

struct Paths<'t> {
    topology: &'t Topology,
    /// What the file says of each node, to where.
    written: Vec<Vec<Space>>,
    routes: Vec<Vec<(Space, Hops)>>,
    distance: Vec<u32>,
    seen: Vec<bool>,
    /// The only router next to a node, by family, which then needs no other route.
    only: Vec<[Option<Hops>; 2]>,
}

impl<'t> Paths<'t> {
    fn new(topology: &'t Topology, lab: &Draft<'_>) -> Self {
        let nodes = lab.nodes.len();
        let written = lab.nodes.iter().map(|entry| destinations(&entry.node)).collect();
        let only = (0..nodes).map(|node| [32, 128].map(|bits| only(topology, node, bits))).collect();
        let (routes, distance, seen) =
            (vec![Vec::new(); nodes], vec![FAR; nodes], vec![false; topology.nets.len()]);
        Self { topology, written, routes, distance, seen, only }
    }

    /// The routes to one subnet.
    fn to(&mut self, space: Space, nets: &[usize]) {
        let nets_of = |what: &dyn Fn(usize) -> bool| -> Vec<usize> {
            let all = nets.iter().flat_map(|net| &self.topology.nets[*net].all);
            all.map(|(node, _)| *node).filter(|node| what(*node)).collect()
        };
        let mut ends = nets_of(&|node| self.topology.forwards[node]);
        if ends.is_empty() && space.prefix == space.bits {
            ends = nets_of(&|_| true);
        }
        if ends.is_empty() {
            return;
        }
        self.measure(&ends, space.bits);
        let attached: BTreeSet<usize> = nets_of(&|_| true).into_iter().collect();
        for node in 0..self.distance.len() {
            let far = self.distance[node];
            if far == FAR || far == 0 || attached.contains(&node) || self.routes[node].len() > ROUTES {
                continue;
            }
            let forwards = self.topology.forwards[node];
            let says = |route: &Space| {
                route.bits == space.bits && route.holds(space.first) && route.prefix <= space.prefix
                    // A router's default route is for what is not in the lab.
                    && (route.prefix > 0 || !forwards)
            };
            if self.written[node].iter().any(says) {
                continue;
            }
            let family = usize::from(space.bits == 128);
            let hops = match &self.only[node][family] {
                Some(_) if self.routes[node].iter().any(|(other, _)| other.bits == space.bits) => continue,
                Some(hops) => Rc::clone(hops),
                None => Rc::new(self.hops(node, space.bits, &ends)),
            };
            if !hops.is_empty() {
                self.routes[node].push((space, hops));
            }
        }
    }

    /// How many hops each node is away.
    fn measure(&mut self, ends: &[usize], bits: u8) {
        self.distance.fill(FAR);
        self.seen.fill(false);
        let mut queue: VecDeque<usize> = ends.iter().copied().collect();
        for node in ends {
            self.distance[*node] = 0;
        }
        while let Some(node) = queue.pop_front() {
            for net in &self.topology.of_node[node] {
                let found = &self.topology.nets[*net];
                if found.space.bits != bits || std::mem::replace(&mut self.seen[*net], true) {
                    continue;
                }
                for (other, _) in &found.all {
                    if self.distance[*other] == FAR {
                        self.distance[*other] = self.distance[node] + 1;
                        if self.topology.forwards[*other] {
                            queue.push_back(*other);
                        }
                    }
                }
            }
        }
    }

    /// The neighbours of a node that are one hop nearer.
    fn hops(&self, node: usize, bits: u8, ends: &[usize]) -> BTreeSet<u128> {
        let nearer = self.distance[node] - 1;
        let mut all = BTreeSet::new();
        for net in self.topology.of_node[node].iter().map(|net| &self.topology.nets[*net]) {
            if net.space.bits != bits {
                continue;
            }
            // The last hop may be a host that an address belongs to.
            let next = if nearer == 0 { &net.all } else { &net.routers };
            let near = next
                .iter()
                .filter(|(other, _)| self.distance[*other] == nearer && (nearer > 0 || ends.contains(other)));
            all.extend(near.map(|(_, address)| *address));
        }
        all
    }
}

/// The one router next to a node that forwards nothing.
fn only(topology: &Topology, node: usize, bits: u8) -> Option<Hops> {
    if topology.forwards[node] {
        return None;
    }
    let nets = topology.of_node[node].iter().map(|net| &topology.nets[*net]);
    let routers: BTreeSet<u128> = nets
        .filter(|net| net.space.bits == bits)
        .flat_map(|net| net.routers.iter().map(|(_, address)| *address))
        .collect();
    (routers.len() == 1).then(|| Rc::new(routers))
}

/// To where a node has routes in its main table.
fn destinations(node: &Node) -> Vec<Space> {
    let routes = node.get("routes").map_or(&[][..], |routes| routes.items());
    let main = |route: &&Rc<Node>| route.get("table").is_none() && route.get("vrf").is_none();
    let to = |route: &Rc<Node>| {
        let word = |key: &str| route.get(key).and_then(|node| node.word());
        let hop = route.get("next_hops").and_then(|hops| hops.items().first()?.get("via")?.word());
        match word("to")? {
            "default" => {
                let v6 = word("via").or(hop).is_some_and(|via| via.contains(':'));
                Some(Space { first: 0, prefix: 0, bits: if v6 { 128 } else { 32 } })
            }
            range => space::parse(range).ok(),
        }
    };
    routes.iter().filter(main).filter_map(to).collect()
}
