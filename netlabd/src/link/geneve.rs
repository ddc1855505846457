//! GENEVE tunnel end points, RFC 8926.

use std::net::IpAddr;

use netlab_proto::v1 as proto;
use netlink_packet_route::link::{GeneveDf, InfoData, InfoGeneve};

use super::{Attributes, LinkKind, Tunnel, UniqueKey, Unknown, tunnel};
use crate::{
    feature::Feature,
    input::{Path, Sink, number},
    model::name::IfName,
};

/// The UDP port that IANA gave GENEVE, RFC 8926 section 3.3.
const PORT: u16 = 6081;

/// A GENEVE tunnel end point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geneve {
    /// Virtual network identifier, below 2^24.
    pub vni: u32,
    /// The other end.
    pub remote: IpAddr,
    /// UDP port of both ends.
    pub port: u16,
    /// Time to live, or hop limit, of the outer packets; `None`: that of the node (`net.ipv4.ip_default_ttl`).
    pub ttl: Option<u8>,
}

impl LinkKind for Geneve {
    type Message = proto::Geneve;

    const KEY: &'static str = "geneve";
    const ABOUT: &'static str = "a GENEVE tunnel end point";
    const ON_HOST: Option<&'static str> = Some(tunnel::ON_HOST);

    fn examples(_: &IfName) -> Vec<Self> {
        let plain = Self { vni: 1, remote: [192, 0, 2, 9].into(), port: PORT, ttl: None };
        let ipv6 = Self {
            vni: 0x00ff_ffff,
            remote: [0x2001, 0xdb8, 0, 0, 0, 0, 0, 9].into(),
            port: 6082,
            ttl: Some(9),
        };
        vec![plain, ipv6]
    }

    fn read(message: &proto::Geneve, path: &Path, sink: &mut Sink) -> Option<Self> {
        let vni = number::vni("GENEVE", message.vni, &path.field("vni"), sink);
        let remote = tunnel::remote(&message.remote, path, sink);
        let port = number::port(message.port.unwrap_or(PORT.into()), &path.field("port"), sink);
        let ttl = tunnel::ttl(message.ttl, path, sink);
        Some(Self { vni: vni?, remote: remote?, port: port?, ttl })
    }

    fn message(&self) -> proto::Geneve {
        proto::Geneve {
            vni: Some(self.vni),
            remote: self.remote.to_string(),
            port: Some(self.port.into()),
            ttl: self.ttl.map(Into::into),
        }
    }

    /// `geneve_find_dev`.
    fn identity(&self) -> Option<UniqueKey> {
        let is = format!("has VNI {} at port {} to {}", self.vni, self.port, self.remote);
        Some(UniqueKey { key: is.clone(), field: "vni", is, way_out: "change one" })
    }

    /// RFC 8926 section 3.1: outer Ethernet 14, IPv4 20 or IPv6 40, UDP 8, GENEVE 8.
    fn overhead(&self) -> u32 {
        if self.remote.is_ipv6() { 70 } else { 50 }
    }

    fn tunnel(&self) -> Option<Tunnel> {
        Some(Tunnel { local: None, remote: Some(self.remote) })
    }

    fn far_end(&self) -> Option<IpAddr> {
        Some(self.remote)
    }

    fn needs(&self) -> (Feature, &'static str) {
        (Feature::of("CONFIG_GENEVE"), "")
    }

    fn encode(&self, _: &dyn Fn(&IfName) -> Result<u32, Unknown>) -> Result<Option<InfoData>, Unknown> {
        let remote = match self.remote {
            IpAddr::V4(remote) => InfoGeneve::Remote(remote),
            IpAddr::V6(remote) => InfoGeneve::Remote6(remote),
        };
        let mut options = vec![InfoGeneve::Id(self.vni), remote, InfoGeneve::Port(self.port)];
        options.extend(self.ttl.map(InfoGeneve::Ttl));
        Ok(Some(InfoData::Geneve(options)))
    }

    fn decode(seen: &Attributes<'_>) -> Option<Self> {
        let Some(InfoData::Geneve(options)) = seen.data else { return None };
        let (mut vni, mut remote, mut port, mut ttl) = (None, None, None, None);
        for option in options {
            match option {
                InfoGeneve::Id(id) => vni = Some(*id),
                InfoGeneve::Remote(address) => remote = Some((*address).into()),
                InfoGeneve::Remote6(address) => remote = Some((*address).into()),
                InfoGeneve::Port(number) => port = Some(*number),
                InfoGeneve::Ttl(hops) => ttl = Some(*hops).filter(|hops| *hops != 0),
                InfoGeneve::Df(GeneveDf::Unset) | InfoGeneve::TtlInherit(false) | InfoGeneve::Tos(0) => {}
                InfoGeneve::Df(_)
                | InfoGeneve::TtlInherit(true)
                | InfoGeneve::Tos(_)
                | InfoGeneve::CollectMetadata
                | InfoGeneve::InnerProtoInherit => return None,
                _ => {}
            }
        }
        Some(Self { vni: vni?, remote: remote?, port: port?, ttl })
    }

    fn command(&self) -> String {
        let ttl = self.ttl.map(|ttl| format!(" ttl {ttl}")).unwrap_or_default();
        format!(" id {} remote {}{ttl} dstport {}", self.vni, self.remote, self.port)
    }
}
