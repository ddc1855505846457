//! What builds a lab by hand.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Plan, Target, diff,
    item::{Item, Link, Veth},
};
use crate::model::{Endpoint, Lab, Mac, Place, observed::Observed};

/// The plan for a lab, spelt out as `target`, where nothing of it is there. MAC addresses only where its author chose
/// them: the others follow from the uid that a lab gets when it is created.
pub fn from_nothing(lab: &Lab, target: &Target) -> Plan {
    let host = (Place::Host, Arc::default());
    let nothing = Observed { places: BTreeMap::from([host]), ..Observed::default() };
    let mut plan = diff(target, &nothing);
    let chosen = |at: &Endpoint| -> Option<Mac> { lab.interfaces(&at.place)?.get(&at.interface)?.mac };
    for op in plan.stages.iter_mut().flat_map(|stage| &mut stage.ops) {
        match &mut op.item {
            Item::Veth(Veth { a, b }) => [a, b].into_iter().for_each(|end| end.mac = chosen(&end.at)),
            Item::Link(Link { at, mac, .. }) => *mac = chosen(at),
            _ => {}
        }
    }
    plan
}
