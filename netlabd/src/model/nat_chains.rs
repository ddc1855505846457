//! Translations as chains of nftables.

use ipnet::IpNet;

use super::{
    DestinationNat, IfName, IpProtocol, Masquerade, NatRule, NatType, PortRange, PrefixTranslation,
    SourceNat,
    nft::{Chain, Hook, Kind, Mappings, Match, Policy, Rule, Statement, States, Translation},
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
        // After the translation, whose outcome is noted.
        mappings: Chain { kind: Kind::Filter, ..chain(Mappings::CHAIN, Hook::Postrouting, 101) },
        unsolicited: Chain { kind: Kind::Filter, ..chain("unsolicited", Hook::Input, 0) },
    };
    for rule in rules {
        writer.rule(rule);
    }
    let Writer { prerouting, postrouting, mappings, unsolicited, .. } = writer;
    let some = [mappings, unsolicited].into_iter().filter(|chain| !chain.rules.is_empty());
    [prerouting, postrouting].into_iter().chain(some).collect()
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
    mappings: Chain,
    unsolicited: Chain,
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
            NatRule::Masquerade(masquerade) => self.masquerade(rule, masquerade),
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

    fn masquerade(&mut self, rule: &NatRule, masquerade: &Masquerade) {
        let Masquerade { source, out_interface, nat_type } = masquerade;
        let mut when = self.leaves(*source, out_interface.as_ref());
        if nat_type.is_some() && source.is_none() {
            when.insert(0, Match::Ipv4);
        }
        let then = match nat_type {
            Some(NatType::Symmetric) => Statement::MasqueradeAtRandom,
            _ => Statement::Masquerade,
        };
        let made = self.counted(rule, when, then);
        self.postrouting.rules.push(made);
        if let (Some(nat_type), Some(outside)) = (nat_type, out_interface) {
            self.nat_type(rule, *nat_type, outside);
        }
    }

    /// What makes a masquerade be of a type. The kernel maps by endpoint already: who has a mapping keeps it for all that it
    /// sends (`get_unique_tuple` in `net/netfilter/nf_nat_core.c`), unless that is by chance.
    fn nat_type(&mut self, rule: &NatRule, nat_type: NatType, outside: &IfName) {
        if let Some(mappings) = nat_type.opens_to().map(Mappings) {
            let out = vec![
                Match::Out(outside.clone()),
                Match::Ipv4,
                Match::SourceTranslated,
                Match::Protocol(IpProtocol::UDP),
            ];
            let noted = self.counted(rule, out, Statement::Learn(mappings));
            self.mappings.rules.push(noted);
            let into = vec![
                Match::In(outside.clone()),
                Match::LocalDestination,
                Match::Ipv4,
                Match::Protocol(IpProtocol::UDP),
            ];
            let led = self.counted(rule, into, Statement::DestinationFrom(mappings));
            self.prerouting.rules.push(led);
        }
        // What comes in unasked would else be answered, and would take the place of a mapping to its sender.
        let unasked = vec![
            Match::In(outside.clone()),
            Match::Ipv4,
            Match::Ports(IpProtocol::UDP, PortRange::UNPRIVILEGED),
            Match::State(States::NEW),
        ];
        let dropped = self.counted(rule, unasked, Statement::Drop);
        self.unsolicited.rules.push(dropped);
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
