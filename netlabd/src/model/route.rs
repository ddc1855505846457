//! Static routes.

use std::{fmt, net::IpAddr};

use ipnet::IpNet;

use super::IfName;

/// A static route. Always tied to one interface.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// Destination; `0.0.0.0/0` and `::/0` are the default routes.
    pub to: IpNet,
    /// The next hop, of either family (RFC 8950).
    pub via: Option<IpAddr>,
    /// The interface to send through. The converter fills it in from `via` where the author left
    /// it out, so that a route is always tied to one interface.
    pub dev: IfName,
    /// Metric; lower wins. The converter fills in the kernel's default: 0 for IPv4, 1,024 for IPv6.
    pub metric: u32,
    /// The routing table, [`Route::MAIN`] by default.
    pub table: u32,
}

impl Route {
    /// The main table (`RT_TABLE_MAIN`).
    pub const MAIN: u32 = 254;

    /// `rtm_protocol` of every route that netlabd adds.
    pub const PROTOCOL: u8 = 78;

    /// Whether the kernel lets one take the place of the other.
    pub fn replaces(&self, other: &Self) -> bool {
        (self.table, self.to, self.metric) == (other.table, other.to, other.metric)
    }

    /// The next hop in the words of ip-route(8), with a space before it; none where there is none.
    pub fn via_words(&self) -> String {
        match self.via {
            Some(IpAddr::V6(via)) if self.to.addr().is_ipv4() => format!(" via inet6 {via}"),
            Some(via) => format!(" via {via}"),
            None => String::new(),
        }
    }

    /// Metric and table where they are not the kernel's choice, in the words of ip-route(8), with a space before them.
    pub fn choice_words(&self) -> String {
        let metric = match (self.to, self.metric) {
            (IpNet::V4(_), 0) | (IpNet::V6(_), 1024) => String::new(),
            (_, metric) => format!(" metric {metric}"),
        };
        if self.table == Self::MAIN { metric } else { format!("{metric} table {}", self.table) }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.to.prefix_len() == 0 {
            f.write_str(if self.to.addr().is_ipv4() { "default" } else { "default (IPv6)" })?;
        } else {
            self.to.fmt(f)?;
        }
        write!(f, "{} dev {}{}", self.via_words(), self.dev, self.choice_words())
    }
}
