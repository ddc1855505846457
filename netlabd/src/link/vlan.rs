//! VLANs on other interfaces.

use netlab_proto::v1 as proto;
use netlink_packet_route::link::{InfoData, InfoVlan, VlanProtocol as Wire};

use super::{Attributes, Carrier, LinkKind, Lower, MacFrom, UniqueKey, Unknown};
use crate::{
    feature::Feature,
    input::{Path, Sink, name, number},
    model::{VlanProtocol, name::IfName, vlan_id::VlanId},
};

/// A VLAN on another interface of the same node; of the host, on any that it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vlan {
    /// The interface that carries the tagged frames.
    pub parent: IfName,
    /// The VLAN.
    pub id: VlanId,
    /// The tag that carries it.
    pub protocol: VlanProtocol,
}

/// A protocol as the kernel has it.
pub(super) fn wire(protocol: VlanProtocol) -> Wire {
    match protocol {
        VlanProtocol::Dot1Q => Wire::Ieee8021Q,
        VlanProtocol::Dot1Ad => Wire::Ieee8021Ad,
    }
}

/// The protocol that the kernel means.
pub(super) fn protocol(wire: Wire) -> VlanProtocol {
    if wire == Wire::Ieee8021Ad { VlanProtocol::Dot1Ad } else { VlanProtocol::Dot1Q }
}

/// Reads a protocol; the usual one where it is left out.
pub(super) fn read_protocol(text: &str, path: &Path, sink: &mut Sink) -> Option<VlanProtocol> {
    if text.is_empty() { Some(VlanProtocol::default()) } else { sink.parse(path, text) }
}

impl LinkKind for Vlan {
    type Message = proto::Vlan;

    const KEY: &'static str = "vlan";
    const ABOUT: &'static str = "VLANs on top of other interfaces";
    const FOREIGN_LOWER: bool = true;
    const MTU_OF_LOWER: bool = true;

    fn examples(lower: &IfName) -> Vec<Self> {
        let vlan = |protocol| Self { parent: lower.clone(), id: VlanId::EXAMPLE, protocol };
        vec![vlan(VlanProtocol::Dot1Q), vlan(VlanProtocol::Dot1Ad)]
    }

    fn read(message: &proto::Vlan, path: &Path, sink: &mut Sink) -> Option<Self> {
        let why = "name the interface that carries the VLAN";
        let parent = name::required(&message.parent, why, &path.field("parent"), sink);
        let id = number::vlan(message.id, &path.field("id"), sink);
        let protocol = read_protocol(&message.protocol, &path.field("protocol"), sink);
        Some(Self { parent: parent?, id: id?, protocol: protocol? })
    }

    fn named(message: &proto::Vlan) -> Option<Lower<&str>> {
        Some(Lower::Here(&message.parent))
    }

    fn message(&self) -> proto::Vlan {
        let protocol = Some(self.protocol).filter(|it| *it != VlanProtocol::default());
        let protocol = protocol.map(|it| it.to_string()).unwrap_or_default();
        proto::Vlan { parent: self.parent.to_string(), id: self.id.get().into(), protocol }
    }

    fn lower(&self) -> Option<Lower<&IfName>> {
        Some(Lower::Here(&self.parent))
    }

    fn lower_mut(&mut self) -> Option<&mut IfName> {
        Some(&mut self.parent)
    }

    fn identity(&self) -> Option<UniqueKey> {
        let protocol = if self.protocol == VlanProtocol::Dot1Q { "" } else { " by 802.1ad" };
        let is = format!("is VLAN {}{protocol} on {}", self.id, self.parent);
        Some(UniqueKey { key: is.clone(), field: "id", is, way_out: "give each its own id or parent" })
    }

    fn mac(&self) -> MacFrom {
        MacFrom::Lower
    }

    /// It is down for as long as its parent is (`vlan_dev_open`), and comes up with it.
    fn carrier(&self) -> Carrier {
        Carrier::Lower
    }

    fn vlan(&self) -> Option<VlanId> {
        Some(self.id)
    }

    fn vlan_protocol(&self) -> VlanProtocol {
        self.protocol
    }

    fn needs(&self) -> (Feature, &'static str) {
        (Feature::of("CONFIG_VLAN_8021Q"), "")
    }

    fn encode(&self, _: &dyn Fn(&IfName) -> Result<u32, Unknown>) -> Result<Option<InfoData>, Unknown> {
        Ok(Some(InfoData::Vlan(vec![InfoVlan::Id(self.id.get()), InfoVlan::Protocol(wire(self.protocol))])))
    }

    fn decode(seen: &Attributes<'_>) -> Option<Self> {
        let Some(InfoData::Vlan(options)) = seen.data else { return None };
        let id = options.iter().find_map(|o| if let InfoVlan::Id(id) = o { Some(*id) } else { None })?;
        let by = options.iter().find_map(|o| if let InfoVlan::Protocol(by) = o { Some(*by) } else { None });
        Some(Self {
            parent: seen.lower_here()?,
            id: VlanId::try_from(u32::from(id)).ok()?,
            protocol: by.map(protocol).unwrap_or_default(),
        })
    }

    fn command(&self) -> String {
        let protocol = match self.protocol {
            VlanProtocol::Dot1Q => String::new(),
            VlanProtocol::Dot1Ad => format!(" protocol {}", self.protocol),
        };
        format!("{protocol} id {}", self.id)
    }

    fn way_out(&self, errno: i32) -> Option<String> {
        let Self { parent, id, .. } = self;
        match errno {
            libc::EEXIST => Some(format!(
                "somebody has made an interface of that name there, or another one for VLAN {id} on {parent}: delete it"
            )),
            libc::ERANGE => Some(format!("{parent} has a smaller MTU")),
            _ => None,
        }
    }
}
