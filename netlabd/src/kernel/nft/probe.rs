//! What this kernel's nftables can do, found by trying.

use crate::model::{Masquerade, NatRule, PortForward, Protocol};

use super::{ChainScope, Error, remove, replace};

/// Tries each part of nftables that our rules use, in the calling thread's network namespace, which is to
/// be a new one that is thrown away. Each part is named by its kernel option; a part that fails says why.
pub fn probe_features() -> Vec<(&'static str, Result<(), Error>)> {
    let forward = |in_interface| {
        let to = ([192, 0, 2, 1], 80).into();
        NatRule::PortForward(PortForward { protocol: Protocol::Tcp, port: 80, to, in_interface })
    };
    let name = crate::model::IfName::loopback();
    let masquerade = NatRule::Masquerade(Masquerade { source: None, out_interface: None });
    let attempt = |rule| replace(ChainScope::Node, &[rule]);
    let features = vec![
        ("CONFIG_NF_TABLES_INET", super::add_table()),
        ("CONFIG_NFT_NAT", attempt(forward(Some(name)))),
        ("CONFIG_NFT_MASQ", attempt(masquerade)),
        ("CONFIG_NFT_FIB_INET", attempt(forward(None))),
        ("CONFIG_NFT_CT", attempt(NatRule::LeaveBridged)),
    ];
    // What is left behind goes with the namespace.
    let _ = remove(ChainScope::Node);
    features
}
