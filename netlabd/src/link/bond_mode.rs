//! Words of bonds.

use std::{fmt, str::FromStr};

use netlink_packet_route::link;

use crate::model::name::NameError;

/// How the members of a bond share the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BondMode {
    /// One works, another takes over.
    ActiveBackup,
    /// All that the other side bundles too, as both agree by LACP.
    Lacp,
    /// All, whatever the other side does.
    Xor,
}

impl BondMode {
    const ALL: [Self; 3] = [Self::ActiveBackup, Self::Lacp, Self::Xor];

    /// Whether both sides agree on what works.
    pub fn bundles(self) -> bool {
        self == Self::Lacp
    }

    /// Whether something of each packet decides by which member it leaves.
    pub fn hashes(self) -> bool {
        self != Self::ActiveBackup
    }

    /// The kernel's word.
    pub(super) fn wire(self) -> link::BondMode {
        match self {
            Self::ActiveBackup => link::BondMode::ActiveBackup,
            Self::Lacp => link::BondMode::Ieee8023Ad,
            Self::Xor => link::BondMode::BalanceXor,
        }
    }

    /// That of the kernel's word.
    pub(super) fn of_wire(wire: link::BondMode) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.wire() == wire)
    }
}

impl fmt::Display for BondMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ActiveBackup => "active-backup",
            Self::Lacp => "802.3ad",
            Self::Xor => "balance-xor",
        })
    }
}

impl FromStr for BondMode {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let known = Self::ALL.into_iter().find(|mode| mode.to_string() == text);
        known.ok_or_else(|| {
            let near = match text {
                "lacp" | "LACP" | "802.1AX" | "802.1ax" | "4" => "; for LACP write 802.3ad",
                "balance-rr" | "0" => "; which sends packets out of order: write balance-xor",
                _ => "",
            };
            NameError(format!("is not a mode of bonds: active-backup, 802.3ad or balance-xor{near}"))
        })
    }
}

/// How often the other side is to send LACPDUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LacpRate {
    /// Every 30 seconds.
    #[default]
    Slow,
    /// Every second.
    Fast,
}

impl LacpRate {
    const ALL: [Self; 2] = [Self::Slow, Self::Fast];

    /// The kernel's word.
    pub(super) fn wire(self) -> link::BondLacpRate {
        match self {
            Self::Slow => link::BondLacpRate::Slow,
            Self::Fast => link::BondLacpRate::Fast,
        }
    }

    /// That of the kernel's word.
    pub(super) fn of_wire(wire: link::BondLacpRate) -> Option<Self> {
        Self::ALL.into_iter().find(|rate| rate.wire() == wire)
    }
}

impl fmt::Display for LacpRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Slow => "slow",
            Self::Fast => "fast",
        })
    }
}

impl FromStr for LacpRate {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let known = Self::ALL.into_iter().find(|rate| rate.to_string() == text);
        known.ok_or_else(|| NameError("is not a rate of LACPDUs: slow or fast".into()))
    }
}

/// By what a packet is given to a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HashPolicy {
    /// MAC addresses.
    #[default]
    Layer2,
    /// MAC and IP addresses.
    Layer23,
    /// IP addresses and ports.
    Layer34,
}

impl HashPolicy {
    const ALL: [Self; 3] = [Self::Layer2, Self::Layer23, Self::Layer34];

    /// The kernel's word.
    pub(super) fn wire(self) -> link::BondXmitHashPolicy {
        match self {
            Self::Layer2 => link::BondXmitHashPolicy::Layer2,
            Self::Layer23 => link::BondXmitHashPolicy::Layer23,
            Self::Layer34 => link::BondXmitHashPolicy::Layer34,
        }
    }

    /// That of the kernel's word.
    pub(super) fn of_wire(wire: link::BondXmitHashPolicy) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.wire() == wire)
    }
}

impl fmt::Display for HashPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Layer2 => "layer2",
            Self::Layer23 => "layer2+3",
            Self::Layer34 => "layer3+4",
        })
    }
}

impl FromStr for HashPolicy {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let known = Self::ALL.into_iter().find(|policy| policy.to_string() == text);
        known.ok_or_else(|| NameError("is not a policy: layer2, layer2+3 or layer3+4".into()))
    }
}
