//! Ethernet over GRE over IPv4, RFC 2784.

use netlab_proto::v1 as proto;
use netlink_packet_route::link::InfoData;

use super::{
    gre,
    ip_tunnel::{Encapsulation, IpTunnel, Payload},
};

/// A GRE tunnel over IPv4 for Ethernet frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gretap(pub IpTunnel);

impl Encapsulation for Gretap {
    type Message = proto::Gre;

    const KEY: &'static str = "gretap";
    const ABOUT: &'static str = "a GRE tunnel for Ethernet frames";
    const OPTION: &'static str = "CONFIG_NET_IPGRE";
    const OVER_IPV6: bool = false;
    const HEADER: u32 = 4;
    const PAYLOAD: Payload = Payload::Ethernet;

    fn new(settings: IpTunnel) -> Self {
        Self(settings)
    }

    fn settings(&self) -> &IpTunnel {
        &self.0
    }

    fn encode(&self) -> InfoData {
        InfoData::GreTap(gre::encode(&self.0))
    }

    fn decode(data: &InfoData) -> Option<Self> {
        if let InfoData::GreTap(options) = data { gre::decode(options).map(Self) } else { None }
    }
}
