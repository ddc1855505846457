//! VRFs: routing domains of their own (virtual routing and forwarding, Documentation/networking/vrf.rst of the kernel).

use netlab_proto::v1 as proto;
use netlink_packet_route::link::{InfoData, InfoVrf};

use super::{Attributes, LinkKind, MacFrom, Ports, UniqueKey, Unknown};
use crate::{
    feature::Feature,
    input::{Path, Sink, number},
    model::{mtu::IPV6_MIN_MTU, name::IfName},
};

/// A VRF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vrf {
    /// The routing table that answers for its members; [`Vrf::UNCHOSEN`] until the whole of the node is read.
    pub table: u32,
}

impl Vrf {
    /// The table of a VRF whose file says none, until one is chosen (`RT_TABLE_UNSPEC`).
    pub const UNCHOSEN: u32 = 0;

    /// Its MTU: the most that a packet of IPv6 can have (`IP6_MAX_MTU`, `vrf_setup` in drivers/net/vrf.c).
    const MTU: u32 = 65_535 + 40;
}

impl LinkKind for Vrf {
    type Message = proto::Vrf;

    const KEY: &'static str = "vrf";
    const ABOUT: &'static str = "a VRF: a routing domain of its own";
    const ON_HOST: Option<&'static str> = Some(
        "a VRF is of a node: on the host the kernel's rule for VRFs would stay, and decide about the host's own packets",
    );
    const ETHERNET: bool = false;
    const ARP: bool = false;

    fn examples(_: &IfName) -> Vec<Self> {
        vec![Self { table: 1001 }, Self { table: 4_000_000_000 }]
    }

    fn read(message: &proto::Vrf, path: &Path, sink: &mut Sink) -> Option<Self> {
        match message.table {
            None => Some(Self { table: Self::UNCHOSEN }),
            Some(table) => Some(Self { table: number::own_table(table, &path.field("table"), sink)? }),
        }
    }

    fn message(&self) -> proto::Vrf {
        proto::Vrf { table: Some(self.table).filter(|table| *table != Self::UNCHOSEN) }
    }

    fn identity(&self) -> Option<UniqueKey> {
        let is = format!("has table {}", self.table);
        Some(UniqueKey {
            key: is.clone(),
            field: "table",
            is,
            way_out: "give each its own, or leave it out for one that is free",
        })
    }

    /// Nothing is sent with it.
    fn mac(&self) -> MacFrom {
        MacFrom::Kernel
    }

    fn mtu(&self, _: Option<u32>, _: Option<u32>) -> Option<u32> {
        Some(Self::MTU)
    }

    /// `vrf_setup`.
    fn least_mtu(&self) -> Option<u32> {
        Some(IPV6_MIN_MTU)
    }

    fn ports(&self) -> Ports {
        Ports::Vrf { table: self.table }
    }

    fn needs(&self) -> (Feature, &'static str) {
        (Feature::of("CONFIG_NET_VRF"), "")
    }

    fn encode(&self, _: &dyn Fn(&IfName) -> Result<u32, Unknown>) -> Result<Option<InfoData>, Unknown> {
        Ok(Some(InfoData::Vrf(vec![InfoVrf::TableId(self.table)])))
    }

    fn decode(seen: &Attributes<'_>) -> Option<Self> {
        let Some(InfoData::Vrf(options)) = seen.data else { return None };
        let table = |option: &InfoVrf| if let InfoVrf::TableId(table) = option { Some(*table) } else { None };
        Some(Self { table: options.iter().find_map(table)? })
    }

    fn command(&self) -> String {
        format!(" table {}", self.table)
    }
}
