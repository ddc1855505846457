//! WireGuard peers by the name of their node: each is there, and knows of the other.

use std::collections::BTreeMap;

use crate::{
    input::{Path, Sink, shown},
    link::{PeerKey, Wireguard},
    model::{Endpoint, Form, IfName, Place, PublicKey, SecretKey, Warning},
};

use super::draft::{Draft, Site, Sites};

/// Most warnings that are kept.
const MOST: usize = 100;

/// Faults for peers that are not there, are no WireGuard, or are this one or another one.
pub(super) fn check(sites: &Sites, sink: &mut Sink) {
    for (site, name, wireguard) in all(sites) {
        let own = Endpoint { place: site.place.clone(), interface: name.clone() };
        let mut known: BTreeMap<PublicKey, usize> = BTreeMap::new();
        for (number, peer) in wireguard.peers.iter().enumerate() {
            let path = peer_path(site, name, number);
            let public = match &peer.key {
                PeerKey::Public(key) => Some(*key),
                PeerKey::Node(at) => match find(sites, &own, at, &path.field("node"), sink) {
                    Some(there) => there.private_key.as_ref().map(SecretKey::public),
                    None => continue,
                },
            };
            let Some(public) = public else { continue };
            let first = *known.entry(public).or_insert(number);
            if first != number {
                let message =
                    format!("has the key of peers[{first}]; give each interface its own, or leave one out");
                sink.add(&path, message);
            }
        }
    }
}

/// The WireGuard interface that a peer is.
fn find<'a>(
    sites: &'a Sites,
    own: &Endpoint,
    at: &Endpoint,
    path: &Path,
    sink: &mut Sink,
) -> Option<&'a Wireguard> {
    if at == own {
        sink.add(path, format!("{at} is this interface itself; name the other end"));
        return None;
    }
    if at.place == Place::Host {
        sink.add(path, "the host has no WireGuard interface of the lab; name one of a node");
        return None;
    }
    if !sites.exists(&at.place, path, sink) {
        return None;
    }
    let draft = sites.get(&at.place)?.find(&at.interface, path, sink)?;
    let found = wireguard(draft);
    // One that is at fault itself is told of there.
    if found.is_none() && (draft.form.is_some() || !draft.has_kind) {
        let message = format!("{} is no wireguard interface; name one that is", shown(&at.to_string()));
        sink.add(path, message);
    }
    found
}

fn wireguard(draft: &Draft) -> Option<&Wireguard> {
    draft.form.as_ref().and_then(Form::kind)?.wireguard()
}

fn all(sites: &Sites) -> impl Iterator<Item = (&Site, &IfName, &Wireguard)> {
    let of = |site| {
        Site::interfaces_of(site).filter_map(move |(name, draft)| Some((site, name, wireguard(draft)?)))
    };
    sites.iter().flat_map(of)
}

fn peer_path(site: &Site, name: &IfName, number: usize) -> Path {
    site.interface_path(name).field("wireguard").field("peers").index(number)
}

/// What is no fault and cannot work: peers that do not know this one, that nobody can call first, that get nothing.
pub(super) fn advice(sites: &Sites) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for (site, name, wireguard) in all(sites) {
        let own = Endpoint { place: site.place.clone(), interface: name.clone() };
        for (number, peer) in wireguard.peers.iter().enumerate() {
            let path = peer_path(site, name, number);
            let mut warn = |field: &str, message: String| {
                warnings.push(Warning { path: path.field(field).to_string(), message });
            };
            if peer.allowed_ips.is_empty() {
                let message = "nothing is sent to the peer, and nothing taken from it: give its addresses";
                warn("allowed_ips", message.to_owned());
            }
            let PeerKey::Node(at) = &peer.key else { continue };
            let Some(there) = sites.interface(at).and_then(self::wireguard) else { continue };
            let back = there.peers.iter().find(|back| is(&back.key, &own, wireguard));
            match back {
                None => {
                    warn("node", format!("{at} has no peer {own}, and takes nothing from it: add it there"));
                }
                Some(back) if back.preshared_key.is_some() != peer.preshared_key.is_some() => {
                    let message =
                        format!("{at} and {own} do not share one: give both preshared_key, or neither");
                    warn("preshared_key", message);
                }
                Some(back) if back.endpoint.is_none() && peer.endpoint.is_none() && own < *at => {
                    let message =
                        format!("neither {own} nor {at} knows where the other is: give one an endpoint");
                    warn("endpoint", message);
                }
                Some(_) => {}
            }
        }
    }
    warnings.truncate(MOST);
    warnings
}

/// Whether a key is that of an interface.
fn is(key: &PeerKey, at: &Endpoint, wireguard: &Wireguard) -> bool {
    match key {
        PeerKey::Node(node) => node == at,
        PeerKey::Public(key) => wireguard.private_key.as_ref().is_some_and(|own| own.public() == *key),
    }
}
