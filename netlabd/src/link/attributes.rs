//! What the kernel shows of an interface, and how it is told of one.

use netlink_packet_route::link::InfoData;

use super::Lower;
use crate::model::name::IfName;

/// An interface whose index is not known (yet).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown(pub String);

/// What the kernel shows of an interface beside the name of its kind.
pub struct Attributes<'a> {
    /// What it stands on by `IFLA_LINK`.
    pub lower: Option<Lower<IfName>>,
    /// `IFLA_INFO_DATA`.
    pub data: Option<&'a InfoData>,
    /// The interface of the same namespace that has an index.
    pub name: &'a dyn Fn(u32) -> Option<IfName>,
}

impl Attributes<'_> {
    /// What it stands on in the same namespace by `IFLA_LINK`.
    pub fn lower_here(&self) -> Option<IfName> {
        match &self.lower {
            Some(Lower::Here(name)) => Some(name.clone()),
            _ => None,
        }
    }

    /// What it stands on on the host by `IFLA_LINK`.
    pub fn lower_on_host(&self) -> Option<IfName> {
        match &self.lower {
            Some(Lower::Host(name)) => Some(name.clone()),
            _ => None,
        }
    }
}
