//! Protocols of VLAN tags.

use std::{fmt, str::FromStr};

use super::name::NameError;

/// Which tags carry VLANs, by their Ethernet type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum VlanProtocol {
    /// Those of customers, 0x8100 (IEEE 802.1Q).
    #[default]
    Dot1Q,
    /// Those of providers, 0x88a8 (IEEE 802.1ad).
    Dot1Ad,
}

impl VlanProtocol {
    /// Its name as ip-link(8) has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dot1Q => "802.1Q",
            Self::Dot1Ad => "802.1ad",
        }
    }
}

impl FromStr for VlanProtocol {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let known = [Self::Dot1Q, Self::Dot1Ad].into_iter().find(|it| it.as_str() == text);
        known.ok_or_else(|| {
            let near =
                [Self::Dot1Q, Self::Dot1Ad].into_iter().find(|it| it.as_str().eq_ignore_ascii_case(text));
            let near = near.map(|it| format!("; write {it}")).unwrap_or_default();
            NameError(format!("is not a protocol of VLANs: 802.1Q or 802.1ad{near}"))
        })
    }
}

impl fmt::Display for VlanProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
