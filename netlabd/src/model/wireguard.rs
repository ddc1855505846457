//! WireGuard: keys, and what a device is set up as.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::SocketAddr,
    str::FromStr,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use curve25519_dalek::MontgomeryPoint;
use ipnet::IpNet;
use sha2::{Digest, Sha256};

use super::{Endpoint, name::NameError};

/// Bytes of a key (Curve25519, RFC 7748).
pub const KEY_LENGTH: usize = 32;

/// A public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey(pub [u8; KEY_LENGTH]);

/// A private key, or one that two peers share: never shown, neither by `{}` nor by `{:?}`.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey([u8; KEY_LENGTH]);

/// The secret of a netlabd, from which keys that no lab file says are derived: never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct KeySeed([u8; KEY_LENGTH]);

impl PublicKey {
    /// A part of it that can stand in a file's name.
    pub fn short(&self) -> String {
        let plain = |c: &char| c.is_ascii_alphanumeric();
        self.to_string().chars().filter(plain).take(8).collect()
    }
}

impl SecretKey {
    /// Of these bytes.
    pub fn new(bytes: [u8; KEY_LENGTH]) -> Self {
        Self(bytes)
    }

    /// The public key that belongs to it (X25519, RFC 7748 section 6.1).
    pub fn public(&self) -> PublicKey {
        PublicKey(MontgomeryPoint::mul_base_clamped(self.0).to_bytes())
    }

    /// For the kernel, and for what is kept.
    pub fn bytes(&self) -> &[u8; KEY_LENGTH] {
        &self.0
    }

    /// As wg(8) writes it: for what is kept alone.
    pub fn reveal(&self) -> String {
        STANDARD.encode(self.0)
    }
}

impl KeySeed {
    /// No secret: the keys of labs that are only looked at, and never made.
    pub const NONE: Self = Self([0; KEY_LENGTH]);

    /// Of these bytes.
    pub fn new(bytes: [u8; KEY_LENGTH]) -> Self {
        Self(bytes)
    }

    /// The private key of an interface of the lab `uid`.
    pub fn private_key(&self, uid: &str, at: &Endpoint) -> SecretKey {
        self.derive(&["private", uid, &at.to_string()])
    }

    /// The key that two interfaces of the lab `uid` share.
    pub fn preshared_key(&self, uid: &str, a: &Endpoint, b: &Endpoint) -> SecretKey {
        let (first, second) = (a.min(b).to_string(), a.max(b).to_string());
        self.derive(&["preshared", uid, &first, &second])
    }

    /// The secret has one length, and no part holds a line feed: no two lists read alike.
    fn derive(&self, parts: &[&str]) -> SecretKey {
        let digest = Sha256::new_with_prefix(self.0).chain_update(parts.join("\n"));
        SecretKey(digest.finalize().into())
    }
}

/// Reads 32 bytes of base64.
fn read(text: &str, printed_by: &str) -> Result<[u8; KEY_LENGTH], NameError> {
    let wrong = |what: String| NameError(format!("{what}; give 44 characters as {printed_by} prints them"));
    let bytes = STANDARD.decode(text).map_err(|_| wrong("is not base64".to_owned()))?;
    let length = bytes.len();
    bytes.try_into().map_err(|_| wrong(format!("has {length} bytes, and a key has {KEY_LENGTH}")))
}

impl FromStr for PublicKey {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        read(text, "`wg pubkey`").map(Self)
    }
}

impl FromStr for SecretKey {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        read(text, "`wg genkey`").map(Self)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(hidden)")
    }
}

impl fmt::Debug for KeySeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySeed(hidden)")
    }
}

/// What a device is set up as, wanted or seen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WireguardDevice {
    /// The public key of its private one; `None`: it has none.
    pub public_key: Option<PublicKey>,
    /// UDP port; wanted `None`: any.
    pub listen_port: Option<u16>,
    /// Mark of what it sends; 0: none.
    pub fwmark: u32,
    /// The peers.
    pub peers: BTreeMap<PublicKey, WireguardPeer>,
}

/// A peer, wanted or seen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WireguardPeer {
    /// The interface of the lab that it is; seen always `None`.
    pub of: Option<Endpoint>,
    /// A key that both share.
    pub preshared_key: Option<SecretKey>,
    /// Where it is sent to; wanted `None`: where it is heard from.
    pub endpoint: Option<SocketAddr>,
    /// Seconds; 0: never.
    pub persistent_keepalive: u16,
    /// What may come from it, and is sent to it.
    pub allowed_ips: BTreeSet<IpNet>,
    /// Seen: whether it has shaken hands so lately that the session is in use. Where it is heard from is the kernel's then.
    pub in_session: bool,
}

/// One thing by which a device becomes what is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WireguardChange {
    /// This peer goes.
    NoPeer(PublicKey),
    /// Its private key is another.
    PrivateKey,
    /// UDP port.
    ListenPort(u16),
    /// Mark; 0: none.
    Fwmark(u32),
    /// A peer that is new, or else set up so. `endpoint` is there where it is to be set.
    Peer {
        /// Whose.
        key: PublicKey,
        /// What it is to be.
        peer: WireguardPeer,
        /// What of it differs; nothing of a new one.
        differs: Vec<&'static str>,
    },
}

impl WireguardDevice {
    /// By what `seen` becomes this, in an order that the kernel accepts: what is allowed to one peer is taken away from
    /// another (`wg_allowedips_insert_v4` in drivers/net/wireguard/allowedips.c).
    pub fn changes(&self, seen: &Self) -> Vec<WireguardChange> {
        let unwanted = seen.peers.keys().filter(|key| !self.peers.contains_key(key));
        let mut changes: Vec<_> = unwanted.map(|key| WireguardChange::NoPeer(*key)).collect();
        changes.extend((self.public_key != seen.public_key).then_some(WireguardChange::PrivateKey));
        let port = self.listen_port.filter(|port| seen.listen_port != Some(*port));
        changes.extend(port.map(WireguardChange::ListenPort));
        changes.extend((self.fwmark != seen.fwmark).then_some(WireguardChange::Fwmark(self.fwmark)));
        for (key, want) in &self.peers {
            let Some(seen) = seen.peers.get(key) else {
                let peer = want.clone();
                changes.push(WireguardChange::Peer { key: *key, peer, differs: Vec::new() });
                continue;
            };
            let differs = want.differs(seen);
            if !differs.is_empty() {
                let endpoint = want.endpoint.filter(|_| want.leads_elsewhere(seen));
                let peer = WireguardPeer { endpoint, ..want.clone() };
                changes.push(WireguardChange::Peer { key: *key, peer, differs });
            }
        }
        changes
    }
}

impl WireguardPeer {
    /// The fields of the lab file in which they differ.
    fn differs(&self, seen: &Self) -> Vec<&'static str> {
        let all = [
            ("preshared_key", self.preshared_key != seen.preshared_key),
            ("allowed_ips", self.allowed_ips != seen.allowed_ips),
            ("endpoint", self.leads_elsewhere(seen)),
            ("persistent_keepalive", self.persistent_keepalive != seen.persistent_keepalive),
        ];
        all.into_iter().filter_map(|(field, differs)| differs.then_some(field)).collect()
    }

    /// A peer in a session is where it was last heard from, wherever it was first sent to.
    fn leads_elsewhere(&self, seen: &Self) -> bool {
        !seen.in_session && self.endpoint.is_some_and(|endpoint| seen.endpoint != Some(endpoint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7748 section 6.1.
    #[test]
    fn public_keys_belong_to_private_ones() {
        let hex = |text: &str| {
            let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
            <[u8; 32]>::try_from((0..64).step_by(2).map(byte).collect::<Vec<_>>()).unwrap()
        };
        let private = hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
        let public = hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
        assert_eq!(SecretKey::new(private).public(), PublicKey(public));
        assert_eq!(PublicKey(public).to_string().parse(), Ok(PublicKey(public)));
    }

    #[test]
    fn nothing_shows_a_secret() {
        let key = KeySeed::new([7; 32]).private_key("uid", &at("a:wg0"));
        assert_eq!(format!("{key:?}"), "SecretKey(hidden)");
        assert_eq!(format!("{:?}", KeySeed::new([7; 32])), "KeySeed(hidden)");
    }

    fn at(text: &str) -> Endpoint {
        crate::input::name::endpoint(text).unwrap()
    }

    #[test]
    fn derived_keys_hang_on_the_secret_the_lab_and_the_interface() {
        let key = |seed, uid, name| KeySeed::new([seed; 32]).private_key(uid, &at(name)).public();
        let one = key(1, "u", "a:wg0");
        assert_eq!(one, key(1, "u", "a:wg0"));
        for other in [key(2, "u", "a:wg0"), key(1, "v", "a:wg0"), key(1, "u", "b:wg0"), key(1, "u", "a:wg1")]
        {
            assert_ne!(one, other);
        }
        let seed = KeySeed::new([1; 32]);
        let both = [("a:wg0", "b:wg0"), ("b:wg0", "a:wg0")];
        let [ab, ba] = both.map(|(a, b)| seed.preshared_key("u", &at(a), &at(b)));
        assert!(ab == ba);
    }

    #[test]
    fn a_roamed_peer_is_the_kernels_while_it_is_in_session() {
        let endpoint = |text: &str| Some(text.parse().unwrap());
        let want = WireguardPeer { endpoint: endpoint("192.0.2.2:51820"), ..WireguardPeer::default() };
        let device = |peer: &WireguardPeer| WireguardDevice {
            peers: BTreeMap::from([(PublicKey([1; 32]), peer.clone())]),
            ..WireguardDevice::default()
        };
        let mut seen = WireguardPeer { endpoint: endpoint("198.51.100.7:9"), ..want.clone() };
        let changes = device(&want).changes(&device(&seen));
        assert!(matches!(&changes[..], [WireguardChange::Peer { differs, .. }] if *differs == ["endpoint"]));
        seen.in_session = true;
        assert_eq!(device(&want).changes(&device(&seen)), []);
        seen.persistent_keepalive = 5;
        let changes = device(&want).changes(&device(&seen));
        assert!(matches!(&changes[..], [WireguardChange::Peer { peer, .. }] if peer.endpoint.is_none()));
    }
}
