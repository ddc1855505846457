//! IPv4 in IPv4, RFC 2003.

use netlab_proto::v1 as proto;
use netlink_packet_route::{IpProtocol, link::InfoData};

use super::{
    ip_tunnel::{Encapsulation, IpTunnel, Payload},
    ip6tnl,
};

/// A tunnel of IPv4 packets in IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ipip(pub IpTunnel);

impl Encapsulation for Ipip {
    type Message = proto::IpTunnel;

    const KEY: &'static str = "ipip";
    const ABOUT: &'static str = "an IPv4 tunnel in IPv4";
    const OPTION: &'static str = "CONFIG_NET_IPIP";
    const OVER_IPV6: bool = false;
    const HEADER: u32 = 0;
    const PAYLOAD: Payload = Payload::Ipv4;
    const WORDS: &'static str = " mode ipip";

    fn new(settings: IpTunnel) -> Self {
        Self(settings)
    }

    fn settings(&self) -> &IpTunnel {
        &self.0
    }

    fn encode(&self) -> InfoData {
        InfoData::IpTunnel(ip6tnl::encode(&self.0, IpProtocol::Ipip))
    }

    fn decode(data: &InfoData) -> Option<Self> {
        ip6tnl::decode(data, IpProtocol::Ipip).map(Self)
    }
}
