//! What rules do.

use std::{fmt, net::IpAddr};

use ipnet::IpNet;

use super::Mappings;
use crate::model::{AddressRange, PortRange};

/// What a rule does; shown as nft(8) takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    /// The packet passes this chain.
    Accept,
    /// The packet ends here.
    Drop,
    /// The packet ends here, and its sender is told: ICMP port unreachable of the packet's family.
    Reject,
    /// Back to the chain that led here; in a base chain, its policy.
    Return,
    /// Another chain decides.
    Jump(String),
    /// The source becomes the address of the outgoing interface, and the port where it can be kept is kept.
    Masquerade,
    /// The same with a port by chance.
    MasqueradeAtRandom,
    /// The source becomes this.
    SourceNat(Translation),
    /// The destination becomes this.
    DestinationNat(Translation),
    /// The bits of the source that this prefix has become those of the prefix; the others stay.
    SourcePrefix(IpNet),
    /// The same of the destination.
    DestinationPrefix(IpNet),
    /// Who sends is noted in the map.
    Learn(Mappings),
    /// The destination becomes what the map has for it, if it has something.
    DestinationFrom(Mappings),
}

/// What an address becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translation {
    /// The addresses to choose from.
    pub to: AddressRange,
    /// The ports to choose from; without them the kernel keeps the port where it can.
    pub ports: Option<PortRange>,
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accept => f.write_str("accept"),
            Self::Drop => f.write_str("drop"),
            Self::Reject => f.write_str("reject"),
            Self::Return => f.write_str("return"),
            Self::Jump(chain) => write!(f, "jump {chain}"),
            Self::Masquerade => f.write_str("masquerade"),
            Self::MasqueradeAtRandom => f.write_str("masquerade fully-random"),
            Self::SourceNat(translation) => write!(f, "snat {translation}"),
            Self::DestinationNat(translation) => write!(f, "dnat {translation}"),
            Self::Learn(mappings) => f.write_str(&mappings.update()),
            Self::DestinationFrom(mappings) => write!(f, "dnat ip to {}", mappings.lookup()),
            Self::SourcePrefix(prefix) => write!(f, "snat {} prefix to {prefix}", family(prefix.addr())),
            Self::DestinationPrefix(prefix) => write!(f, "dnat {} prefix to {prefix}", family(prefix.addr())),
        }
    }
}

/// The word for a family.
fn family(address: IpAddr) -> &'static str {
    if address.is_ipv6() { "ip6" } else { "ip" }
}

impl fmt::Display for Translation {
    /// `ip to 192.0.2.1-192.0.2.9:80`, `ip6 to [2001:db8::1]:80`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to ", family(self.to.first()))?;
        let Some(ports) = self.ports else { return self.to.fmt(f) };
        let bracketed = |address: IpAddr| {
            if address.is_ipv6() { format!("[{address}]") } else { address.to_string() }
        };
        f.write_str(&bracketed(self.to.first()))?;
        if self.to.is_several() {
            write!(f, "-{}", bracketed(self.to.last()))?;
        }
        write!(f, ":{ports}")
    }
}
