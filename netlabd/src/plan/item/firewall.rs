//! A node's firewall.

use std::borrow::Cow;

use super::{At, Subject};
use crate::{
    model::{
        self, FirewallChain, Place,
        nft::{Hook, Part},
        observed::RulesState,
    },
    plan::{Op, Verb, command::Hand, place::PlaceDiff, rules},
    shell::word,
};

/// What our nftables chains of a node let pass, exactly; where nothing is said, the chains go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firewall {
    /// Where.
    pub place: Place,
    /// What passes.
    pub firewall: model::Firewall,
    /// Whether some of the chains are there, as they should be or not.
    pub replaces: bool,
}

impl Firewall {
    /// The same as one would note it: a file for nft(8).
    pub(in crate::plan) fn noted(&self, hand: Hand<'_>) -> String {
        format!("{}nft -f - <<'EOF'\n{}\nEOF", hand.exec(&self.place), rules::noted(&self.firewall.chains()))
    }
}

impl Subject for Firewall {
    fn at(&self) -> At<'_> {
        At::Place(Cow::Borrowed(&self.place))
    }

    fn describe(&self, verb: Verb) -> String {
        let place = &self.place;
        let chain = |(name, _, chain): (&str, Hook, &FirewallChain)| {
            let count = chain.rules.len();
            let s = if count == 1 { "" } else { "s" };
            format!("{name}: policy {}, {count} rule{s}", chain.policy)
        };
        match verb {
            Verb::Add | Verb::Set => {
                let chains: Vec<_> = self.firewall.directions().map(chain).collect();
                format!("set the firewall in {place}: {}", chains.join("; "))
            }
            Verb::Delete => format!("remove the firewall from {place}"),
        }
    }

    fn finding(&self, verb: Verb) -> String {
        match verb {
            Verb::Add | Verb::Set => format!("{}: the firewall is not as it should be", self.place),
            Verb::Delete => format!("{}: a firewall is not wanted", self.place),
        }
    }

    fn command(&self, _: Verb, hand: Hand<'_>) -> String {
        let chains = self.firewall.chains();
        let mut statements = Vec::new();
        if !chains.is_empty() {
            statements = rules::statements(&chains, None, &[]);
        }
        if self.replaces {
            let is_wanted = |name: &str| chains.iter().any(|chain| chain.name == name);
            let others = Part::Firewall.chains().iter().filter(|name| !is_wanted(name));
            statements.extend(others.map(|name| rules::without(name)));
        }
        format!("{}nft {}", hand.exec(&self.place), word(&statements.join("; ")))
    }

    fn comment(&self) -> String {
        self.here("firewall")
    }
}

/// The firewall, before interfaces are up: nothing is to pass before it is there.
pub(in crate::plan) fn firewall(diff: &PlaceDiff<'_>, ops: &mut Vec<Op>) {
    let wanted = &diff.wanted.firewall;
    let seen = diff.seen.map(|seen| seen.firewall).unwrap_or_default();
    if seen.is(!wanted.is_empty()) {
        return;
    }
    let replaces = seen != RulesState::Absent;
    let item = Firewall { place: diff.place.clone(), firewall: wanted.clone(), replaces };
    ops.push(if wanted.is_empty() { Op::delete(item) } else { Op::set(item) });
}
