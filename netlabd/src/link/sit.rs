//! IPv6 in IPv4, RFC 4213 section 3.

use netlab_proto::v1 as proto;
use netlink_packet_route::{IpProtocol, link::InfoData};

use super::{
    ip_tunnel::{Encapsulation, IpTunnel, Payload},
    ip6tnl,
};

/// A tunnel of IPv6 packets in IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sit(pub IpTunnel);

impl Encapsulation for Sit {
    type Message = proto::IpTunnel;

    const KEY: &'static str = "sit";
    const ABOUT: &'static str = "an IPv6 tunnel in IPv4";
    const OPTION: &'static str = "CONFIG_IPV6_SIT";
    const OVER_IPV6: bool = false;
    const HEADER: u32 = 0;
    const PAYLOAD: Payload = Payload::Ipv6;
    const WORDS: &'static str = " mode ip6ip";

    fn new(settings: IpTunnel) -> Self {
        Self(settings)
    }

    fn settings(&self) -> &IpTunnel {
        &self.0
    }

    fn encode(&self) -> InfoData {
        InfoData::IpTunnel(ip6tnl::encode(&self.0, IpProtocol::Ipv6))
    }

    fn decode(data: &InfoData) -> Option<Self> {
        ip6tnl::decode(data, IpProtocol::Ipv6).map(Self)
    }
}
