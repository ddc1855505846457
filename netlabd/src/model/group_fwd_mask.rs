//! Link-local groups that bridges forward.

use std::fmt;

/// Which of the groups 01:80:c2:00:00:00 to 0f, which no bridge forwards by itself (IEEE 802.1Q table 8-1), are forwarded:
/// a bit for each by its last byte (`IFLA_BR_GROUP_FWD_MASK`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct GroupFwdMask(u16);

/// The groups that have names: the Spanning Tree Protocol, LACP (IEEE 802.1AX), EAP over LANs (IEEE 802.1X), and
/// LLDP (IEEE 802.1AB).
const GROUPS: [(&str, u32); 4] = [("stp", 0), ("lacp", 2), ("eapol", 3), ("lldp", 14)];

impl GroupFwdMask {
    /// Of these bits.
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// The bits.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// The same and the group of a name too; `None` where no group has that name.
    #[must_use]
    pub fn with(self, name: &str) -> Option<Self> {
        let (_, bit) = GROUPS.into_iter().find(|(known, _)| *known == name)?;
        Some(Self(self.0 | 1 << bit))
    }

    /// The names of its groups.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        GROUPS.into_iter().filter(move |(_, bit)| self.0 & 1 << bit != 0).map(|(name, _)| name)
    }
}

impl fmt::Display for GroupFwdMask {
    /// As ip-link(8) takes it: `0x4000`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}
