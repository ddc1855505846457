//! What of the kernel labs need, by the option that it is built with.
//!
//! The kinds of interfaces name their own, see [`Kind::features`](crate::link::Kind::features).

use std::fmt;

/// A kernel feature that some labs need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Feature(&'static str);

impl Feature {
    /// User namespaces.
    pub const USER_NAMESPACES: Self = Self("CONFIG_USER_NS");
    /// veth(4) pairs.
    pub const VETH: Self = Self("CONFIG_VETH");
    /// Tables of nftables for both families, and the rules that keep labs apart from the host.
    pub const GUARD: Self = Self("CONFIG_NF_TABLES_INET");
    /// Translation by nftables, all that our rules use.
    pub const NAT: Self = Self("CONFIG_NFT_NAT");
    /// Filters by nftables that know connections, all that our firewalls use.
    pub const FIREWALL: Self = Self("CONFIG_NFT_REJECT_INET");
    /// netem, which impairs what is sent.
    pub const NETEM: Self = Self("CONFIG_NET_SCH_NETEM");
    /// IPv6.
    pub const IPV6: Self = Self("CONFIG_IPV6");

    /// Several next hops of one route of IPv4.
    pub const MULTIPATH: Self = Self("CONFIG_IP_ROUTE_MULTIPATH");

    /// Routes that put MPLS labels before packets.
    pub const MPLS_IPTUNNEL: Self = Self("CONFIG_MPLS_IPTUNNEL");
    /// MPLS.
    pub const MPLS: Self = Self("CONFIG_MPLS_ROUTING");
    /// Routes that have to do with segments of IPv6.
    pub const SEG6: Self = Self("CONFIG_IPV6_SEG6_LWTUNNEL");

    /// Routing tables and rules of IPv4.
    pub const TABLES: Self = Self("CONFIG_IP_MULTIPLE_TABLES");
    /// The same of IPv6.
    pub const TABLES_IPV6: Self = Self("CONFIG_IPV6_MULTIPLE_TABLES");

    /// That of a configuration option.
    pub const fn of(config: &'static str) -> Self {
        Self(config)
    }

    /// The kernel's configuration option.
    pub const fn config(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
