//! Tables of VRFs that the file does not number.

use std::collections::BTreeSet;

use netlab_proto::v1 as proto;
use sha2::{Digest, Sha256};

use crate::{
    link::{Kind, Vrf},
    model::{Form, IfName, Place},
};

use super::draft::{Draft, Sites};

/// Where tables are chosen from: numbers that people can type.
const FIRST: u32 = 1001;
/// How many there are.
const COUNT: u32 = 8999;

/// Chooses the tables. Each follows from the VRF's name, so that another VRF, route or rule seldom moves one.
pub(super) fn choose(sites: &mut Sites, message: &proto::Lab) {
    for site in sites.iter_mut() {
        let Place::Node(node) = &site.place else { continue };
        let Some(node) = message.nodes.get(node.as_str()) else { continue };
        let routes = node.routes.iter().filter_map(|route| route.table);
        let rules = node.rules.iter().filter_map(|rule| rule.table);
        let numbered = site.interfaces.values().filter_map(Draft::table);
        let mut taken: BTreeSet<u32> = routes.chain(rules).chain(numbered).collect();
        for (name, draft) in &mut site.interfaces {
            if let Some(Form::Made(Kind::Vrf(vrf))) = &mut draft.form
                && vrf.table == Vrf::UNCHOSEN
            {
                vrf.table = free(name, &taken);
                taken.insert(vrf.table);
            }
        }
    }
}

/// The first that is free from the one that a name leads to. There are more than a node can have interfaces, routes and
/// rules in all.
fn free(name: &IfName, taken: &BTreeSet<u32>) -> u32 {
    let digest = Sha256::digest(name.as_str());
    let start = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]) % COUNT;
    let mut all = (start..COUNT).chain(0..start).map(|number| FIRST + number);
    all.find(|table| !taken.contains(table)).unwrap_or(FIRST)
}
