//! Routes of all kinds: several next hops, next hops of the other family, tables, what sends nothing.

use std::time::Duration;

use super::{
    Test,
    drift::{SOON, breaks},
};
use crate::{
    command::wait_until,
    damage::repairs,
    feature::Feature,
    host::{TestHost, example},
};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("routing::several_next_hops", several).needs(&[Feature::Multipath]),
    Test::new("routing::next_hops_of_ipv6", of_ipv6),
    Test::new("routing::gateways_outside_the_subnet", onlink),
    Test::new("routing::kinds_and_settings", kinds),
    Test::new("routing::slips", slips),
    Test::new("routing::without_multipath", without_multipath).lacks(&[Feature::Multipath]),
];

/// How long a lab is watched for repairs that nobody has caused.
const CALM: Duration = Duration::from_secs(3);

/// Whatever is damaged, all that `whole` asks for comes back, and then nothing is repaired any more.
pub(super) fn is_kept(host: &TestHost, lab: &str, whole: &str, damages: &[&str]) {
    host.sh(whole);
    let damages: Vec<_> = damages.iter().map(|damage| (*damage, whole)).collect();
    breaks(host, lab, &damages, SOON);
    is_calm(host, lab);
}

/// Nothing is repaired while nobody does anything.
pub(super) fn is_calm(host: &TestHost, lab: &str) {
    host.wait_ready(lab);
    let before = repairs(&host.lab(lab));
    std::thread::sleep(CALM);
    assert_eq!(repairs(&host.lab(lab)), before, "{lab} is repaired though nobody has broken anything");
}

/// Sends datagrams of many flows from `h1` to `h2`; how many went by each of the router's two ways.
fn flows(host: &TestHost) -> [u64; 2] {
    let sent = || {
        let text = host.exec(
            "multipath.east",
            "cat /sys/class/net/east1/statistics/tx_packets /sys/class/net/east2/statistics/tx_packets",
        );
        let counts: Vec<u64> =
            text.ok().split_whitespace().map(|text| text.parse().expect("a count")).collect();
        [counts[0], counts[1]]
    };
    let before = sent();
    host.sh("ip netns exec multipath.h1 bash -c 'for port in $(seq 20000 20299); do
            echo flow >/dev/udp/203.0.113.1/$port || exit 1; done'");
    // The first of a way wait until its next hop is known.
    let gone = || sent().into_iter().zip(before).map(|(after, before)| after - before).collect::<Vec<_>>();
    wait_until("all are sent", SOON, || gone().iter().sum::<u64>() >= 300);
    [gone()[0], gone()[1]]
}

/// The example: flows are spread by weight, and the route comes back whole.
fn several() {
    let host = TestHost::started();
    let before = host.inventory();
    host.ctl(&["create-lab", "labs/multipath.yaml"]).ok();
    host.ctl(&["check-lab", "multipath"]).ok();
    let [first, second] = flows(&host);
    assert!(
        first + second >= 300 && first > second && second > 50,
        "{first} and {second} of 300, two to one"
    );
    // What is refused costs more than what is not answered.
    let _ = host.exec("multipath.h1", "ping -c 1 -W 1 203.0.113.129").code(1);
    let whole = "ip -n multipath.east route show 203.0.113.0/24 | tr '\\n' ' ' |
        grep -Eq '^203.0.113.0/24 proto 78 .*nexthop via 198.51.100.2 dev east1 weight 2 .*nexthop via inet6 2001:db8:1::2 dev east2 weight 1 *$'";
    let drop = "ip -n multipath.east route show | grep -q '^blackhole 203.0.113.128/25 proto 78'";
    let all = format!("{whole} && {drop}");
    is_kept(
        &host,
        "multipath",
        &all,
        &[
            "ip -n multipath.east route del 203.0.113.0/24",
            "ip -n multipath.east route replace 203.0.113.0/24 proto 78 nexthop via 198.51.100.2 dev east1 weight 2 nexthop via inet6 2001:db8:1::2 dev east2 weight 9",
            "ip -n multipath.east route replace unreachable 203.0.113.128/25",
            "ip -n multipath.east link del east1",
        ],
    );
    let [first, second] = flows(&host);
    assert!(first > second && second > 50, "after repairs: {first} and {second}");
    // By a change of the file, too, and back.
    let changed = example("multipath")
        .replace("weight: 2", "weight: 1")
        .replace(", type: blackhole", ", via: 198.51.100.2");
    let changed = host.file("changed.yaml", changed);
    host.ctl(&["apply-lab", &changed]).ok();
    host.sh("ip -n multipath.east route show 203.0.113.0/24 | grep -q 'dev east1 weight 1'");
    host.sh("ip -n multipath.east route show | grep -q '^203.0.113.128/25 via 198.51.100.2 dev east1'");
    host.ctl(&["apply-lab", "labs/multipath.yaml"]).ok();
    host.sh(&all);
    host.ctl(&["delete-lab", "multipath"]).ok();
    before.assert_unchanged();
}

/// Routes of IPv6 with several next hops, and one of IPv4 by a next hop of IPv6, which every kernel has.
fn of_ipv6() {
    let text = "\
name: k
nodes:
  a:
    interfaces:
      lo: { addresses: [192.0.2.1/32] }
      eth0: { addresses: [\"2001:db8:1::1/64\"] }
      eth1: { addresses: [\"2001:db8:2::1/64\"] }
    routes:
      - { to: \"2001:db8:9::/48\", next_hops: [ { via: \"2001:db8:2::2\", weight: 3 }, { via: \"fe80::b\", dev: eth0 } ] }
      - { to: 203.0.113.1/32, via: \"2001:db8:1::2\", src: 192.0.2.1 }
  b:
    forwarding: true
    interfaces:
      lo: { addresses: [203.0.113.1/32, \"2001:db8:9::1/128\"] }
      eth0: { addresses: [\"2001:db8:1::2/64\", \"fe80::b/64\"] }
      eth1: { addresses: [\"2001:db8:2::2/64\"] }
    routes:
      - { to: 192.0.2.1/32, via: \"2001:db8:1::1\" }
links:
  - endpoints: [\"a:eth0\", \"b:eth0\"]
  - endpoints: [\"a:eth1\", \"b:eth1\"]
checks:
  - { from: a, to: \"2001:db8:9::1\" }
  - { from: a, to: 203.0.113.1 }
";
    let host = TestHost::started();
    let before = host.inventory();
    let file = host.file("lab.yaml", text);
    host.ctl(&["create-lab", &file]).ok();
    host.ctl(&["check-lab", "k"]).ok();
    let whole = "ip -n k.a -6 route show 2001:db8:9::/48 | tr '\\n' ' ' |
            grep -q 'nexthop via 2001:db8:2::2 dev eth1 weight 3 .*nexthop via fe80::b dev eth0 weight 1'
        ip -n k.a route | grep -q '^203.0.113.1 via inet6 2001:db8:1::2 dev eth0 proto 78 src 192.0.2.1'";
    is_kept(
        &host,
        "k",
        whole,
        &[
            "ip -n k.a -6 route del 2001:db8:9::/48 via fe80::b dev eth0",
            "ip -n k.a -6 route append 2001:db8:9::/48 via 2001:db8:1::2 dev eth0",
            "ip -n k.a route replace 203.0.113.1 via inet6 2001:db8:1::2",
            "ip -n k.a link set eth1 down",
            "ip -n k.a addr flush dev eth0",
            "ip -n k.a addr del 192.0.2.1/32 dev lo",
        ],
    );
    host.ctl(&["delete-lab", "k"]).ok();
    before.assert_unchanged();
}

/// A server with a single address and a gateway outside of it, as clouds give them, in both spellings.
fn onlink() {
    let lab = |routes: &str| {
        format!(
            "\
name: k
nodes:
  server:
    interfaces: {{ eth0: {{ addresses: [198.51.100.7/32, \"2001:db8:7::7/128\"] }} }}
    routes: {routes}
  gateway:
    forwarding: true
    interfaces:
      eth0: {{ addresses: [203.0.113.1/32, \"2001:db8:1::1/128\"] }}
      eth1: {{ addresses: [192.0.2.254/24, \"2001:db8:2::fe/64\"] }}
    routes: [ {{ to: 198.51.100.7/32, dev: eth0 }}, {{ to: \"2001:db8:7::7/128\", dev: eth0 }} ]
  web:
    interfaces: {{ eth0: {{ addresses: [192.0.2.1/24, \"2001:db8:2::1/64\"] }} }}
    routes: [ {{ to: default, via: 192.0.2.254 }}, {{ to: default, via: \"2001:db8:2::fe\" }} ]
links:
  - endpoints: [\"server:eth0\", \"gateway:eth0\"]
  - endpoints: [\"gateway:eth1\", \"web:eth0\"]
checks:
  - {{ from: server, to: 192.0.2.1 }}
  - {{ from: server, to: \"2001:db8:2::1\" }}
  - {{ from: web, to: 198.51.100.7 }}
"
        )
    };
    let two = lab("[ { to: default, via: 203.0.113.1, dev: eth0 }, { to: 203.0.113.1/32, dev: eth0 },
      { to: default, via: \"2001:db8:1::1\", dev: eth0 }, { to: \"2001:db8:1::1/128\", dev: eth0 } ]");
    let flag = lab("[ { to: default, via: 203.0.113.1, dev: eth0, onlink: true },
      { to: default, via: \"2001:db8:1::1\", dev: eth0, onlink: true } ]");
    let host = TestHost::started();
    let before = host.inventory();
    let (two, flag) = (host.file("two.yaml", two), host.file("flag.yaml", flag));
    for (file, shown) in [(&two, ""), (&flag, ".*onlink")] {
        host.ctl(&["create-lab", file]).ok();
        host.ctl(&["check-lab", "k"]).ok();
        let mended = format!(
            "ip -n k.server route | grep -q '^default via 203.0.113.1 dev eth0{shown}'
            ip -n k.server -6 route | grep -q '^default via 2001:db8:1::1 dev eth0{shown}'"
        );
        let damages =
            ["ip -n k.server -6 route flush table main proto 78", "ip -n k.server link set eth0 down"];
        is_kept(&host, "k", &mended, &damages);
        host.ctl(&["delete-lab", "k"]).ok();
        before.assert_unchanged();
    }
    // From one spelling to the other.
    host.ctl(&["create-lab", &two]).ok();
    host.ctl(&["apply-lab", &flag]).ok();
    host.ctl(&["check-lab", "k"]).ok();
    host.ctl(&["apply-lab", &two]).ok();
    host.ctl(&["check-lab", "k"]).ok();
    host.ctl(&["delete-lab", "k"]).ok();
    before.assert_unchanged();
}

fn kinds() {
    let text = "\
name: k
nodes:
  a:
    interfaces: { eth0: { addresses: [192.0.2.1/24, 192.0.2.9/24, \"2001:db8::1/64\"] } }
    routes: [ { to: default, via: 192.0.2.254, src: 192.0.2.9, mtu: 1300 }, { to: default, via: \"2001:db8::fe\" } ]
  r:
    forwarding: true
    interfaces:
      eth0: { addresses: [192.0.2.254/24, \"2001:db8::fe/64\"] }
      lo: { addresses: [203.0.113.1/32] }
    routes:
      - { to: 198.51.100.0/26, type: blackhole }
      - { to: 198.51.100.64/26, type: unreachable }
      - { to: 198.51.100.128/26, type: prohibit, metric: 7 }
      - { to: \"2001:db8:9::/48\", type: prohibit }
      - { to: default, via: 192.0.2.1, table: 100 }
      - { to: 198.51.100.192/26, type: throw, table: 4000000000 }
links:
  - endpoints: [\"a:eth0\", \"r:eth0\"]
checks:
  - { from: a, to: 203.0.113.1 }
";
    let host = TestHost::started();
    let before = host.inventory();
    let file = host.file("lab.yaml", text);
    host.ctl(&["create-lab", &file]).ok();
    host.ctl(&["check-lab", "k"]).ok();
    let _ = host.exec("k.a", "ping -c 1 -W 1 198.51.100.1").code(1).says("0 received");
    let _ = host.exec("k.a", "ping -c 1 -W 5 198.51.100.65").code(1).says("Destination Host Unreachable");
    let _ = host.exec("k.a", "ping -c 1 -W 5 198.51.100.129").code(1).says("Packet filtered");
    let _ = host.exec("k.a", "ping -c 1 -W 5 2001:db8:9::1").code(1).says("Administratively prohibited");
    // The source that the route says, and its size of packets.
    let _ = host.exec("k.a", "ip route get 203.0.113.1").says("src 192.0.2.9").says("mtu 1300");
    let _ = host.exec("k.a", "ping -c 1 -W 5 -M do -s 1273 203.0.113.1").code(1);
    let _ = host.exec("k.a", "ping -c 1 -W 5 -M do -s 1272 203.0.113.1").code(0);
    let all = "ip -n k.r route | grep -q '^blackhole 198.51.100.0/26 proto 78'
        ip -n k.r route | grep -q '^unreachable 198.51.100.64/26 proto 78'
        ip -n k.r route | grep -q '^prohibit 198.51.100.128/26 proto 78 metric 7'
        ip -n k.r -6 route | grep -q '^prohibit 2001:db8:9::/48 dev lo proto 78 metric 1024'
        ip -n k.r route show table 100 | grep -q '^default via 192.0.2.1 dev eth0 proto 78'
        ip -n k.r route show table 4000000000 | grep -q '^throw 198.51.100.192/26 proto 78'
        ip -n k.a route | grep -q '^default via 192.0.2.254 dev eth0 proto 78 src 192.0.2.9 mtu 1300'";
    is_kept(
        &host,
        "k",
        all,
        &[
            "ip -n k.r route del blackhole 198.51.100.0/26",
            "ip -n k.r route replace blackhole 198.51.100.64/26",
            "ip -n k.r route flush table 4000000000",
            "ip -n k.a route change default via 192.0.2.254 proto 78 src 192.0.2.9 mtu lock 1300",
            "ip -n k.a addr del 192.0.2.9/24 dev eth0",
            "ip -n k.r link set eth0 down",
        ],
    );
    // What the file no longer says goes, whatever others have put beside it stays.
    host.sh("ip -n k.r route add blackhole 198.18.0.0/15; ip -n k.r route add 198.18.0.0/16 via 192.0.2.1 table 200");
    let less = text
        .lines()
        .filter(|line| !line.contains("type: ") && !line.contains("table: "))
        .collect::<Vec<_>>()
        .join("\n")
        .replace("    routes:\nlinks", "links");
    let less = host.file("less.yaml", less);
    host.ctl(&["apply-lab", &less]).ok();
    let left = host.sh("ip -n k.r route show table all; ip -n k.r -6 route show table all");
    for gone in ["198.51.100.", "2001:db8:9::", "default via 192.0.2.1"] {
        assert!(!left.contains(gone), "{gone} is still there: {left}");
    }
    assert!(left.contains("blackhole 198.18.0.0/15") && left.contains("198.18.0.0/16 via"), "{left}");
    wait_until("get-lab tells of them", SOON, || {
        let extras = host.lab("k")["status"]["extras"].to_string();
        extras.contains("r: route blackhole 198.18.0.0/15")
            && extras.contains("198.18.0.0/16 via 192.0.2.1 dev eth0 table 200")
    });
    host.ctl(&["delete-lab", "k"]).ok();
    before.assert_unchanged();
}

/// What is refused, with its place, and changes nothing.
fn slips() {
    let host = TestHost::started();
    let file = host.file("good.yaml", example("multipath"));
    let before = host.inventory();
    for (good, bad, place, words) in [
        (
            "type: blackhole",
            "type: blackhole, via: 198.51.100.2",
            ":43:55:",
            "a blackhole route sends nothing and has no via",
        ),
        ("type: blackhole", "type: blackhol", ":43:39:", "did you mean"),
        ("weight: 2", "weight: 0", ":41:42:", "0 is no weight of a next hop: 1 to 256"),
        ("weight: 2", "weight: 257", ":41:42:", "257 is no weight of a next hop: 1 to 256"),
        ("{ via: \"2001:db8:1::2\" }", "{ via: \"2001:db8:7::2\" }", ":42:20:", "is on no link of east"),
        ("type: blackhole", "via: 198.51.100.2, table: 254", ":43:59:", "leave out table"),
    ] {
        let text = example("multipath").replacen(good, bad, 1);
        let file = host.file("bad.yaml", text);
        for verb in ["create-lab", "show-commands"] {
            let said = host.ctl(&[verb, &file]).code(2).stderr;
            assert!(said.contains(place) && said.contains(words), "{bad}: {said}");
        }
    }
    before.assert_unchanged();
    let _ = host.ctl(&["graph", &file, "-f", "mermaid"]).code(0);
}

/// A kernel that knows one next hop only says so before anything is made.
fn without_multipath() {
    let host = TestHost::started();
    let before = host.inventory();
    let _ = host.ctl(&["create-lab", "labs/multipath.yaml"]).code(1).complains("CONFIG_IP_ROUTE_MULTIPATH");
    before.assert_unchanged();
}
