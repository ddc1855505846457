//! Translations as chains of nftables.

use ipnet::IpNet;

use super::{
    DestinationNat, IfName, IpProtocol, NatRule, PrefixTranslation, SourceNat,
    nft::{Chain, Hook, Kind, Match, Policy, Rule, Statement, Translation},
};

/// The chains that hold these rules; without rules, none.
///
/// `exact`: with all that netlabd's rules have; otherwise as one would type them.
pub fn nat_chains(rules: &[NatRule], exact: bool) -> Vec<Chain> {
    if rules.is_empty() {
        return Vec::new();
    }
    let mut writer = Writer {
        exact,
        prerouting: chain("prerouting", Hook::Prerouting, -100),
        postrouting: chain("postrouting", Hook::Postrouting, 100),
    };
    for rule in rules {
        writer.rule(rule);
    }
    vec![writer.prerouting, writer.postrouting]
}

/// A chain of type nat, with one of the standard priorities `dstnat` and `srcnat` of nft(8).
fn chain(name: &'static str, hook: Hook, priority: i32) -> Chain {
    Chain { name, kind: Kind::Nat, hook, priority, policy: Policy::Accept, rules: Vec::new() }
}

/// Writes rules into the chains of their hooks.
struct Writer {
    exact: bool,
    prerouting: Chain,
    postrouting: Chain,
}

impl Writer {
    fn rule(&mut self, rule: &NatRule) {
        match rule {
            NatRule::PortForward(forward) => self.destinations(rule, &forward.into()),
            NatRule::Destination(dnat) => self.destinations(rule, dnat),
            // What nobody types, and what matters only beside a bridge.
            NatRule::LeaveBridged if !self.exact => {}
            NatRule::LeaveBridged => {
                let left = Rule::new(bridged(), Statement::Return);
                self.postrouting.rules.push(Rule { comment: Some(rule.to_string()), ..left });
            }
            NatRule::Source(snat) => self.source(rule, snat),
            NatRule::Prefix(prefix) => self.prefix(rule, prefix),
            NatRule::Masquerade(masquerade) => {
                let when = self.leaves(masquerade.source, masquerade.out_interface.as_ref());
                let made = self.counted(rule, when, Statement::Masquerade);
                self.postrouting.rules.push(made);
            }
        }
    }

    fn counted(&self, rule: &NatRule, when: Vec<Match>, then: Statement) -> Rule {
        let comment = self.exact.then(|| rule.to_string());
        Rule { when, counted: self.exact, then, comment }
    }

    fn destinations(&mut self, rule: &NatRule, dnat: &DestinationNat) {
        for (ports, to_ports) in dnat.ports() {
            let to = Translation { to: dnat.to, ports: to_ports };
            let mut when = arrives(dnat);
            when.extend(dnat.protocol.map(IpProtocol::from).map(|protocol| match ports {
                Some(ports) => Match::Ports(protocol, ports),
                None => Match::Protocol(protocol),
            }));
            let made = self.counted(rule, when, Statement::DestinationNat(to));
            self.prerouting.rules.push(made);
        }
    }

    fn source(&mut self, rule: &NatRule, snat: &SourceNat) {
        let to = Translation { to: snat.to, ports: None };
        let mut when = self.leaves(snat.source, snat.out_interface.as_ref());
        if snat.source.is_none() {
            when.insert(0, family(snat.to.is_ipv6()));
        }
        let made = self.counted(rule, when, Statement::SourceNat(to));
        self.postrouting.rules.push(made);
    }

    fn prefix(&mut self, rule: &NatRule, prefix: &PrefixTranslation) {
        let PrefixTranslation { internal, external, interface } = prefix;
        let into = vec![Match::In(interface.clone()), Match::Destination(*external)];
        let into = self.counted(rule, into, Statement::DestinationPrefix(*internal));
        let out = vec![Match::Source(*internal), Match::Out(interface.clone())];
        let out = self.counted(rule, out, Statement::SourcePrefix(*external));
        self.prerouting.rules.push(into);
        self.postrouting.rules.push(out);
    }

    fn leaves(&self, source: Option<IpNet>, out_interface: Option<&IfName>) -> Vec<Match> {
        let out = match out_interface {
            Some(name) => Some(Match::Out(name.clone())),
            // What a host says to itself keeps its address.
            None => self.exact.then(|| Match::NotOut(IfName::loopback())),
        };
        source.map(Match::Source).into_iter().chain(out).collect()
    }
}

fn bridged() -> Vec<Match> {
    vec![Match::ToBridge, Match::FromNowhere, Match::DestinationKept, Match::ForeignSource]
}

/// Where what is translated comes in and goes to, and its family.
fn arrives(dnat: &DestinationNat) -> Vec<Match> {
    let mut when = Vec::from_iter(dnat.in_interface.clone().map(Match::In));
    if dnat.is_local() {
        when.push(Match::LocalDestination);
    }
    when.push(dnat.destination.map_or_else(|| family(dnat.to.is_ipv6()), Match::Destination));
    when
}

fn family(ipv6: bool) -> Match {
    if ipv6 { Match::Ipv6 } else { Match::Ipv4 }
}
