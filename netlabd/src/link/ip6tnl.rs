//! IPv4 and IPv6 in IPv6, RFC 2473.

use netlab_proto::v1 as proto;
use netlink_packet_route::{
    IpProtocol,
    link::{InfoData, InfoIpTunnel, Ip6TunnelFlags},
};

use super::ip_tunnel::{Encapsulation, IpTunnel, Payload};

/// No option that limits how often packets are encapsulated (RFC 2473 section 4.1.1): it takes 8 bytes of each packet, and
/// many routers drop what has such options (RFC 7872).
pub(super) const NO_ENCAP_LIMIT: Ip6TunnelFlags = Ip6TunnelFlags::IgnEncapLimit;

/// Whether flags are those, beside what the kernel notes there by itself (`ip6_tnl_get_cap`).
pub(super) fn has_no_encap_limit(flags: u32) -> bool {
    let own = Ip6TunnelFlags::CapXmit | Ip6TunnelFlags::CapRcv | Ip6TunnelFlags::CapPerPacket;
    flags & !own.bits() == NO_ENCAP_LIMIT.bits()
}

/// A tunnel of IP packets over IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ip6tnl(pub IpTunnel);

impl Encapsulation for Ip6tnl {
    type Message = proto::IpTunnel;

    const KEY: &'static str = "ip6tnl";
    const ABOUT: &'static str = "a tunnel of IP packets over IPv6";
    const OPTION: &'static str = "CONFIG_IPV6_TUNNEL";
    const OVER_IPV6: bool = true;
    const HEADER: u32 = 0;
    const PAYLOAD: Payload = Payload::Ip;
    const WORDS: &'static str = " encaplimit none mode any";

    fn new(settings: IpTunnel) -> Self {
        Self(settings)
    }

    fn settings(&self) -> &IpTunnel {
        &self.0
    }

    fn encode(&self) -> InfoData {
        // Both versions of IP: protocol 0.
        let mut options = encode(&self.0, IpProtocol::Hopopts);
        options.push(InfoIpTunnel::Ipv6Flags(NO_ENCAP_LIMIT));
        InfoData::IpTunnel(options)
    }

    fn decode(data: &InfoData) -> Option<Self> {
        decode(data, IpProtocol::Hopopts).map(Self)
    }
}

/// The attributes of tunnels of IP in IP (`IFLA_IPTUN_*`) that carry one protocol.
pub(super) fn encode(settings: &IpTunnel, protocol: IpProtocol) -> Vec<InfoIpTunnel> {
    let IpTunnel { local, remote, ttl, .. } = *settings;
    let mut options =
        vec![InfoIpTunnel::Remote(remote), InfoIpTunnel::Ttl(ttl), InfoIpTunnel::Protocol(protocol)];
    options.extend(local.map(InfoIpTunnel::Local));
    options
}

/// The same the other way; `None` where something else is set that the lab file has no words for.
pub(super) fn decode(data: &InfoData, protocol: IpProtocol) -> Option<IpTunnel> {
    let InfoData::IpTunnel(options) = data else { return None };
    let (mut local, mut remote, mut ttl) = (None, None, 0);
    for option in options {
        match option {
            InfoIpTunnel::Local(address) => local = Some(*address).filter(|it| !it.is_unspecified()),
            InfoIpTunnel::Remote(address) => remote = Some(*address).filter(|it| !it.is_unspecified()),
            InfoIpTunnel::Ttl(hops) => ttl = *hops,
            InfoIpTunnel::Protocol(carried) if *carried != protocol => return None,
            InfoIpTunnel::Ipv6Flags(flags) if !has_no_encap_limit(flags.bits()) => return None,
            InfoIpTunnel::PMtuDisc(false) | InfoIpTunnel::CollectMetadata => return None,
            InfoIpTunnel::Link(value) | InfoIpTunnel::FwMark(value) | InfoIpTunnel::FlowInfo(value)
                if *value != 0 =>
            {
                return None;
            }
            InfoIpTunnel::Ipv6SitFlags(value) if *value != 0 => return None,
            InfoIpTunnel::Tos(value) if *value != 0 => return None,
            InfoIpTunnel::EncapType(encap) if u16::from(*encap) != 0 => return None,
            _ => {}
        }
    }
    Some(IpTunnel { local, remote: remote?, key: None, ttl })
}
