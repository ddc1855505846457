//! Pools: addresses that are a function of the file alone.
//!
//! What takes from a pool takes the next subnet of it, in the order of the file; so what is added at the end takes
//! nothing from what was there. A pool serves things of one kind, as they would push each other along else.

use std::rc::Rc;

use netlab_proto::suggest::nearest;

use super::{
    draft::{Draft, of},
    space::{self, Space},
};
use crate::labfile::{
    fault::Position,
    tree::{Entry, Node, Value},
    walk::{integer, show},
};

/// What an address from a pool begins with.
const PREFIX: &str = "pool:";

/// Most pools of a file: each is compared with each.
const MOST: usize = 100;

/// What a pool is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Addresses,
    Links,
    Networks,
}

impl Use {
    fn words(self) -> &'static str {
        match self {
            Self::Addresses => "addresses of nodes",
            Self::Links => "links",
            Self::Networks => "networks",
        }
    }
}

struct Pool {
    name: String,
    at: Position,
    space: Space,
    prefix: u8,
    taken: u128,
    used: Option<(Use, Position)>,
}

/// A name of a pool, and where it is written.
pub(super) struct Named {
    pub(super) at: Position,
    pool: usize,
}

/// A subnet that was taken.
pub(super) struct Block {
    pub(super) space: Space,
    /// Where it is asked for, and for what.
    pub(super) at: Position,
    pub(super) member: Option<Rc<str>>,
    pub(super) pool: String,
    /// Interfaces that are in it.
    pub(super) places: Vec<(String, String)>,
}

impl Block {
    /// The address of a number, with the prefix.
    pub(super) fn address(&self, number: usize) -> Option<String> {
        self.space
            .host(number as u128)
            .map(|address| format!("{}/{}", self.space.show(address), self.space.prefix))
    }
}

/// All pools of a file.
pub(super) struct Pools {
    pools: Vec<Pool>,
    pub(super) blocks: Vec<Rc<Block>>,
}

impl Pools {
    pub(super) fn read(root: &Node, lab: &mut Draft<'_>) -> Self {
        let mut all = Self { pools: Vec::new(), blocks: Vec::new() };
        let Some(pools) = root.get("pools") else { return all };
        if !pools.is_nothing() && !matches!(pools.value, Value::Map(_)) {
            lab.fault(pools.at, format!("pools: expected a mapping of names, found {}", show(pools)));
        }
        for entry in pools.entries().iter().take(MOST) {
            match pool(entry) {
                Ok(pool) => {
                    if let Some(other) = all.pools.iter().find(|other| other.space.overlaps(&pool.space)) {
                        let place = lab.place(other.at, pool.at);
                        let message = format!(
                            "the range {} overlaps {} of pool {} on {place}; choose another",
                            pool.space, other.space, other.name
                        );
                        lab.fault(pool.at, message);
                    }
                    all.pools.push(pool);
                }
                Err((at, why)) => lab.fault(at, why),
            }
        }
        if pools.entries().len() > MOST {
            lab.fault(pools.at, format!("{} pools; at most {MOST} are allowed", pools.entries().len()));
        }
        all
    }

    /// The pools that a value names: one, or a list for several families.
    pub(super) fn named(&self, from: &Node, lab: &mut Draft<'_>) -> Vec<Named> {
        let names = match &from.value {
            Value::List(items) => items.iter().map(|item| (item.at, item.word())).collect(),
            _ => vec![(from.at, from.word())],
        };
        let mut all = Vec::new();
        for (at, name) in names {
            match name.map(|name| self.find(name)) {
                Some(Ok(pool)) => all.push(Named { at, pool }),
                Some(Err(why)) => lab.fault(at, why),
                None => lab.fault(at, "pool: expected the name of a pool"),
            }
        }
        all
    }

    fn find(&self, name: &str) -> Result<usize, String> {
        self.pools.iter().position(|pool| pool.name == name).ok_or_else(|| {
            let near = nearest(name, self.pools.iter().map(|pool| pool.name.as_str()));
            let hint = near
                .map_or("; declare it below `pools`".to_owned(), |near| format!(", did you mean {near:?}?"));
            format!("there is no pool {name:?}{hint}")
        })
    }

    /// Takes the next subnet, for these interfaces.
    pub(super) fn take(
        &mut self,
        named: &Named,
        what: Use,
        member: Option<&Rc<str>>,
        places: &[(&str, &str)],
        lab: &mut Draft<'_>,
    ) -> Option<Rc<Block>> {
        let pool = &mut self.pools[named.pool];
        let (used, first) = *pool.used.get_or_insert((what, named.at));
        if used != what {
            let message = format!(
                "pool {} is for {} already, on {}: more of these would move the addresses of the others; use another \
                 pool",
                pool.name,
                used.words(),
                lab.place(first, named.at)
            );
            lab.fault_of(named.at, member, message);
            return None;
        }
        let Some(space) = pool.space.subnet(pool.prefix, pool.taken) else {
            let message = format!(
                "pool {} on {} is used up: {} holds {} subnets of /{}; choose a larger range",
                pool.name,
                lab.place(pool.at, named.at),
                pool.space,
                pool.taken,
                pool.prefix
            );
            lab.fault_of(named.at, member, message);
            return None;
        };
        pool.taken += 1;
        let places = places.iter().map(|(node, name)| ((*node).to_owned(), (*name).to_owned())).collect();
        let member = member.map(Rc::clone);
        let block = Block { space, at: named.at, member, pool: pool.name.clone(), places };
        let block = Rc::new(block);
        self.blocks.push(Rc::clone(&block));
        Some(block)
    }

    /// Replaces `pool:NAME` in addresses of nodes and of the host.
    pub(super) fn addresses(&mut self, lab: &mut Draft<'_>) {
        let host = lab.host.take();
        let mut all = std::mem::take(&mut lab.nodes);
        let place = |entry: &mut Entry, pools: &mut Self, lab: &mut Draft<'_>| {
            if let Some(node) = pools.place(entry, lab) {
                entry.node = node;
            }
        };
        for entry in &mut all {
            place(entry, self, lab);
        }
        lab.nodes = all;
        lab.host = host.map(|mut host| {
            place(&mut host, self, lab);
            host
        });
    }

    fn place(&mut self, entry: &Entry, lab: &mut Draft<'_>) -> Option<Rc<Node>> {
        let from_pool = |word: &Rc<Node>| word.word().is_some_and(|word| word.starts_with(PREFIX));
        let interfaces = entry.node.get("interfaces")?;
        let uses = |interface: &Entry| {
            interface.node.get("addresses").is_some_and(|addresses| addresses.items().iter().any(from_pool))
        };
        if !interfaces.entries().iter().any(uses) {
            return None;
        }
        let member = entry.node.member.clone();
        let mut node = Node::clone(&entry.node);
        let Value::Map(keys) = &mut node.value else { return None };
        let all = keys.iter_mut().find(|key| key.key == "interfaces")?;
        let Value::Map(interfaces) = &mut Rc::make_mut(&mut all.node).value else { return None };
        for interface in interfaces.iter_mut().filter(|interface| uses(interface)) {
            let name = interface.key.clone();
            let Value::Map(keys) = &mut Rc::make_mut(&mut interface.node).value else { continue };
            let Some(addresses) = keys.iter_mut().find(|key| key.key == "addresses") else { continue };
            let Value::List(items) = &mut Rc::make_mut(&mut addresses.node).value else { continue };
            for item in items.iter_mut().filter(|item| from_pool(item)) {
                let word = item.word().unwrap_or_default().trim_start_matches(PREFIX).to_owned();
                let taken = match self.find(&word) {
                    Ok(pool) => {
                        let named = Named { at: item.at, pool };
                        self.take(&named, Use::Addresses, member.as_ref(), &[(&entry.key, &name)], lab)
                    }
                    Err(why) => {
                        lab.fault(item.at, why);
                        None
                    }
                };
                // Without one a fault is told already.
                let address = taken.and_then(|block| block.address(0)).unwrap_or_else(|| "?".to_owned());
                *item = of(&Node::text(item.at, address), member.as_ref());
            }
        }
        Some(Rc::new(node))
    }
}

/// One pool, or what is wrong with it.
fn pool(entry: &Entry) -> Result<Pool, (Position, String)> {
    for key in entry.node.entries() {
        if !matches!(key.key.as_str(), "range" | "prefix") {
            return Err((key.at, format!("unknown field {:?}; known here: range, prefix", key.key)));
        }
    }
    let missing = |key: &str| {
        (
            entry.at,
            format!("pool {}: {key} is missing; write {{ range: 10.0.0.0/16, prefix: 24 }}", entry.key),
        )
    };
    let range = entry.node.get("range").ok_or_else(|| missing("range"))?;
    let text =
        range.word().ok_or_else(|| (range.at, "range: expected a range such as 10.0.0.0/16".to_owned()))?;
    let space = space::parse(text).map_err(|why| (range.at, why))?;
    let prefix = entry.node.get("prefix").ok_or_else(|| missing("prefix"))?;
    let number = prefix.word().and_then(integer).and_then(|number| u8::try_from(number).ok());
    let longest = space.bits;
    let number = number.filter(|number| (space.prefix..=longest).contains(number)).ok_or_else(|| {
        let message =
            format!("prefix: expected a number from {} to {longest}, found {}", space.prefix, show(prefix));
        (prefix.at, message)
    })?;
    Ok(Pool { name: entry.key.clone(), at: entry.at, space, prefix: number, taken: 0, used: None })
}
