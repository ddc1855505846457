//! What a kernel can do, found out by trying it in a throw-away namespace, and what is installed.

use std::fmt;

use crate::host::{TestHost, repository};

/// Something that a kernel may be built without, or a machine may not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// VLAN-aware bridges.
    BridgeVlan,
    /// 802.1Q interfaces.
    Vlan,
    /// Dummy interfaces.
    Dummy,
    /// VXLAN.
    Vxlan,
    /// GENEVE.
    Geneve,
    /// GRE over IPv4.
    Gre,
    /// IPv4 in IPv4.
    Ipip,
    /// IPv6 in IPv4.
    Sit,
    /// GRE over IPv6.
    Ip6Gre,
    /// IP in IPv6.
    Ip6Tunnel,
    /// macvlan.
    Macvlan,
    /// Virtual routing and forwarding.
    Vrf,
    /// Several next hops of one route of IPv4.
    Multipath,
    /// NAT by nftables.
    Nat,
    /// Bridged packets in the hooks of IP.
    BridgeNetfilter,
    /// Bounds on memory and processes by cgroup v2.
    Cgroup,
    /// fanotify(7).
    Fanotify,
    /// A kernel that runs for the tests alone: its limits may be changed.
    OwnKernel,
    /// gRPC for Python, which is the same on every kernel: not looked for under User-mode Linux.
    Python,
}

impl Feature {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::BridgeVlan,
        Self::Vlan,
        Self::Dummy,
        Self::Vxlan,
        Self::Geneve,
        Self::Gre,
        Self::Ipip,
        Self::Sit,
        Self::Ip6Gre,
        Self::Ip6Tunnel,
        Self::Macvlan,
        Self::Vrf,
        Self::Multipath,
        Self::Nat,
        Self::BridgeNetfilter,
        Self::Cgroup,
        Self::Fanotify,
        Self::OwnKernel,
        Self::Python,
    ];

    /// The kernel's configuration option, or what installs it.
    pub fn option(self) -> &'static str {
        match self {
            Self::BridgeVlan => "CONFIG_BRIDGE_VLAN_FILTERING",
            Self::Vlan => "CONFIG_VLAN_8021Q",
            Self::Dummy => "CONFIG_DUMMY",
            Self::Vxlan => "CONFIG_VXLAN",
            Self::Geneve => "CONFIG_GENEVE",
            Self::Gre => "CONFIG_NET_IPGRE",
            Self::Ipip => "CONFIG_NET_IPIP",
            Self::Sit => "CONFIG_IPV6_SIT",
            Self::Ip6Gre => "CONFIG_IPV6_GRE",
            Self::Ip6Tunnel => "CONFIG_IPV6_TUNNEL",
            Self::Macvlan => "CONFIG_MACVLAN",
            Self::Vrf => "CONFIG_NET_VRF",
            Self::Multipath => "CONFIG_IP_ROUTE_MULTIPATH",
            Self::Nat => "CONFIG_NFT_NAT",
            Self::BridgeNetfilter => "CONFIG_BRIDGE_NETFILTER",
            Self::Cgroup => "CONFIG_MEMCG",
            Self::Fanotify => "CONFIG_FANOTIFY",
            Self::OwnKernel => "CONFIG_UML",
            Self::Python => "tests/python/environment",
        }
    }

    /// The feature of a configuration option.
    pub fn from_option(option: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|feature| feature.option() == option)
    }

    /// Whether the running kernel has it. Leaves interfaces behind: only in a private host.
    pub fn works(self, host: &TestHost) -> bool {
        let python = repository().join("tests/python/environment --cached").display().to_string();
        let attempt = match self {
            Self::BridgeVlan => {
                "ip link add f0 type bridge vlan_filtering 1 && bridge vlan add vid 100 dev f0 self"
            }
            Self::Vlan => {
                "ip link add f1 type veth peer name f7 && ip link add link f1 name f8 type vlan id 100"
            }
            Self::Dummy => "ip link add f2 type dummy",
            Self::Vxlan => "ip link add f3 type vxlan id 100 dstport 4789",
            Self::Gre => "ip link add f11 type gre remote 192.0.2.9",
            Self::Ipip => "ip link add f12 type ipip remote 192.0.2.9",
            Self::Sit => "ip link add f13 type sit remote 192.0.2.9",
            Self::Ip6Gre => "ip link add f14 type ip6gre remote 2001:db8::9",
            Self::Ip6Tunnel => "ip link add f15 type ip6tnl remote 2001:db8::9",
            Self::Geneve => "ip link add f10 type geneve id 100 remote 192.0.2.9",
            Self::Macvlan => {
                "ip link add f4 type veth peer name f5 && ip link add link f4 name f6 type macvlan mode bridge"
            }
            // Not here: its rule stays when it goes (`vrf_add_fib_rules`).
            Self::Vrf => "unshare --net ip link add f9 type vrf table 99",
            Self::Multipath => {
                "unshare --net sh -c 'ip link add f1a type veth peer name f1b && ip link set f1a up && ip link set f1b up &&
                    ip route add 203.0.113.0/24 nexthop dev f1a nexthop dev f1b'"
            }
            Self::Cgroup => {
                "grep -qw memory /sys/fs/cgroup/cgroup.controllers && grep -qw pids /sys/fs/cgroup/cgroup.controllers"
            }
            Self::Fanotify => "test -e /proc/sys/fs/fanotify",
            Self::Nat => {
                "nft 'table inet f { chain c { type nat hook postrouting priority 100; oifname \"f\" masquerade; }; }'"
            }
            Self::BridgeNetfilter => "grep -q 1 /proc/sys/net/bridge/bridge-nf-call-ip*tables",
            Self::OwnKernel => "grep -q 'User Mode Linux' /proc/cpuinfo",
            Self::Python => &python,
        };
        host.run("sh", &["-c", attempt]).code == 0
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.option())
    }
}
