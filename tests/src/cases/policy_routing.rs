//! Rules and tables, static neighbours, and what others add of all that.

use super::{
    Test,
    drift::{SOON, breaks},
    routing::{is_calm, is_kept},
};
use crate::{
    capture::Capture,
    command::wait_until,
    host::{TestHost, example},
};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("policy_routing::two_providers", two_providers),
    Test::new("policy_routing::rules", rules),
    Test::new("policy_routing::neighbours", neighbours),
    Test::new("policy_routing::proxies", proxies),
    Test::new("policy_routing::slips", slips),
    Test::new("policy_routing::others_in_groups", others),
];

/// The example: answers leave by the line that the question came in by, and the rules come back.
fn two_providers() {
    let host = TestHost::started();
    let before = host.inventory();
    host.ctl(&["create-lab", "labs/policy-routing.yaml"]).ok();
    host.ctl(&["check-lab", "policy-routing"]).ok();
    let site = "policy-routing.site";
    let second = Capture::start(&host, site, "isp2", "icmp[icmptype] = icmp-echoreply");
    assert!(host.pings("policy-routing.peer", "203.0.113.2"));
    second.sees(&["203.0.113.2 > 192.0.2.10: ICMP echo reply"]);
    let _ = host.exec(site, "ping -c 1 -W 2 10.1.1.1").code(2);
    let whole = "ip -n policy-routing.site rule | tr '\\n' ' ' | grep -q '50:.*from all to 10.0.0.0/8 prohibit proto 78.*101:.*from 198.51.100.2 lookup 101 proto 78.*102:.*from 203.0.113.2 lookup 102 proto 78'
        ip -n policy-routing.site route show table 102 | grep -q '^default via 203.0.113.1 dev isp2'
        ip -n policy-routing.peer neigh show nud permanent | grep -q '^192.0.2.1 dev eth0 lladdr 02:00:00:00:00:01 PERMANENT'";
    is_kept(
        &host,
        "policy-routing",
        whole,
        &[
            "ip -n policy-routing.site rule del priority 102",
            "ip -n policy-routing.site rule del priority 50; ip -n policy-routing.site rule add priority 50 to 10.0.0.0/8 unreachable",
            "ip -n policy-routing.site route flush table 102",
            "ip -n policy-routing.site link del isp2",
            "ip -n policy-routing.peer neigh replace 192.0.2.1 lladdr 02:00:00:00:00:09 dev eth0",
            "ip -n policy-routing.peer link set eth0 address 02:00:00:00:00:aa",
        ],
    );
    host.ctl(&["delete-lab", "policy-routing"]).ok();
    before.assert_unchanged();
}

/// Rules of both families, by mark and by interface; a changed file, and what others had put beside it.
fn rules() {
    let host = TestHost::started();
    let before = host.inventory();
    let lab = |rules: &str| {
        format!(
            "\
name: k
nodes:
  a:
    interfaces: {{ eth0: {{ addresses: [192.0.2.1/24, \"2001:db8::1/64\"] }} }}
    routes:
      - {{ to: default, via: 192.0.2.2 }}
      - {{ to: default, via: \"2001:db8::2\", table: 7 }}
    rules:
{rules}
  b:
    forwarding: true
    interfaces:
      eth0: {{ addresses: [192.0.2.2/24, \"2001:db8::2/64\"] }}
      lo: {{ addresses: [203.0.113.1/32, \"2001:db8:1::1/128\"] }}
links:
  - endpoints: [\"a:eth0\", \"b:eth0\"]
checks:
  - {{ from: a, to: 203.0.113.1 }}
"
        )
    };
    let first = lab("      - { fwmark: 0x10, fwmask: 0xf0, type: prohibit }
      - { to: \"2001:db8:1::/48\", table: 7 }
      - { priority: 40000, iif: eth0, type: blackhole }");
    let first = host.file("first.yaml", first);
    host.ctl(&["create-lab", &first]).ok();
    host.ctl(&["check-lab", "k"]).ok();
    assert!(host.pings("k.a", "2001:db8:1::1"), "by the rule's table");
    let _ = host.exec("k.a", "ping -c 1 -W 2 -m 26 203.0.113.1").code(2);
    let _ = host.exec("k.a", "ping -c 1 -W 5 -m 42 203.0.113.1").code(0);
    for family in ["", "-6 "] {
        let _ = host
            .exec("k.a", &format!("ip {family}rule"))
            .says("10000:\tfrom all fwmark 0x10/0xf0 prohibit proto 78")
            .says("40000:\tfrom all iif eth0 blackhole proto 78");
    }
    host.sh("ip -n k.a rule add priority 10002 from 192.0.2.1 lookup main; ip -n k.a rule add priority 5 from 10.0.0.0/8 lookup 99 protocol bgp");
    let second = lab("      - { fwmark: 0x10, type: prohibit }
      - { to: \"2001:db8:1::/48\", type: unreachable }
      - { from: 192.0.2.1/32, table: 254 }");
    let second = host.file("second.yaml", second);
    host.ctl(&["apply-lab", &second]).ok();
    assert!(!host.pings("k.a", "2001:db8:1::1"), "it is closed now");
    let _ = host.exec("k.a", "ping -c 1 -W 5 -m 26 203.0.113.1").code(0);
    let seen = host.exec("k.a", "ip rule").ok();
    assert!(!seen.contains("40000:") && !seen.contains("0xf0"), "{seen}");
    assert!(seen.contains("10.0.0.0/8 lookup 99 proto bgp"), "{seen}");
    // The file says what somebody had typed before: that it is there is enough.
    assert_eq!(seen.matches("from 192.0.2.1 lookup main").count(), 1, "{seen}");
    let _ = host.ctl(&["apply-lab", "--dry-run", &second]).code(0);
    is_calm(&host, "k");
    host.ctl(&["delete-lab", "k"]).ok();
    before.assert_unchanged();
}

/// A neighbour of the file is not asked for, of either family.
fn neighbours() {
    let text = "\
name: k
nodes:
  a:
    interfaces: { eth0: { addresses: [192.0.2.1/24, \"2001:db8::1/64\"] } }
    neighbours:
      - { to: 192.0.2.2, mac: \"02:00:00:00:00:02\" }
      - { to: \"2001:db8::2\", mac: \"02:00:00:00:00:02\", dev: eth0 }
  b:
    interfaces: { eth0: { addresses: [192.0.2.2/24, \"2001:db8::2/64\"], mac: \"02:00:00:00:00:02\" } }
links:
  - endpoints: [\"a:eth0\", \"b:eth0\"]
checks:
  - { from: a, to: 192.0.2.2 }
  - { from: a, to: \"2001:db8::2\" }
";
    let host = TestHost::started();
    let before = host.inventory();
    let file = host.file("lab.yaml", text);
    host.ctl(&["create-lab", &file]).ok();
    // b asks for a and not the other way around.
    let asked = Capture::start(&host, "k.b", "eth0", "arp or icmp");
    host.ctl(&["check-lab", "k"]).ok();
    asked.sees(&["192.0.2.1 > 192.0.2.2: ICMP echo request"]);
    let whole = "ip -n k.a neigh show nud permanent | grep -q '^192.0.2.2 dev eth0 lladdr 02:00:00:00:00:02'
        ip -n k.a neigh show nud permanent | grep -q '^2001:db8::2 dev eth0 lladdr 02:00:00:00:00:02'";
    is_kept(
        &host,
        "k",
        whole,
        &[
            "ip -n k.a neigh flush nud permanent",
            "ip -n k.a neigh del 2001:db8::2 dev eth0",
            "ip -n k.a neigh replace 2001:db8::2 lladdr 02:00:00:00:00:03 dev eth0 nud permanent",
            "ip -n k.a link set eth0 down",
            "ip -n k.a link del eth0",
        ],
    );
    // Another address of the same neighbour; what the file says no more is asked for again.
    let changed = text.replace("to: 192.0.2.2,", "to: 192.0.2.3,");
    let changed = host.file("changed.yaml", changed);
    host.ctl(&["apply-lab", &changed]).ok();
    let seen = host.exec("k.a", "ip neigh show nud permanent").ok();
    assert!(seen.contains("192.0.2.3 ") && !seen.contains("192.0.2.2 "), "{seen}");
    host.ctl(&["delete-lab", "k"]).ok();
    before.assert_unchanged();
}

/// A node answers for what is behind it, in both families; the kernel tells of no change there.
fn proxies() {
    let text = "\
name: k
nodes:
  left: { interfaces: { eth0: { addresses: [192.0.2.1/24, \"2001:db8::1/64\"] } } }
  mid:
    forwarding: true
    interfaces: { eth0: {}, eth1: { addresses: [198.51.100.1/24, \"2001:db8:1::1/64\"] } }
    routes:
      - { to: 192.0.2.1/32, dev: eth0 }
      - { to: 192.0.2.200/32, dev: eth1 }
      - { to: \"2001:db8::1/128\", dev: eth0 }
      - { to: \"2001:db8::200/128\", dev: eth1 }
    neighbours:
      - { to: 192.0.2.200, dev: eth0, proxy: true }
      - { to: 192.0.2.1, dev: eth1, proxy: true }
      - { to: \"2001:db8::200\", dev: eth0, proxy: true }
      - { to: \"2001:db8::1\", dev: eth1, proxy: true }
    sysctls: { net.ipv6.conf.eth0.proxy_ndp: \"1\", net.ipv6.conf.eth1.proxy_ndp: \"1\" }
  right: { interfaces: { eth0: { addresses: [192.0.2.200/24, \"2001:db8::200/64\"] } } }
links:
  - endpoints: [\"left:eth0\", \"mid:eth0\"]
  - endpoints: [\"mid:eth1\", \"right:eth0\"]
checks:
  - { from: left, to: 192.0.2.200 }
  - { from: left, to: \"2001:db8::200\" }
";
    let host = TestHost::started();
    let before = host.inventory();
    let file = host.file("lab.yaml", text);
    host.ctl(&["create-lab", &file]).ok();
    wait_until("all is reached", SOON, || host.ctl(&["check-lab", "k"]).code == 0);
    let whole = "[ $(ip -n k.mid -4 neigh show proxy | wc -l) = 2 ]
        ip -n k.mid -6 neigh show proxy | grep -q '^2001:db8::200 dev eth0'
        ip -n k.mid -6 neigh show proxy | grep -q '^2001:db8::1 dev eth1'";
    is_kept(
        &host,
        "k",
        whole,
        &[
            "ip -n k.mid neigh del proxy 192.0.2.200 dev eth0",
            "ip -n k.mid -6 neigh del proxy 2001:db8::1 dev eth1",
            "ip -n k.mid link set eth0 down",
        ],
    );
    let less = text.replace("      - { to: 192.0.2.1, dev: eth1, proxy: true }\n", "");
    let less = host.file("less.yaml", less);
    host.ctl(&["apply-lab", &less]).ok();
    assert!(!host.exec("k.mid", "ip neigh show proxy").ok().contains("192.0.2.1 "));
    host.ctl(&["delete-lab", "k"]).ok();
    before.assert_unchanged();
}

fn slips() {
    let host = TestHost::started();
    let before = host.inventory();
    for (good, bad, place, words) in [
        ("priority: 101", "priority: 32766", ":35:21:", "the kernel's own rule for the table main"),
        ("priority: 102", "priority: 101", ":36:9:", "has priority 101 already"),
        ("to: 10.0.0.0/8, type", "type", ":35:9:", "can never match: rules[0]"),
        ("type: prohibit", "type: prohibited", ":34:47:", "did you mean"),
        ("dev: eth0 }]", "dev: eth1 }]", ":56:66:", "did you mean"),
    ] {
        let file = host.file("bad.yaml", example("policy-routing").replacen(good, bad, 1));
        let said = host.ctl(&["create-lab", &file]).code(2).stderr;
        assert!(said.contains(place) && said.contains(words), "{bad}: {said}");
    }
    before.assert_unchanged();
}

/// What daemons do is counted, what hands do is named while it is little, and all of it is left alone.
fn others() {
    let host = TestHost::started();
    host.ctl(&["create-lab", "labs/policy-routing.yaml"]).ok();
    let extras = || host.lab("policy-routing")["status"]["extras"].to_string();
    let tells = |extra: &str| {
        wait_until(&format!("get-lab tells of {extra}"), SOON, || extras().contains(extra));
    };
    host.sh("for n in $(seq 12); do ip -n policy-routing.site route add 198.18.$n.0/24 via 198.51.100.1 proto bgp; done");
    tells("site: 12 routes by bgp");
    host.sh("ip -n policy-routing.site route add 198.19.0.0/24 via 198.51.100.1 proto ospf");
    tells("site: 1 route by ospf");
    host.sh("ip -n policy-routing.site route add unreachable 198.19.1.0/24 table 9");
    tells("site: route unreachable 198.19.1.0/24 table 9");
    host.sh("ip -n policy-routing.site rule add priority 7 from 192.0.2.7 lookup 9");
    tells("site: rule priority 7 from 192.0.2.7/32 table 9");
    host.sh("for n in $(seq 20); do ip -n policy-routing.site rule add priority $((200 + n)) fwmark $n lookup 9 protocol zebra; done");
    tells("site: 20 rules by zebra");
    // The kernel tells nobody of the first of these; the look for the second shows both.
    host.sh("ip -n policy-routing.peer neigh add proxy 192.0.2.98 dev eth0
        ip -n policy-routing.peer neigh add 192.0.2.99 lladdr 02:00:00:00:00:99 dev eth0");
    tells("peer: neighbour 192.0.2.99 lladdr 02:00:00:00:00:99 dev eth0");
    tells("peer: neighbour proxy 192.0.2.98 dev eth0");
    // A daemon's next hop objects: deleting one takes its routes away, and only that is told.
    host.sh("ip -n policy-routing.site nexthop add id 7 via 198.51.100.1 dev isp1
        ip -n policy-routing.site route add 198.19.2.0/24 nhid 7 proto isis");
    tells("site: 1 route by isis");
    host.sh("ip -n policy-routing.site nexthop del id 7");
    wait_until("it is gone", SOON, || !extras().contains("by isis"));
    host.sh(
        "for n in $(seq 9); do ip -n policy-routing.site route add 198.18.10$n.0/24 via 198.51.100.1; done",
    );
    tells("site: 10 routes by hand");
    // None of it is what the lab repairs, whatever else it has to.
    breaks(
        &host,
        "policy-routing",
        &[(
            "ip -n policy-routing.site rule del priority 102",
            "ip -n policy-routing.site rule | grep -q '^102:'",
        )],
        SOON,
    );
    is_calm(&host, "policy-routing");
    assert!(extras().contains("12 routes by bgp") && extras().contains("20 rules by zebra"), "{}", extras());
    host.ctl(&["delete-lab", "policy-routing"]).ok();
}
