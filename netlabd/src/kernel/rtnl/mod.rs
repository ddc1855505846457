//! rtnetlink(7): links, addresses, routes. Blocking, from the calling thread's network namespace.

mod address;
mod distribution;
mod empty;
mod encap;
mod fdb;
mod host_routes;
mod inspect;
mod label_route;
mod message;
mod neighbour;
mod netem;
mod nsid;
mod observe;
mod qdisc;
mod route;
mod routes;
mod rule;
mod socket;
mod vlan;

pub(super) use address::{DumpedAddress, addresses};
pub(super) use empty::empty_namespaces;
pub(super) use fdb::fdb;
pub(super) use host_routes::host_routes;
pub(super) use inspect::{Inspected, inspect_addresses, inspect_links};
pub(super) use label_route::label_routes;
pub(super) use message::{Indexes, messages};
pub(super) use neighbour::{neighbours, proxied};
pub(super) use nsid::{living_ids, namespace_id, namespace_ids};
pub(super) use observe::{LinkDump, Neighbours, hurry, links};
pub(super) use qdisc::qdiscs;
pub(super) use routes::{Routes, groups, has_advertised_default, routes, uplinks};
pub(super) use rule::rules;
pub(super) use socket::{NetlinkError, Request, RouteSocket};

pub(super) use vlan::vlans;

pub(super) use crate::model::LINK_GROUP;

/// `IFA_PROTO` of every address that netlabd adds (Linux 5.18 and later).
pub(super) const ADDRESS_PROTOCOL: u8 = 78;
