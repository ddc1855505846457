//! Static routes.

use std::{fmt, net::IpAddr};

use ipnet::IpNet;

use super::{Encap, IfName};

/// A static route.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// What becomes of packets.
    pub kind: RouteType,
    /// Destination; `0.0.0.0/0` and `::/0` are the default routes.
    pub to: IpNet,
    /// Where packets are sent: one or, spread by flows, several (equal-cost multipath); none where the kind sends
    /// nothing.
    pub hops: Vec<NextHop>,
    /// Source address of what the node sends by itself (`RTA_PREFSRC`).
    pub src: Option<IpAddr>,
    /// Largest packet in bytes (`RTAX_MTU`).
    pub mtu: Option<u32>,
    /// Metric; lower wins. The converter fills in the kernel's default: 0 for IPv4, 1,024 for IPv6.
    pub metric: u32,
    /// The routing table, [`Route::MAIN`] by default.
    pub table: u32,
}

/// Where a route sends packets. Always tied to one interface.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NextHop {
    /// The next hop's address, of either family (RFC 8950); `None`: the destination is on the link itself.
    pub via: Option<IpAddr>,
    /// The interface to send through. The converter fills it in from `via` where the author left it out.
    pub dev: IfName,
    /// Whether `via` is taken to be on the link though no subnet there holds it (`RTNH_F_ONLINK`).
    pub onlink: bool,
    /// Its share of the flows, 1 to 256; 1 where it is the only one.
    pub weight: u16,
    /// What is put around packets.
    pub encap: Option<Encap>,
}

/// What a route does with packets, by ip-route(8)'s words (`rtm_type` of rtnetlink(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum RouteType {
    /// Sends them on.
    #[default]
    Unicast,
    /// Drops them.
    Blackhole,
    /// Drops them and says that the destination is unreachable (ICMP).
    Unreachable,
    /// Drops them and says that it is forbidden to send there (ICMP).
    Prohibit,
    /// Ends the search in this table: the next rule is looked at.
    Throw,
}

impl RouteType {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Unicast, Self::Blackhole, Self::Unreachable, Self::Prohibit, Self::Throw];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unicast => "unicast",
            Self::Blackhole => "blackhole",
            Self::Unreachable => "unreachable",
            Self::Prohibit => "prohibit",
            Self::Throw => "throw",
        }
    }
}

impl std::str::FromStr for RouteType {
    type Err = ();

    /// Reads the word; an empty one is [`RouteType::Unicast`].
    fn from_str(text: &str) -> Result<Self, ()> {
        let known = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        known.or_else(|| text.is_empty().then_some(Self::Unicast)).ok_or(())
    }
}

impl NextHop {
    /// Through an interface alone or with a gateway.
    pub fn new(via: Option<IpAddr>, dev: IfName) -> Self {
        Self { via, dev, onlink: false, weight: 1, encap: None }
    }

    /// In the words of ip-route(8), with a space before each; `dev` writes the interface's name.
    fn words(&self, to: IpNet, dev: &dyn Fn(&IfName) -> String) -> String {
        let via = match self.via {
            Some(IpAddr::V6(via)) if to.addr().is_ipv4() => format!(" via inet6 {via}"),
            Some(via) => format!(" via {via}"),
            None => String::new(),
        };
        let encap = self.encap.as_ref().map(|encap| format!(" {encap}")).unwrap_or_default();
        let weight = if self.weight == 1 { String::new() } else { format!(" weight {}", self.weight) };
        let onlink = if self.onlink { " onlink" } else { "" };
        format!("{encap}{via} dev {}{weight}{onlink}", dev(&self.dev))
    }
}

impl Route {
    /// The main table (`RT_TABLE_MAIN`).
    pub const MAIN: u32 = 254;

    /// The metric of the route that ends the search in a VRF's table: behind all others
    /// (Documentation/networking/vrf.rst of the kernel).
    const LAST: u32 = 4_278_198_272;

    /// The routes by which what a VRF has no route to is unreachable, and not looked for in the tables of the rules behind.
    pub fn ends_of_vrf(table: u32) -> [Self; 2] {
        let all = [IpNet::V4(ipnet::Ipv4Net::default()), IpNet::V6(ipnet::Ipv6Net::default())];
        all.map(|to| Self { kind: RouteType::Unreachable, metric: Self::LAST, table, ..Self::to(to) })
    }

    /// `rtm_protocol` of every route that netlabd adds.
    pub const PROTOCOL: u8 = 78;

    /// A route of the main table without a next hop yet, all else as the kernel has it where nobody says anything.
    pub fn to(to: IpNet) -> Self {
        let metric = if to.addr().is_ipv6() { 1024 } else { 0 };
        let kind = RouteType::Unicast;
        Self { kind, to, hops: Vec::new(), src: None, mtu: None, metric, table: Self::MAIN }
    }

    /// Whether the kernel lets one take the place of the other.
    pub fn replaces(&self, other: &Self) -> bool {
        (self.table, self.to, self.metric) == (other.table, other.to, other.metric)
    }

    /// Whether it leads through an interface of that name.
    pub fn leads_through(&self, name: &str) -> bool {
        self.hops.iter().any(|hop| hop.dev.as_str() == name)
    }

    /// The same by those next hops whose interface can be used; `None` where none is left of some.
    pub fn through(&self, usable: impl Fn(&IfName) -> bool) -> Option<Self> {
        let mut route = self.clone();
        route.hops.retain(|hop| usable(&hop.dev));
        if let [only] = route.hops.as_mut_slice() {
            only.weight = 1;
        }
        (!route.hops.is_empty() || self.hops.is_empty()).then_some(route)
    }

    /// The same in the words of ip-route(8), `more` of them among these; `default` stands for the default route's
    /// destination, and `dev` writes an interface's name.
    pub fn words(&self, default: &str, more: &str, dev: &dyn Fn(&IfName) -> String) -> String {
        let kind = match self.kind {
            RouteType::Unicast => String::new(),
            kind => format!("{} ", kind.as_str()),
        };
        let to = if self.to.prefix_len() == 0 { default.to_owned() } else { self.to.to_string() };
        let hops = match self.hops.as_slice() {
            [one] => one.words(self.to, dev),
            several => several.iter().map(|hop| [" nexthop", &hop.words(self.to, dev)].concat()).collect(),
        };
        let src = self.src.map(|src| format!(" src {src}")).unwrap_or_default();
        let mtu = self.mtu.map(|mtu| format!(" mtu {mtu}")).unwrap_or_default();
        let metric = match (self.to, self.metric) {
            (IpNet::V4(_), 0) | (IpNet::V6(_), 1024) => String::new(),
            (_, metric) => format!(" metric {metric}"),
        };
        let table = if self.table == Self::MAIN { String::new() } else { format!(" table {}", self.table) };
        // Behind the first of several next hops ip-route(8) takes nothing but their own words.
        let (one, several) = if self.hops.len() > 1 { ("", hops.as_str()) } else { (hops.as_str(), "") };
        format!("{kind}{to}{one}{src}{mtu}{metric}{table}{more}{several}")
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let default = if self.to.addr().is_ipv4() { "default" } else { "default (IPv6)" };
        f.write_str(&self.words(default, "", &IfName::to_string))
    }
}
