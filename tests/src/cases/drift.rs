//! What somebody breaks by hand is repaired.

use std::time::Duration;

use super::Test;
use crate::{command::wait_until, damage::repairs, feature::Feature, host::TestHost, traffic::Traffic};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("drift::links", links),
    Test::new("drift::addresses_and_routes", addresses_and_routes),
    Test::new("drift::in_a_vrf", in_a_vrf).needs(&[Feature::Kind("vrf")]),
    Test::new("drift::bridges", bridges),
    Test::new("drift::bridge_vlans", bridge_vlans).needs(&[Feature::BridgeVlan]),
    Test::new("drift::tunnels", tunnels).needs(&[Feature::Kind("vxlan")]),
    Test::new("drift::sysctls", sysctls),
    Test::new("drift::nat", nat).needs(&[Feature::Nat]),
    Test::new("drift::namespaces", namespaces),
    Test::new("drift::unmounted_pin", unmounted),
    Test::new("drift::on_the_host", on_the_host).needs(&[Feature::Nat]),
    Test::new("drift::link_local_addresses", link_locals),
    Test::new("drift::again_and_again", again_and_again),
    Test::new("drift::paused_lab_is_left_alone", paused),
];

/// How long a repair may take. A median is measured elsewhere; here a loaded machine must not matter.
pub(super) const SOON: Duration = Duration::from_secs(20);
/// How long until something is noticed of which the kernel tells nobody.
pub(super) const LATER: Duration = Duration::from_secs(60);

/// The kernel makes these; of an interface whose name no sysctl could have, too.
fn link_locals() {
    let host = TestHost::started();
    let file = host.file(
        "l.yaml",
        "name: l\nnodes: { a: {}, b: {} }\nlinks:\n  - { endpoints: [\"a:!a\", \"b:$(x)\"] }\n",
    );
    host.ctl(&["create-lab", &file]).ok();
    for (node, interface) in [("l.a", "!a"), ("l.b", "$(x)")] {
        let shown = ["-n", node, "-6", "-o", "addr", "show", "dev", interface, "scope", "link"];
        let there = || host.run("ip", &shown).code(0).stdout.contains("fe80::");
        wait_until("the kernel has made it", SOON, there);
        let _ = host.run("ip", &["-n", node, "-6", "addr", "flush", "dev", interface]).code(0);
        wait_until("it is made again", SOON, there);
    }
    host.wait_ready("l");
}

/// Two nodes with a switch and a router between them.
pub(super) const LAB: &str = "\
name: d
nodes:
  ns1:
    interfaces:
      eth0: { addresses: [192.0.2.1/24, \"2001:db8::1/64\"] }
    routes: [ { to: default, via: 192.0.2.254 } ]
    sysctls: { net.ipv4.conf.all.rp_filter: \"2\", net.ipv4.ip_default_ttl: \"99\" }
  sw:
    interfaces:
      br0: { bridge: {} }
      p1: { port: { bridge: br0 } }
      p2: { port: { bridge: br0 } }
  router:
    forwarding: true
    interfaces:
      eth0: { addresses: [192.0.2.254/24] }
      eth1: { addresses: [203.0.113.254/24] }
  ns2:
    interfaces:
      eth0: { addresses: [203.0.113.1/24] }
    routes: [ { to: default, via: 203.0.113.254 } ]
links:
  - endpoints: [\"ns1:eth0\", \"sw:p1\"]
  - endpoints: [\"router:eth0\", \"sw:p2\"]
  - endpoints: [\"router:eth1\", \"ns2:eth0\"]
checks:
  - { from: ns1, to: 203.0.113.1 }
  - { from: ns2, to: 192.0.2.1 }
";

/// Breaks the lab in each way in turn, and waits for each repair. A way is a script that breaks it, and one that succeeds
/// once it is mended.
pub(super) fn breaks(host: &TestHost, lab: &str, damages: &[(&str, &str)], limit: Duration) {
    for (damage, mended) in damages {
        let before = repairs(&host.lab(lab));
        host.sh(damage);
        wait_until(&format!("`{damage}` is mended: `{mended}`"), limit, || {
            host.run("sh", &["-ec", mended]).code == 0
        });
        wait_until(&format!("the repair of `{damage}` is told"), limit, || repairs(&host.lab(lab)) > before);
        host.wait_ready(lab);
        let check = host.ctl(&["check-lab", lab]);
        assert!(check.code == 0, "after `{damage}`: {check}");
    }
}

/// A host with it, and its file.
pub(super) fn with_lab() -> (TestHost, String) {
    let host = TestHost::started();
    let file = host.file("d.yaml", LAB);
    host.ctl(&["create-lab", &file]).ok();
    (host, file)
}

/// At the end nothing is left to do, and nothing is left behind.
fn all_is_well(host: &TestHost, lab: &str, file: &str) {
    let _ = host.ctl(&["apply-lab", "--dry-run", file]).code(0);
    let text = host.ctl(&["get-lab", lab]).ok();
    assert!(text.to_lowercase().contains("repair"), "get-lab tells of repairs:\n{text}");
    host.ctl(&["delete-lab", lab]).ok();
    assert_eq!(host.sh("ls /run/netns"), "", "no namespace is left");
}

fn links() {
    let (host, file) = with_lab();
    let mac = host.exec("d.ns1", "cat /sys/class/net/eth0/address").ok();
    let traffic = Traffic::start(&host, "d.ns2", "203.0.113.254");
    host.sh("ip netns add elsewhere");
    // Older kernels rename only what is down, and netlabd may be quicker in setting it up again.
    let rename =
        "until ip -n d.ns1 link set eth0 down && ip -n d.ns1 link set eth0 name oops; do sleep 0.01; done";
    let gone =
        "! ip -n d.ns1 link show oops && ip -n d.ns1 route | grep -q '^default via 192.0.2.254 dev eth0'";
    breaks(
        &host,
        "d",
        &[
            ("ip -n d.ns1 link del eth0", "ip -n d.ns1 link show up dev eth0 | grep -q eth0"),
            ("ip -n d.sw link del p2", "ip -n d.router link show up dev eth0 | grep -q eth0"),
            (
                "ip -n d.ns1 link set eth0 down",
                "ip -n d.ns1 route | grep -q '^default via 192.0.2.254 dev eth0'",
            ),
            ("ip -n d.sw link set p1 down", "ip -n d.sw link show up dev p1 | grep -q p1"),
            (rename, gone),
            ("ip -n d.ns1 link set eth0 netns elsewhere", "ip -n d.ns1 link show up dev eth0 | grep -q eth0"),
            (
                "ip -n d.ns1 link set eth0 netns d.ns2 name oops",
                "ip -n d.ns1 link show up dev eth0 | grep -q eth0",
            ),
            ("ip -n d.ns1 link set eth0 mtu 1300", "ip -n d.ns1 link show eth0 | grep -q 'mtu 1500'"),
            (
                "ip -n d.ns1 link set eth0 address 02:00:00:00:00:99",
                "! ip -n d.ns1 link show eth0 | grep -q 02:00:00:00:00:99",
            ),
        ],
        SOON,
    );
    assert_eq!(
        host.exec("d.ns1", "cat /sys/class/net/eth0/address").ok(),
        mac,
        "the MAC address is the old one"
    );
    traffic.lost_nothing();
    host.sh("! ip -n elsewhere link show eth0 2>/dev/null; ip netns del elsewhere");
    all_is_well(&host, "d", &file);
}

fn addresses_and_routes() {
    let (host, file) = with_lab();
    let default = "ip -n d.ns1 route | grep -q '^default via 192.0.2.254 dev eth0'";
    breaks(
        &host,
        "d",
        &[
            ("ip -n d.ns1 addr del 192.0.2.1/24 dev eth0", default),
            ("ip -n d.ns1 addr del 2001:db8::1/64 dev eth0", "ip -n d.ns1 addr | grep -q 2001:db8::1/64"),
            ("ip -n d.router addr flush dev eth1", "ip -n d.router addr | grep -q 203.0.113.254/24"),
            ("ip -n d.ns1 route del default", default),
            ("ip -n d.ns1 route replace default via 192.0.2.77", default),
            // The kernel's own routes to networks go too, without which no gateway is reached.
            ("ip -n d.ns1 route flush table main", default),
            (
                "ip -n d.ns1 -6 route flush table main",
                "ip -n d.ns1 -6 route | grep -q '^2001:db8::/64 dev eth0'",
            ),
            (
                "ip -n d.ns2 route del 203.0.113.0/24",
                "ip -n d.ns2 route | grep -q '^203.0.113.0/24 dev eth0' && ip -n d.ns2 route | grep -q '^default via 203.0.113.254'",
            ),
            // A next hop of the other family, as BGP has it without numbers, is no network of its own.
            (
                "ip -n d.ns2 route replace 203.0.113.0/24 via inet6 fe80::1 dev eth0",
                "ip -n d.ns2 route | grep -q '^203.0.113.0/24 dev eth0' && ip -n d.ns2 route | grep -q '^default via 203.0.113.254'",
            ),
            (
                "ip -n d.ns1 route change default via 192.0.2.254 mtu 1400",
                "! ip -n d.ns1 route | grep -q 'mtu 1400'",
            ),
            (
                "ip -n d.ns2 route replace blackhole default",
                "ip -n d.ns2 route | grep -q '^default via 203.0.113.254'",
            ),
        ],
        SOON,
    );
    all_is_well(&host, "d", &file);
}

/// Of a port of a VRF the kernel keeps the routes in the VRF's table.
fn in_a_vrf() {
    let host = TestHost::started();
    let file = host.file(
        "v.yaml",
        "\
name: v
nodes:
  a:
    interfaces: { eth0: { addresses: [192.0.2.1/24, \"2001:db8::1/64\"] } }
    routes: [ { to: 203.0.113.0/24, via: 192.0.2.2 } ]
  b: { interfaces: { eth0: { addresses: [192.0.2.2/24] } } }
links:
  - endpoints: [\"a:eth0\", \"b:eth0\"]
",
    );
    host.ctl(&["create-lab", &file]).ok();
    host.sh("ip -n v.a link add red type vrf table 100; ip -n v.a link set red up");
    let mended = "ip -n v.a route show table 100 | grep -q '^192.0.2.0/24 dev eth0'
        ip -n v.a -6 route show table 100 | grep -q '^2001:db8::/64 dev eth0'
        ip -n v.a route | grep -q '^203.0.113.0/24 via 192.0.2.2'";
    for damage in [
        "link set eth0 master red",
        "route del 192.0.2.0/24 dev eth0 table 100",
        "-6 route del 2001:db8::/64 dev eth0 table 100",
    ] {
        host.sh(&format!("ip -n v.a {damage}"));
        wait_until(&format!("`{damage}` is mended"), SOON, || host.run("sh", &["-ec", mended]).code == 0);
        host.wait_ready("v");
        // And once only: a look finds nothing more to do.
        let _ = host.ctl(&["apply-lab", "--dry-run", &file]).code(0);
    }
    let _ = host.run("ip", &["-n", "v.a", "link", "show", "eth0"]).says("master red");
    host.ctl(&["delete-lab", "v"]).ok();
}

fn bridges() {
    let (host, file) = with_lab();
    breaks(
        &host,
        "d",
        &[
            ("ip -n d.sw link set p1 nomaster", "ip -n d.sw link show p1 | grep -q 'master br0'"),
            (
                "ip -n d.sw link add br9 type bridge; ip -n d.sw link set p1 master br9",
                "ip -n d.sw link show p1 | grep -q 'master br0'",
            ),
            (
                "ip -n d.sw link set br0 type bridge stp_state 1",
                "ip -n d.sw -d link show br0 | grep -q 'stp_state 0'",
            ),
            ("ip -n d.sw link set br0 down", "ip -n d.sw link show up dev br0 | grep -q br0"),
            ("ip -n d.sw link del br0", "ip -n d.sw link show p2 | grep -q 'master br0'"),
        ],
        SOON,
    );
    all_is_well(&host, "d", &file);
}

fn bridge_vlans() {
    let host = TestHost::started();
    host.ctl(&["create-lab", "labs/vlan.yaml"]).ok();
    let only = "bridge -n vlan.bridge vlan show dev p1 | sed 1d | tr -s ' ' | grep -qx 'p1 100 PVID Egress Untagged *'";
    breaks(
        &host,
        "vlan",
        &[
            ("bridge -n vlan.bridge vlan del vid 100 dev p1", only),
            ("bridge -n vlan.bridge vlan add vid 100 dev p1", only),
            (
                "bridge -n vlan.bridge vlan add vid 200 dev p1 pvid untagged",
                "bridge -n vlan.bridge vlan show dev p1 | grep '100 PVID'",
            ),
            (
                "ip -n vlan.bridge link set br0 type bridge vlan_filtering 0",
                "ip -n vlan.bridge -d link show br0 | grep -q 'vlan_filtering 1'",
            ),
        ],
        SOON,
    );
    host.ctl(&["apply-lab", "--dry-run", "labs/vlan.yaml"]).ok();
}

fn tunnels() {
    let host = TestHost::started();
    host.ctl(&["create-lab", "labs/vxlan.yaml"]).ok();
    let mended =
        "ip -n vxlan.ns1 -d link show up dev vxlan0 | grep -q 'vxlan id 100 remote 203.0.113.1 dev eth0'";
    breaks(
        &host,
        "vxlan",
        &[
            ("ip -n vxlan.ns1 link del vxlan0", mended),
            (
                "ip -n vxlan.ns1 link set vxlan0 mtu 1200",
                "ip -n vxlan.ns1 link show vxlan0 | grep -q 'mtu 1450'",
            ),
            ("ip -n vxlan.ns1 link del eth0", mended),
            ("ip -n vxlan.ns1 link set vxlan0 type vxlan id 100 remote 192.0.2.254 dev eth0", mended),
        ],
        SOON,
    );
    host.ctl(&["apply-lab", "--dry-run", "labs/vxlan.yaml"]).ok();
}

fn sysctls() {
    let (host, file) = with_lab();
    breaks(
        &host,
        "d",
        &[
            (
                "ip netns exec d.router sysctl -qw net.ipv4.ip_forward=0",
                "[ \"$(ip netns exec d.router sysctl -n net.ipv4.ip_forward)\" = 1 ]",
            ),
            (
                "ip netns exec d.router sysctl -qw net.ipv6.conf.all.forwarding=0",
                "[ \"$(ip netns exec d.router sysctl -n net.ipv6.conf.all.forwarding)\" = 1 ]",
            ),
            (
                "ip netns exec d.ns1 sysctl -qw net.ipv4.conf.all.rp_filter=1",
                "[ \"$(ip netns exec d.ns1 sysctl -n net.ipv4.conf.all.rp_filter)\" = 2 ]",
            ),
            (
                "ip netns exec d.ns1 sysctl -qw net.ipv4.ip_default_ttl=5",
                "[ \"$(ip netns exec d.ns1 sysctl -n net.ipv4.ip_default_ttl)\" = 99 ]",
            ),
        ],
        LATER,
    );
    all_is_well(&host, "d", &file);
}

fn nat() {
    let host = TestHost::started();
    host.sh("nft 'table ip stranger { chain c { type nat hook postrouting priority 50; }; }'");
    host.ctl(&["create-lab", "labs/internet-router.yaml"]).ok();
    let node = "ip netns exec internet-router.router nft list ruleset | grep -q 'masquerade'";
    let on_host = "nft list ruleset | grep -q '198.51.100.0/24.*masquerade'";
    breaks(
        &host,
        "internet-router",
        &[
            ("ip netns exec internet-router.router nft flush ruleset", node),
            ("set -- $(nft list tables | grep netlab); nft delete $1 $2 $3", on_host),
            (
                "set -- $(ip netns exec internet-router.router nft list tables | grep netlab)
                 ip netns exec internet-router.router nft flush $1 $2 $3",
                node,
            ),
            ("sysctl -qw net.ipv4.ip_forward=0", "[ \"$(sysctl -n net.ipv4.ip_forward)\" = 1 ]"),
        ],
        LATER,
    );
    let _ = host.run("nft", &["list", "ruleset"]).says("table ip stranger");
    host.ctl(&["delete-lab", "internet-router"]).ok();
    let ruleset = host.sh("nft list ruleset");
    assert!(!ruleset.contains("netlab") && ruleset.contains("table ip stranger"), "{ruleset}");
}

fn namespaces() {
    let (host, file) = with_lab();
    let reaches = "ip netns exec d.ns1 ping -c 1 -W 1 203.0.113.1";
    breaks(
        &host,
        "d",
        &[
            ("ip netns del d.ns1", reaches),
            ("ip netns del d.router", reaches),
            ("umount /run/netns/d.sw", "ip -n d.sw link show br0"),
            ("ip -all netns del", reaches),
        ],
        SOON,
    );
    all_is_well(&host, "d", &file);
}

/// A pin unmounted in a lab that has come to rest: no event of its interfaces tells of that.
fn unmounted() {
    let (host, file) = with_lab();
    let lost = [
        ("umount /run/netns/d.sw", "ip -n d.sw link show br0"),
        ("umount /run/netns/d.ns1", "ip -n d.ns1 link show eth0"),
        ("umount /run/netns/d.ns2", "ip -n d.ns2 link show eth0"),
        // The name alone, which is a link to the pin.
        ("rm /run/netns/d.sw", "ip -n d.sw link show br0"),
        ("ln -sfn /etc/passwd /run/netns/d.ns1", "ip -n d.ns1 link show eth0"),
        (
            "mv -T /run/netns/d.ns2 /run/netns/elsewhere; rm /run/netns/elsewhere",
            "ip -n d.ns2 link show eth0",
        ),
        ("umount -l /run/test/runtime/labs/d/net", "ip -n d.ns1 link show eth0 && ip -n d.sw link show br0"),
    ];
    for one in lost {
        // netlabd looks by itself after its own changes and twice a minute: too seldom to find them all in time.
        std::thread::sleep(Duration::from_secs(2));
        breaks(&host, "d", &[one], SOON);
    }
    all_is_well(&host, "d", &file);
}

fn paused() {
    let (host, file) = with_lab();
    host.ctl(&["pause-lab", "d"]).ok();
    host.sh("ip -n d.ns1 link set eth0 down; ip -n d.ns2 addr flush dev eth0");
    std::thread::sleep(Duration::from_secs(3));
    host.sh("! ip -n d.ns1 link show up dev eth0 | grep -q eth0; ! ip -n d.ns2 addr | grep -q 203.0.113.1");
    assert_eq!(host.lab("d")["status"]["paused"], true);
    host.ctl(&["resume-lab", "d"]).ok();
    wait_until("a resumed lab is repaired", SOON, || host.ctl(&["check-lab", "d"]).code == 0);
    all_is_well(&host, "d", &file);
}

/// The lab's end of a link on the host.
fn on_the_host() {
    let host = TestHost::started();
    host.ctl(&["create-lab", "labs/internet.yaml"]).ok();
    let mended = "ip link show up dev lab0 | grep -q lab0 && ip addr show lab0 | grep -q 192.0.2.254/24";
    breaks(
        &host,
        "internet",
        &[
            ("ip link del lab0", mended),
            ("ip link set lab0 down", mended),
            ("until ip link set lab0 down && ip link set lab0 name oops; do sleep 0.01; done", mended),
            ("ip addr del 192.0.2.254/24 dev lab0", mended),
            ("ip route del 192.0.2.0/24", "ip route | grep -q '^192.0.2.0/24 dev lab0'"),
            ("ip link set lab0 alias ''", "ip link show lab0 | grep -q 'alias netlab:internet$'"),
            ("ip link set lab0 group 0", "! ip link show lab0 | grep -q 'group default'"),
            ("ip link set lab0 mtu 1400", "ip link show lab0 | grep -q 'mtu 1500'"),
            ("ip link set lab0 address 02:00:00:00:00:99", "! ip link show lab0 | grep -q 02:00:00:00:00:99"),
            ("ip link set lab0 netns internet.ns1 name oops", mended),
            (
                "ip link add brx type bridge; ip link set lab0 master brx",
                "! ip link show lab0 | grep -q master",
            ),
        ],
        SOON,
    );
    let _ = host.ctl(&["apply-lab", "--dry-run", "labs/internet.yaml"]).code(0);
    host.sh("ip link show brx; ip link del brx");
}

/// A lab that something damages all the time: netlabd holds still now and then, says so, and mends it in
/// the end.
fn again_and_again() {
    let (host, file) = with_lab();
    let mut storm = std::process::Command::new("sh")
        .args(["-c", "while :; do ip -n d.ns1 link set eth0 mtu 1300; sleep 0.1; done"])
        .spawn()
        .expect("starting a shell");
    let condition = |host: &TestHost| host.lab("d")["status"]["conditions"].to_string();
    wait_until("netlabd says so", LATER, || condition(&host).contains("DamagedAgainAndAgain"));
    let _ = host.ctl(&["get-lab", "d"]).says("damaged again and again");
    storm.kill().expect("stopping the shell");
    storm.wait().expect("stopping the shell");
    wait_until("it is mended", LATER, || host.sh("ip -n d.ns1 link show eth0").contains("mtu 1500"));
    wait_until("it is told", LATER, || !condition(&host).contains("DamagedAgainAndAgain"));
    all_is_well(&host, "d", &file);
}
