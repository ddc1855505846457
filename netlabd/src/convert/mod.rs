//! From the wire format to the model: every fault of a lab is found, not only the first.
//!
//! Each step leaves out what is at fault and goes on with the rest, so that one slip gives one
//! fault and hides no other. The steps: limits, names and values of each place, links, and then
//! what one thing says of another, a file for each subject.

mod advice;
mod cable;
mod check;
mod destination_nat;
mod draft;
mod encap;
mod firewall;
mod firewall_advice;
mod gateway;
mod impair;
mod interface;
mod label_route;
mod limit;
mod lower;
mod master;
mod mtu;
mod nat;
mod nat_advice;
mod nat_type;
mod neighbour;
mod next_hop;
mod places;
mod port;
mod prefix_nat;
mod preset;
mod route;
mod rule;
mod segment;
mod selector;
mod source_nat;
mod stack;
mod subnet;
mod sysctl;
#[cfg(test)]
mod tests;
mod translation;
mod tunnel;
mod vrf;
mod wireguard;

use std::collections::BTreeMap;

use netlab_proto::v1 as proto;

use crate::{
    input::{Path, Sink, name, shown},
    model::{Host, IfName, Lab, LabName, Node, Place},
};

pub use crate::input::{Fault, Faults};
pub use check::{place, target};
use gateway::Gateways;

/// Makes a lab from its message, or says everything that is wrong with it.
///
/// Takes time in proportion to the message, up to logarithms: no client can keep the daemon busy.
///
/// # Errors
/// The first 1,000 [`Faults`], in the order in which they are found, which is always the same.
pub fn lab(message: &proto::Lab) -> Result<Lab, Faults> {
    let mut sink = Sink::default();
    limit::check(message, &mut sink);
    sink.finish()?;
    let root = Path::root();
    let lab_name: Option<LabName> = sink.parse(&root.field("name"), &message.name);
    let mut sites = places::read(message, &mut sink);
    vrf::choose(&mut sites, message);
    let cables = cable::read(&message.links, &mut sites, &mut sink);
    let stacks = stack::check(&sites, &mut sink);
    port::check(&sites, &mut sink);
    master::check(&sites, &mut sink);
    lower::check(&sites, &mut sink);
    subnet::check(&sites, message, &mut sink);
    let segments = segment::check(&sites, &cables, &mut sink);
    let host_message = message.host.clone().unwrap_or_default();
    let mut nodes = BTreeMap::new();
    let mut host = Host::default();
    for site in sites.iter() {
        match &site.place {
            Place::Host => {
                host.nat = nat::read(site, host_message.nat.as_ref(), host_message.forwarding, &mut sink);
                host.forwarding = host_message.forwarding;
                host.sysctls = sysctl::read_of_host(site, &host_message.sysctls, &mut sink);
                host.joins = joins(site, &host_message, &mut sink);
            }
            Place::Node(name) => {
                if let Some(message) = message.nodes.get(name.as_str()) {
                    nodes.insert(name.clone(), node(site, message, &mut sink));
                }
            }
        }
    }
    wireguard::check(&sites, &mut sink);
    tunnel::check(&mut sites, &nodes, &mut sink);
    let mtus = mtu::check(&sites, &stacks, &mut sink);
    let checks = check::read(&message.checks, &sites, &mut sink);
    sink.finish()?;
    let mut warnings = advice::of(&sites, segments, message);
    warnings.extend(firewall_advice::of(&sites, &nodes));
    warnings.extend(subnet::undecided(&sites, message));
    warnings.extend(nat_advice::of(&sites, &nodes, &host.nat));
    warnings.extend(wireguard::advice(&sites));
    warnings.extend(label_route::advice(&sites, message, &mtus));
    warnings.extend(encap::advice(&sites, message, &nodes, &mtus));
    for (place, interfaces) in sites.finish() {
        match place {
            Place::Host => host.interfaces = interfaces,
            Place::Node(name) => nodes.entry(name).or_default().interfaces = interfaces,
        }
    }
    let name = lab_name.ok_or_else(Faults::default)?;
    Ok(Lab { name, nodes, host, cables, checks, warnings })
}

/// The interfaces of other labs that the lab is joined with on the host.
fn joins(site: &draft::Site, message: &proto::Host, sink: &mut Sink) -> Vec<IfName> {
    let path = site.path.field("joins");
    let mut read = Vec::new();
    for (number, text) in message.joins.iter().enumerate() {
        let path = path.index(number);
        let Some(name) = sink.parse::<IfName>(&path, text) else { continue };
        if let Some(wrong) = name::unfit_for_host(&site.place, &name) {
            sink.add(&path, format!("{} {wrong}", shown(text)));
        } else if site.interfaces.contains_key(&name) {
            sink.add(
                &path,
                format!("{name} is this lab's own; name an interface of the other lab on the host"),
            );
        } else if read.contains(&name) {
            sink.add(&path, format!("{name} stands here already"));
        } else {
            read.push(name);
        }
    }
    if !read.is_empty() && !message.forwarding {
        sink.add(&site.path.field("forwarding"), format!("{path} needs the host to forward; set it to true"));
    }
    read
}

/// What a node has beside its interfaces.
fn node(site: &draft::Site, message: &proto::Node, sink: &mut Sink) -> Node {
    interface::check_proxies(site, message.forwarding, sink);
    let gateways = Gateways::of(site, &message.routes);
    Node {
        interfaces: BTreeMap::new(),
        routes: route::read(site, &gateways, &message.routes, sink),
        label_routes: label_route::read(site, &gateways, message, sink),
        rules: rule::read(site, &message.rules, sink),
        neighbours: neighbour::read(site, &gateways, &message.neighbours, sink),
        forwarding: message.forwarding,
        nat: nat::read(site, message.nat.as_ref(), message.forwarding, sink),
        firewall: firewall::read(site, message.firewall.as_ref(), message.forwarding, sink),
        sysctls: sysctl::read(site, &message.sysctls, sink),
    }
}
