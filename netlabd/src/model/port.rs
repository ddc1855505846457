//! Ports of bridges.

use std::collections::BTreeSet;

use super::{IfName, vlan_id::VlanId};

/// An interface's place in a bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BridgePort {
    /// The bridge.
    pub bridge: IfName,
    /// The VLANs; [`PortVlans::Default`] on a bridge that does not filter.
    pub vlans: PortVlans,
}

/// VLANs of a bridge port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortVlans {
    /// What the kernel gives a new port: VLAN 1, untagged and PVID, on a filtering bridge.
    Default,
    /// One VLAN, untagged and PVID.
    Access(VlanId),
    /// Several VLANs, tagged.
    Trunk {
        /// The tagged VLANs, without `native`.
        tagged: BTreeSet<VlanId>,
        /// One more VLAN, untagged and PVID.
        native: Option<VlanId>,
    },
}
