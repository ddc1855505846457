//! Which lab an event of `nf_tables` concerns.

use std::collections::BTreeSet;

use super::super::{
    netlink::Message,
    nft::{self, message::attr},
};
use crate::model::LabName;

/// Whether an event is about our table, in whichever namespace. Tables of others, and the generation
/// number that follows every change, are not our business.
pub(super) fn is_ours(event: Message<'_>) -> bool {
    let new_generation = nft::message::nf_tables(libc::NFT_MSG_NEWGEN);
    // In all other messages of this subsystem the first attribute is the table's name.
    event.kind() >> 8 == new_generation >> 8
        && event.kind() != new_generation
        && event.text(attr::TABLE_NAME) == Some(nft::TABLE)
}

/// Whether an event is about the rules of somebody else. The generation number that follows is none.
pub(super) fn is_foreign(event: Message<'_>) -> bool {
    let new_generation = nft::message::nf_tables(libc::NFT_MSG_NEWGEN);
    event.kind() >> 8 == new_generation >> 8 && event.kind() != new_generation && !is_ours(event)
}

/// Adds the labs that an event about our table of the host concerns.
pub(super) fn add_concerned(event: Message<'_>, labs: &mut BTreeSet<LabName>) {
    let is = |kinds: [i32; 2]| kinds.into_iter().any(|kind| event.kind() == nft::message::nf_tables(kind));
    let chain = if is([libc::NFT_MSG_NEWCHAIN, libc::NFT_MSG_DELCHAIN]) {
        event.text(attr::CHAIN_NAME)
    } else if is([libc::NFT_MSG_NEWRULE, libc::NFT_MSG_DELRULE]) {
        event.text(attr::RULE_CHAIN)
    } else if event.kind() == nft::message::nf_tables(libc::NFT_MSG_NEWTABLE) {
        // New, or its flags changed (dormant): all that are in it. When it is deleted, its chains are,
        // each with an event of its own. A kernel that does not answer is asked again by the resync.
        let names = nft::list_labs_on_host().unwrap_or_default();
        labs.extend(names.iter().filter_map(|name| name.parse().ok()));
        None
    } else {
        None
    };
    labs.extend(chain.and_then(nft::lab_of_chain).and_then(|name| name.parse().ok()));
}
