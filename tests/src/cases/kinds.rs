//! What a lab file can say beyond the example labs.

use std::time::Duration;

use super::Test;
use crate::{capture::Capture, command::wait_until, feature::Feature, host::TestHost, internet::Internet};

/// How long a repair may take.
const LIMIT: Duration = Duration::from_secs(30);

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("kinds::ipv6", ipv6).needs(&[Feature::Kind("vxlan")]),
    Test::new("kinds::vxlan_sites", vxlan_sites).needs(&[Feature::Kind("vxlan")]),
    Test::new("kinds::interface_settings", settings),
    Test::new("kinds::dummy", dummy).needs(&[Feature::Kind("dummy")]),
    Test::new("kinds::vlan_interfaces", vlan_interfaces).needs(&[Feature::Kind("vlan")]),
    Test::new("kinds::routing_between_vlans", between_vlans)
        .needs(&[Feature::BridgeVlan, Feature::Kind("vlan")]),
    Test::new("kinds::port_forwards", port_forwards).needs(&[Feature::Nat]),
    Test::new("kinds::masquerade_beside_a_bridge", beside_a_bridge)
        .needs(&[Feature::Nat, Feature::BridgeNetfilter]),
    Test::new("kinds::passthru_leaves_the_parents_mac", passthru).needs(&[Feature::Kind("macvlan")]),
    Test::new("kinds::link_local_addresses_come_back", link_local).needs(&[
        Feature::Kind("gre"),
        Feature::Kind("ip6gre"),
        Feature::Kind("ip6tnl"),
        Feature::Kind("ipvlan"),
        Feature::Kind("macvlan"),
        Feature::Kind("sit"),
    ]),
    Test::new("kinds::host_interfaces", host_interfaces),
    Test::new("kinds::names_that_the_host_has", names_of_the_host).needs(&[Feature::Kind("macvlan")]),
];

/// Creates a lab from text, runs its checks, tries `prove`, deletes it and compares the host.
fn proven(text: &str, prove: impl Fn(&TestHost)) {
    let host = TestHost::started();
    proven_on(&host, text, prove);
}

fn proven_on(host: &TestHost, text: &str, prove: impl Fn(&TestHost)) {
    let before = host.inventory();
    let file = host.file("lab.yaml", text);
    host.ctl(&["create-lab", &file]).ok();
    host.ctl(&["check-lab", "k"]).ok();
    let _ = host.ctl(&["apply-lab", "--dry-run", &file]).code(0);
    prove(host);
    host.ctl(&["delete-lab", "k"]).ok();
    before.assert_unchanged();
}

fn ipv6() {
    let text = "\
name: k
nodes:
  ns1:
    interfaces:
      eth0: { addresses: [\"2001:db8:1::1/64\"] }
      vxlan0: { vxlan: { vni: 7, remote: \"2001:db8:2::1\", dev: eth0 }, addresses: [\"2001:db8:7::1/64\", 198.51.100.1/24] }
    routes: [ { to: default, via: \"2001:db8:1::fe\" } ]
  router:
    forwarding: true
    interfaces:
      eth0: { addresses: [\"2001:db8:1::fe/64\"] }
      eth1: { addresses: [\"2001:db8:2::fe/64\"] }
  ns2:
    interfaces:
      eth0: { addresses: [\"2001:db8:2::1/64\"] }
      vxlan0: { vxlan: { vni: 7, remote: \"2001:db8:1::1\", dev: eth0 }, addresses: [\"2001:db8:7::2/64\", 198.51.100.2/24] }
    routes: [ { to: \"2001:db8:1::/64\", via: \"2001:db8:2::fe\", metric: 50 } ]
links:
  - endpoints: [\"ns1:eth0\", \"router:eth0\"]
  - endpoints: [\"router:eth1\", \"ns2:eth0\"]
checks:
  - { from: ns1, to: \"2001:db8:2::1\" }
  - { from: ns2, to: \"2001:db8:7::1\" }
  - { from: ns1, to: 198.51.100.2 }
";
    proven(text, |host| {
        let _ = host.exec("k.ns1", "ip -d link show vxlan0").says("mtu 1430 ").says("remote 2001:db8:2::1 ");
        let _ = host
            .exec("k.ns2", "ip -6 route")
            .says("2001:db8:1::/64 via 2001:db8:2::fe dev eth0 ")
            .says("metric 50");
        assert!(host.pings("k.ns1", "2001:db8:2::1"));
    });
}

/// Three sites that send each other what is for all; a lost remote comes back, and one leaves in place.
fn vxlan_sites() {
    let host = TestHost::started();
    let before = host.inventory();
    host.ctl(&["create-lab", "labs/vxlan-sites.yaml"]).ok();
    host.ctl(&["check-lab", "vxlan-sites"]).ok();
    let _ = host.ctl(&["apply-lab", "--dry-run", "labs/vxlan-sites.yaml"]).code(0);
    let all = "00:00:00:00:00:00";
    let remotes = || {
        let shown = host.exec("vxlan-sites.s1", "bridge fdb show dev vx0").stdout;
        shown.lines().filter(|line| line.starts_with(all)).count()
    };
    assert_eq!(remotes(), 2);
    for damage in
        [format!("bridge fdb del {all} dev vx0 dst 203.0.113.1 self"), "ip link delete vx0".to_owned()]
    {
        host.exec("vxlan-sites.s1", &damage).ok();
        wait_until(&format!("the remotes are back after {damage}"), LIMIT, || remotes() == 2);
        host.wait_ready("vxlan-sites");
    }
    host.ctl(&["check-lab", "vxlan-sites"]).ok();
    let index = || host.exec("vxlan-sites.s1", "cat /sys/class/net/vx0/ifindex").ok();
    let was = index();
    let text = crate::host::example("vxlan-sites").replace("[198.51.100.1, 203.0.113.1]", "[198.51.100.1]");
    let text = text.replace("{ from: s1, to: 10.5.0.3 }", "{ from: s1, to: 10.5.0.2 }");
    host.ctl(&["apply-lab", &host.file("two.yaml", text)]).ok();
    assert_eq!((remotes(), index()), (1, was), "changed in place");
    let shown = host.exec("vxlan-sites.v1", "bridge fdb show dev vx0").stdout;
    assert!(shown.contains("dst 2001:db8:2::1"), "{shown}");
    host.ctl(&["delete-lab", "vxlan-sites"]).ok();
    before.assert_unchanged();
}

fn settings() {
    let text = "\
name: k
nodes:
  a:
    interfaces:
      lo: { addresses: [10.0.0.1/32] }
      eth0: { addresses: [192.0.2.1/24, 192.0.2.11/24, 198.51.100.1/24], mtu: 9000, mac: 02:00:00:00:00:0a }
      eth1: { up: false }
    sysctls: { net.ipv4.conf.eth0.rp_filter: \"2\", net.ipv6.conf.all.disable_ipv6: \"1\" }
  b:
    interfaces:
      eth0: { addresses: [192.0.2.2/24], mtu: 9000 }
    routes:
      - { to: 10.0.0.1/32, via: 192.0.2.1 }
      - { to: 198.51.100.0/24, dev: eth0, metric: 7 }
links:
  - endpoints: [\"a:eth0\", \"b:eth0\"]
  - endpoints: [\"a:eth1\", \"b:eth1\"]
checks:
  - { from: b, to: 10.0.0.1 }
  - { from: b, to: \"a:eth0\" }
  - { from: b, to: 198.51.100.1 }
";
    proven(text, |host| {
        let _ = host.exec("k.a", "ip addr show eth0").says("mtu 9000 ").says("link/ether 02:00:00:00:00:0a");
        assert!(!host.exec("k.a", "ip link show eth1").stdout.contains("UP"), "eth1 stays down");
        let _ = host
            .exec("k.a", "sysctl -n net.ipv4.conf.eth0.rp_filter net.ipv6.conf.all.disable_ipv6")
            .says("2\n1\n");
        let _ = host.exec("k.b", "ping -c 1 -W 5 -M do -s 8972 192.0.2.11").code(0);
        let _ = host.exec("k.b", "ip route").says("198.51.100.0/24 dev eth0 ").says("metric 7");
    });
}

fn dummy() {
    let text = "\
name: k
nodes:
  a:
    interfaces:
      d0: { dummy: {}, addresses: [192.0.2.1/24] }
      br0: { bridge: { stp: true } }
      d1: { dummy: {}, port: { bridge: br0 } }
host:
  interfaces:
    d9: { dummy: {}, addresses: [203.0.113.1/24] }
checks:
  - { from: a, to: 192.0.2.1 }
  - { from: host, to: 203.0.113.1 }
";
    proven(text, |host| {
        let _ = host.exec("k.a", "ip -d link show d1").says("master br0").says("dummy");
        let _ = host.exec("k.a", "ip -d link show br0").says("stp_state 1");
        let _ = host.run("ip", &["-d", "addr", "show", "d9"]).says("dummy").says("203.0.113.1/24");
    });
}

/// The same two nodes are apart in one VLAN and together in another.
fn vlan_interfaces() {
    let text = "\
name: k
nodes:
  a:
    interfaces:
      eth0.10: { vlan: { parent: eth0, id: 10 }, addresses: [192.0.2.1/24] }
      eth0.20: { vlan: { parent: eth0, id: 20 }, addresses: [198.51.100.1/24] }
  b:
    interfaces:
      v10: { vlan: { parent: eth0, id: 10 }, addresses: [192.0.2.2/24], mtu: 1400 }
      v30: { vlan: { parent: eth0, id: 30 }, addresses: [198.51.100.2/24] }
links:
  - endpoints: [\"a:eth0\", \"b:eth0\"]
checks:
  - { from: a, to: 192.0.2.2 }
  - { from: a, to: 198.51.100.2, reachable: false }
";
    proven(text, |host| {
        let _ = host.exec("k.a", "ip -d link show eth0.10").says("vlan protocol 802.1Q id 10 ");
        let _ = host.exec("k.b", "ip link show v10").says("mtu 1400 ");
    });
}

/// A bridge that is its VLANs' router, with a trunk to a second bridge and a native VLAN on it.
fn between_vlans() {
    let text = "\
name: k
nodes:
  a: { interfaces: { eth0: { addresses: [192.0.2.1/24] } }, routes: [ { to: default, via: 192.0.2.254 } ] }
  b: { interfaces: { eth0: { addresses: [198.51.100.1/24] } }, routes: [ { to: default, via: 198.51.100.254 } ] }
  c: { interfaces: { eth0: { addresses: [192.0.2.2/24] } }, routes: [ { to: default, via: 192.0.2.254 } ] }
  core:
    forwarding: true
    interfaces:
      br0: { bridge: { vlan_filtering: true } }
      p1: { port: { bridge: br0, access: 100 } }
      t1: { port: { bridge: br0, trunk: [100, 200], native: 300 } }
      br0.100: { vlan: { parent: br0, id: 100 }, addresses: [192.0.2.254/24] }
      br0.200: { vlan: { parent: br0, id: 200 }, addresses: [198.51.100.254/24] }
  edge:
    interfaces:
      br0: { bridge: { vlan_filtering: true } }
      p1: { port: { bridge: br0, access: 200 } }
      p2: { port: { bridge: br0, access: 100 } }
      t1: { port: { bridge: br0, trunk: [100, 200], native: 300 } }
links:
  - endpoints: [\"a:eth0\", \"core:p1\"]
  - endpoints: [\"core:t1\", \"edge:t1\"]
  - endpoints: [\"edge:p1\", \"b:eth0\"]
  - endpoints: [\"edge:p2\", \"c:eth0\"]
checks:
  - { from: a, to: b }
  - { from: b, to: a }
  - { from: a, to: c }
";
    proven(text, |host| {
        let trunk = host.exec("k.core", "bridge vlan show dev t1").ok();
        assert!(
            trunk.contains("300 PVID Egress Untagged") && trunk.contains("100") && trunk.contains("200"),
            "{trunk}"
        );
        let own = host.exec("k.core", "bridge vlan show dev br0").ok();
        assert!(own.contains("100") && own.contains("200") && !own.contains("300"), "{own}");
        // Routed from one VLAN to the other: one hop less to live than within a VLAN.
        let _ = host.exec("k.a", "ping -c 1 -W 5 198.51.100.1").says("ttl=63");
        let _ = host.exec("k.a", "ping -c 1 -W 5 192.0.2.2").says("ttl=64");
    });
}

/// A service in a node, reached through a router's port and through the host's.
fn port_forwards() {
    let text = "\
name: k
nodes:
  web:
    interfaces: { eth0: { addresses: [192.0.2.1/24] } }
    routes: [ { to: default, via: 192.0.2.254 } ]
  router:
    forwarding: true
    interfaces:
      eth0: { addresses: [192.0.2.254/24] }
      eth1: { addresses: [203.0.113.254/24] }
    nat:
      port_forwards: [ { protocol: tcp, port: 8080, to: \"192.0.2.1:80\", in_interface: eth1 } ]
    routes: [ { to: default, via: 203.0.113.1 } ]
host:
  interfaces: { lab0: { addresses: [203.0.113.1/24] } }
  forwarding: true
  nat:
    port_forwards: [ { protocol: tcp, port: 8000, to: \"203.0.113.254:8080\", in_interface: wan0 } ]
links:
  - endpoints: [\"web:eth0\", \"router:eth0\"]
  - endpoints: [\"router:eth1\", \"host:lab0\"]
checks:
  - { from: web, to: router }
  - { from: host, to: router }
";
    let host = TestHost::here();
    Internet::connect(&host);
    let mut host = host;
    host.start();
    proven_on(&host, text, |host| {
        let server = host.serve("k.web", 80, "it works");
        assert_eq!(host.fetch("internet", "198.18.0.1:8000"), "it works", "through the host and the router");
        server.stop();
    });
}

/// A macvlan in mode passthru has its parent's MAC address, and the parent keeps it.
fn passthru() {
    let text = "\
name: k
nodes:
  guest: { interfaces: { eth0: { macvlan: { parent: uplink, mode: passthru }, addresses: [203.0.113.7/24] } } }
";
    let host = TestHost::started();
    host.sh("ip link add uplink type veth peer name far && ip link set uplink up && ip link set far up");
    let mac = || host.sh("cat /sys/class/net/uplink/address");
    let was = mac();
    proven_on(&host, text, |host| {
        assert_eq!(mac(), was, "after create-lab");
        let _ = host.exec("k.guest", "ip -br link show eth0").says(was.trim());
        let _ = host.exec("k.guest", "ip link delete eth0").code(0);
        wait_until("the macvlan is back", LIMIT, || {
            host.exec("k.guest", "ip -br addr show eth0").stdout.contains("203.0.113.7/24")
        });
        assert_eq!(mac(), was, "after a repair");
    });
    assert_eq!(mac(), was, "after delete-lab");
}

/// What only crosses a bridge of a place that masquerades keeps its source; all else is masqueraded.
fn beside_a_bridge() {
    let text = "\
name: k
nodes:
  a:
    interfaces: { eth0: { addresses: [192.0.2.1/24, \"2001:db8:1::1/64\"] } }
    routes: [ { to: default, via: 192.0.2.254 } ]
  b:
    interfaces: { eth0: { addresses: [192.0.2.2/24, \"2001:db8:1::2/64\"] } }
    routes: [ { to: default, via: 192.0.2.254 } ]
  c:
    interfaces: { eth0: { addresses: [198.51.100.1/24] } }
    routes: [ { to: default, via: 198.51.100.254 } ]
  d:
    interfaces: { eth0: { addresses: [198.51.100.2/24] } }
    routes: [ { to: default, via: 198.51.100.254 } ]
  r:
    forwarding: true
    interfaces:
      br0: { bridge: {}, addresses: [198.51.100.254/24] }
      p1: { port: { bridge: br0 } }
      p2: { port: { bridge: br0 } }
      wan: { addresses: [203.0.113.1/24] }
    nat:
      masquerade: [ {} ]
      port_forwards: [ { protocol: tcp, port: 8080, to: \"198.51.100.2:80\" } ]
  out: { interfaces: { eth0: { addresses: [203.0.113.9/24] } } }
host:
  forwarding: true
  interfaces:
    kbr0: { bridge: {}, addresses: [192.0.2.254/24, \"2001:db8:1::fe/64\"] }
    kp1: { port: { bridge: kbr0 } }
    kp2: { port: { bridge: kbr0 } }
  nat: { masquerade: [ { source: 192.0.2.0/24 }, { source: \"2001:db8:1::/64\" } ] }
links:
  - endpoints: [\"a:eth0\", \"host:kp1\"]
  - endpoints: [\"b:eth0\", \"host:kp2\"]
  - endpoints: [\"c:eth0\", \"r:p1\"]
  - endpoints: [\"d:eth0\", \"r:p2\"]
  - endpoints: [\"r:wan\", \"out:eth0\"]
checks:
  - { from: a, to: b }
  - { from: a, to: \"2001:db8:1::2\" }
  - { from: c, to: d }
  - { from: c, to: out }
";
    proven(text, |host| {
        let pinged = |from: &str, target: &str, at: &str, seen: &str| {
            let filter = if seen.contains(':') { "icmp6 and ip6[40] = 128" } else { "icmp" };
            let capture = Capture::start(host, at, "eth0", filter);
            let _ = host.exec(from, &format!("ping -n -c 1 -W 5 {target}")).code(0);
            capture.sees(&[&format!(" {seen}: "), "echo request"]);
        };
        pinged("k.a", "192.0.2.2", "k.b", "192.0.2.1 > 192.0.2.2");
        pinged("k.a", "2001:db8:1::2", "k.b", "2001:db8:1::1 > 2001:db8:1::2");
        pinged("k.c", "198.51.100.2", "k.d", "198.51.100.1 > 198.51.100.2");
        // What is routed, and what the router sends itself by its bridge and elsewhere.
        pinged("k.c", "203.0.113.9", "k.out", "203.0.113.1 > 203.0.113.9");
        pinged("k.r", "-I 198.51.100.254 203.0.113.9", "k.out", "203.0.113.1 > 203.0.113.9");
        pinged("k.r", "-I 203.0.113.1 198.51.100.2", "k.d", "198.51.100.254 > 198.51.100.2");
        // A forwarded port, from the service's own wire.
        let server = host.serve("k.d", 80, "it works");
        let capture = Capture::start(host, "k.d", "eth0", "tcp port 80");
        assert_eq!(host.fetch("k.c", "203.0.113.1:8080"), "it works");
        capture.sees(&[" 198.51.100.254.", " > 198.51.100.2.80: Flags [S]"]);
        server.stop();
    });
}

/// The kernel makes link-local addresses of MAC addresses, of identifiers of its own, and of a tunnel's IPv4 address; one
/// that is flushed comes back as it was.
fn link_local() {
    const FILE: &str = "\
name: ll
nodes:
  a:
    interfaces:
      eth0: { addresses: [192.0.2.1/24, \"2001:db8::1/64\"] }
      eth1: {}
      gre1: { gre: { local: 192.0.2.1, remote: 192.0.2.2 } }
      sit1: { sit: { local: 192.0.2.1, remote: 192.0.2.2 } }
      g6: { ip6gre: { local: \"2001:db8::1\", remote: \"2001:db8::2\" } }
      t6: { ip6tnl: { local: \"2001:db8::1\", remote: \"2001:db8::2\" } }
      ipvl: { ipvlan: { dev: eth1 } }
      d0: { dummy: {} }
      mv0: { macvlan: { dev: d0, mode: passthru } }
  b: { interfaces: { eth0: { addresses: [192.0.2.2/24, \"2001:db8::2/64\"] }, eth1: {} } }
links:
  - endpoints: [\"a:eth0\", \"b:eth0\"]
  - endpoints: [\"a:eth1\", \"b:eth1\"]
";
    let host = TestHost::started();
    let file = host.file("ll.yaml", FILE);
    host.ctl(&["create-lab", &file]).ok();
    let of = |name: &str| {
        let script = format!("ip -n ll.a -6 -br addr show dev {name} | grep -o 'fe80[^ ]*' || true");
        host.sh(&script).trim().to_owned()
    };
    for name in ["eth1", "gre1", "sit1", "g6", "t6", "ipvl", "mv0"] {
        let before = of(name);
        assert!(!before.is_empty(), "{name} has no link-local address");
        host.sh(&format!("ip -n ll.a addr flush dev {name}"));
        wait_until(&format!("{name} has {before} again"), LIMIT, || of(name) == before);
    }
    host.ctl(&["apply-lab", "--dry-run", &file]).ok();
    host.ctl(&["delete-lab", "ll"]).ok();
}

/// A bridge on the host with ends of links as its ports.
fn host_interfaces() {
    let text = "\
name: k
nodes:
  a: { interfaces: { eth0: { addresses: [192.0.2.1/24] } } }
  b: { interfaces: { eth0: { addresses: [192.0.2.2/24] } } }
host:
  interfaces:
    labbr0: { bridge: {}, addresses: [192.0.2.254/24] }
    labp1: { port: { bridge: labbr0 } }
    labp2: { port: { bridge: labbr0 } }
links:
  - endpoints: [\"a:eth0\", \"host:labp1\"]
  - endpoints: [\"b:eth0\", \"host:labp2\"]
checks:
  - { from: a, to: b }
  - { from: a, to: host }
  - { from: host, to: b }
";
    proven(text, |host| {
        let _ = host.run("ip", &["link", "show", "labp1"]).says("master labbr0");
        host.sh("ip link set labp2 nomaster");
        host.wait_ready("k");
        crate::command::wait_until("the port is back", std::time::Duration::from_secs(20), || {
            host.sh("ip link show labp2").contains("master labbr0")
        });
    });
}

/// Before Linux 6.15 the kernel looks a new interface's name up in the namespace that the request comes from.
fn names_of_the_host() {
    let text = "\
name: k
nodes:
  ns1: { interfaces: { eth0: { addresses: [192.0.2.1/24] } } }
  ns2: { interfaces: { eth1: { addresses: [192.0.2.2/24] }, eth0: { addresses: [198.51.100.2/24] } } }
  ns3: { interfaces: { eth0: { macvlan: { parent: eth1 }, addresses: [203.0.113.3/24] } } }
host: { interfaces: { lab0: { addresses: [198.51.100.254/24] } } }
links:
  - endpoints: [\"ns1:eth0\", \"ns2:eth1\"]
  - endpoints: [\"ns2:eth0\", \"host:lab0\"]
checks:
  - { from: ns1, to: ns2 }
  - { from: ns2, to: 198.51.100.254 }
";
    let host = TestHost::started();
    host.sh("ip link add eth0 type veth peer name eth1 && ip link set eth0 up && ip link set eth1 up");
    proven_on(&host, text, |host| {
        let _ = host.exec("k.ns3", "ip -br addr show eth0").says("203.0.113.3/24");
    });
}
