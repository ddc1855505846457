//! Base chains and their rules.

use std::fmt;

use super::{Mappings, Match, Statement};

/// A base chain of ours, with its rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// Its name in a node.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Where packets pass it.
    pub hook: Hook,
    /// Lower ones see a packet first; one of nft(8)'s standard priorities, or near one.
    pub priority: i32,
    /// What becomes of a packet about which no rule decides.
    pub policy: Policy,
    /// Its rules in order.
    pub rules: Vec<Rule>,
}

/// The type of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Sees all packets.
    Filter,
    /// Sees the first packet of each connection.
    Nat,
}

/// Where a chain is hooked in, `NF_INET_*` of linux/netfilter.h.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    /// What arrives.
    Prerouting,
    /// What is for the node itself.
    Input,
    /// What is forwarded.
    Forward,
    /// What the node itself sends.
    Output,
    /// What leaves.
    Postrouting,
}

/// What becomes of a packet about which no rule decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// It passes.
    #[default]
    Accept,
    /// It ends here.
    Drop,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What all must hold.
    pub when: Vec<Match>,
    /// Whether packets and bytes are counted.
    pub counted: bool,
    /// What then happens.
    pub then: Statement,
    /// What it is for, at most 125 bytes without a quotation mark.
    pub comment: Option<String>,
}

impl Chain {
    /// What stands between the braces of the chain, for nft(8).
    pub fn declaration(&self) -> String {
        let Self { kind, hook, policy, .. } = self;
        format!("type {kind} hook {hook} priority {}; policy {policy};", Priority(self.priority))
    }
}

/// The map that the rules of chains look into, if they do.
pub fn mappings_of(chains: &[Chain]) -> Option<Mappings> {
    let all = chains.iter().flat_map(|chain| &chain.rules);
    let mut found = all.filter_map(|rule| match rule.then {
        Statement::Learn(mappings) | Statement::DestinationFrom(mappings) => Some(mappings),
        _ => None,
    });
    found.next()
}

impl Rule {
    /// A rule that only matches and decides.
    pub fn new(when: Vec<Match>, then: Statement) -> Self {
        Self { when, counted: false, then, comment: None }
    }
}

impl fmt::Display for Rule {
    /// The rule as nft(8) takes it, without table and chain.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for condition in &self.when {
            write!(f, "{condition} ")?;
        }
        if self.counted {
            f.write_str("counter ")?;
        }
        self.then.fmt(f)?;
        match &self.comment {
            Some(comment) => write!(f, " comment \"{comment}\""),
            None => Ok(()),
        }
    }
}

/// A priority by the name that nft(8) has for it.
struct Priority(i32);

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            -100 => f.write_str("dstnat"),
            0 => f.write_str("filter"),
            100 => f.write_str("srcnat"),
            other if other > 100 => write!(f, "srcnat + {}", other - 100),
            other => other.fmt(f),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Filter => "filter",
            Self::Nat => "nat",
        })
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prerouting => "prerouting",
            Self::Input => "input",
            Self::Forward => "forward",
            Self::Output => "output",
            Self::Postrouting => "postrouting",
        })
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accept => "accept",
            Self::Drop => "drop",
        })
    }
}
