//! Static routes.

use std::{fmt, net::IpAddr};

use ipnet::IpNet;

use super::IfName;

/// A static route of the main table. Always tied to one interface.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// Destination; `0.0.0.0/0` and `::/0` are the default routes.
    pub to: IpNet,
    /// The next hop.
    pub via: Option<IpAddr>,
    /// The interface to send through. The converter fills it in from `via` where the author left
    /// it out, so that a route is always tied to one interface.
    pub dev: IfName,
    /// Metric; lower wins. The converter fills in the kernel's default: 0 for IPv4, 1,024 for IPv6.
    pub metric: u32,
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.to.prefix_len() == 0 {
            f.write_str(if self.to.addr().is_ipv4() { "default" } else { "default (IPv6)" })?;
        } else {
            self.to.fmt(f)?;
        }
        if let Some(via) = self.via {
            write!(f, " via {via}")?;
        }
        write!(f, " dev {}", self.dev)?;
        match (self.to, self.metric) {
            (IpNet::V4(_), 0) | (IpNet::V6(_), 1024) => Ok(()),
            (_, metric) => write!(f, " metric {metric}"),
        }
    }
}
