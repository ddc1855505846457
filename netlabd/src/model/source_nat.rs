//! Source translation to given addresses.

use std::fmt;

use ipnet::IpNet;

use super::{AddressRange, IfName};

/// The source becomes one of these addresses; the kernel keeps the port where it can.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceNat {
    /// Only packets from this range, of the family of `to`.
    pub source: Option<IpNet>,
    /// Only packets that leave through this interface.
    pub out_interface: Option<IfName>,
    /// The addresses to choose from.
    pub to: AddressRange,
}

impl fmt::Display for SourceNat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("snat")?;
        if let Some(source) = self.source {
            write!(f, " source {source}")?;
        }
        write!(f, " to {}", self.to)?;
        if let Some(out) = &self.out_interface {
            write!(f, " out {out}")?;
        }
        Ok(())
    }
}
