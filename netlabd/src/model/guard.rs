//! What keeps a lab's interfaces on the host apart from all that is not the lab's: rules of nftables, in words of
//! nft(8).

use super::{
    IcmpType, IfName, IpProtocol, LabName,
    nft::{Hook, Match, Rule, Statement},
};

/// What is to be kept apart, for one lab.
///
/// - No ICMP redirect of a lab is heard. The kernel takes one where it is allowed on the interface *or* for `all`
///   (`ip-sysctl`, `accept_redirects`), so that a setting of the interface alone does not close that.
/// - The host forwards for labs that ask for it, and for none of the others.
/// - It forwards nothing between labs, save to interfaces that both files name in `host.joins`.
/// - Where it forwards only because a lab asked for it, it forwards nothing between interfaces that are no lab's.
///
/// What bridges carry and `br_netfilter` hands through the same hooks is nobody's business here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Guard {
    /// The lab's interfaces on the host.
    pub ends: Vec<IfName>,
    /// Those of them that are bridges.
    pub bridges: Vec<IfName>,
    /// Those whose redirects are heard all the same.
    pub heard: Vec<IfName>,
    /// Whether the lab asks the host to forward.
    pub forwards: bool,
    /// Interfaces of other labs that the lab is joined with.
    pub joins: Vec<IfName>,
    /// What the host was before labs; `None`: not known yet.
    pub apart: Option<Apart>,
}

/// What of the host itself is kept apart, because it was so before labs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Apart {
    /// Whether it forwarded no IPv4.
    pub ipv4: bool,
    /// Whether it forwarded no IPv6.
    pub ipv6: bool,
    /// Interfaces from which it forwarded IPv4 all the same.
    pub exceptions: Vec<IfName>,
    /// Its bridges: what goes from one of them to another is forwarded, what stays in one is not.
    pub bridges: Vec<IfName>,
}

/// A chain of a lab's guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum GuardChain {
    /// What comes from the lab's ends and is forwarded.
    From,
    /// What is forwarded.
    Forward,
    /// What is for the host itself.
    Input,
}

impl GuardChain {
    /// All, each after those that it refers to.
    pub const ALL: [Self; 3] = [Self::From, Self::Forward, Self::Input];

    /// The end of its name.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::From => "guard-from",
            Self::Forward => "guard-forward",
            Self::Input => "guard-input",
        }
    }

    /// Its name in the host's table.
    pub fn name(self, lab: &LabName) -> String {
        format!("{lab}-{}", self.suffix())
    }

    /// Where it is hooked in, if it is a base chain.
    pub fn hook(self) -> Option<Hook> {
        match self {
            Self::From => None,
            Self::Forward => Some(Hook::Forward),
            Self::Input => Some(Hook::Input),
        }
    }
}

/// A rule and the chain in which it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardRule {
    /// Where it stands.
    pub chain: GuardChain,
    /// The rule.
    pub rule: Rule,
}

impl Guard {
    /// All rules of a lab, in the order in which they stand in their chains.
    pub fn rules(&self, lab: &LabName) -> Vec<GuardRule> {
        let mut rules = Rules::default();
        for end in self.ends.iter().filter(|end| !self.heard.contains(end)) {
            let redirect = [Match::Ipv4, Match::Protocol(IpProtocol::ICMP), Match::Icmp(IcmpType::REDIRECT)];
            let when = [vec![Match::In(end.clone())], redirect.to_vec()].concat();
            rules.add(GuardChain::Input, when, Statement::Drop);
        }
        for bridge in &self.bridges {
            let within = vec![Match::In(bridge.clone()), Match::Out(bridge.clone())];
            rules.add(GuardChain::Forward, within, Statement::Return);
        }
        if self.forwards {
            self.to_others(lab, &mut rules);
        } else {
            for end in &self.ends {
                rules.add(GuardChain::Forward, vec![Match::In(end.clone())], Statement::Drop);
                rules.add(GuardChain::Forward, vec![Match::Out(end.clone())], Statement::Drop);
            }
        }
        if let Some(apart) = self.apart.as_ref().filter(|_| self.forwards) {
            apart.add(&mut rules);
        }
        rules.0
    }

    /// From the lab to other labs; what they send here is their guards' business.
    fn to_others(&self, lab: &LabName, rules: &mut Rules) {
        let decides = Statement::Jump(GuardChain::From.name(lab));
        for end in &self.ends {
            rules.add(GuardChain::Forward, vec![Match::In(end.clone())], decides.clone());
        }
        for end in self.ends.iter().chain(&self.joins) {
            rules.add(GuardChain::From, vec![Match::Out(end.clone())], Statement::Return);
        }
        rules.add(GuardChain::From, vec![Match::ToLab(true)], Statement::Drop);
    }
}

impl Apart {
    fn add(&self, rules: &mut Rules) {
        let families = [(self.ipv4, Match::Ipv4), (self.ipv6, Match::Ipv6)];
        for (_, family) in families.into_iter().filter(|(apart, _)| *apart) {
            if family == Match::Ipv4 {
                for end in &self.exceptions {
                    let from = vec![Match::Ipv4, Match::In(end.clone())];
                    rules.add(GuardChain::Forward, from, Statement::Return);
                }
            }
            let mut add = |more: Vec<Match>, then: Statement| {
                let strangers = vec![family.clone(), Match::FromLab(false), Match::ToLab(false)];
                rules.add(GuardChain::Forward, [strangers, more].concat(), then);
            };
            for bridge in &self.bridges {
                add(vec![Match::In(bridge.clone()), Match::NotOut(bridge.clone())], Statement::Drop);
            }
            // What stays in one bridge, br_netfilter hands through here too.
            add(vec![Match::FromBridge, Match::ToBridge], Statement::Return);
            add(Vec::new(), Statement::Drop);
        }
    }
}

#[derive(Default)]
struct Rules(Vec<GuardRule>);

impl Rules {
    fn add(&mut self, chain: GuardChain, when: Vec<Match>, then: Statement) {
        self.0.push(GuardRule { chain, rule: Rule::new(when, then) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(all: &[&str]) -> Vec<IfName> {
        all.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn texts(guard: &Guard) -> Vec<String> {
        let lab: LabName = "t".parse().unwrap();
        let text = |rule: &GuardRule| format!("{}: {}", rule.chain.suffix(), rule.rule);
        guard.rules(&lab).iter().map(text).collect()
    }

    #[test]
    fn a_lab_that_does_not_forward() {
        let guard = Guard {
            ends: names(&["lab0", "br"]),
            bridges: names(&["br"]),
            heard: names(&["br"]),
            ..Guard::default()
        };
        let redirect = "meta nfproto ipv4 meta l4proto icmp icmp type redirect";
        assert_eq!(
            texts(&guard),
            [
                format!("guard-input: iifname \"lab0\" {redirect} drop").as_str(),
                "guard-forward: iifname \"br\" oifname \"br\" return",
                "guard-forward: iifname \"lab0\" drop",
                "guard-forward: oifname \"lab0\" drop",
                "guard-forward: iifname \"br\" drop",
                "guard-forward: oifname \"br\" drop",
            ]
        );
    }

    #[test]
    fn a_lab_that_forwards_on_a_host_that_does_not() {
        let apart =
            Apart { ipv4: true, ipv6: false, exceptions: names(&["own0"]), bridges: names(&["virbr0"]) };
        let guard = Guard {
            ends: names(&["lab0"]),
            heard: names(&["lab0"]),
            forwards: true,
            joins: names(&["lab9"]),
            apart: Some(apart),
            ..Guard::default()
        };
        let strangers = "meta nfproto ipv4 iifgroup != 1852142700 oifgroup != 1852142700";
        assert_eq!(
            texts(&guard),
            [
                "guard-forward: iifname \"lab0\" jump t-guard-from",
                "guard-from: oifname \"lab0\" return",
                "guard-from: oifname \"lab9\" return",
                "guard-from: oifgroup 1852142700 drop",
                "guard-forward: meta nfproto ipv4 iifname \"own0\" return",
                format!("guard-forward: {strangers} iifname \"virbr0\" oifname != \"virbr0\" drop").as_str(),
                format!("guard-forward: {strangers} meta iifkind \"bridge\" meta oifkind \"bridge\" return")
                    .as_str(),
                format!("guard-forward: {strangers} drop").as_str(),
            ]
        );
        let open = Guard { apart: Some(Apart::default()), ..guard };
        assert_eq!(texts(&open).len(), 4, "the host forwards for itself: that is not our business");
    }
}
