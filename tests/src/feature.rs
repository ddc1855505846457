//! What a kernel can do, found out by trying it in a throw-away namespace, and what is installed.
//!
//! Kinds of interfaces have no row here: netlabd's own table ([`Kind::examples`]) says what they need and how they are
//! made.

use std::fmt;

use netlabd::{
    feature as daemon,
    link::Kind,
    model::{Endpoint, LabName, Place},
    plan::{Op, command, item::Link},
};

use crate::host::{TestHost, repository};

/// Something that a kernel may be built without, or a machine may not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// A kind of interface, by its key in lab files.
    Kind(&'static str),
    /// VLAN-aware bridges.
    BridgeVlan,
    /// Several next hops of one route of IPv4.
    Multipath,
    /// MPLS.
    Mpls,
    /// Routes that put MPLS labels before packets.
    MplsIptunnel,
    /// Routes that have to do with segments of IPv6.
    Seg6,
    /// Delay, loss and rates (netem).
    Netem,
    /// Routing tables and rules of IPv4.
    Tables,
    /// NAT by nftables.
    Nat,
    /// Filters by nftables that know connections.
    Firewall,
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
    pub fn all() -> Vec<Self> {
        let rest = [
            Self::BridgeVlan,
            Self::Multipath,
            Self::Mpls,
            Self::MplsIptunnel,
            Self::Seg6,
            Self::Netem,
            Self::Tables,
            Self::Nat,
            Self::Firewall,
            Self::BridgeNetfilter,
            Self::Cgroup,
            Self::Fanotify,
            Self::OwnKernel,
            Self::Python,
        ];
        Kind::KEYS.iter().copied().map(Self::Kind).chain(rest).collect()
    }

    /// What it is for people: a kind by its key.
    pub fn about(self) -> &'static str {
        match self {
            Self::Kind(key) => key,
            Self::BridgeVlan => "VLAN-aware bridges",
            Self::Multipath => "several next hops of one route",
            Self::Mpls => "MPLS",
            Self::MplsIptunnel => "routes with MPLS labels",
            Self::Seg6 => "SRv6",
            Self::Netem => "impairments",
            Self::Tables => "tables and rules",
            Self::Nat => "NAT",
            Self::Firewall => "firewalls",
            Self::BridgeNetfilter => "bridged packets in IP's hooks",
            Self::Cgroup => "bounds on memory",
            Self::Fanotify => "fanotify(7)",
            Self::OwnKernel => "a kernel of the test's own",
            Self::Python => "gRPC for Python",
        }
    }

    /// The kernel's configuration option, or what installs it.
    pub fn option(self) -> &'static str {
        match self {
            Self::Kind(_) | Self::BridgeVlan => self.example().needs().0.config(),
            Self::Multipath => daemon::Feature::MULTIPATH.config(),
            Self::Mpls => daemon::Feature::MPLS.config(),
            Self::MplsIptunnel => daemon::Feature::MPLS_IPTUNNEL.config(),
            Self::Seg6 => daemon::Feature::SEG6.config(),
            Self::Netem => daemon::Feature::NETEM.config(),
            Self::Tables => daemon::Feature::TABLES.config(),
            Self::Nat => daemon::Feature::NAT.config(),
            Self::Firewall => daemon::Feature::FIREWALL.config(),
            Self::BridgeNetfilter => "CONFIG_BRIDGE_NETFILTER",
            Self::Cgroup => "CONFIG_MEMCG",
            Self::Fanotify => "CONFIG_FANOTIFY",
            Self::OwnKernel => "CONFIG_UML",
            Self::Python => "tests/python/environment",
        }
    }

    /// The feature that [`Debug`](fmt::Debug) shows so.
    pub fn shown_as(text: &str) -> Option<Self> {
        Self::all().into_iter().find(|feature| format!("{feature:?}") == text)
    }

    /// Whether the running kernel has it. Leaves nothing behind.
    pub fn works(self, host: &TestHost) -> bool {
        let python = || repository().join("tests/python/environment --cached").display().to_string();
        let attempt = match self {
            Self::Kind(_) | Self::BridgeVlan => apart(&made(&self.example())),
            Self::Multipath => apart(
                "ip link add f1a type veth peer name f1b && ip link set f1a up && ip link set f1b up &&
                    ip route add 203.0.113.0/24 nexthop dev f1a nexthop dev f1b",
            ),
            Self::Mpls => apart(
                "ip link set lo up && sysctl -qw net.mpls.platform_labels=101 && ip -f mpls route add 100 dev lo",
            ),
            Self::MplsIptunnel => apart(&routed("encap mpls 100")),
            Self::Seg6 => apart(&routed("encap seg6 mode encap segs 2001:db8::1")),
            Self::Netem => {
                apart("ip link add name va type veth peer name vb && tc qdisc add dev va root netem")
            }
            Self::Tables => apart("ip rule add table 100"),
            Self::Nat => apart(
                "nft 'table inet f { chain c { type nat hook postrouting priority 100; oifname \"f\" masquerade; }; }'",
            ),
            Self::Firewall => apart(
                "nft 'table inet f { chain i { type filter hook input priority 0; ct state invalid reject; }; }'",
            ),
            Self::BridgeNetfilter => "grep -q 1 /proc/sys/net/bridge/bridge-nf-call-ip*tables".to_owned(),
            Self::Cgroup => ["memory", "pids"]
                .map(|controller| format!("grep -qw {controller} /sys/fs/cgroup/cgroup.controllers"))
                .join(" && "),
            Self::Fanotify => "test -e /proc/sys/fs/fanotify".to_owned(),
            Self::OwnKernel => "grep -q 'User Mode Linux' /proc/cpuinfo".to_owned(),
            Self::Python => python(),
        };
        host.run("sh", &["-c", &attempt]).code == 0
    }

    /// What netlabd itself would try: the plainest example of a kind, or of the setting.
    fn example(self) -> Kind {
        let key = if let Self::Kind(key) = self { key } else { "bridge" };
        let field = if self == Self::BridgeVlan { "vlan_filtering" } else { "" };
        let lower = "lower".parse().expect("a name of an interface");
        let mut all = Kind::examples(&lower).into_iter();
        all.find(|kind| kind.key() == key && kind.needs().1 == field).expect("an example of each kind")
    }
}

/// The line that makes an interface, and before it what it stands on.
fn made(kind: &Kind) -> String {
    let at = Endpoint { place: Place::Host, interface: "made".parse().expect("a name of an interface") };
    let lab: LabName = "probe".parse().expect("a name of a lab");
    let add = Op::add(Link { at, kind: kind.clone(), mac: None, mtu: None, gso_max_segs: None });
    format!("ip link add lower type veth peer name upper && {}", command(&lab, &add))
}

/// The lines that add a route of IPv4 with what is put around packets.
fn routed(encap: &str) -> String {
    format!(
        "ip link add fea type veth peer name feb && ip link set fea up && ip route add 203.0.113.0/24 {encap} dev fea"
    )
}

/// A command in a network namespace of its own: what it makes goes with it.
fn apart(command: &str) -> String {
    format!("unshare --net sh -ec {}", quoted(command))
}

/// One word for a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.option())
    }
}
