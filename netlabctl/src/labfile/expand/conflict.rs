//! Addresses that are written, and those that come from pools: no two may be the same.

use std::collections::HashSet;

use super::{
    draft::Draft,
    pools::{Block, Pools},
    space,
};

/// Tells of written addresses that are in subnets of pools.
pub(super) fn find(pools: &Pools, lab: &mut Draft<'_>) {
    if pools.blocks.is_empty() {
        return;
    }
    let mut blocks: Vec<&Block> = pools.blocks.iter().map(AsRef::as_ref).collect();
    blocks.sort_by_key(|block| (block.space.bits, block.space.first));
    let from_pools: HashSet<_> = blocks.iter().map(|block| block.at).collect();
    let mut found = Vec::new();
    for place in lab.nodes.iter().chain(&lab.host) {
        let interfaces = place.node.get("interfaces").map_or(&[][..], |all| all.entries());
        for interface in interfaces {
            let addresses = interface.node.get("addresses").map_or(&[][..], |all| all.items());
            for address in addresses.iter().filter(|address| !from_pools.contains(&address.at)) {
                let Some((space, own)) = address.word().and_then(space::around) else { continue };
                let key = |block: &Block| (block.space.bits, block.space.last()) < (space.bits, space.first);
                let at = blocks.partition_point(|block| key(block));
                let Some(block) = blocks.get(at).filter(|block| block.space.overlaps(&space)) else {
                    continue;
                };
                let within = |(node, name): &(String, String)| *node == place.key && *name == interface.key;
                let member = block.places.iter().any(within);
                let same = (0..block.places.len()).any(|n| block.space.host(n as u128) == Some(own));
                let taken = block.places.iter().position(within).and_then(|n| block.space.host(n as u128));
                // In a network one may write one's own address, but not another's.
                if !member || (same && taken != Some(own)) {
                    found.push((address.clone(), place.node.member.clone(), *block));
                }
            }
        }
    }
    for (address, member, block) in found {
        let line = lab.place(block.at, address.at);
        let of = block.member.as_ref().map(|member| format!(" ({member})")).unwrap_or_default();
        let message = format!(
            "{} is in {}, which pool {} gives to {line}{of}; write another, or choose another range for the pool",
            address.word().unwrap_or_default(),
            block.space,
            block.pool
        );
        lab.fault_of(address.at, member.as_ref(), message);
    }
}
