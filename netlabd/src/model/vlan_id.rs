//! VLAN identifiers.

use std::fmt;

use netlab_proto::range;

use super::name::NameError;

/// An 802.1Q VLAN identifier, 1 to 4094.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VlanId(u16);

impl VlanId {
    /// VLAN 1, which the kernel gives new bridge ports.
    pub const DEFAULT: Self = Self(1);

    /// One as good as any, for examples.
    pub(crate) const EXAMPLE: Self = Self(10);

    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl TryFrom<u32> for VlanId {
    type Error = NameError;

    fn try_from(id: u32) -> Result<Self, NameError> {
        match u16::try_from(id) {
            Ok(short) if range::VLAN.contains(&id) => Ok(Self(short)),
            _ => Err(NameError("is not a VLAN: 1 to 4094 (IEEE 802.1Q reserves 0 and 4095)".into())),
        }
    }
}

impl fmt::Display for VlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vlans() {
        assert!(VlanId::try_from(4094).is_ok());
        assert!(VlanId::try_from(0).is_err() && VlanId::try_from(4095).is_err());
        assert!(VlanId::try_from(65_537).is_err());
    }
}
