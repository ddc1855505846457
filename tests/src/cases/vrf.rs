//! VRFs: the example, what breaks it, and what a changed file makes of it.

use super::{Test, drift::SOON, routing::is_kept};
use crate::{
    capture::Capture,
    command::wait_until,
    feature::Feature,
    host::{TestHost, example},
};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("vrf::customers", customers).needs(&[Feature::Kind("vrf"), Feature::Kind("dummy")]),
    Test::new("vrf::slips", slips),
];

/// Two customers with the same addresses, what others do to that, and another file.
fn customers() {
    let host = TestHost::started();
    let before = host.inventory();
    host.ctl(&["create-lab", "labs/vrf.yaml"]).ok();
    host.ctl(&["check-lab", "vrf"]).ok();
    let wire = Capture::start(&host, "vrf.blue2", "eth0", "icmp");
    assert!(host.pings("vrf.blue1", "198.51.100.1"));
    wire.sees(&["10.1.0.2 > 198.51.100.1: ICMP echo request"]);
    // The router itself, by either of the two ways to the same address.
    for vrf in ["red", "blue"] {
        let _ = host.exec("vrf.pe", &format!("ping -c 1 -W 5 -I {vrf} 10.2.0.2")).code(0);
    }
    let _ = host.exec("vrf.pe", "ping -c 1 -W 2 10.2.0.2").code(2);
    // The kernel tells it once a second.
    wait_until("red is told that there is no way", SOON, || {
        let said = host.exec("vrf.red1", "ping -c 1 -W 1 198.51.100.1");
        said.stdout.contains("From 10.1.0.1 icmp_seq=1 Destination Host Unreachable")
    });
    let whole = "pe='ip -n vrf.pe'
        $pe -d link show red | grep -q 'vrf table 100 '
        [ $($pe -o link show master red up | wc -l) = 2 ]
        $pe route show vrf red | grep -q '^203.0.113.0/24 via 10.2.0.2 dev r2 proto 78'
        $pe -6 route show vrf red | grep -q '^unreachable default .* metric 4278198272'
        $pe -6 route show vrf red | grep -q '^2001:db8:1::/64 dev r1 '
        [ \"$($pe rule | grep -c '^1000:.*lookup \\[l3mdev-table\\]$')\" = 1 ]
        [ \"$($pe -6 rule | grep -c '^1000:.*lookup \\[l3mdev-table\\]$')\" = 1 ]";
    // What is to fail takes its time.
    let text = example("vrf");
    let quick: Vec<_> = text.lines().filter(|line| !line.contains("reachable: false")).collect();
    let quick = host.file("quick.yaml", quick.join("\n"));
    host.ctl(&["apply-lab", &quick]).ok();
    is_kept(
        &host,
        "vrf",
        whole,
        &[
            "ip -n vrf.pe link set r1 nomaster; ip -n vrf.pe link set r2 master blue; ip -n vrf.pe link set red down
                ip -n vrf.pe rule del priority 1000; ip -6 -n vrf.pe rule del priority 1000",
            "ip -n vrf.pe route flush table 100; ip -n vrf.pe link del red; ip -n vrf.pe link add red type vrf table 101",
        ],
    );
    changed(&host);
    host.ctl(&["delete-lab", "vrf"]).ok();
    before.assert_unchanged();
}

/// Red gets another table, blue goes with its rule and routes; both ways lead to what a new lab would be.
fn changed(host: &TestHost) {
    let addresses = || host.exec("vrf.pe", "ip -6 addr show dev r1").ok().replace(" tentative", "");
    let before = addresses();
    let other = example("vrf").replace("table: 100", "table: 200");
    let other = host.file("other.yaml", other);
    host.ctl(&["apply-lab", &other]).ok();
    assert!(host.pings("vrf.red1", "203.0.113.1"));
    assert_eq!(host.exec("vrf.pe", "ip route show table 100").stdout, "");
    assert_eq!(addresses(), before);
    let without = "name: vrf
nodes:
  pe:
    forwarding: true
    interfaces:
      r1: { addresses: [10.1.0.1/24, \"2001:db8:1::1/64\"] }
      b1: { addresses: [10.3.0.1/24] }
  red1: { interfaces: { eth0: { addresses: [10.1.0.2/24, \"2001:db8:1::2/64\"] } } }
  blue1: { interfaces: { eth0: { addresses: [10.3.0.2/24] } }, routes: [{ to: default, via: 10.3.0.1 }] }
links:
  - endpoints: [\"red1:eth0\", \"pe:r1\"]
  - endpoints: [\"blue1:eth0\", \"pe:b1\"]
checks:
  - { from: pe, to: \"2001:db8:1::2\" }
  - { from: pe, to: blue1 }
";
    let without = host.file("without.yaml", without);
    host.ctl(&["apply-lab", &without]).ok();
    host.ctl(&["check-lab", "vrf"]).ok();
    let left = host.sh("ip -n vrf.pe rule; ip -6 -n vrf.pe rule; ip -n vrf.pe route show table all; ip -6 -n vrf.pe route show table all");
    assert!(!left.contains("l3mdev") && !left.contains("unreachable"), "{left}");
    // The kernel makes its rule for VRFs once in a namespace.
    host.ctl(&["apply-lab", "labs/vrf.yaml"]).ok();
    assert!(host.pings("vrf.blue1", "198.51.100.1"));
}

fn slips() {
    let host = TestHost::started();
    for (good, bad, place, words) in [
        ("r1: { master: red,", "r1: { master: rde,", ":26:21:", "did you mean \"red\""),
        ("r1: { master: red,", "r1: { master: r2,", ":26:21:", "not a VRF or bond; name a VRF or bond"),
        ("table: 100", "table: 254", ":24:28:", "of the kernel's own"),
        (", vrf: blue }", " }", ":33:37:", "add vrf: red, or dev: r2"),
        (", vrf: blue }", ", vrf: blue, table: 7 }", ":33:52:", "leave out table or vrf"),
    ] {
        let file = host.file("bad.yaml", example("vrf").replacen(good, bad, 1));
        let said = host.ctl(&["create-lab", &file]).code(2).stderr;
        assert!(said.contains(place) && said.contains(words), "{bad}: {said}");
    }
}
