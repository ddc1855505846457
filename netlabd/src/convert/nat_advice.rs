//! What translations say and what hardly is meant: addresses that nobody answers for, and ports of bridges.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::IpNet;

use crate::model::{AddressRange, IfName, Nat, NatRule, Node, NodeName, Place, Warning};

use super::draft::{Site, Sites};
use crate::input::Path;

/// Most warnings that are kept.
const MOST: usize = 100;

/// Looks for all of it in the translations of a lab without faults.
pub(super) fn of(sites: &Sites, nodes: &BTreeMap<NodeName, Node>, host: &Nat) -> Vec<Warning> {
    let mut found = Vec::new();
    let of_nodes =
        nodes.iter().map(|(name, node)| (Place::Node(name.clone()), &node.nat, node.neighbours.as_slice()));
    for (place, nat, neighbours) in of_nodes.chain([(Place::Host, host, &[][..])]) {
        let Some(site) = sites.get(&place) else { continue };
        let answered = neighbours.iter().filter(|neighbour| neighbour.mac.is_none()).map(|it| it.to);
        let own = site.addresses().map(|(.., net)| net.addr()).chain(answered).collect();
        let mut advisor = Advisor { site, own, found: &mut found };
        advisor.look(nat);
    }
    found.truncate(MOST);
    found.into_iter().map(|(path, message)| Warning { path: path.to_string(), message }).collect()
}

/// Looks at one place.
struct Advisor<'a> {
    site: &'a Site,
    /// The addresses that it has, and those that it answers for.
    own: BTreeSet<IpAddr>,
    found: &'a mut Vec<(Path, String)>,
}

impl Advisor<'_> {
    fn look(&mut self, nat: &Nat) {
        let base = self.site.path.field("nat");
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        for rule in nat.rules() {
            let list = match rule {
                NatRule::PortForward(_) => "port_forwards",
                NatRule::Destination(_) => "dnat",
                NatRule::LeaveBridged => continue,
                NatRule::Source(_) => "snat",
                NatRule::Prefix(_) => "prefixes",
                NatRule::Masquerade(_) => "masquerade",
            };
            let number = numbers.entry(list).or_default();
            let path = base.field(list).index(*number);
            *number += 1;
            self.interfaces(&rule, &path);
            match &rule {
                NatRule::Source(rule) => self.unanswered(rule.to, &path.field("to")),
                NatRule::Destination(rule) => {
                    let one = rule.destination.filter(|net| net.prefix_len() == net.max_prefix_len());
                    if let Some(one) = one {
                        self.unanswered(one.into(), &path.field("destination"));
                    }
                }
                NatRule::Prefix(rule) => {
                    self.on_the_wire(rule.external, &rule.interface, &path.field("external"));
                }
                NatRule::PortForward(_) | NatRule::LeaveBridged | NatRule::Masquerade(_) => {}
            }
        }
    }

    /// Rules see packets at the bridge or bond, not at what belongs to it.
    fn interfaces(&mut self, rule: &NatRule, path: &Path) {
        let arrives = "what arrives there comes in by";
        let leaves = "what is forwarded leaves by";
        let (field, name, why) = match rule {
            NatRule::PortForward(rule) => ("in_interface", rule.in_interface.as_ref(), arrives),
            NatRule::Destination(rule) => ("in_interface", rule.in_interface.as_ref(), arrives),
            NatRule::Source(rule) => ("out_interface", rule.out_interface.as_ref(), leaves),
            NatRule::Masquerade(rule) => ("out_interface", rule.out_interface.as_ref(), leaves),
            NatRule::Prefix(rule) => ("interface", Some(&rule.interface), arrives),
            NatRule::LeaveBridged => return,
        };
        let taken = name.and_then(|name| Some((name, self.site.taker(self.site.interfaces.get(name)?)?)));
        if let Some((name, (taker, noun))) = taken {
            let message =
                format!("{name} is a {noun} of {taker}: {why} {taker}, and this never holds; name {taker}");
            self.found.push((path.field(field), message));
        }
    }

    /// An address of a subnet on a link is found there only if the node has it or answers for it. What is on no link is
    /// others' to route.
    fn unanswered(&mut self, range: AddressRange, path: &Path) {
        let subnets = self.site.addresses().filter(|(.., net)| net.prefix_len() < net.max_prefix_len());
        let subnet = subnets.map(|(name, _, net)| (name, net, AddressRange::from(net)));
        let lost = subnet.into_iter().find_map(|(name, net, subnet)| {
            let first = range.first().max(subnet.first());
            let inside = |address: &IpAddr| range.contains(*address) && subnet.contains(*address);
            let mut wanted = std::iter::successors(Some(first), |address| next(*address)).take_while(inside);
            // There are fewer of its own than steps to take: this ends soon.
            wanted.find(|address| !self.own.contains(address)).map(|address| (name, net, address))
        });
        if let Some((name, net, address)) = lost {
            let place = &self.site.place;
            let message = format!(
                "{address} is in the subnet of {name} ({net}), where nobody answers for it, and answers to it are lost; \
                 add {address}/{} to the addresses of {name}, or name one that {place} has",
                net.prefix_len()
            );
            self.found.push((path.clone(), message));
        }
    }

    /// Hosts of a prefix that neighbours believe to be on the wire are looked for there.
    fn on_the_wire(&mut self, external: IpNet, interface: &IfName, path: &Path) {
        let overlaps = |net: &IpNet| net.contains(&external) || external.contains(net);
        let mut own = self.site.addresses().filter(|(name, ..)| *name == interface).map(|(.., net)| net);
        if let Some(net) = own.find(overlaps) {
            let message = format!(
                "{net} on {interface} makes neighbours there look for this prefix's hosts on the wire, where nobody \
                 answers for them; give {interface} an address of another prefix, and have this one routed to it"
            );
            self.found.push((path.clone(), message));
        }
    }
}

fn next(address: IpAddr) -> Option<IpAddr> {
    Some(match address {
        IpAddr::V4(v4) => Ipv4Addr::from(u32::from(v4).checked_add(1)?).into(),
        IpAddr::V6(v6) => Ipv6Addr::from(u128::from(v6).checked_add(1)?).into(),
    })
}
