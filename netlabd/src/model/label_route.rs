//! Label routes: what a node does with MPLS packets.

use std::{fmt, net::IpAddr};

use super::{IfName, Label, SysctlKey};

/// What becomes of packets whose outermost label it is (RFC 3031): the label is taken off, others may take its place,
/// and what is left is sent on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LabelRoute {
    /// The label.
    pub label: Label,
    /// What takes its place, the outermost first; nothing: it is taken off.
    pub out: Vec<Label>,
    /// The next hop, of either family; `None`: the node itself looks at what is left.
    pub via: Option<IpAddr>,
    /// The interface to send through; without a next hop `lo` or the VRF in which to look.
    pub dev: IfName,
}

impl LabelRoute {
    /// How many labels the kernel is to have room for: `net.mpls.platform_labels`.
    pub const ROOM: &str = "net.mpls.platform_labels";

    /// The sysctl of that name.
    pub fn room() -> Option<SysctlKey> {
        Self::ROOM.parse().ok()
    }

    /// The same in the words of ip-route(8); `dev` writes an interface's name.
    pub fn words(&self, more: &str, dev: &dyn Fn(&IfName) -> String) -> String {
        let out =
            if self.out.is_empty() { String::new() } else { format!(" as {}", Label::stack(&self.out)) };
        let via = match self.via {
            Some(IpAddr::V4(via)) => format!(" via inet {via}"),
            Some(IpAddr::V6(via)) => format!(" via inet6 {via}"),
            None => String::new(),
        };
        format!("{}{out}{via} dev {}{more}", self.label, dev(&self.dev))
    }
}

impl fmt::Display for LabelRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words("", &IfName::to_string))
    }
}
