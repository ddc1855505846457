//! What may join an interface, and what that makes of the two.

use crate::model::name::IfName;

/// What may join an interface (`IFLA_MASTER`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ports {
    /// Nothing.
    None,
    /// Ports of a bridge.
    Bridge {
        /// Whether they are VLAN-aware.
        filtering: bool,
        /// Whether the Spanning Tree Protocol runs.
        stp: bool,
    },
    /// Members of a VRF.
    Vrf {
        /// The table of their routes.
        table: u32,
    },
    /// Members of a bond.
    Bond,
}

impl Ports {
    /// Whether these are ports of a bridge.
    pub fn of_bridge(self) -> bool {
        matches!(self, Self::Bridge { .. })
    }

    /// Whether these are ports of a bridge that is VLAN-aware.
    pub fn filtering(self) -> bool {
        matches!(self, Self::Bridge { filtering: true, .. })
    }

    /// The table of the routes of these, if they are members of a VRF.
    pub fn vrf(self) -> Option<u32> {
        if let Self::Vrf { table } = self { Some(table) } else { None }
    }

    /// Whether these are members of a bond.
    pub fn of_bond(self) -> bool {
        self == Self::Bond
    }

    /// Whether these carry what they belong to: its carrier and its MTU follow from theirs.
    pub fn carry(self) -> bool {
        matches!(self, Self::Bridge { .. } | Self::Bond)
    }

    /// What these are.
    pub fn membership(self) -> Membership {
        match self {
            Self::None | Self::Bridge { .. } => Membership::Bridge,
            Self::Vrf { .. } => Membership::Vrf,
            Self::Bond => Membership::Bond,
        }
    }
}

/// To what kind of interface another belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership {
    /// A bridge, as its port.
    Bridge,
    /// A VRF.
    Vrf,
    /// A bond.
    Bond,
}

impl Membership {
    /// What an interface is that belongs to one of that name, or to none.
    pub fn words(self, master: Option<&IfName>) -> String {
        match (self, master) {
            (Self::Bridge, Some(bridge)) => format!("a port of {bridge}"),
            (Self::Bridge, None) => "a port of no bridge".to_owned(),
            (Self::Vrf | Self::Bond, Some(master)) => format!("a member of {master}"),
            (Self::Vrf, None) => "a member of no VRF".to_owned(),
            (Self::Bond, None) => "a member of no bond".to_owned(),
        }
    }
}
