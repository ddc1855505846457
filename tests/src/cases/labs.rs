//! The example labs, end to end: made, proven, and deleted without a trace.

use std::time::Duration;

use super::Test;
use crate::{
    capture::Capture,
    command::wait_until,
    feature::Feature,
    foreign,
    host::{TestHost, example},
    internet::Internet,
    inventory::Inventory,
};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("labs::vxlan", vxlan).needs(&[Feature::Kind("vxlan")]),
    Test::new("labs::geneve", geneve).needs(&[Feature::Kind("geneve")]),
    Test::new("labs::tunnels", tunnels).needs(TUNNELS),
    Test::new("labs::interfaces", interfaces),
    Test::new("labs::wireguard", wireguard).needs(&[Feature::Kind("wireguard"), Feature::Nat]),
    Test::new("labs::vlan", vlan).needs(&[Feature::BridgeVlan]),
    Test::new("labs::vlan_segments", vlan_segments).needs(&[Feature::BridgeVlan]),
    Test::new("labs::trunk", trunk).needs(&[Feature::Kind("vlan"), Feature::Kind("dummy")]),
    Test::new("labs::failover", failover),
    Test::new("labs::leaf_spine", leaf_spine).needs(&[Feature::Multipath]),
    Test::new("labs::impairments", impairments).needs(&[Feature::Netem]),
    Test::new("labs::internet", internet).needs(&[Feature::Nat]),
    Test::new("labs::internet_router", internet_router).needs(&[Feature::Nat]),
    Test::new("labs::macvlan", macvlan).needs(&[Feature::Kind("macvlan")]),
    Test::new("labs::ipvlan", ipvlan).needs(&[Feature::Kind("ipvlan"), Feature::Kind("macvlan")]),
    Test::new("labs::internet_bridge", internet_bridge).needs(&[Feature::Nat]),
    Test::new("labs::all_together", all_together).needs(&[
        Feature::Kind("vxlan"),
        Feature::Kind("geneve"),
        Feature::Kind("gre"),
        Feature::Kind("ipip"),
        Feature::Kind("sit"),
        Feature::Kind("ip6gre"),
        Feature::Kind("ip6tnl"),
        Feature::Nat,
        Feature::Kind("macvlan"),
        Feature::Kind("ipvlan"),
        Feature::Kind("bond"),
        Feature::BridgeVlan,
        Feature::Multipath,
        Feature::Mpls,
        Feature::MplsIptunnel,
        Feature::Seg6,
    ]),
    Test::new("labs::side_by_side", side_by_side).needs(&[
        Feature::Kind("vxlan"),
        Feature::Nat,
        Feature::Kind("macvlan"),
    ]),
];

/// What the lab of all tunnels in IP needs.
pub(super) const TUNNELS: &[Feature] = &[
    Feature::Kind("gre"),
    Feature::Kind("ipip"),
    Feature::Kind("sit"),
    Feature::Kind("ip6gre"),
    Feature::Kind("ip6tnl"),
];

/// Creates an example lab on a host full of strangers' things and runs its checks; gives what was there
/// before.
fn up(host: &TestHost, name: &str) -> Inventory {
    let before = host.inventory();
    host.ctl(&["create-lab", &format!("labs/{name}.yaml")]).ok();
    assert_eq!(host.lab(name)["status"]["phase"], "PHASE_READY", "after create-lab has waited");
    let checks = host.ctl(&["check-lab", name, "-o", "json"]).ok();
    assert_eq!(
        checks.matches("\"passed\"").count(),
        example(name).matches("  - { from:").count(),
        "{checks}"
    );
    before
}

/// Deletes it and compares.
fn down(host: &TestHost, name: &str, before: &Inventory) {
    host.ctl(&["delete-lab", name]).ok();
    before.assert_unchanged();
    let _ = host.ctl(&["get-lab", name]).code(4);
    foreign::assert_intact(host);
}

fn crowded() -> TestHost {
    let mut host = TestHost::here();
    foreign::create(&host);
    host.start();
    host
}

fn crowded_with_internet() -> (TestHost, Internet) {
    let host = TestHost::here();
    let internet = Internet::connect(&host);
    (crowded(), internet)
}

/// Fails the test unless a node reaches the internet, and the internet sees the host's address only.
fn reaches_the_internet(host: &TestHost, internet: &Internet, lab: &str, nodes: &[&str]) {
    for node in nodes {
        let _ = host.ctl(&["ping", lab, node, Internet::SERVER]).code(0);
        assert!(host.pings(&format!("{lab}.{node}"), Internet::SERVER), "{node} does not reach the internet");
    }
    assert_eq!(internet.pinged_by(host), [Internet::HOST], "the internet sees translated addresses only");
}

fn failover() {
    let host = crowded();
    let before = up(&host, "failover");
    let _ = host.exec("failover.r1", "ip route get 192.0.2.2").says("dev a");
    down(&host, "failover", &before);
}

/// A lab that is written short, and then with one rack more.
fn leaf_spine() {
    let host = crowded();
    let before = host.inventory();
    let file = "labs/leaf-spine.yaml";
    host.ctl(&["create-lab", file]).ok();
    host.ctl(&["check-lab", "leaf-spine"]).ok();
    let ways = host.exec("leaf-spine.leaf1", "ip route show 10.100.5.0/24").ok();
    assert_eq!(ways.matches("nexthop").count(), 3, "one by each spine: {ways}");
    host.ctl(&["apply-lab", "--dry-run", file]).ok();
    host.ctl(&["apply-lab", "--set", "leaves=7", file]).ok();
    let _ = host.exec("leaf-spine.h7-1", "ip route").says("default via 10.100.6.1");
    assert!(host.pings("leaf-spine.h7-1", "10.100.0.2"), "the new rack reaches the first");
    down(&host, "leaf-spine", &before);
}

fn impairments() {
    let host = crowded();
    let before = up(&host, "impairments");
    let _ = host
        .exec("impairments.router", "tc qdisc show dev eth1")
        .says("netem 4e4c: root")
        .says("limit 124 delay 20ms  2ms loss 0.5% rate 10Mbit");
    let _ = host.exec("impairments.server", "tc qdisc show dev eth0").says("rate 2Mbit");
    down(&host, "impairments", &before);
}

fn vxlan() {
    let host = crowded();
    let before = up(&host, "vxlan");
    let _ = host.ctl(&["ping", "vxlan", "ns1", "198.51.100.2"]).code(0);
    let _ = host
        .exec("vxlan.ns1", "ip -d addr show vxlan0")
        .says("vxlan id 100 remote 203.0.113.1 dev eth0 ")
        .says(" dstport 4789 ")
        .says(" mtu 1450 ")
        .says("inet 198.51.100.1/24 ");
    let _ = host
        .exec("vxlan.ns2", "ip -d addr show vxlan0")
        .says("vxlan id 100 remote 192.0.2.1 dev eth0 ")
        .says("inet 198.51.100.2/24 ");
    let outer = Capture::start(&host, "vxlan.ns2", "eth0", "udp port 4789");
    let inner = Capture::start(&host, "vxlan.ns2", "vxlan0", "icmp");
    assert!(host.pings("vxlan.ns1", "198.51.100.2"));
    outer.sees(&["192.0.2.1.", "203.0.113.1.4789: VXLAN", "vni 100"]);
    inner.sees(&["198.51.100.1 > 198.51.100.2: ICMP echo request"]);
    // 1,450 bytes less 28 of IPv4 and ICMP is the largest echo that fits in one piece.
    let _ = host.exec("vxlan.ns1", "ping -c 1 -W 5 -M do -s 1422 198.51.100.2").code(0);
    let _ = host.exec("vxlan.ns1", "ping -c 1 -W 5 -M do -s 1423 198.51.100.2").code(1);
    down(&host, "vxlan", &before);
}

fn geneve() {
    let host = crowded();
    let before = up(&host, "geneve");
    let _ = host
        .exec("geneve.ns1", "ip -d addr show gnv0")
        .says("geneve id 100 remote 203.0.113.1 ")
        .says(" dstport 6081 ")
        .says(" mtu 1450 ")
        .says("inet 198.51.100.1/24 ");
    let outer = Capture::start(&host, "geneve.ns2", "eth0", "udp port 6081");
    assert!(host.pings("geneve.ns1", "198.51.100.2"));
    outer.sees(&["192.0.2.1.", "203.0.113.1.6081: Geneve", "vni 0x64"]);
    // 1,450 bytes less 28 of IPv4 and ICMP is the largest echo that fits in one piece.
    let _ = host.exec("geneve.ns1", "ping -c 1 -W 5 -M do -s 1422 198.51.100.2").code(0);
    let _ = host.exec("geneve.ns1", "ping -c 1 -W 5 -M do -s 1423 198.51.100.2").code(1);
    // Set up otherwise than the file can say, it is made anew.
    host.exec("geneve.ns1", "ip link set gnv0 type geneve id 100 remote 203.0.113.99").ok();
    wait_until("the tunnel leads where it is to", Duration::from_secs(30), || {
        host.pings("geneve.ns1", "198.51.100.2")
    });
    host.exec("geneve.ns2", "ip link delete gnv0").ok();
    wait_until("a tunnel that somebody deleted is back", Duration::from_secs(30), || {
        host.pings("geneve.ns1", "198.51.100.2")
    });
    down(&host, "geneve", &before);
}

fn tunnels() {
    let host = crowded();
    let before = up(&host, "tunnels");
    let links = host.exec("tunnels.a", "ip -d link show").ok();
    for (name, words) in [
        ("gre1", "mtu 1472 | gre remote 203.0.113.1 local 192.0.2.1 ttl 64 ikey 0.0.0.7 okey 0.0.0.7"),
        ("tap1", "mtu 1462 | gretap remote 203.0.113.1 local any ttl 64"),
        ("ipip1", "mtu 1480 | ipip ipip remote 203.0.113.1 local 192.0.2.1 ttl 64"),
        ("sit1", "mtu 1480 | sit ip6ip remote 203.0.113.1 local 192.0.2.1 ttl 64"),
        ("gre6", "mtu 1456 | ip6gre remote 2001:db8:2::1 local 2001:db8:1::1 hoplimit 64 encaplimit none"),
        (
            "tnl6",
            "mtu 1460 | ip6tnl any remote 2001:db8:2::1 local 2001:db8:1::1 hoplimit 64 encaplimit none",
        ),
    ] {
        let shown =
            links.split(&format!(" {name}@NONE: ")).nth(1).unwrap_or_else(|| panic!("{name}: {links}"));
        let shown = shown.split('\n').take(3).collect::<Vec<_>>().join(" ");
        assert!(words.split(" | ").all(|words| shown.contains(words)), "{name} is to have {words}: {shown}");
    }
    let (ipv4, ipv6) = ("192.0.2.1 > 203.0.113.1: ", "2001:db8:1::1 > 2001:db8:2::1: ");
    for (filter, target, outer, inner) in [
        ("proto gre", "198.51.100.2", ipv4, "GREv0, key=0x7"),
        ("proto gre", "198.51.100.6", ipv4, "proto TEB"),
        ("proto 4", "198.51.100.10", ipv4, "198.51.100.9 > 198.51.100.10: ICMP echo request"),
        ("proto 41", "2001:db8:b::2", ipv4, "2001:db8:b::1 > 2001:db8:b::2: ICMP6, echo request"),
        ("ip6 proto 47", "198.51.100.14", ipv6, "GREv0"),
        ("ip6 proto 4", "198.51.100.18", ipv6, "198.51.100.17 > 198.51.100.18: ICMP echo request"),
    ] {
        let capture = Capture::start(&host, "tunnels.core", "east", filter);
        assert!(host.pings("tunnels.a", target), "{target}");
        capture.sees(&[outer, inner]);
    }
    // What fits in one piece through each: IPv4 and ICMP take 28 bytes.
    for (target, mtu) in [("198.51.100.2", 1472), ("198.51.100.6", 1462), ("198.51.100.14", 1456)] {
        let ping = |size: u32| format!("ping -c 1 -W 5 -M do -s {size} {target}");
        let _ = host.exec("tunnels.a", &ping(mtu - 28)).code(0);
        let _ = host.exec("tunnels.a", &ping(mtu - 27)).code(1);
    }
    // Each changed by hand into something that the file cannot say, and deleted.
    for change in [
        "gre1 type gre remote 203.0.113.1 local 192.0.2.1 key 8 ttl 9",
        "ipip1 type ipip remote 203.0.113.9 local 192.0.2.1",
        "tnl6 type ip6tnl remote 2001:db8:2::9 mode ip6ip6",
    ] {
        host.exec("tunnels.a", &format!("ip link set {change}")).ok();
    }
    for name in ["tap1", "sit1", "gre6"] {
        host.exec("tunnels.a", &format!("ip link delete {name}")).ok();
    }
    for target in
        ["198.51.100.2", "198.51.100.6", "198.51.100.10", "2001:db8:b::2", "198.51.100.14", "198.51.100.18"]
    {
        wait_until("each is as it was", Duration::from_secs(30), || host.pings("tunnels.a", target));
    }
    let same = host.ctl(&["get-lab", "tunnels", "-o", "json"]).ok();
    assert!(!same.contains("tunl0") && !same.contains("gre0"), "fallback devices are no extras: {same}");
    down(&host, "tunnels", &before);
}

/// A router's advertisement of a prefix (RFC 4861 sections 4.2 and 4.6.2), as its `$1` sends it.
const ADVERTISE: &str = r#"
import socket, struct, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
prefix = struct.pack(">BBBBIII", 3, 4, 64, 0xc0, 86400, 14400, 0) + socket.inet_pton(socket.AF_INET6, "2001:db8:5::")
message = struct.pack(">BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + prefix
s.sendto(message, ("ff02::1", 0, 0, socket.if_nametoindex(sys.argv[1])))
"#;

/// Proxy ARP, what is learned of advertisements, and settings that come back and go.
fn interfaces() {
    let host = crowded();
    let before = up(&host, "interfaces");
    let advertise = host.file("advertise.py", ADVERTISE);
    let hears = |sender: &str, end: &str, node: &str, dev: &str| {
        let look = format!("ip -6 addr show dev {dev}; ip -6 route show dev {dev}");
        wait_until("an address and a route are learned", Duration::from_secs(30), || {
            // Not before its own link-local address is known to be nobody else's.
            let sent = host.exec(&format!("interfaces.{sender}"), &format!("python3 {advertise} {end}"));
            let seen = host.exec(&format!("interfaces.{node}"), &format!("sh -c '{look}'")).ok();
            sent.code == 0
                && seen.contains("inet6 2001:db8:5:")
                && seen.contains("default via fe80::")
                && seen.contains("proto ra")
        });
    };
    hears("router", "eth1", "right", "eth0");
    // One that forwards hears them too.
    hears("right", "eth0", "router", "eth1");
    let _ = host.exec("interfaces.left", "ip link show eth0").says("qlen 100\n");
    let status = host.lab("interfaces");
    assert_eq!(status["status"]["phase"], "PHASE_READY", "{status:#}");
    assert!(!status.to_string().contains("route default"), "what is learned is no extra: {status:#}");
    for (node, damage, look, wanted) in [
        ("left", "ip link set eth0 txqueuelen 7", "ip link show eth0", "qlen 100\n"),
        ("router", "sysctl -w net.ipv4.conf.eth0.proxy_arp=0", "sysctl -n net.ipv4.conf.eth0.proxy_arp", "1"),
        ("router", "sysctl -w net.ipv6.conf.eth1.accept_ra=0", "sysctl -n net.ipv6.conf.eth1.accept_ra", "2"),
    ] {
        host.exec(&format!("interfaces.{node}"), damage).ok();
        wait_until(damage, Duration::from_secs(30), || {
            host.exec(&format!("interfaces.{node}"), look).ok().contains(wanted)
        });
    }
    // What the file says no more is as in a new node.
    let plain = example("interfaces").replace(", txqueuelen: 100", "").replace(", accept_ra: true", "");
    let plain = host.file("plain.yaml", plain.replace(", slaac]", "]"));
    host.ctl(&["apply-lab", &plain]).ok();
    let _ = host.exec("interfaces.left", "ip link show eth0").says("qlen 1000");
    let _ = host.exec("interfaces.router", "sysctl -n net.ipv6.conf.eth1.accept_ra").says("1");
    down(&host, "interfaces", &before);
}

/// Packets, roaming, repairs of what the kernel tells nobody of, keys that outlive the daemon, and none that is shown.
fn wireguard() {
    let mut host = crowded();
    let before = up(&host, "wireguard");
    let dump = |host: &TestHost, node: &str| host.exec(&format!("wireguard.{node}"), "wg show wg0 dump").ok();
    let _ = host.exec("wireguard.hub", "ip -d addr show wg0").says(" mtu 1420 ").says("inet 10.9.0.1/24 ");
    // The hub has heard the phone from behind the translation.
    let hub = dump(&host, "hub");
    assert!(hub.contains("\t198.51.100.1:") && hub.contains("\t203.0.113.1:51820\t"), "{hub}");
    let outer = Capture::start(&host, "wireguard.core", "east", "udp port 51820");
    assert!(host.pings("wireguard.phone", "10.2.0.1"));
    outer.sees(&["192.0.2.1.51820 > 203.0.113.1.51820: UDP"]);
    let _ = host.exec("wireguard.hub", "ping -c 1 -W 5 -M do -s 1392 10.9.0.2").code(0);
    // Keys, as the kernel has them, are the same after a repair of each and after a restart.
    let keys = |host: &TestHost| {
        ["hub", "site", "phone"]
            .map(|node| host.exec(&format!("wireguard.{node}"), "wg show wg0 private-key").ok())
    };
    let made = keys(&host);
    let public = host.exec("wireguard.site", "wg show wg0 public-key").ok();
    let public = public.trim();
    let damages = [
        format!(
            "wg genkey >/run/test/other; wg set wg0 private-key /run/test/other listen-port 7 fwmark 9 \
             peer {public} allowed-ips 10.9.0.77/32 persistent-keepalive 7"
        ),
        format!("wg set wg0 peer {public} remove"),
        "ip link delete wg0".to_owned(),
    ];
    let settings = |host: &TestHost| {
        let fields = "NF == 5 { print $1, $2, $3, $4 } NF == 8 { print $1, $2, $4, $8 }";
        host.sh(&format!("ip netns exec wireguard.hub wg show wg0 dump | awk '{fields}' | sort"))
    };
    let wanted = settings(&host);
    for damage in damages {
        let _ = host.exec("wireguard.hub", &format!("sh -c '{damage}'")).code(0);
        wait_until(&damage, Duration::from_secs(30), || settings(&host) == wanted);
    }
    wait_until("packets pass again", Duration::from_secs(30), || host.pings("wireguard.phone", "10.2.0.1"));
    host.kill();
    let _ = host.exec("wireguard.site", "ip link delete wg0").code(0);
    host.start();
    host.wait_ready("wireguard");
    assert_eq!(keys(&host), made, "keys after a restart");
    wait_until("packets pass again", Duration::from_secs(30), || host.pings("wireguard.hub", "10.2.0.1"));
    let told = [
        host.ctl(&["get-lab", "wireguard", "-o", "json"]).ok(),
        host.ctl(&["history", "wireguard", "-o", "json"]).stdout,
        host.ctl(&["show-commands", "labs/wireguard.yaml"]).ok(),
        host.log(),
    ];
    assert!(told[0].contains("hub:wg0: peer site:wg0 is missing"), "{}", told[0]);
    for key in made.iter().map(|key| key.trim()).chain(hub.lines().filter_map(|line| line.split('\t').nth(1)))
    {
        assert!(key == "(none)" || key.len() == 44, "{key}");
        let shown = told.iter().find(|text| key != public && key.len() == 44 && text.contains(key));
        assert_eq!(shown, None, "a key is shown");
    }
    down(&host, "wireguard", &before);
}

fn vlan() {
    let host = crowded();
    let before = up(&host, "vlan");
    let _ = host.exec("vlan.bridge", "ip -d link show br0").says("vlan_filtering 1 ");
    for port in ["p1", "p2"] {
        assert_eq!(vlans(&host, "vlan.bridge", port), "100 PVID Egress Untagged");
    }
    let capture = Capture::start(&host, "vlan.bridge", "br0", "vlan 100");
    assert!(host.pings("vlan.ns1", "192.0.2.2"));
    capture.sees(&["ethertype 802.1Q", "vlan 100", "192.0.2.1 > 192.0.2.2: ICMP echo request"]);
    down(&host, "vlan", &before);
}

fn vlan_segments() {
    let host = crowded();
    let before = up(&host, "vlan-segments");
    for (port, vlan) in [("p1", 100), ("p2", 100), ("p3", 200), ("p4", 200)] {
        assert_eq!(vlans(&host, "vlan-segments.bridge", port), format!("{vlan} PVID Egress Untagged"));
    }
    assert!(host.pings("vlan-segments.ns1", "192.0.2.2"));
    assert!(host.pings("vlan-segments.ns4", "192.0.2.3"));
    assert!(!host.pings("vlan-segments.ns1", "192.0.2.3"));
    let _ = host.ctl(&["ping", "vlan-segments", "ns1", "ns3"]).code(1);
    down(&host, "vlan-segments", &before);
}

fn trunk() {
    let host = crowded();
    let before = up(&host, "trunk");
    assert!(host.pings("trunk.h", "198.51.100.1"));
    host.exec("trunk.h", "ip link delete v20").ok();
    wait_until("a VLAN that somebody deleted is back", Duration::from_secs(30), || {
        host.pings("trunk.h", "203.0.113.1")
    });
    down(&host, "trunk", &before);
}

/// The VLANs of a bridge port as bridge(8) shows them, VLANs separated by commas.
fn vlans(host: &TestHost, namespace: &str, port: &str) -> String {
    let text = host.exec(namespace, &format!("bridge vlan show dev {port}")).ok();
    let lines = text.lines().skip(1).map(|line| line.trim_start_matches(port).trim());
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(",")
}

fn internet() {
    let (host, internet) = crowded_with_internet();
    let before = up(&host, "internet");
    assert_eq!(host.sh("sysctl -n net.ipv4.ip_forward"), "1\n");
    reaches_the_internet(&host, &internet, "internet", &["ns1"]);
    down(&host, "internet", &before);
    assert_eq!(host.sh("sysctl -n net.ipv4.ip_forward"), "0\n");
}

fn internet_router() {
    let (host, internet) = crowded_with_internet();
    // A host that forwards already goes on doing so.
    host.sh("sysctl -qw net.ipv4.ip_forward=1");
    let before = up(&host, "internet-router");
    reaches_the_internet(&host, &internet, "internet-router", &["ns1", "router"]);
    let capture = Capture::start(&host, "internet-router.router", "eth1", "icmp");
    assert!(host.pings("internet-router.ns1", Internet::SERVER));
    capture.sees(&["198.51.100.1 > 198.19.8.8: ICMP echo request"]);
    down(&host, "internet-router", &before);
    assert_eq!(host.sh("sysctl -n net.ipv4.ip_forward"), "1\n");
}

fn macvlan() {
    let host = crowded();
    let before = up(&host, "macvlan");
    let _ = host.ctl(&["ping", "macvlan", "net1", "192.168.1.60"]).code(0);
    assert!(host.pings("macvlan.net2", "192.168.1.50"));
    let _ = host
        .exec("macvlan.net1", "ip -d addr show macvlan1")
        .says("macvlan mode bridge")
        .says("inet 192.168.1.50/24 ");
    down(&host, "macvlan", &before);
}

/// Two nodes behind one MAC address; one that somebody deletes, or gives another mode, is back.
fn ipvlan() {
    let host = crowded();
    let before = up(&host, "ipvlan");
    let mac = |node: &str, link: &str| host.exec(node, &format!("cat /sys/class/net/{link}/address")).ok();
    assert_eq!(mac("ipvlan.net1", "ip1"), host.sh("cat /sys/class/net/lab4/address"));
    assert_eq!(mac("ipvlan.router", "customer"), mac("ipvlan.router", "eth0"));
    let shown = |link: &str| host.exec("ipvlan.router", &format!("ip -d link show {link}")).stdout;
    host.exec("ipvlan.net2", "ip link delete ip1").ok();
    host.exec("ipvlan.router", "ip link set customer type ipvlan mode l3").ok();
    wait_until("ipvlans are repaired", Duration::from_secs(30), || {
        shown("customer").contains(" mode l2 ") && host.pings("ipvlan.net2", "198.51.100.1")
    });
    host.wait_ready("ipvlan");
    host.ctl(&["check-lab", "ipvlan"]).ok();
    down(&host, "ipvlan", &before);
}

fn internet_bridge() {
    let (host, internet) = crowded_with_internet();
    let before = up(&host, "internet-bridge");
    assert!(host.pings("internet-bridge.ns1", "203.0.113.2"));
    reaches_the_internet(&host, &internet, "internet-bridge", &["ns1", "ns2"]);
    down(&host, "internet-bridge", &before);
}

/// Labs with the same addresses in their nodes do not meet, and each takes only its own things with it.
fn side_by_side() {
    let (host, internet) = crowded_with_internet();
    let before = host.inventory();
    let names = ["vxlan", "internet", "internet-router", "internet-bridge", "macvlan"];
    for name in names {
        host.ctl(&["create-lab", &format!("labs/{name}.yaml")]).ok();
    }
    for name in names {
        host.ctl(&["check-lab", name]).ok();
    }
    host.ctl(&["delete-lab", "internet"]).ok();
    // The host still forwards and translates for the other lab.
    reaches_the_internet(&host, &internet, "internet-router", &["ns1"]);
    reaches_the_internet(&host, &internet, "internet-bridge", &["ns2"]);
    host.ctl(&["delete-lab", "vxlan", "internet-router", "internet-bridge", "macvlan"]).ok();
    before.assert_unchanged();
    foreign::assert_intact(&host);
}

/// Whoever goes through the README's table need not delete one lab for the next.
fn all_together() {
    let (host, _internet) = crowded_with_internet();
    let before = host.inventory();
    let files = std::fs::read_dir(crate::host::repository().join("labs")).expect("the labs are there");
    let mut names: Vec<String> = files
        .map(|file| file.expect("reading a folder").file_name().to_string_lossy().replace(".yaml", ""))
        .collect();
    names.sort();
    assert!(names.len() >= 7, "{names:?}");
    for name in &names {
        host.ctl(&["create-lab", &format!("labs/{name}.yaml")]).ok();
    }
    for name in &names {
        host.ctl(&["check-lab", name]).ok();
    }
    let delete: Vec<&str> = std::iter::once("delete-lab").chain(names.iter().map(String::as_str)).collect();
    host.ctl(&delete).ok();
    before.assert_unchanged();
}
