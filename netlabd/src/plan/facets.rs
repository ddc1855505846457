//! The items of a place, in the order in which they are compared and planned.

use super::{
    Op,
    item::{
        address, fdb, firewall, label_route, link, link_local, member, nat, neighbour, qdisc, route, rule,
        setting, sysctl, vlan, wireguard,
    },
    place::PlaceDiff,
};

/// Compares one item of a place, wanted and seen, and plans what is to be done.
type Facet = fn(&PlaceDiff<'_>, &mut Vec<Op>);

/// In an order that the kernel accepts: what carries before what is carried, what keeps packets out before interfaces
/// are up, these before the routes through them.
const ORDER: &[Facet] = &[
    route::stale,
    label_route::stale,
    address::in_the_way,
    link::inside,
    member::master,
    member::primary,
    setting::port,
    fdb::stale,
    vlan::vlans,
    setting::after_vlans,
    fdb::fdb,
    sysctl::of_interfaces,
    firewall::firewall,
    qdisc::qdiscs,
    // A queueing discipline that is added gives an interface without a queue one (`qdisc_create`, net/sched/sch_api.c).
    setting::queues,
    wireguard::devices,
    setting::up,
    link_local::link_local,
    address::addresses,
    neighbour::neighbours,
    route::missing,
    label_route::missing,
    rule::rules,
    nat::nat,
];

/// What is to be done in a place, in order.
pub(super) fn ops(place: &PlaceDiff<'_>) -> Vec<Op> {
    let mut ops = Vec::new();
    for facet in ORDER {
        facet(place, &mut ops);
    }
    ops
}
