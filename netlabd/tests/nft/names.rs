//! Short ways to write down rules.

use netlabd::model::{IfName, LabName, Masquerade, NatRule, PortForward, Protocol};

pub(crate) fn lab(name: &str) -> LabName {
    name.parse().unwrap()
}

pub(crate) fn masquerade(source: &str, out: &str) -> NatRule {
    let source = (!source.is_empty()).then(|| source.parse().unwrap());
    NatRule::Masquerade(Masquerade { source, out_interface: interface(out) })
}

pub(crate) fn forward(protocol: Protocol, port: u16, to: &str, input: &str) -> NatRule {
    let to = to.parse().unwrap();
    NatRule::PortForward(PortForward { protocol, port, to, in_interface: interface(input) })
}

fn interface(name: &str) -> Option<IfName> {
    (!name.is_empty()).then(|| name.parse().unwrap())
}
