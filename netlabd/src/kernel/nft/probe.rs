//! What this kernel's nftables can do, found by trying.

use crate::model::{
    Action, Conditions, Firewall, FirewallChain, FirewallRule, IfName, Masquerade, NatRule, PortForward,
    Protocol, nat_chains,
    nft::{Part, States},
};

use super::{ChainScope, Error, remove, replace};

/// A part of nftables by its kernel option, and whether the kernel has it.
pub type Tried = (&'static str, Result<(), Error>);

/// Tries each part of nftables that our translations use, in the calling thread's network namespace, which is to
/// be a new one that is thrown away. Each part is named by its kernel option; a part that fails says why.
pub fn probe_features() -> Vec<Tried> {
    let forward = |in_interface| {
        let to = ([192, 0, 2, 1], 80).into();
        NatRule::PortForward(PortForward { protocol: Protocol::Tcp, port: 80, to, in_interface })
    };
    let masquerade = NatRule::Masquerade(Masquerade { source: None, out_interface: None, nat_type: None });
    let attempt = |rule| replace(ChainScope::Node, Part::Nat, &nat_chains(&[rule], true));
    let features = vec![
        ("CONFIG_NF_TABLES_INET", super::add_table()),
        ("CONFIG_NFT_NAT", attempt(forward(Some(IfName::loopback())))),
        ("CONFIG_NFT_MASQ", attempt(masquerade)),
        ("CONFIG_NFT_FIB_INET", attempt(forward(None))),
        ("CONFIG_NFT_CT", attempt(NatRule::LeaveBridged)),
    ];
    // What is left behind goes with the namespace.
    let _ = remove(ChainScope::Node, Part::Nat);
    features
}

/// The same of what our firewalls use.
pub fn probe_filters() -> Vec<Tried> {
    let state = Conditions { state: States::named("established"), ..Conditions::default() };
    let attempt = |when, action| {
        let chain = FirewallChain { rules: vec![FirewallRule { when, action }], ..FirewallChain::default() };
        let firewall = Firewall { input: Some(chain), ..Firewall::default() };
        replace(ChainScope::Node, Part::Firewall, &firewall.chains())
    };
    let features = vec![
        ("CONFIG_NF_TABLES_INET", attempt(Conditions::default(), Action::Drop)),
        ("CONFIG_NFT_CT", attempt(state, Action::Accept)),
        ("CONFIG_NFT_REJECT_INET", attempt(Conditions::default(), Action::Reject)),
    ];
    // What is left behind goes with the namespace.
    let _ = remove(ChainScope::Node, Part::Firewall);
    features
}
