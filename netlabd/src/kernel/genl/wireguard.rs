//! WireGuard devices as messages (linux/wireguard.h). Nobody is told of a change there: who wants to know looks.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use ipnet::IpNet;

use super::{
    super::netlink::{self, Message},
    attributes::Attributes,
    socket::{Answer, GenericSocket},
};
use crate::{
    model::{KEY_LENGTH, PublicKey, SecretKey, WireguardChange, WireguardDevice, WireguardPeer},
    plan::item::Wireguard,
};

/// `WG_GENL_NAME`.
pub(in crate::kernel) const FAMILY: &str = "wireguard";
/// `WG_CMD_GET_DEVICE` and `WG_CMD_SET_DEVICE`.
const GET: u8 = 0;
const SET: u8 = 1;
/// So long a session lives after a handshake (`REJECT_AFTER_TIME` in drivers/net/wireguard/messages.h).
const SESSION: Duration = Duration::from_secs(180);

/// `WGDEVICE_A_*`.
mod attr {
    pub(super) const NAME: u16 = 2;
    pub(super) const PRIVATE_KEY: u16 = 3;
    pub(super) const PUBLIC_KEY: u16 = 4;
    pub(super) const LISTEN_PORT: u16 = 6;
    pub(super) const FWMARK: u16 = 7;
    pub(super) const PEERS: u16 = 8;
}

/// `WGPEER_A_*` and `WGPEER_F_*`.
mod peer {
    pub(super) const PUBLIC_KEY: u16 = 1;
    pub(super) const PRESHARED_KEY: u16 = 2;
    pub(super) const FLAGS: u16 = 3;
    pub(super) const ENDPOINT: u16 = 4;
    pub(super) const KEEPALIVE: u16 = 5;
    pub(super) const LAST_HANDSHAKE: u16 = 6;
    pub(super) const ALLOWED_IPS: u16 = 9;
    pub(super) const REMOVE: u32 = 1;
    pub(super) const REPLACE_ALLOWED_IPS: u32 = 2;
}

/// `WGALLOWEDIP_A_*`.
mod allowed {
    pub(super) const FAMILY: u16 = 1;
    pub(super) const ADDRESS: u16 = 2;
    pub(super) const LENGTH: u16 = 3;
}

/// Sets one thing of the device of that name.
pub(in crate::kernel) fn set(socket: &mut GenericSocket, item: &Wireguard) -> Answer<()> {
    socket.request(SET, &encode(item))
}

/// What the device of that name is set up as.
pub(in crate::kernel) fn device(socket: &mut GenericSocket, name: &str) -> Answer<WireguardDevice> {
    let mut request = Attributes::default();
    request.put_text(attr::NAME, name);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut device = WireguardDevice::default();
    // Many peers come in several parts.
    let parts = socket.dump(GET, &request, |part| {
        decode(part, now, &mut device);
        Some(())
    })?;
    Ok(parts.map(|_| device))
}

fn encode(item: &Wireguard) -> Attributes {
    let mut message = Attributes::default();
    message.put_text(attr::NAME, item.at.interface.as_str());
    match &item.change {
        WireguardChange::PrivateKey => message.put(attr::PRIVATE_KEY, item.private_key.bytes()),
        WireguardChange::ListenPort(port) => message.put(attr::LISTEN_PORT, &port.to_ne_bytes()),
        WireguardChange::Fwmark(mark) => message.put(attr::FWMARK, &mark.to_ne_bytes()),
        WireguardChange::NoPeer(key) => one_peer(&mut message, *key, |fields| {
            fields.put(peer::FLAGS, &peer::REMOVE.to_ne_bytes());
        }),
        WireguardChange::Peer { key, peer, .. } => {
            one_peer(&mut message, *key, |fields| encode_peer(fields, peer));
        }
    }
    message
}

fn one_peer(message: &mut Attributes, key: PublicKey, fill: impl FnOnce(&mut Attributes)) {
    message.nest(attr::PEERS, |peers| {
        peers.nest(0, |fields| {
            fields.put(peer::PUBLIC_KEY, &key.0);
            fill(fields);
        });
    });
}

fn encode_peer(fields: &mut Attributes, wanted: &WireguardPeer) {
    // All zeros is none (`wg_noise_handshake_init`).
    let preshared = wanted.preshared_key.as_ref().map_or([0; KEY_LENGTH], |key| *key.bytes());
    fields.put(peer::FLAGS, &peer::REPLACE_ALLOWED_IPS.to_ne_bytes());
    fields.put(peer::PRESHARED_KEY, &preshared);
    fields.put(peer::KEEPALIVE, &wanted.persistent_keepalive.to_ne_bytes());
    if let Some(endpoint) = wanted.endpoint {
        fields.put(peer::ENDPOINT, &socket_address(endpoint));
    }
    fields.nest(peer::ALLOWED_IPS, |ranges| {
        for range in &wanted.allowed_ips {
            ranges.nest(0, |fields| {
                let (family, address) = match range.addr() {
                    IpAddr::V4(address) => (libc::AF_INET, address.octets().to_vec()),
                    IpAddr::V6(address) => (libc::AF_INET6, address.octets().to_vec()),
                };
                fields.put(allowed::FAMILY, &u16::try_from(family).unwrap_or_default().to_ne_bytes());
                fields.put(allowed::ADDRESS, &address);
                fields.put(allowed::LENGTH, &[range.prefix_len()]);
            });
        }
    });
}

/// `struct sockaddr_in` or `struct sockaddr_in6`.
fn socket_address(endpoint: SocketAddr) -> Vec<u8> {
    let family = if endpoint.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let mut bytes = u16::try_from(family).unwrap_or_default().to_ne_bytes().to_vec();
    bytes.extend(endpoint.port().to_be_bytes());
    match endpoint.ip() {
        IpAddr::V4(address) => {
            bytes.extend(address.octets());
            bytes.extend([0; 8]);
        }
        IpAddr::V6(address) => {
            bytes.extend([0; 4]);
            bytes.extend(address.octets());
            bytes.extend([0; 4]);
        }
    }
    bytes
}

/// The same the other way.
fn read_socket_address(bytes: &[u8]) -> Option<SocketAddr> {
    let port = u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?);
    let address = match bytes.len() {
        28 => IpAddr::from(<[u8; 16]>::try_from(bytes.get(8..24)?).ok()?),
        _ => IpAddr::from(<[u8; 4]>::try_from(bytes.get(4..8)?).ok()?),
    };
    Some(SocketAddr::new(address, port))
}

/// Adds what a part of a dump tells.
fn decode(part: Message<'_>, now: Duration, device: &mut WireguardDevice) {
    if let Some(key) = part.attribute(attr::PUBLIC_KEY).and_then(array) {
        device.public_key = Some(PublicKey(key));
    }
    if let Some(port) = part.attribute(attr::LISTEN_PORT).and_then(array) {
        device.listen_port = Some(u16::from_ne_bytes(port)).filter(|port| *port != 0);
    }
    if let Some(mark) = part.attribute(attr::FWMARK).and_then(array) {
        device.fwmark = u32::from_ne_bytes(mark);
    }
    for (_, fields) in netlink::attributes(part.attribute(attr::PEERS).unwrap_or_default()) {
        decode_peer(fields, now, &mut device.peers);
    }
}

/// A peer, or more of what is allowed to it.
fn decode_peer(fields: &[u8], now: Duration, peers: &mut BTreeMap<PublicKey, WireguardPeer>) {
    let Some(key) = netlink::attribute(fields, peer::PUBLIC_KEY).and_then(array) else { return };
    let seen = peers.entry(PublicKey(key)).or_default();
    if let Some(preshared) = netlink::attribute(fields, peer::PRESHARED_KEY).and_then(array) {
        seen.preshared_key = Some(preshared).filter(|key| *key != [0; KEY_LENGTH]).map(SecretKey::new);
    }
    if let Some(endpoint) = netlink::attribute(fields, peer::ENDPOINT).and_then(read_socket_address) {
        seen.endpoint = Some(endpoint);
    }
    if let Some(seconds) = netlink::attribute(fields, peer::KEEPALIVE).and_then(array) {
        seen.persistent_keepalive = u16::from_ne_bytes(seconds);
    }
    // `struct __kernel_timespec`: seconds since 1970, 0 for never, and nanoseconds.
    let handshake = netlink::attribute(fields, peer::LAST_HANDSHAKE);
    let seconds = handshake.and_then(|time| time.first_chunk()).map(|time| i64::from_ne_bytes(*time));
    if let Some(seconds) = seconds.and_then(|seconds| u64::try_from(seconds).ok()) {
        seen.in_session = seconds != 0 && now.saturating_sub(Duration::from_secs(seconds)) < SESSION;
    }
    let ranges = netlink::attribute(fields, peer::ALLOWED_IPS).unwrap_or_default();
    seen.allowed_ips.extend(netlink::attributes(ranges).filter_map(|(_, fields)| range(fields)));
}

fn range(fields: &[u8]) -> Option<IpNet> {
    let address = netlink::attribute(fields, allowed::ADDRESS)?;
    let address = match address.len() {
        4 => IpAddr::V4(Ipv4Addr::from(array::<4>(address)?)),
        _ => IpAddr::V6(Ipv6Addr::from(array::<16>(address)?)),
    };
    let [length] = array(netlink::attribute(fields, allowed::LENGTH)?)?;
    IpNet::new(address, length).ok()
}

fn array<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(endpoint: &str, ranges: &[&str]) -> WireguardPeer {
        WireguardPeer {
            preshared_key: Some(SecretKey::new([3; 32])),
            endpoint: endpoint.parse().ok(),
            persistent_keepalive: 25,
            allowed_ips: ranges.iter().map(|range| range.parse().unwrap()).collect(),
            ..WireguardPeer::default()
        }
    }

    #[test]
    fn what_is_told_of_a_peer_is_what_is_shown() {
        for wanted in
            [peer("192.0.2.2:51820", &["10.9.0.2/32", "0.0.0.0/0"]), peer("[2001:db8::2]:1", &["::/0"])]
        {
            let at = crate::input::name::endpoint("a:wg0").unwrap();
            let key = PublicKey([9; 32]);
            let change = WireguardChange::Peer { key, peer: wanted.clone(), differs: Vec::new() };
            let told = encode(&Wireguard { at, change, private_key: SecretKey::new([1; 32]) });
            let mut seen = BTreeMap::new();
            for (_, fields) in netlink::attributes(netlink::attribute(told.bytes(), attr::PEERS).unwrap()) {
                decode_peer(fields, Duration::ZERO, &mut seen);
            }
            assert_eq!(seen, BTreeMap::from([(key, wanted)]));
        }
    }

    #[test]
    fn a_session_ends_three_minutes_after_the_handshake() {
        let seen = |ago: u64| {
            let mut fields = Attributes::default();
            fields.put(peer::PUBLIC_KEY, &[1; 32]);
            fields.put(peer::LAST_HANDSHAKE, &[1_000_i64.to_ne_bytes(), [0; 8]].concat());
            let mut peers = BTreeMap::new();
            decode_peer(fields.bytes(), Duration::from_secs(1_000 + ago), &mut peers);
            peers[&PublicKey([1; 32])].in_session
        };
        assert!(seen(0) && seen(179) && !seen(180));
    }
}
