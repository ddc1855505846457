//! Firewalls of nodes.

use std::collections::BTreeMap;

use netlab_proto::v1 as proto;

use crate::model::{
    Action, Conditions, Firewall, FirewallChain, FirewallRule, IcmpType, IfName, IpProtocol, PortRange,
    nft::{Hook, Policy, States},
};

use super::{
    draft::Site,
    selector::{self, Families},
};
use crate::input::{Path, Sink, shown};

/// Rules of nftables that one direction may come down to: lists of ports stand for a rule each.
const RULES: usize = 4_000;

/// Reads the firewall of a node.
pub(super) fn read(
    site: &Site,
    message: Option<&proto::Firewall>,
    forwarding: bool,
    sink: &mut Sink,
) -> Firewall {
    let Some(message) = message else { return Firewall::default() };
    let path = site.path.field("firewall");
    if message.forward.is_some() && !forwarding {
        let path = path.field("forward");
        let message =
            format!("{path} filters what is forwarded, and {} forwards nothing; set it to true", site.place);
        sink.add(&site.path.field("forwarding"), message);
    }
    let mut chain = |message: &Option<proto::FirewallChain>, name: &str, hook| {
        let reader = Reader { site, hook };
        message.as_ref().map(|message| reader.chain(message, &path.field(name), sink))
    };
    Firewall {
        input: chain(&message.input, "input", Hook::Input),
        forward: chain(&message.forward, "forward", Hook::Forward),
        output: chain(&message.output, "output", Hook::Output),
    }
}

/// Reads one direction.
struct Reader<'a> {
    site: &'a Site,
    hook: Hook,
}

impl Reader<'_> {
    fn chain(&self, message: &proto::FirewallChain, path: &Path, sink: &mut Sink) -> FirewallChain {
        let policy = policy(&message.policy, &path.field("policy"), sink);
        let path = path.field("rules");
        let rules: Vec<Option<FirewallRule>> = message
            .rules
            .iter()
            .enumerate()
            .map(|(at, rule)| self.rule(rule, &path.index(at), sink))
            .collect();
        unreached(&rules, &path, sink);
        let rules: Vec<FirewallRule> = rules.into_iter().flatten().collect();
        let count: usize = rules.iter().map(FirewallRule::count).sum();
        if count > RULES {
            let message = format!(
                "lists of ports stand for a rule each, {count} rules in all; at most {RULES} are allowed: use ranges of ports"
            );
            sink.add(&path, message);
        }
        FirewallChain { policy, rules }
    }

    fn rule(&self, rule: &proto::FirewallRule, path: &Path, sink: &mut Sink) -> Option<FirewallRule> {
        let faults = sink.len();
        let action = action(&rule.action, &path.field("action"), sink);
        let mut when = Conditions {
            state: states(&rule.state, &path.field("state"), sink),
            in_interface: self.interface(&rule.in_interface, Hook::Output, &path.field("in_interface"), sink),
            out_interface: self.interface(
                &rule.out_interface,
                Hook::Input,
                &path.field("out_interface"),
                sink,
            ),
            source: selector::range(&rule.source, &path.field("source"), sink),
            destination: selector::range(&rule.destination, &path.field("destination"), sink),
            protocol: protocol(&rule.protocol, &path.field("protocol"), sink),
            ..Conditions::default()
        };
        when.ports = ports(rule, &rule.ports, &path.field("ports"), sink);
        when.source_ports = ports(rule, &rule.source_ports, &path.field("source_ports"), sink);
        when.icmp_types = icmp_types(rule, &path.field("icmp_types"), sink);
        let mut families = Families::default();
        families.add("source", when.source.map(|net| net.addr().is_ipv6()));
        families.add("destination", when.destination.map(|net| net.addr().is_ipv6()));
        families.add("protocol", when.protocol.and_then(IpProtocol::is_of_ipv6));
        families.check(path, sink);
        // One that is read in part asks for less than it says, and others would seem not to be reached.
        (sink.len() == faults).then_some(FirewallRule { when, action: action? })
    }

    /// Reads an interface; packets of one direction have none on one side.
    fn interface(&self, text: &str, none_in: Hook, path: &Path, sink: &mut Sink) -> Option<IfName> {
        if !text.is_empty() && self.hook == none_in {
            let (why, other) = match none_in {
                Hook::Output => ("what the node itself sends came in by no interface", "out_interface"),
                _ => ("what is for the node itself leaves by no interface", "in_interface"),
            };
            sink.add(path, format!("{why}, so this never holds; use {other}, or leave it out"));
            return None;
        }
        let name = selector::interface(self.site, text, path, sink)?;
        if name == IfName::loopback() && self.hook == Hook::Forward {
            sink.add(path, "nothing is forwarded from or to lo, so this never holds; leave the rule out");
            return None;
        }
        Some(name)
    }
}

fn policy(text: &str, path: &Path, sink: &mut Sink) -> Policy {
    let words = [("accept", Policy::Accept), ("drop", Policy::Drop)];
    match text {
        "" => Policy::Accept,
        "reject" => {
            let message =
                "nftables has no policy reject; write drop, and { action: reject } as the last rule";
            sink.add(path, message);
            Policy::Drop
        }
        _ => selector::word(text, &words, "policy", path, sink).unwrap_or_default(),
    }
}

fn action(text: &str, path: &Path, sink: &mut Sink) -> Option<Action> {
    let words = [("accept", Action::Accept), ("drop", Action::Drop), ("reject", Action::Reject)];
    if text.is_empty() {
        sink.add(path, "is missing: accept, drop or reject");
        return None;
    }
    selector::word(text, &words, "action", path, sink)
}

fn states(words: &[String], path: &Path, sink: &mut Sink) -> Option<States> {
    let known: Vec<_> = States::names().filter_map(|name| Some((name, States::named(name)?))).collect();
    let mut all: Option<States> = None;
    for (at, text) in words.iter().enumerate() {
        let path = path.index(at);
        let Some(state) = selector::word(text, &known, "state of a connection", &path, sink) else {
            continue;
        };
        if all.is_some_and(|all| all.contains(state)) {
            sink.add(&path, format!("{text} stands here already; leave it out"));
        }
        all = Some(all.map_or(state, |all| all.and(state)));
    }
    all
}

fn protocol(text: &str, path: &Path, sink: &mut Sink) -> Option<IpProtocol> {
    if text.is_empty() {
        return None;
    }
    let read = text.parse();
    let near = if read.is_err() { sink.suggest(text, IpProtocol::names()) } else { String::new() };
    read.map_err(|error| sink.add(path, format!("{} {error}{near}", shown(text)))).ok()
}

fn ports(rule: &proto::FirewallRule, texts: &[String], path: &Path, sink: &mut Sink) -> Vec<PortRange> {
    let protocol = rule.protocol.parse::<IpProtocol>().ok();
    if !texts.is_empty()
        && (rule.protocol.is_empty() || protocol.is_some_and(|protocol| !protocol.has_ports()))
    {
        let has =
            protocol.map_or_else(|| "a rule without a protocol".to_owned(), |protocol| protocol.to_string());
        sink.add(path, format!("{has} has no ports, so this never holds; set protocol to tcp, udp or sctp"));
        return Vec::new();
    }
    listed(texts, path, sink, str::parse, PortRange::overlaps)
}

fn icmp_types(rule: &proto::FirewallRule, path: &Path, sink: &mut Sink) -> Vec<IcmpType> {
    let ipv6 = match rule.protocol.parse() {
        Ok(IpProtocol::ICMP) => false,
        Ok(IpProtocol::ICMPV6) => true,
        _ if rule.icmp_types.is_empty() => return Vec::new(),
        _ => {
            sink.add(path, "only ICMP has such types; set protocol to icmp or icmpv6");
            return Vec::new();
        }
    };
    for (at, text) in rule.icmp_types.iter().enumerate() {
        if IcmpType::read(ipv6, text).is_err() {
            let near = sink.suggest(text, IcmpType::names(ipv6));
            let names: Vec<_> = IcmpType::names(ipv6).collect();
            let message =
                format!("{} is no type of {}: {}{near}", shown(text), rule.protocol, names.join(", "));
            sink.add(&path.index(at), message);
            return Vec::new();
        }
    }
    listed(&rule.icmp_types, path, sink, |text| IcmpType::read(ipv6, text), |a, b| a == b)
}

/// Reads a list in which no two say the same; sorted.
fn listed<T: Copy + Ord + std::fmt::Display>(
    texts: &[String],
    path: &Path,
    sink: &mut Sink,
    read: impl Fn(&str) -> Result<T, crate::model::NameError>,
    same: impl Fn(T, T) -> bool,
) -> Vec<T> {
    let mut all: Vec<T> = Vec::new();
    for (at, text) in texts.iter().enumerate() {
        let path = path.index(at);
        let Some(one) = sink.keep_text(&path, text, read(text)) else { continue };
        match all.iter().find(|known| same(**known, one)) {
            Some(known) if *known == one => {
                sink.add(&path, format!("{one} stands here already; leave it out"));
            }
            Some(known) => sink.add(&path, format!("{one} and {known} overlap; make them one range")),
            None => all.push(one),
        }
    }
    all.sort_unstable();
    all
}

/// A fault for each rule that no packet reaches, because one before it decides about all that it asks for.
fn unreached(rules: &[Option<FirewallRule>], path: &Path, sink: &mut Sink) {
    let mut seen: BTreeMap<&Conditions, usize> = BTreeMap::new();
    let all = Conditions::default();
    for (at, rule) in rules.iter().enumerate() {
        if let Some(first) = seen.get(&all) {
            let message =
                format!("rules[{first}] decides about every packet, so none gets here; put that one last");
            sink.add(&path.index(at), message);
            return;
        }
        let Some(rule) = rule else { continue };
        let first = *seen.entry(&rule.when).or_insert(at);
        if first != at {
            let message =
                format!("rules[{first}] asks for the same and decides first; leave one of them out");
            sink.add(&path.index(at), message);
        }
    }
}
