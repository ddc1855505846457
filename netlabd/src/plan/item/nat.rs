//! NAT.

use std::borrow::Cow;

use super::{At, Subject};
use crate::{
    model::{NatRule, Place, nat_chains, nft::Part},
    plan::{Op, Verb, command::Hand, place::PlaceDiff, rules},
    shell::word,
};

/// What our nftables chains of a place hold, exactly; without rules, the chains go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nat {
    /// Where.
    pub place: Place,
    /// The rules.
    pub rules: Vec<NatRule>,
    /// The chains of a NAT type that are there.
    pub typed: Vec<&'static str>,
}

impl Nat {
    /// What makes the chains of a place hold these rules.
    pub(in crate::plan) fn hold(place: &Place, rules: &[NatRule], typed: &[&'static str]) -> Op {
        let item = Self { place: place.clone(), rules: rules.to_vec(), typed: typed.to_vec() };
        if rules.is_empty() { Op::delete(item) } else { Op::set(item) }
    }

    /// The same as one would note it: a file for nft(8).
    pub(in crate::plan) fn noted(&self, hand: Hand<'_>) -> String {
        let mut chains = nat_chains(&self.rules, false);
        chains.retain(|chain| !chain.rules.is_empty());
        format!("{}nft -f - <<'EOF'\n{}\nEOF", hand.exec(&self.place), rules::noted(&chains))
    }
}

impl Subject for Nat {
    fn at(&self) -> At<'_> {
        At::Place(Cow::Borrowed(&self.place))
    }

    fn describe(&self, verb: Verb) -> String {
        let place = &self.place;
        match verb {
            Verb::Add | Verb::Set => {
                let texts: Vec<_> = self.rules.iter().map(ToString::to_string).collect();
                format!("set NAT in {place}: {}", texts.join("; "))
            }
            Verb::Delete => format!("remove NAT from {place}"),
        }
    }

    fn finding(&self, verb: Verb) -> String {
        match verb {
            Verb::Add | Verb::Set => format!("{}: the NAT rules are not as they should be", self.place),
            Verb::Delete => format!("{}: NAT is not wanted", self.place),
        }
    }

    fn command(&self, _: Verb, hand: Hand<'_>) -> String {
        let scope = if self.place == Place::Host && hand.exact { Some(hand.lab) } else { None };
        let chains = nat_chains(&self.rules, hand.exact);
        let always = if chains.is_empty() { &Part::OF_ALL_NAT[..] } else { &[] };
        let statements = rules::statements(&chains, scope, &[always, &self.typed].concat());
        format!("{}nft {}", hand.exec(&self.place), word(&statements.join("; ")))
    }

    fn comment(&self) -> String {
        self.here("translate addresses (NAT)")
    }
}

/// NAT, once all else is there.
pub(in crate::plan) fn nat(diff: &PlaceDiff<'_>, ops: &mut Vec<Op>) {
    let wanted = &diff.wanted.nat;
    let is = diff.seen.map(|seen| seen.nat).unwrap_or_default().is(!wanted.is_empty());
    let typed = diff.seen.map(|seen| seen.nat_type_chains.as_slice()).unwrap_or_default();
    ops.extend((!is).then(|| Nat::hold(diff.place, wanted, typed)));
}
