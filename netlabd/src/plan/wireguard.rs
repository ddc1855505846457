//! WireGuard interfaces of a lab spelt out: the keys that the file leaves to netlabd, and those of peers by name.

use std::collections::BTreeMap;

use crate::{
    link::{KeySource, PeerKey, Wireguard},
    model::{Endpoint, KeySeed, Lab, SecretKey, WireguardDevice, WireguardPeer},
};

/// What a WireGuard interface must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireguardTarget {
    /// Its private key.
    pub private_key: SecretKey,
    /// All else, its public key included.
    pub device: WireguardDevice,
}

/// From what the keys of a lab are derived.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keys<'a> {
    pub(super) uid: &'a str,
    pub(super) seed: &'a KeySeed,
}

impl Keys<'_> {
    /// Spells out an interface of a lab.
    pub(super) fn of(self, lab: &Lab, at: &Endpoint, wireguard: &Wireguard) -> WireguardTarget {
        let private_key = self.private(at, wireguard);
        let mut peers = BTreeMap::new();
        for peer in &wireguard.peers {
            let (key, of) = match &peer.key {
                PeerKey::Public(key) => (*key, None),
                PeerKey::Node(there) => {
                    let interface = lab.interfaces(&there.place).and_then(|all| all.get(&there.interface));
                    let Some(wireguard) = interface.and_then(|it| it.form.kind()?.wireguard()) else {
                        continue;
                    };
                    (self.private(there, wireguard).public(), Some(there.clone()))
                }
            };
            let shared = |preshared: &KeySource| match preshared {
                KeySource::Key(key) => Some(key.clone()),
                KeySource::Auto => of.as_ref().map(|of| self.seed.preshared_key(self.uid, at, of)),
            };
            let peer = WireguardPeer {
                preshared_key: peer.preshared_key.as_ref().and_then(shared),
                endpoint: peer.endpoint,
                persistent_keepalive: peer.persistent_keepalive,
                allowed_ips: peer.allowed_ips.iter().copied().collect(),
                in_session: false,
                of,
            };
            peers.insert(key, peer);
        }
        let (listen_port, fwmark) = (wireguard.listen_port, wireguard.fwmark);
        let public_key = Some(private_key.public());
        WireguardTarget { private_key, device: WireguardDevice { public_key, listen_port, fwmark, peers } }
    }

    fn private(self, at: &Endpoint, wireguard: &Wireguard) -> SecretKey {
        wireguard.private_key.clone().unwrap_or_else(|| self.seed.private_key(self.uid, at))
    }
}
