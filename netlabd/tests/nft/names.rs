//! Short ways to write down rules.

use netlabd::{
    kernel::nft::{self, ChainScope, Error},
    model::{
        AddressRange, DestinationNat, IfName, LabName, Masquerade, NatRule, PortForward, PrefixTranslation,
        Protocol, SourceNat, nat_chains, nft::Part, observed::RulesState,
    },
};

/// Makes the scope translate by these rules.
pub(crate) fn replace(scope: ChainScope<'_>, rules: &[NatRule]) -> Result<(), Error> {
    nft::replace(scope, Part::Nat, &nat_chains(rules, true))
}

/// What there is beside these rules.
pub(crate) fn read(scope: ChainScope<'_>, rules: &[NatRule]) -> RulesState {
    nft::look_at(scope, Part::Nat, &nat_chains(rules, true)).unwrap()
}

/// Whether the scope translates by exactly these rules.
pub(crate) fn is(scope: ChainScope<'_>, rules: &[NatRule]) -> bool {
    read(scope, rules).is(!rules.is_empty())
}

pub(crate) fn remove(scope: ChainScope<'_>) -> Result<(), Error> {
    nft::remove(scope, Part::Nat)
}

pub(crate) fn lab(name: &str) -> LabName {
    name.parse().unwrap()
}

pub(crate) fn masquerade(source: &str, out: &str) -> NatRule {
    let source = (!source.is_empty()).then(|| source.parse().unwrap());
    NatRule::Masquerade(Masquerade { source, out_interface: interface(out), nat_type: None })
}

pub(crate) fn typed(source: &str, out: &str, nat_type: &str) -> NatRule {
    let source = (!source.is_empty()).then(|| source.parse().unwrap());
    let nat_type = Some(nat_type.parse().unwrap());
    NatRule::Masquerade(Masquerade { source, out_interface: interface(out), nat_type })
}

pub(crate) fn forward(protocol: Protocol, port: u16, to: &str, input: &str) -> NatRule {
    let to = to.parse().unwrap();
    NatRule::PortForward(PortForward { protocol, port, to, in_interface: interface(input) })
}

/// `ports`: before and after.
pub(crate) fn dnat(
    input: &str,
    destination: &str,
    ports: Option<(Protocol, &str, &str)>,
    to: AddressRange,
) -> NatRule {
    let range = |text: &str| text.parse().ok();
    NatRule::Destination(DestinationNat {
        in_interface: interface(input),
        destination: destination.parse().ok(),
        protocol: ports.map(|(protocol, ..)| protocol),
        ports: ports.and_then(|(_, from, _)| range(from)),
        to,
        to_ports: ports.and_then(|(.., to)| range(to)),
    })
}

pub(crate) fn snat(source: &str, out: &str, to: AddressRange) -> NatRule {
    NatRule::Source(SourceNat { source: source.parse().ok(), out_interface: interface(out), to })
}

pub(crate) fn prefix(internal: &str, external: &str, at: &str) -> NatRule {
    let (internal, external) = (internal.parse().unwrap(), external.parse().unwrap());
    NatRule::Prefix(PrefixTranslation { internal, external, interface: at.parse().unwrap() })
}

pub(crate) fn addresses(first: &str, last: &str) -> AddressRange {
    AddressRange::new(first.parse().unwrap(), last.parse().unwrap()).unwrap()
}

fn interface(name: &str) -> Option<IfName> {
    (!name.is_empty()).then(|| name.parse().unwrap())
}
