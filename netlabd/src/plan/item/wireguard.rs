//! WireGuard devices: keys and peers of an interface.

use std::iter;

use super::{At, Item, Subject};
use crate::{
    model::{Endpoint, PublicKey, SecretKey, WireguardChange, WireguardDevice, WireguardPeer},
    plan::{
        Op, Verb,
        command::{Hand, name},
        place::PlaceDiff,
    },
    shell::word,
};

/// One thing that a WireGuard interface is set up as. Secrets in it are for the kernel alone: no word, line or event holds
/// them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wireguard {
    /// The interface.
    pub at: Endpoint,
    /// What becomes of it.
    pub change: WireguardChange,
    /// Its private key.
    pub private_key: SecretKey,
}

impl Wireguard {
    /// Lines that make files of keys where there are none yet, and the one that uses them.
    fn set(&self, hand: Hand<'_>, files: &[(String, &str)], words: &str) -> String {
        let make =
            |(file, made): &(String, &str)| format!("[ -e {file} ] || (umask 077; wg {made} > {file})");
        let set = format!("{}wg set {}{words}", hand.exec(&self.at.place), name(&self.at));
        files.iter().map(make).chain(iter::once(set)).collect::<Vec<_>>().join("; ")
    }

    fn set_peer(&self, hand: Hand<'_>, key: PublicKey, peer: &WireguardPeer, differs: &[&str]) -> String {
        let mut files = Vec::new();
        let mut words = vec!["peer".to_owned()];
        if let Some(of) = &peer.of {
            let file = file(hand, of, "key");
            words.push(format!("\"$(wg pubkey < {file})\""));
            files.push((file, "genkey"));
        } else {
            words.push(word(&key.to_string()).into_owned());
        }
        if peer.preshared_key.is_some() {
            let file = self.shared_file(hand, key, peer.of.as_ref());
            words.push(format!("preshared-key {file}"));
            files.push((file, "genpsk"));
        } else if differs.contains(&"preshared_key") {
            words.push("preshared-key /dev/null".to_owned());
        }
        words.extend(peer.endpoint.map(|endpoint| format!("endpoint {endpoint}")));
        if peer.persistent_keepalive != 0 {
            words.push(format!("persistent-keepalive {}", peer.persistent_keepalive));
        } else if differs.contains(&"persistent_keepalive") {
            words.push("persistent-keepalive off".to_owned());
        }
        let ranges: Vec<_> = peer.allowed_ips.iter().map(ToString::to_string).collect();
        words.push(format!("allowed-ips {}", word(&ranges.join(","))));
        self.set(hand, &files, &format!(" {}", words.join(" ")))
    }

    /// The file with what both share, of one name at either end.
    fn shared_file(&self, hand: Hand<'_>, key: PublicKey, of: Option<&Endpoint>) -> String {
        let Some(of) = of else { return file(hand, &self.at, &format!("{}.psk", key.short())) };
        let (first, second) = ((&self.at).min(of), (&self.at).max(of));
        file(hand, first, &format!("{}.{}.psk", second.place, second.interface))
    }
}

/// The name of a file with a key of an interface.
fn file(hand: Hand<'_>, at: &Endpoint, what: &str) -> String {
    word(&format!("{}.{}.{}.{what}", hand.lab, at.place, at.interface)).into_owned()
}

/// A peer for people: by its interface, or else by its public key.
fn named(key: PublicKey, of: Option<&Endpoint>) -> String {
    of.map_or_else(|| format!("peer {key}"), |of| format!("peer {of}"))
}

impl Subject for Wireguard {
    fn at(&self) -> At<'_> {
        At::Interface(&self.at)
    }

    fn describe(&self, _: Verb) -> String {
        let at = &self.at;
        match &self.change {
            WireguardChange::NoPeer(key) => format!("remove {} of {at}", named(*key, None)),
            WireguardChange::PrivateKey => format!("set the private key of {at}"),
            WireguardChange::ListenPort(port) => format!("set {at} listen_port {port}"),
            WireguardChange::Fwmark(mark) => format!("set {at} fwmark {mark}"),
            WireguardChange::Peer { key, peer, differs } => {
                let peer = named(*key, peer.of.as_ref());
                if differs.is_empty() {
                    format!("add {peer} to {at}")
                } else {
                    format!("set {} of {peer} of {at}", differs.join(", "))
                }
            }
        }
    }

    fn finding(&self, _: Verb) -> String {
        let at = &self.at;
        match &self.change {
            WireguardChange::NoPeer(key) => format!("{at}: {} is not wanted", named(*key, None)),
            WireguardChange::PrivateKey => format!("{at}: its private key is another"),
            WireguardChange::ListenPort(port) => format!("{at}: it does not listen on port {port}"),
            WireguardChange::Fwmark(mark) => format!("{at}: its fwmark is not {mark}"),
            WireguardChange::Peer { key, peer, differs } => {
                let peer = named(*key, peer.of.as_ref());
                if differs.is_empty() {
                    format!("{at}: {peer} is missing")
                } else {
                    format!("{at}: {peer} has another {}", differs.join(", "))
                }
            }
        }
    }

    fn command(&self, _: Verb, hand: Hand<'_>) -> String {
        match &self.change {
            WireguardChange::NoPeer(key) => {
                self.set(hand, &[], &format!(" peer {} remove", word(&key.to_string())))
            }
            WireguardChange::PrivateKey => {
                let file = file(hand, &self.at, "key");
                let words = format!(" private-key {file}");
                self.set(hand, &[(file, "genkey")], &words)
            }
            WireguardChange::ListenPort(port) => self.set(hand, &[], &format!(" listen-port {port}")),
            WireguardChange::Fwmark(mark) => self.set(hand, &[], &format!(" fwmark {mark}")),
            WireguardChange::Peer { key, peer, differs } => self.set_peer(hand, *key, peer, differs),
        }
    }

    fn comment(&self) -> String {
        self.here("WireGuard keys and peers; a key that the lab file gives goes into its .key file first")
    }
}

/// Whether something is sent as soon as it is done. That waits until all nodes have what carries it and know the caller:
/// unanswered, it would be sent again after 5 seconds (`REKEY_TIMEOUT` in drivers/net/wireguard/messages.h).
pub(in crate::plan) fn calls(op: &Op) -> bool {
    let Item::Wireguard(Wireguard { change: WireguardChange::Peer { peer, .. }, .. }) = &op.item else {
        return false;
    };
    peer.persistent_keepalive != 0
}

/// Keys and peers, once the interface is there and before it is up.
pub(in crate::plan) fn devices(diff: &PlaceDiff<'_>, ops: &mut Vec<Op>) {
    let nothing = WireguardDevice::default();
    for (at, want) in &diff.pairs {
        let Some(want) = &want.wireguard else { continue };
        let seen = diff.link(at).and_then(|link| link.wireguard.as_ref()).unwrap_or(&nothing);
        ops.extend(want.device.changes(seen).into_iter().map(|change| {
            Op::set(Wireguard { at: at.clone(), change, private_key: want.private_key.clone() })
        }));
    }
}
