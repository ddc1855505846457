//! Translation of a prefix, one to one.

use std::fmt;

use ipnet::IpNet;

use super::IfName;

/// One prefix inside is another outside; of IPv6 this is `NPTv6` (RFC 6296), though the kernel keeps track of connections
/// for it, and sets checksums right in place of leaving them as they are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PrefixTranslation {
    /// Inside.
    pub internal: IpNet,
    /// Outside: of the same family and length.
    pub external: IpNet,
    /// The interface to the outside.
    pub interface: IfName,
}

impl fmt::Display for PrefixTranslation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "prefix {} to {} at {}", self.internal, self.external, self.interface)
    }
}
