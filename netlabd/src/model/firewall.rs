//! A node's firewall.

use ipnet::IpNet;

use super::{
    IcmpType, IfName, IpProtocol, PortRange,
    nft::{Chain, Hook, Kind, Match, Policy, Rule, Statement, States},
};

/// Which packets a node lets pass; a direction without a chain lets all pass.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Firewall {
    /// Packets for the node itself.
    pub input: Option<FirewallChain>,
    /// Packets that the node forwards.
    pub forward: Option<FirewallChain>,
    /// Packets that the node itself sends.
    pub output: Option<FirewallChain>,
}

/// The rules of one direction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FirewallChain {
    /// What becomes of a packet that no rule matches.
    pub policy: Policy,
    /// The rules; the first that matches decides.
    pub rules: Vec<FirewallRule>,
}

/// One rule; what is not said is not asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FirewallRule {
    /// What packets are asked for.
    pub when: Conditions,
    /// What then happens.
    pub action: Action,
}

/// What packets are asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Conditions {
    /// States of the connection.
    pub state: Option<States>,
    /// The interface that the packet came in by.
    pub in_interface: Option<IfName>,
    /// The interface that it leaves by.
    pub out_interface: Option<IfName>,
    /// The range of its source.
    pub source: Option<IpNet>,
    /// The range of its destination.
    pub destination: Option<IpNet>,
    /// What it carries.
    pub protocol: Option<IpProtocol>,
    /// Where it comes from: one of these, sorted; none: any. Only with a protocol that has ports.
    pub source_ports: Vec<PortRange>,
    /// Where it goes to, likewise.
    pub ports: Vec<PortRange>,
    /// Types of ICMP, sorted; none: any. Only with the protocol of the same family.
    pub icmp_types: Vec<IcmpType>,
}

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// It passes.
    Accept,
    /// It ends here.
    Drop,
    /// It ends here, and its sender is told.
    Reject,
}

impl Firewall {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.chains().is_empty()
    }

    /// The directions that have a chain, by name.
    pub fn directions(&self) -> impl Iterator<Item = (&'static str, Hook, &FirewallChain)> {
        let all = [
            ("input", Hook::Input, &self.input),
            ("forward", Hook::Forward, &self.forward),
            ("output", Hook::Output, &self.output),
        ];
        all.into_iter().filter_map(|(name, hook, chain)| Some((name, hook, chain.as_ref()?)))
    }

    /// The chains of nftables that do it.
    pub fn chains(&self) -> Vec<Chain> {
        let chain = |(name, hook, chain): (&'static str, Hook, &FirewallChain)| Chain {
            name,
            kind: Kind::Filter,
            hook,
            priority: 0,
            policy: chain.policy,
            rules: chain.rules.iter().flat_map(FirewallRule::rules).collect(),
        };
        self.directions().map(chain).collect()
    }
}

impl FirewallRule {
    /// How many rules of nftables it comes down to: a list of ports stands for a rule each. (A set would do with one, but
    /// has a number of the kernel's own in the rule.)
    pub fn count(&self) -> usize {
        let when = &self.when;
        [when.source_ports.len(), when.ports.len(), when.icmp_types.len()]
            .iter()
            .map(|n| (*n).max(1))
            .product()
    }

    fn rules(&self) -> Vec<Rule> {
        let then = match self.action {
            Action::Accept => Statement::Accept,
            Action::Drop => Statement::Drop,
            Action::Reject => Statement::Reject,
        };
        let rule = |when| Rule { counted: true, ..Rule::new(when, then.clone()) };
        self.when.matches().into_iter().map(rule).collect()
    }
}

impl Conditions {
    /// The matches of each rule of nftables that it takes.
    pub fn matches(&self) -> Vec<Vec<Match>> {
        let common: Vec<Match> = [
            self.state.map(Match::State),
            self.in_interface.clone().map(Match::In),
            self.out_interface.clone().map(Match::Out),
            self.source.map(Match::Source),
            self.destination.map(Match::Destination),
        ]
        .into_iter()
        .flatten()
        .collect();
        let Some(protocol) = self.protocol else { return vec![common] };
        let sides = [
            each(&self.source_ports, |ports| Match::SourcePorts(protocol, ports)),
            each(&self.ports, |ports| Match::Ports(protocol, ports)),
            each(&self.icmp_types, Match::Icmp),
        ];
        let mut all = vec![common];
        if sides.iter().all(|side| side.len() == 1 && side[0].is_none()) {
            all[0].push(Match::Protocol(protocol));
        }
        for side in sides {
            let with = |before: &Vec<Match>, one: &Option<Match>| {
                [before.clone(), one.iter().cloned().collect()].concat()
            };
            all = all
                .iter()
                .flat_map(|before| side.iter().map(|one| with(before, one)).collect::<Vec<_>>())
                .collect();
        }
        all
    }
}

/// A match for each of a list, or one that asks for nothing.
fn each<T: Copy>(list: &[T], of: impl Fn(T) -> Match) -> Vec<Option<Match>> {
    if list.is_empty() { vec![None] } else { list.iter().map(|one| Some(of(*one))).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(when: Conditions, action: Action) -> Vec<String> {
        let rule = FirewallRule { when, action };
        let rules = rule.rules();
        assert_eq!(rules.len(), rule.count());
        rules.iter().map(ToString::to_string).collect()
    }

    fn ports(texts: &[&str]) -> Vec<PortRange> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn rules_as_nft_takes_them() {
        assert_eq!(texts(Conditions::default(), Action::Drop), ["counter drop"]);
        let known = States::named("established").unwrap().and(States::named("related").unwrap());
        let when = Conditions { state: Some(known), ..Conditions::default() };
        assert_eq!(texts(when, Action::Accept), ["ct state established,related counter accept"]);
        let when = Conditions {
            in_interface: Some("eth0".parse().unwrap()),
            out_interface: Some("eth1".parse().unwrap()),
            source: Some("192.0.2.0/24".parse().unwrap()),
            destination: Some("203.0.113.9/32".parse().unwrap()),
            protocol: Some(IpProtocol::TCP),
            ports: ports(&["80", "8000-8010"]),
            ..Conditions::default()
        };
        let common = "iifname \"eth0\" oifname \"eth1\" ip saddr 192.0.2.0/24 ip daddr 203.0.113.9";
        assert_eq!(
            texts(when, Action::Reject),
            [
                format!("{common} tcp dport 80 counter reject"),
                format!("{common} tcp dport 8000-8010 counter reject")
            ]
        );
    }

    #[test]
    fn protocols_with_and_without_lists() {
        let of = |protocol: &str| Conditions {
            protocol: Some(protocol.parse().unwrap()),
            ..Conditions::default()
        };
        assert_eq!(texts(of("ospf"), Action::Accept), ["meta l4proto 89 counter accept"]);
        assert_eq!(texts(of("icmpv6"), Action::Accept), ["meta l4proto icmpv6 counter accept"]);
        let ping = IcmpType::read(false, "echo-request").unwrap();
        let when = Conditions { icmp_types: vec![ping], ..of("icmp") };
        assert_eq!(texts(when, Action::Accept), ["icmp type echo-request counter accept"]);
        let when = Conditions { source_ports: ports(&["1", "2"]), ports: ports(&["3", "4"]), ..of("udp") };
        assert_eq!(texts(when, Action::Accept).len(), 4);
    }

    #[test]
    fn only_directions_that_are_named_have_chains() {
        let drop = FirewallChain { policy: Policy::Drop, rules: Vec::new() };
        let firewall = Firewall { forward: Some(drop), ..Firewall::default() };
        let chains = firewall.chains();
        assert_eq!(chains.len(), 1);
        assert_eq!(chains[0].declaration(), "type filter hook forward priority filter; policy drop;");
        assert!(Firewall::default().is_empty() && !firewall.is_empty());
    }
}
