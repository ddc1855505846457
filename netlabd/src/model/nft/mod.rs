//! Chains of our nftables tables in the words of nft(8), as plain data: what NAT, firewalls and guards come down to.
//!
//! One form, from which the lines for nft(8) are written here and the messages to the kernel in `kernel/`.

mod chain;
mod mappings;
mod matches;
mod statement;

pub use chain::{Chain, Hook, Kind, Policy, Rule, mappings_of};
pub use mappings::Mappings;
pub use matches::{Match, States};
pub use statement::{Statement, Translation};

/// What our chains of one place are for; each part is made and compared by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Address translation.
    Nat,
    /// A node's firewall.
    Firewall,
}

impl Part {
    /// All parts.
    pub const ALL: [Self; 2] = [Self::Nat, Self::Firewall];

    /// The names of the chains of NAT that every translation has; the others are those of a type.
    pub const OF_ALL_NAT: [&'static str; 2] = ["prerouting", "postrouting"];

    /// The names that chains of this part may have in a node; on the host those of NAT's first two follow the lab's.
    pub fn chains(self) -> &'static [&'static str] {
        match self {
            Self::Nat => &["prerouting", "postrouting", "mappings", "unsolicited"],
            Self::Firewall => &["input", "forward", "output"],
        }
    }
}
