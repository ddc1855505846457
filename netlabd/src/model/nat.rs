//! Network address translation.

use std::{fmt, net::SocketAddr, str::FromStr};

use ipnet::IpNet;

use super::{DestinationNat, IfName, NameError, NatType, PrefixTranslation, SourceNat};

/// The translations of a node or of one lab on the host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Nat {
    /// Source translations to the address of the outgoing interface, tried in order after the others.
    pub masquerade: Vec<Masquerade>,
    /// Destination translations of single ports, tried before the others.
    pub port_forwards: Vec<PortForward>,
    /// Source translations to given addresses, tried in order.
    pub snat: Vec<SourceNat>,
    /// Destination translations, tried in order.
    pub dnat: Vec<DestinationNat>,
    /// Translations of prefixes in both directions, tried after those of addresses.
    pub prefixes: Vec<PrefixTranslation>,
}

impl Nat {
    /// Whether there is nothing to translate.
    pub fn is_empty(&self) -> bool {
        self.rules().is_empty()
    }

    /// All rules in the order in which they stand in their chains: those of destinations, then those of sources, before
    /// which stands what these leave alone.
    pub fn rules(&self) -> Vec<NatRule> {
        let forwards = self.port_forwards.iter().cloned().map(NatRule::PortForward);
        let destinations = self.dnat.iter().cloned().map(NatRule::Destination);
        let sources = self.snat.iter().cloned().map(NatRule::Source);
        let prefixes = self.prefixes.iter().cloned().map(NatRule::Prefix);
        let masquerades = self.masquerade.iter().cloned().map(NatRule::Masquerade);
        let sources: Vec<_> = sources.chain(prefixes).chain(masquerades).collect();
        let bridged = (!sources.is_empty()).then_some(NatRule::LeaveBridged);
        forwards.chain(destinations).chain(bridged).chain(sources).collect()
    }
}

/// One rule of our nftables table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum NatRule {
    /// In the prerouting chain.
    PortForward(PortForward),
    /// In the prerouting chain.
    Destination(DestinationNat),
    /// In the postrouting chain, before all translations of sources: what only crosses a bridge keeps its source, also
    /// where `br_netfilter` hands it to the same hook.
    ///
    /// In that hook a bridged packet leaves by the bridge and has no input interface
    /// (`br_nf_post_routing` in `net/bridge/br_netfilter_hooks.c`), while a routed one has one since Linux 5.7
    /// (`ip_output`, `ip6_output`). What this node sends itself has none either, but has its address. What a port
    /// forward sends back by the bridge that it came from is bridged too, and is masqueraded as anywhere else.
    LeaveBridged,
    /// In the postrouting chain.
    Source(SourceNat),
    /// In both.
    Prefix(PrefixTranslation),
    /// In the postrouting chain, and where it has a type in the others.
    Masquerade(Masquerade),
}

impl fmt::Display for NatRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PortForward(rule) => rule.fmt(f),
            Self::Destination(rule) => rule.fmt(f),
            Self::LeaveBridged => f.write_str("leave what only crosses a bridge"),
            Self::Source(rule) => rule.fmt(f),
            Self::Prefix(rule) => rule.fmt(f),
            Self::Masquerade(rule) => rule.fmt(f),
        }
    }
}

/// Source translation to the address of the outgoing interface.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Masquerade {
    /// Only packets from this range.
    pub source: Option<IpNet>,
    /// Only packets that leave through this interface.
    pub out_interface: Option<IfName>,
    /// How it looks from outside, which makes it one of IPv4 alone; there with an interface. `None`: as Linux does it.
    pub nat_type: Option<NatType>,
}

impl fmt::Display for Masquerade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("masquerade")?;
        if let Some(source) = self.source {
            write!(f, " source {source}")?;
        }
        if let Some(out) = &self.out_interface {
            write!(f, " out {out}")?;
        }
        if let Some(nat_type) = self.nat_type {
            write!(f, " as {nat_type}")?;
        }
        Ok(())
    }
}

/// Destination translation of one port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PortForward {
    /// Transport protocol.
    pub protocol: Protocol,
    /// The port on this node.
    pub port: u16,
    /// The service.
    pub to: SocketAddr,
    /// Only packets that arrive through this interface; without it, any packet addressed to a local
    /// address of the node.
    pub in_interface: Option<IfName>,
}

impl fmt::Display for PortForward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "forward {} port {} to {}", self.protocol.as_str(), self.port, self.to)?;
        if let Some(input) = &self.in_interface {
            write!(f, " in {input}")?;
        }
        Ok(())
    }
}

/// A transport protocol with ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// RFC 9293.
    Tcp,
    /// RFC 768.
    Udp,
}

impl Protocol {
    /// The name as nft(8) has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }

    /// The protocol number (IANA, as in `IPPROTO_TCP`).
    pub fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
        }
    }
}

impl FromStr for Protocol {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        [Self::Tcp, Self::Udp]
            .into_iter()
            .find(|protocol| protocol.as_str() == text)
            .ok_or_else(|| NameError("is not a protocol with ports: tcp or udp".into()))
    }
}
