//! GRE over IPv4, RFC 2784: packets of both versions of IP.

use std::net::IpAddr;

use netlab_proto::v1 as proto;
use netlink_packet_route::link::{GreEncapType, GreIOFlags, InfoData, InfoGre};

use super::ip_tunnel::{Encapsulation, IpTunnel, Payload};

/// A GRE tunnel over IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gre(pub IpTunnel);

impl Encapsulation for Gre {
    type Message = proto::Gre;

    const KEY: &'static str = "gre";
    const ABOUT: &'static str = "a GRE tunnel";
    const OPTION: &'static str = "CONFIG_NET_IPGRE";
    const OVER_IPV6: bool = false;
    const HEADER: u32 = 4;
    const PAYLOAD: Payload = Payload::Ip;

    fn new(settings: IpTunnel) -> Self {
        Self(settings)
    }

    fn settings(&self) -> &IpTunnel {
        &self.0
    }

    fn encode(&self) -> InfoData {
        InfoData::GreTun(encode(&self.0))
    }

    fn decode(data: &InfoData) -> Option<Self> {
        if let InfoData::GreTun(options) = data { decode(options).map(Self) } else { None }
    }
}

/// The attributes of GRE over IPv4 (`IFLA_GRE_*`).
pub(super) fn encode(settings: &IpTunnel) -> Vec<InfoGre> {
    let IpTunnel { local, remote, key, ttl } = *settings;
    let mut options = vec![InfoGre::Ttl(ttl), InfoGre::PathMTUDiscovery(true)];
    if let IpAddr::V4(remote) = remote {
        options.push(InfoGre::Remote(remote));
    }
    if let Some(IpAddr::V4(local)) = local {
        options.push(InfoGre::Local(local));
    }
    if let Some(key) = key {
        let flag = GreIOFlags::Key;
        options.extend([
            InfoGre::IFlags(flag),
            InfoGre::OFlags(flag),
            InfoGre::IKey(key),
            InfoGre::OKey(key),
        ]);
    }
    options
}

/// The same the other way; `None` where something else is set that the lab file has no words for.
pub(super) fn decode(options: &[InfoGre]) -> Option<IpTunnel> {
    let (mut local, mut remote, mut ttl, mut keys) = (None, None, 0, Keys::default());
    for option in options {
        match option {
            InfoGre::Local(address) => local = Some(*address).filter(|address| !address.is_unspecified()),
            InfoGre::Remote(address) => remote = Some(*address).filter(|address| !address.is_unspecified()),
            InfoGre::Ttl(hops) => ttl = *hops,
            InfoGre::IFlags(flags) => keys.in_flags = *flags,
            InfoGre::OFlags(flags) => keys.out_flags = *flags,
            InfoGre::IKey(key) => keys.in_key = *key,
            InfoGre::OKey(key) => keys.out_key = *key,
            InfoGre::PathMTUDiscovery(false) | InfoGre::CollectMetadata => return None,
            InfoGre::Link(value) | InfoGre::FwMask(value) if *value != 0 => return None,
            InfoGre::Tos(value) if *value != 0 => return None,
            InfoGre::EncapType(encap) if *encap != GreEncapType::None => return None,
            _ => {}
        }
    }
    let (local, remote) = (local.map(Into::into), remote?.into());
    keys.are_ours().then(|| IpTunnel { local, remote, key: keys.key(), ttl })
}

/// Keys and flags of both directions.
#[derive(Default)]
pub(super) struct Keys {
    /// `IFLA_GRE_IFLAGS`.
    pub(super) in_flags: GreIOFlags,
    /// `IFLA_GRE_OFLAGS`.
    pub(super) out_flags: GreIOFlags,
    /// `IFLA_GRE_IKEY`.
    pub(super) in_key: u32,
    /// `IFLA_GRE_OKEY`.
    pub(super) out_key: u32,
}

impl Keys {
    /// Whether both directions have one key or none, and nothing else: checksums, sequence numbers.
    pub(super) fn are_ours(&self) -> bool {
        let alike = self.in_flags == self.out_flags && self.in_key == self.out_key;
        alike && (self.in_flags.is_empty() || self.in_flags == GreIOFlags::Key)
    }

    /// The key.
    pub(super) fn key(&self) -> Option<u32> {
        (!self.in_flags.is_empty()).then_some(self.in_key)
    }
}
