//! How a translation looks to those who try to get through it.

use std::{fmt, str::FromStr};

use super::NameError;

/// A type of NAT for UDP over IPv4, in the words of RFC 3489, section 5. RFC 4787 has others, of which each type is a pair:
/// how ports are mapped, and from whom a mapping lets packets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NatType {
    /// Endpoint-independent mapping and filtering.
    FullCone,
    /// Endpoint-independent mapping, address-dependent filtering.
    RestrictedCone,
    /// Endpoint-independent mapping, address and port-dependent filtering.
    PortRestricted,
    /// Address and port-dependent mapping and filtering.
    Symmetric,
}

impl NatType {
    const ALL: [Self; 4] = [Self::FullCone, Self::RestrictedCone, Self::PortRestricted, Self::Symmetric];

    /// The words for all of them.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::ALL.into_iter().map(Self::as_str)
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FullCone => "full_cone",
            Self::RestrictedCone => "restricted_cone",
            Self::PortRestricted => "port_restricted",
            Self::Symmetric => "symmetric",
        }
    }

    /// By what senders outside find the mapping that lets their first packet in; `None`: it lets none in.
    pub fn opens_to(self) -> Option<Opens> {
        match self {
            Self::FullCone => Some(Opens::ToAll),
            Self::RestrictedCone => Some(Opens::ToAddresses),
            Self::PortRestricted | Self::Symmetric => None,
        }
    }
}

/// Whom a mapping lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opens {
    /// Everybody.
    ToAll,
    /// The addresses that were sent to.
    ToAddresses,
}

impl FromStr for NatType {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        let names: Vec<_> = Self::names().collect();
        found.ok_or_else(|| NameError(format!("is no type of NAT: {}", names.join(", "))))
    }
}

impl fmt::Display for NatType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
