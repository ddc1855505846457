//! Translations as chains of nftables.

use super::{
    AddressRange, IfName, IpProtocol, Masquerade, NatRule, PortForward, PortRange,
    nft::{Chain, Hook, Kind, Match, Policy, Rule, Statement, Translation},
};

/// The chains that hold these rules; without rules, none.
///
/// `exact`: with all that netlabd's rules have; otherwise as one would type them.
pub fn nat_chains(rules: &[NatRule], exact: bool) -> Vec<Chain> {
    if rules.is_empty() {
        return Vec::new();
    }
    let mut prerouting = chain("prerouting", Hook::Prerouting, -100);
    let mut postrouting = chain("postrouting", Hook::Postrouting, 100);
    for rule in rules {
        let (chain, when, then) = match rule {
            NatRule::PortForward(forward) => {
                (&mut prerouting, arrives(forward), Statement::DestinationNat(destination(forward)))
            }
            // What nobody types, and what matters only beside a bridge.
            NatRule::LeaveBridged if !exact => continue,
            NatRule::LeaveBridged => (&mut postrouting, bridged(), Statement::Return),
            NatRule::Masquerade(masquerade) => {
                (&mut postrouting, leaves(masquerade, exact), Statement::Masquerade)
            }
        };
        let counted = exact && *rule != NatRule::LeaveBridged;
        let comment = exact.then(|| rule.to_string());
        chain.rules.push(Rule { when, counted, then, comment });
    }
    vec![prerouting, postrouting]
}

/// A chain of type nat, with one of the standard priorities `dstnat` and `srcnat` of nft(8).
fn chain(name: &'static str, hook: Hook, priority: i32) -> Chain {
    Chain { name, kind: Kind::Nat, hook, priority, policy: Policy::Accept, rules: Vec::new() }
}

fn bridged() -> Vec<Match> {
    vec![Match::ToBridge, Match::FromNowhere, Match::DestinationKept, Match::ForeignSource]
}

fn leaves(rule: &Masquerade, exact: bool) -> Vec<Match> {
    let out = match &rule.out_interface {
        Some(name) => Some(Match::Out(name.clone())),
        // What a host says to itself keeps its address.
        None => exact.then(|| Match::NotOut(IfName::loopback())),
    };
    rule.source.map(Match::Source).into_iter().chain(out).collect()
}

fn arrives(rule: &PortForward) -> Vec<Match> {
    let input = rule.in_interface.clone().map_or(Match::LocalDestination, Match::In);
    let family = if rule.to.is_ipv6() { Match::Ipv6 } else { Match::Ipv4 };
    vec![input, family, Match::Ports(IpProtocol::from(rule.protocol), PortRange::one(rule.port))]
}

fn destination(rule: &PortForward) -> Translation {
    Translation { to: AddressRange::one(rule.to.ip()), ports: Some(PortRange::one(rule.to.port())) }
}
