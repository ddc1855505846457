//! Destination translation of addresses and ports.

use netlab_proto::v1 as proto;

use crate::model::{DestinationNat, Place, PortForward, PortRange, Protocol};

use super::{
    draft::Site,
    selector::{self, Families},
    translation,
};
use crate::input::{Path, Sink};

/// Rules of nftables that the rules of a place may come down to: a range of ports that moves stands for a rule a port.
const RULES: usize = 4_000;

/// Reads the rules of a place; one that is at fault is `None`.
pub(super) fn read(
    site: &Site,
    rules: &[proto::DestinationNat],
    path: &Path,
    sink: &mut Sink,
) -> Vec<Option<DestinationNat>> {
    let read = |(at, rule)| read_one(site, rule, &path.index(at), sink);
    let read: Vec<_> = rules.iter().enumerate().map(read).collect();
    let count: usize = read.iter().flatten().map(|rule| rule.ports().len()).sum();
    if count > RULES {
        let message = format!(
            "ranges of ports that become others stand for a rule a port, {count} rules in all; at most {RULES} are \
             allowed: let ports keep their numbers, or lead a range to one port"
        );
        sink.add(path, message);
    }
    read
}

fn read_one(
    site: &Site,
    rule: &proto::DestinationNat,
    path: &Path,
    sink: &mut Sink,
) -> Option<DestinationNat> {
    let faults = sink.len();
    let in_interface = selector::interface(site, &rule.in_interface, &path.field("in_interface"), sink);
    let destination = selector::range(&rule.destination, &path.field("destination"), sink);
    let words = [("tcp", Protocol::Tcp), ("udp", Protocol::Udp)];
    let protocol = if rule.protocol.is_empty() {
        None
    } else {
        selector::word(&rule.protocol, &words, "protocol with ports", &path.field("protocol"), sink)
    };
    let ports = if rule.ports.is_empty() { None } else { sink.parse(&path.field("ports"), &rule.ports) };
    let at = path.field("to");
    if rule.to.is_empty() {
        sink.add(
            &at,
            "is missing: an address that the destination becomes, such as 192.0.2.5 or 192.0.2.5:80",
        );
        return None;
    }
    let (to, to_ports) = sink.keep_text(&at, &rule.to, translation::service(&rule.to))?;
    if sink.len() > faults {
        return None;
    }
    let mut families = Families::default();
    families.add("destination", destination.map(|net| net.addr().is_ipv6()));
    families.add("to", Some(to.is_ipv6()));
    families.check(path, sink);
    if in_interface.as_ref().is_some_and(|name| *name == crate::model::IfName::loopback()) {
        let message =
            "nothing that arrives through lo is led elsewhere; name the interface to those who send";
        sink.add(&path.field("in_interface"), message);
    }
    let read = DestinationNat { in_interface, destination, protocol, ports, to, to_ports };
    carried(site, &read, path, sink);
    (sink.len() == faults).then_some(read)
}

/// Checks protocol and ports, before and after.
fn carried(site: &Site, rule: &DestinationNat, path: &Path, sink: &mut Sink) {
    let on_host = site.place == Place::Host;
    if on_host && (rule.protocol.is_none() || rule.ports.is_none()) {
        let message = "without protocol and ports this takes all that the host itself is sent; add both";
        sink.add(path, message);
    } else if rule.protocol.is_none() && rule.ports.is_some() {
        sink.add(&path.field("ports"), "ports are those of a protocol; add protocol: tcp or protocol: udp");
    } else if rule.protocol.is_none() && rule.to_ports.is_some() {
        let message = "names a port, and ports are those of a protocol; add protocol: tcp or protocol: udp";
        sink.add(&path.field("to"), message);
    }
    let Some(to) = rule.to_ports.filter(|to| to.is_several()) else { return };
    let count = |ports: PortRange| u32::from(ports.last()) - u32::from(ports.first()) + 1;
    match rule.ports {
        Some(ports) if count(ports) == count(to) => {}
        Some(ports) => {
            let (from, into) = (count(ports), count(to));
            let message = format!(
                "{from} port{} cannot become {into} one by one; write as many on both sides, or one port in to",
                if from == 1 { "" } else { "s" }
            );
            sink.add(&path.field("to"), message);
        }
        None => {
            let message =
                format!("{to} is a range and ports says nothing; write ports: {to}, or one port in to");
            sink.add(&path.field("to"), message);
        }
    }
}

/// A fault for each rule that no packet reaches, because one before it decides about all that it asks for.
pub(super) fn unreached(
    forwards: &[PortForward],
    dnat: &[Option<DestinationNat>],
    path: &Path,
    sink: &mut Sink,
) {
    let forwards: Vec<(String, DestinationNat)> = forwards
        .iter()
        .enumerate()
        .map(|(at, forward)| (format!("port_forwards[{at}]"), forward.into()))
        .collect();
    for (at, rule) in dnat.iter().enumerate() {
        let Some(rule) = rule else { continue };
        let forward = forwards.iter().find(|(_, before)| covers(before, rule)).map(|(name, _)| name.clone());
        let before =
            || dnat[..at].iter().position(|before| before.as_ref().is_some_and(|it| covers(it, rule)));
        if let Some(first) = forward.or_else(|| before().map(|first| format!("dnat[{first}]"))) {
            let message = format!(
                "{first} translates all of this before, so this never holds; leave one of them out, or put the narrower one \
                 first"
            );
            sink.add(&path.index(at), message);
        }
    }
}

/// Whether a rule decides about all that another asks for.
fn covers(first: &DestinationNat, other: &DestinationNat) -> bool {
    let place = if first.is_local() {
        other.is_local()
    } else {
        let input = first.in_interface.is_none() || first.in_interface == other.in_interface;
        let within = |net: ipnet::IpNet| other.destination.is_some_and(|other| net.contains(&other));
        input && first.destination.is_none_or(within)
    };
    let protocol = first.protocol.is_none() || first.protocol == other.protocol;
    let ports = first.ports.is_none_or(|ports| other.ports.is_some_and(|other| ports.contains(other)));
    place && protocol && ports && first.to.is_ipv6() == other.to.is_ipv6()
}
