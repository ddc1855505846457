//! 802.1Q VLANs on other interfaces.

use netlab_proto::v1 as proto;
use netlink_packet_route::link::{InfoData, InfoVlan};

use super::{Attributes, Carrier, LinkKind, Lower, MacFrom, UniqueKey, Unknown};
use crate::{
    feature::Feature,
    input::{Path, Sink, name, number},
    model::{name::IfName, vlan_id::VlanId},
};

/// An 802.1Q VLAN on another interface of the same node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vlan {
    /// The interface that carries the tagged frames.
    pub parent: IfName,
    /// The VLAN.
    pub id: VlanId,
}

impl LinkKind for Vlan {
    type Message = proto::Vlan;

    const KEY: &'static str = "vlan";
    const ABOUT: &'static str = "802.1Q VLANs on top of other interfaces";
    const MTU_OF_LOWER: bool = true;

    fn examples(lower: &IfName) -> Vec<Self> {
        vec![Self { parent: lower.clone(), id: VlanId::EXAMPLE }]
    }

    fn read(message: &proto::Vlan, path: &Path, sink: &mut Sink) -> Option<Self> {
        let why = "name the interface that carries the VLAN";
        let parent = name::required(&message.parent, why, &path.field("parent"), sink);
        let id = number::vlan(message.id, &path.field("id"), sink);
        Some(Self { parent: parent?, id: id? })
    }

    fn named(message: &proto::Vlan) -> Option<Lower<&str>> {
        Some(Lower::Here(&message.parent))
    }

    fn message(&self) -> proto::Vlan {
        proto::Vlan { parent: self.parent.to_string(), id: self.id.get().into() }
    }

    fn lower(&self) -> Option<Lower<&IfName>> {
        Some(Lower::Here(&self.parent))
    }

    fn lower_mut(&mut self) -> Option<&mut IfName> {
        Some(&mut self.parent)
    }

    fn identity(&self) -> Option<UniqueKey> {
        let is = format!("is VLAN {} on {}", self.id, self.parent);
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

    fn needs(&self) -> (Feature, &'static str) {
        (Feature::of("CONFIG_VLAN_8021Q"), "")
    }

    fn encode(&self, _: &dyn Fn(&IfName) -> Result<u32, Unknown>) -> Result<Option<InfoData>, Unknown> {
        Ok(Some(InfoData::Vlan(vec![InfoVlan::Id(self.id.get())])))
    }

    fn decode(seen: &Attributes<'_>) -> Option<Self> {
        let Some(InfoData::Vlan(options)) = seen.data else { return None };
        let id = options.iter().find_map(|o| if let InfoVlan::Id(id) = o { Some(*id) } else { None })?;
        Some(Self { parent: seen.lower_here()?, id: VlanId::try_from(u32::from(id)).ok()? })
    }

    fn command(&self) -> String {
        format!(" id {}", self.id)
    }
}
