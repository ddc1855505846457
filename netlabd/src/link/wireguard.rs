//! WireGuard tunnels. rtnetlink makes the interface and knows nothing else of it: keys and peers are told by a protocol of
//! their own (linux/wireguard.h), see [`WireguardDevice`](crate::model::WireguardDevice).

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

use ipnet::IpNet;
use netlab_proto::v1 as proto;
use netlink_packet_route::link::InfoData;

use super::{Attributes, Change, LinkKind, MacFrom, UniqueKey, Unknown, tunnel};
use crate::{
    feature::Feature,
    input::{Path, Sink, address, name, number, quantity},
    model::{Endpoint, NameError, PublicKey, SecretKey, address as texts, mtu::ETHERNET_MTU, name::IfName},
};

/// What stands in place of a key that is derived.
const AUTO: &str = "auto";
const SECOND: u64 = 1_000_000_000;

/// A WireGuard tunnel end point.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wireguard {
    /// UDP port; `None`: any.
    pub listen_port: Option<u16>,
    /// Its private key; `None`: derived.
    pub private_key: Option<SecretKey>,
    /// Mark of what it sends; 0: none.
    pub fwmark: u32,
    /// The other ends, in the author's order.
    pub peers: Vec<Peer>,
}

/// Another end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Whose.
    pub key: PeerKey,
    /// What both share.
    pub preshared_key: Option<KeySource>,
    /// What may come from it, and is sent to it.
    pub allowed_ips: Vec<IpNet>,
    /// Where it is first sent to.
    pub endpoint: Option<SocketAddr>,
    /// Seconds; 0: never.
    pub persistent_keepalive: u16,
}

/// By what a peer is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerKey {
    /// An interface of the lab.
    Node(Endpoint),
    /// Its public key.
    Public(PublicKey),
}

/// A key that nobody else is to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// Derived.
    Auto,
    /// As the file has it.
    Key(SecretKey),
}

impl LinkKind for Wireguard {
    type Message = proto::Wireguard;

    const KEY: &'static str = "wireguard";
    const ABOUT: &'static str = "WireGuard tunnels";
    const ON_HOST: Option<&'static str> = Some(tunnel::ON_HOST);
    const ETHERNET: bool = false;
    const ARP: bool = false;

    fn examples(_: &IfName) -> Vec<Self> {
        vec![Self::default()]
    }

    fn read(message: &proto::Wireguard, path: &Path, sink: &mut Sink) -> Option<Self> {
        let at = path.field("listen_port");
        let listen_port = message.listen_port.map(|port| number::port(port, &at, sink));
        let private_key = secret(&message.private_key, &path.field("private_key"), sink);
        if message.fwmark == Some(0) {
            sink.add(&path.field("fwmark"), "0 is no mark: 1 to 4,294,967,295, or leave it out");
        }
        let all = message.peers.iter().enumerate();
        let peers: Vec<_> =
            all.map(|(at, peer)| Peer::read(peer, &path.field("peers").index(at), sink)).collect();
        check_doubles(&message.peers, &peers, path, sink);
        let private_key = match private_key? {
            KeySource::Auto => None,
            KeySource::Key(key) => Some(key),
        };
        if let Some(own) = private_key.as_ref().map(SecretKey::public) {
            for (at, _) in peers.iter().enumerate().filter(|(_, peer)| is_public(peer.as_ref(), own)) {
                let message = "is this interface's own public key: give the other end's";
                sink.add(&path.field("peers").index(at).field("public_key"), message);
            }
        }
        let fwmark = message.fwmark.unwrap_or_default();
        let listen_port = listen_port.map_or(Some(None), |port| port.map(Some))?;
        Some(Self { listen_port, private_key, fwmark, peers: peers.into_iter().collect::<Option<_>>()? })
    }

    fn message(&self) -> proto::Wireguard {
        proto::Wireguard {
            listen_port: self.listen_port.map(Into::into),
            private_key: self.private_key.as_ref().map_or_else(|| AUTO.to_owned(), SecretKey::reveal),
            fwmark: Some(self.fwmark).filter(|mark| *mark != 0),
            peers: self.peers.iter().map(Peer::message).collect(),
        }
    }

    /// `wg_socket_init`.
    fn identity(&self) -> Option<UniqueKey> {
        let is = format!("listens on UDP port {}", self.listen_port?);
        Some(UniqueKey { key: is.clone(), field: "listen_port", is, way_out: "give each its own" })
    }

    fn mac(&self) -> MacFrom {
        MacFrom::Kernel
    }

    /// The outer IPv6 header 40, UDP 8, its own 16, and 16 of the tag of Poly1305: as `wg_setup` has it, whatever carries
    /// it.
    fn overhead(&self) -> u32 {
        80
    }

    fn mtu(&self, lower: Option<u32>, _: Option<u32>) -> Option<u32> {
        lower.unwrap_or(ETHERNET_MTU).checked_sub(self.overhead())
    }

    /// What is marked takes what way the rules say.
    fn far_end(&self) -> Option<IpAddr> {
        let (_, endpoint) = self.first_endpoint()?;
        (self.fwmark == 0).then_some(endpoint.ip())
    }

    fn far_end_path(&self, path: &Path) -> Path {
        let at = self.first_endpoint().map_or(0, |(at, _)| at);
        path.field("peers").index(at).field("endpoint")
    }

    fn needs(&self) -> (Feature, &'static str) {
        (Feature::of("CONFIG_WIREGUARD"), "")
    }

    fn encode(&self, _: &dyn Fn(&IfName) -> Result<u32, Unknown>) -> Result<Option<InfoData>, Unknown> {
        Ok(None)
    }

    fn decode(_: &Attributes<'_>) -> Option<Self> {
        Some(Self::default())
    }

    /// The interface itself has no settings.
    fn change(&self, _: &Self) -> Change {
        Change::Set(Vec::new())
    }
}

impl Wireguard {
    fn first_endpoint(&self) -> Option<(usize, SocketAddr)> {
        self.peers.iter().enumerate().find_map(|(at, peer)| Some((at, peer.endpoint?)))
    }
}

impl Peer {
    fn read(message: &proto::WireguardPeer, path: &Path, sink: &mut Sink) -> Option<Self> {
        let key = read_key(message, path, sink);
        let at = path.field("preshared_key");
        let preshared_key = match message.preshared_key.as_str() {
            "" => Some(None),
            AUTO if message.node.is_empty() => {
                sink.add(
                    &at,
                    "auto derives a key of two interfaces of the lab: name the peer by node, or give the key",
                );
                None
            }
            text => secret(text, &at, sink).map(Some),
        };
        let mut allowed_ips = Vec::new();
        for (at, text) in message.allowed_ips.iter().enumerate() {
            let path = path.field("allowed_ips").index(at);
            allowed_ips.extend(sink.keep_text(&path, text, address::range(text)));
        }
        let endpoint = match message.endpoint.as_str() {
            "" => Some(None),
            text => sink.keep_text(&path.field("endpoint"), text, endpoint(text)).map(Some),
        };
        let at = path.field("persistent_keepalive");
        let persistent_keepalive = match message.persistent_keepalive.as_str() {
            "" => Some(0),
            text => sink.keep_text(&at, text, seconds(text)),
        };
        Some(Self {
            key: key?,
            preshared_key: preshared_key?,
            allowed_ips,
            endpoint: endpoint?,
            persistent_keepalive: persistent_keepalive?,
        })
    }

    fn message(&self) -> proto::WireguardPeer {
        let (mut node, mut public_key) = (String::new(), String::new());
        match &self.key {
            PeerKey::Node(at) => node = at.to_string(),
            PeerKey::Public(key) => public_key = key.to_string(),
        }
        let preshared_key = self.preshared_key.as_ref().map(|key| match key {
            KeySource::Auto => AUTO.to_owned(),
            KeySource::Key(key) => key.reveal(),
        });
        let seconds = self.persistent_keepalive;
        proto::WireguardPeer {
            node,
            public_key,
            preshared_key: preshared_key.unwrap_or_default(),
            allowed_ips: self.allowed_ips.iter().map(ToString::to_string).collect(),
            endpoint: self.endpoint.map(|endpoint| endpoint.to_string()).unwrap_or_default(),
            persistent_keepalive: if seconds == 0 { String::new() } else { format!("{seconds}s") },
        }
    }
}

fn is_public(peer: Option<&Peer>, key: PublicKey) -> bool {
    peer.is_some_and(|peer| peer.key == PeerKey::Public(key))
}

/// Reads a key that is not to be repeated in a fault.
fn secret(text: &str, path: &Path, sink: &mut Sink) -> Option<KeySource> {
    match text {
        "" | AUTO => Some(KeySource::Auto),
        text => {
            let key = text.parse().map_err(|NameError(why)| NameError(format!("{why}, or write auto")));
            sink.keep(path, "the key", key).map(KeySource::Key)
        }
    }
}

fn read_key(message: &proto::WireguardPeer, path: &Path, sink: &mut Sink) -> Option<PeerKey> {
    match (message.node.as_str(), message.public_key.as_str()) {
        ("", "") => {
            sink.add(
                path,
                "names no peer: give node, such as b:wg0, or the public_key of a peer outside of the lab",
            );
            None
        }
        (node, "") => sink.keep_text(&path.field("node"), node, name::endpoint(node)).map(PeerKey::Node),
        ("", key) => sink.keep(&path.field("public_key"), "the key", key.parse()).map(PeerKey::Public),
        _ => {
            sink.add(&path.field("public_key"), "node fills in the public key; leave one of both out");
            None
        }
    }
}

/// Each peer once, and each range to one peer: the kernel would take it away from the first.
fn check_doubles(messages: &[proto::WireguardPeer], peers: &[Option<Peer>], path: &Path, sink: &mut Sink) {
    let mut keys: BTreeMap<String, usize> = BTreeMap::new();
    let mut ranges: BTreeMap<IpNet, usize> = BTreeMap::new();
    for (at, message) in messages.iter().enumerate() {
        let path = path.field("peers").index(at);
        let field = if message.node.is_empty() { "public_key" } else { "node" };
        let key = format!("{}{}", message.node, message.public_key);
        let first = *keys.entry(key).or_insert(at);
        if first != at && peers.get(at).is_some_and(Option::is_some) {
            let message = format!("is peers[{first}] already; put both in one, with all allowed_ips");
            sink.add(&path.field(field), message);
            continue;
        }
        for (number, text) in message.allowed_ips.iter().enumerate() {
            let Ok(range) = address::range(text) else { continue };
            let first = *ranges.entry(range).or_insert(at);
            if first != at {
                let message = format!(
                    "{range} is allowed to peers[{first}] already, and only one can have it; make one of them narrower"
                );
                sink.add(&path.field("allowed_ips").index(number), message);
            }
        }
    }
}

fn endpoint(text: &str) -> Result<SocketAddr, NameError> {
    let Some(endpoint) = texts::service(text) else {
        return Err(NameError(match text.parse::<IpAddr>() {
            Ok(IpAddr::V4(v4)) => {
                format!("has no port; write {v4}:51820, with the port on which the peer listens")
            }
            Ok(IpAddr::V6(v6)) => {
                format!("has no port; write [{v6}]:51820, with the port on which the peer listens")
            }
            Err(_) => "is not address:port such as 192.0.2.2:51820 or [2001:db8::2]:51820".into(),
        }));
    };
    address::host(&endpoint.ip().to_string())?;
    if endpoint.port() == 0 {
        return Err(NameError("has port 0; ports are 1 to 65,535".into()));
    }
    if address::is_link_local(endpoint.ip()) {
        return Err(NameError(
            "is link-local, so it is on every link; give another address of the peer".into(),
        ));
    }
    Ok(endpoint)
}

fn seconds(text: &str) -> Result<u16, NameError> {
    if text.parse::<u64>().is_ok() {
        return Err(NameError(format!("has no unit; write {text}s")));
    }
    let time = quantity::time(text)?;
    let whole = u16::try_from(time / SECOND).ok().filter(|seconds| *seconds != 0 && time % SECOND == 0);
    whole.ok_or_else(|| NameError("is not whole seconds, 1s to 65535s; change it, or leave it out".into()))
}
