//! What traffic a lab needs the host to let pass.

use ipnet::IpNet;

use super::{
    flow::{Flow, HostInterface, Purpose},
    known::PING,
};
use crate::{
    model::{DestinationNat, IfName, NatRule, PortRange, Protocol},
    plan::{LinkTarget, PlaceTarget, Target},
    platform::Firewall,
};

/// Whether a firewall of the host can matter to a lab at all.
pub fn concerns(target: &Target) -> bool {
    target.host().is_some_and(|host| !host.links.is_empty() || !host.nat.is_empty())
}

/// The traffic of a lab that passes the host.
pub fn flows(target: &Target, firewall: &Firewall) -> Vec<Flow> {
    let Some(host) = target.host() else { return Vec::new() };
    let needs = Needs { host, firewall };
    let mut flows = Vec::new();
    for (name, link) in &host.links {
        if link.is_bridge() {
            needs.bridged(name, &mut flows);
        }
        let mut seen = Vec::new();
        for address in link.addresses.iter().filter(|address| address.prefix_len() > 0) {
            let ipv6 = address.addr().is_ipv6();
            needs.pings(name, *address, &mut flows);
            if !needs.forwards(ipv6) || seen.contains(&ipv6) {
                continue;
            }
            seen.push(ipv6);
            needs.outside(name, link, ipv6, &mut flows);
            needs.between(name, *address, &mut flows);
        }
    }
    for rule in &host.nat {
        match rule {
            NatRule::PortForward(forward) => needs.port_forward(&forward.into(), &mut flows),
            NatRule::Destination(dnat) => needs.port_forward(dnat, &mut flows),
            NatRule::LeaveBridged | NatRule::Source(_) | NatRule::Prefix(_) | NatRule::Masquerade(_) => {}
        }
    }
    flows
}

/// What any lab would send out through the host, for who has no lab yet: from an interface that no rule
/// can know.
pub fn any_lab(firewall: &Firewall) -> Vec<Flow> {
    let own = Some(HostInterface { name: "LAB-INTERFACE".to_owned(), index: None });
    let uplinks = &firewall.uplinks[0];
    let out = |uplink: &String| {
        let index = firewall.interfaces.get(uplink).copied();
        flow(Purpose::Out, false, own.clone(), Some(HostInterface { name: uplink.clone(), index }))
    };
    if uplinks.is_empty() {
        return vec![flow(Purpose::Out, false, own, None)];
    }
    uplinks.iter().map(out).collect()
}

struct Needs<'a> {
    host: &'a PlaceTarget,
    firewall: &'a Firewall,
}

impl Needs<'_> {
    fn forwards(&self, ipv6: bool) -> bool {
        let wanted = if ipv6 { "net.ipv6.conf.all.forwarding" } else { "net.ipv4.ip_forward" };
        self.host.sysctls.iter().any(|(key, value)| key.as_str() == wanted && value != "0")
    }

    fn interface(&self, name: &str) -> HostInterface {
        HostInterface { name: name.to_owned(), index: self.firewall.interfaces.get(name).copied() }
    }

    /// The interfaces to the outside, those of the lab left out; one unknown if there is none.
    fn uplinks(&self, ipv6: bool) -> Vec<Option<HostInterface>> {
        let masquerading =
            self.sources_translated().filter_map(|(_, out_interface)| out_interface.map(IfName::as_str));
        let mut names: Vec<&str> = masquerading.collect();
        if names.is_empty() {
            names.extend(self.firewall.uplinks[usize::from(ipv6)].iter().map(String::as_str));
        }
        names.retain(|name| !self.host.links.keys().any(|own| own.as_str() == *name));
        names.sort_unstable();
        names.dedup();
        if names.is_empty() {
            return vec![None];
        }
        names.into_iter().map(|name| Some(self.interface(name))).collect()
    }

    /// What is translated when it leaves: from where, and by which interface.
    fn sources_translated(&self) -> impl Iterator<Item = (Option<IpNet>, Option<&IfName>)> {
        self.host.nat.iter().filter_map(|rule| match rule {
            NatRule::Masquerade(rule) => Some((rule.source, rule.out_interface.as_ref())),
            NatRule::Source(rule) => Some((rule.source, rule.out_interface.as_ref())),
            NatRule::LeaveBridged
            | NatRule::PortForward(_)
            | NatRule::Destination(_)
            | NatRule::Prefix(_) => None,
        })
    }

    /// The source addresses behind an interface: those that are masqueraded, or its own networks.
    fn sources(&self, link: &LinkTarget, ipv6: bool) -> Vec<IpNet> {
        let of_family = |net: &IpNet| net.addr().is_ipv6() == ipv6;
        let own: Vec<IpNet> = link.addresses.iter().filter(|net| of_family(net)).map(IpNet::trunc).collect();
        let overlaps =
            |net: &IpNet| own.iter().any(|own| own.contains(&net.network()) || net.contains(&own.network()));
        let masqueraded: Vec<IpNet> = self
            .sources_translated()
            .filter_map(|(source, _)| source)
            .filter(|net| of_family(net) && overlaps(net))
            .collect();
        if masqueraded.is_empty() { own } else { masqueraded }
    }

    fn outside(&self, name: &IfName, link: &LinkTarget, ipv6: bool, flows: &mut Vec<Flow>) {
        for uplink in self.uplinks(ipv6) {
            for source in self.sources(link, ipv6) {
                let own = Some(self.interface(name.as_str()));
                let out = flow(Purpose::Out, ipv6, own.clone(), uplink.clone());
                flows.push(Flow { source: Some(source), ..out });
                // Where answers come in by is not known without an uplink.
                if uplink.is_some() {
                    let back = flow(Purpose::Back, ipv6, uplink.clone(), own);
                    flows.push(Flow { destination: Some(source), ..back });
                }
            }
        }
    }

    fn between(&self, name: &IfName, address: IpNet, flows: &mut Vec<Flow>) {
        let ipv6 = address.addr().is_ipv6();
        for (other, link) in self.host.links.iter().filter(|(other, _)| *other != name) {
            let to = link.addresses.iter().find(|other| other.addr().is_ipv6() == ipv6);
            let Some(to) = to.filter(|to| to.prefix_len() > 0) else { continue };
            let (from, other) = (self.interface(name.as_str()), self.interface(other.as_str()));
            let between = flow(Purpose::Between, ipv6, Some(from), Some(other));
            flows.push(Flow { source: Some(address.trunc()), destination: Some(to.trunc()), ..between });
        }
    }

    fn pings(&self, name: &IfName, address: IpNet, flows: &mut Vec<Flow>) {
        let ipv6 = address.addr().is_ipv6();
        let interface = Some(self.interface(name.as_str()));
        let (lab, host) = (Some(address.trunc()), Some(Flow::only(address.addr())));
        let protocol = Some(PING[usize::from(ipv6)].0);
        let to = flow(Purpose::ToHost, ipv6, interface.clone(), None);
        flows.push(Flow { source: lab, destination: host, protocol, ..to });
        let from = flow(Purpose::FromHost, ipv6, None, interface);
        flows.push(Flow { source: host, destination: lab, protocol, ..from });
    }

    fn port_forward(&self, dnat: &DestinationNat, flows: &mut Vec<Flow>) {
        let (to, ipv6) = (dnat.to.first(), dnat.to.is_ipv6());
        let mut into = self.host.links.iter();
        let holds = |link: &LinkTarget| link.addresses.iter().any(|net| net.contains(&to));
        let Some((name, _)) = into.find(|(_, link)| holds(link)) else { return };
        let from = match &dnat.in_interface {
            Some(name) => vec![Some(self.interface(name.as_str()))],
            None => self.uplinks(ipv6),
        };
        for from in from.into_iter().flatten() {
            let interface = Some(self.interface(name.as_str()));
            flows.push(Flow {
                destination: Some(Flow::only(to)),
                protocol: dnat.protocol.map(Protocol::number),
                port: dnat.to_ports.or(dnat.ports).map(PortRange::first),
                ..flow(Purpose::PortForward, ipv6, Some(from), interface)
            });
        }
    }

    /// Between the ports of a bridge of the lab on the host: by the bridge's own rules, and by those of IP
    /// where bridges hand their frames to them.
    fn bridged(&self, bridge: &IfName, flows: &mut Vec<Flow>) {
        let ports: Vec<_> =
            self.host.links.iter().filter(|(_, link)| link.master.as_ref() == Some(bridge)).collect();
        let [(first, _), (second, _), ..] = ports.as_slice() else { return };
        let port = |name: &IfName| Some(self.interface(name.as_str()));
        flows.push(flow(Purpose::Bridged, false, port(first), port(second)));
        for ipv6 in [false, true].into_iter().filter(|ipv6| self.firewall.bridged[usize::from(*ipv6)]) {
            flows.push(flow(Purpose::BridgedByIp, ipv6, port(bridge), port(bridge)));
        }
    }
}

fn flow(purpose: Purpose, ipv6: bool, from: Option<HostInterface>, to: Option<HostInterface>) -> Flow {
    Flow { purpose, ipv6, from, to, source: None, destination: None, protocol: None, port: None }
}
