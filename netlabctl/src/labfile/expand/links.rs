//! Links: patterns of many, names of interfaces, addresses from pools.

use std::{collections::HashMap, rc::Rc};

use super::{
    draft::{Draft, INTERFACE, LINKS, list, of},
    fill,
    pools::{Pools, Use},
    select::{self, End},
};
use crate::labfile::{
    fault::Position,
    keys::POOL,
    tree::{Entry, Node, Value},
};

/// What a link has in place of `endpoints`.
pub(super) const PATTERNS: [&str; 5] = ["mesh", "chain", "ring", "pairs", "star"];

/// Adds the links that are written.
pub(super) fn write(links: &Node, pools: &mut Pools, lab: &mut Draft<'_>) {
    for item in links.items() {
        let is = |entry: &&Entry| entry.key == "endpoints" || PATTERNS.contains(&entry.key.as_str());
        let mut which = item.entries().iter().filter(is);
        match (which.next(), which.next()) {
            (Some(first), Some(second)) => {
                let message = format!("{:?} and {:?} exclude each other: keep one", first.key, second.key);
                lab.fault(second.at, message);
            }
            (Some(only), None) if only.key == "endpoints" => endpoints(item, only, pools, lab),
            (Some(only), None) => pattern(item, only, pools, lab),
            (None, _) => lab.links.push(Rc::clone(item)),
        }
    }
}

/// `endpoints`, of one link or of one for each member of the first end's ranges.
fn endpoints(item: &Rc<Node>, ends: &Entry, pools: &mut Pools, lab: &mut Draft<'_>) {
    let words: Vec<&str> = ends.node.items().iter().filter_map(|end| end.word()).collect();
    let many = words.iter().any(|word| select::is_many(word));
    // What is wrong with it, the reader of the flat lab tells.
    let ([first, second], [a, b]) = (words.as_slice(), ends.node.items()) else {
        return lab.links.push(Rc::clone(item));
    };
    if !many && item.get(POOL).is_none() {
        return lab.links.push(Rc::clone(item));
    }
    if !select::is_many(first) && select::is_many(second) {
        return lab.fault(b.at, "the first end has the ranges: put this one first, or use star");
    }
    let Some(firsts) = select::ends(a, lab) else { return };
    let mut pairs = Vec::new();
    for one in firsts {
        let filled = fill::text(second, &|word| fill::of_values(&one.values, word));
        let other = filled.map(|text| text.unwrap_or_else(|| (*second).to_owned()));
        match other.and_then(|text| select::read(&text, b.at, lab)) {
            Ok(others) => match <[End; 1]>::try_from(others) {
                Ok([other]) => pairs.push((one, other)),
                Err(_) => {
                    return lab.fault(b.at, "both ends have ranges: write {1} here, or use pairs or mesh");
                }
            },
            Err(why) => return lab.fault(b.at, why),
        }
    }
    add(item, if many { "endpoints" } else { "" }, pairs, pools, lab);
}

fn pattern(item: &Rc<Node>, which: &Entry, pools: &mut Pools, lab: &mut Draft<'_>) {
    if which.node.items().is_empty() {
        return lab.fault(which.node.at, format!("{}: expected a list of nodes", which.key));
    }
    let groups: Option<Vec<Vec<End>>> =
        which.node.items().iter().map(|group| select::ends(group, lab)).collect();
    let Some(groups) = groups else { return };
    match pairs(&which.key, &groups) {
        Ok(pairs) => add(item, &which.key, pairs, pools, lab),
        Err(why) => lab.fault(which.node.at, why),
    }
}

type Pairs = Vec<(End, End)>;

/// Which nodes a pattern joins. What is added at its end comes last, so that addresses stay what they are.
fn pairs(pattern: &str, groups: &[Vec<End>]) -> Result<Pairs, String> {
    let sizes: Vec<usize> = groups.iter().map(Vec::len).collect();
    let needs = |least: usize, nodes: usize| {
        if nodes < least {
            Err(format!("a {pattern} needs {least} nodes at least, here are {nodes}"))
        } else {
            Ok(())
        }
    };
    let all = || groups.iter().flatten().cloned().collect::<Vec<End>>();
    let window =
        |ends: &[End]| ends.windows(2).map(|two| (two[0].clone(), two[1].clone())).collect::<Pairs>();
    let bound = |count: usize| {
        if count > LINKS {
            Err(format!("{pattern} stands for {count} links; at most {LINKS} are allowed"))
        } else {
            Ok(())
        }
    };
    let nodes: usize = sizes.iter().sum();
    match pattern {
        "mesh" => {
            needs(2, nodes)?;
            let within: usize = sizes.iter().map(|size| size * size.saturating_sub(1) / 2).sum();
            let every = nodes * (nodes - 1) / 2;
            bound(if sizes.len() == 1 { every } else { every - within })?;
            Ok(mesh(&all(), &sizes))
        }
        "chain" => {
            needs(2, nodes)?;
            bound(nodes)?;
            Ok(window(&all()))
        }
        "ring" => {
            needs(3, nodes)?;
            bound(nodes)?;
            let all = all();
            let mut pairs = vec![(all[nodes - 1].clone(), all[0].clone())];
            pairs.extend(window(&all));
            Ok(pairs)
        }
        "pairs" => match groups {
            [a, b] if a.len() == b.len() => Ok(a.iter().cloned().zip(b.iter().cloned()).collect()),
            [a, b] => Err(format!("pairs: {} nodes and {} are not as many", a.len(), b.len())),
            _ => Err("pairs: expected a list of two: who is joined with whom".to_owned()),
        },
        _ => {
            needs(2, nodes)?;
            bound(nodes)?;
            if sizes[0] != 1 {
                return Err(format!(
                    "star: the first is the one in the middle, here are {}; use mesh",
                    sizes[0]
                ));
            }
            let all = all();
            Ok(all[1..].iter().map(|end| (all[0].clone(), end.clone())).collect())
        }
    }
}

/// Each with all before it that are in another group, or with one group with all before it.
fn mesh(all: &[End], sizes: &[usize]) -> Pairs {
    let mut pairs = Vec::new();
    let mut start = 0;
    for size in sizes {
        for j in start..start + size {
            let before = if sizes.len() == 1 { j } else { start };
            pairs.extend((0..before).map(|i| (all[i].clone(), all[j].clone())));
        }
        start += size;
    }
    pairs
}

/// Adds a link for each pair.
fn add(item: &Rc<Node>, pattern: &str, pairs: Pairs, pools: &mut Pools, lab: &mut Draft<'_>) {
    if lab.links.len() + pairs.len() > LINKS {
        let count = lab.links.len() + pairs.len();
        return lab
            .fault(item.at, format!("up to here the lab has {count} links; at most {LINKS} are allowed"));
    }
    let mut counts: HashMap<String, usize> = HashMap::new();
    for (a, b) in pairs {
        let member: Option<Rc<str>> =
            (!pattern.is_empty()).then(|| format!("{pattern}, {} -- {}", a.node, b.node).into());
        if a.node == b.node {
            lab.fault_of(item.at, member.as_ref(), format!("{} would be joined with itself", a.node));
            continue;
        }
        let mut name = |end: &End, other: &End| {
            let count = counts.entry(end.node.clone()).or_default();
            *count += 1;
            interface(end, other, *count)
        };
        match (name(&a, &b), name(&b, &a)) {
            (Ok(of_a), Ok(of_b)) => link(item, [(&a, &of_a), (&b, &of_b)], member.as_ref(), pools, lab),
            (of_a, of_b) => {
                for (end, name) in [(&a, of_a), (&b, of_b)] {
                    name.unwrap_or_else(|why| {
                        lab.fault_of(end.at, member.as_ref(), why);
                        String::new()
                    });
                }
            }
        }
    }
}

/// The name of an end: that of the other node, unless another is said.
fn interface(end: &End, other: &End, count: usize) -> Result<String, String> {
    let name = match &end.interface {
        None => other.node.clone(),
        Some(name) => fill::text(name, &|word| match word {
            "n" => Ok(Some(count.to_string())),
            "other" => Ok(Some(other.node.clone())),
            word => fill::of_values(&end.values, word),
        })?
        .unwrap_or_else(|| name.clone()),
    };
    if name.len() > INTERFACE {
        let node = &end.node;
        return Err(format!(
            "{name:?} is too long for an interface, of at most {INTERFACE} bytes; say another name, such as \
             \"{node}:eth{{n}}\""
        ));
    }
    Ok(name)
}

fn link(
    item: &Rc<Node>,
    ends: [(&End, &str); 2],
    member: Option<&Rc<str>>,
    pools: &mut Pools,
    lab: &mut Draft<'_>,
) {
    let words = ends.map(|(end, name)| Node::text(end.at, format!("{}:{name}", end.node)));
    let at = words[0].at;
    let mut entries =
        vec![Entry { key: "endpoints".to_owned(), at: item.at, node: list(at, words.to_vec()) }];
    let own = |entry: &&Entry| {
        entry.key != "endpoints" && entry.key != POOL && !PATTERNS.contains(&entry.key.as_str())
    };
    entries.extend(item.entries().iter().filter(own).cloned());
    let node = item.with(Value::Map(entries));
    lab.links.push(of(&node, member));
    let Some(from) = item.get(POOL) else { return };
    for pool in pools.named(from, lab) {
        let places = ends.map(|(end, name)| (end.node.as_str(), name));
        let Some(block) = pools.take(&pool, Use::Links, member, &places, lab) else { continue };
        for (number, (end, name)) in ends.iter().enumerate() {
            assign(block.address(number).as_deref(), pool.at, (end, name), member, lab);
        }
    }
}

/// Gives an end an address, unless it has one of its own.
fn assign(
    address: Option<&str>,
    at: Position,
    (end, name): (&End, &str),
    member: Option<&Rc<str>>,
    lab: &mut Draft<'_>,
) {
    if lab.node(&end.node).is_none() && end.node != "host" {
        let message = select::unknown(&end.node, lab);
        return lab.fault_of(end.at, member, message);
    }
    let Some(address) = address else {
        let message = "a pool for links needs a prefix with two addresses: 31 of IPv4, 127 of IPv6, or less";
        return lab.fault_of(at, member, message);
    };
    let v6 = address.contains(':');
    let own = |node: &Rc<Node>| node.word().is_some_and(|word| word.contains(':') == v6);
    if !lab.addresses(&end.node, name).iter().any(own) {
        lab.add_address(&end.node, name, of(&Node::text(at, address), member));
    }
}
