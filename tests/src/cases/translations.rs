//! Translations of addresses, ports and prefixes in nodes: what the other side sees is the yardstick.

use std::{thread, time::Duration};

use super::{Test, drift::breaks};
use crate::{
    feature::Feature,
    host::{TestHost, example},
};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("translations::given", given).needs(&[Feature::Nat]),
    Test::new("translations::types", types).needs(&[Feature::Nat]),
    Test::new("translations::one_subnet_on_two_wires", proxy_arp),
    Test::new("translations::bad_input", bad_input),
];

const LAB: &str = "labs/nat.yaml";

/// From where a node seems to come, for each server.
fn seen(host: &TestHost, node: &str, servers: &[&str]) -> Vec<String> {
    let seen = host.probe_nat(node, 5000, servers);
    seen.mapped.iter().map(|at| at.ip().to_string()).collect()
}

fn given() {
    let host = TestHost::started();
    let before = host.inventory();
    host.ctl(&["create-lab", LAB]).ok();
    let translated = || {
        host.ctl(&["check-lab", "nat"]).ok();
        let servers = ["198.18.0.1", "2001:db8:f::1"];
        let reflector = host.reflect("nat.outside", &servers);
        let [ipv4, ipv6] = &seen(&host, "nat.pc", &servers[..1])
            .into_iter()
            .chain(seen(&host, "nat.pc", &servers[1..]))
            .collect::<Vec<_>>()[..]
        else {
            panic!("two answers")
        };
        assert!(["198.18.0.10", "198.18.0.11"].contains(&ipv4.as_str()), "one of the range: {ipv4}");
        assert_eq!(ipv6, "2001:db8:1::1", "the prefix alone is another");
        assert_eq!(seen(&host, "nat.web", &servers[..1]), ["198.18.0.20"], "an address of its own");
        reflector.stop();
        let services = [80, 9003].map(|port| host.serve("nat.web", port, &port.to_string()));
        assert_eq!(host.fetch("nat.outside", "198.18.0.20:80"), "80", "a whole address");
        assert_eq!(host.fetch("nat.outside", "198.18.0.254:8003"), "9003", "the fourth port of the fourth");
        assert_eq!(host.fetch("nat.outside", "[2001:db8:1::5]:80"), "80", "the prefix from outside");
        services.into_iter().for_each(crate::service::Service::stop);
    };
    translated();
    let _ = host.ctl(&["apply-lab", "--dry-run", LAB]).code(0);
    let mended = "ip netns exec nat.router nft list ruleset | tr -d '\\n' | \
                  grep -q 'to 192.0.2.5:9010 .*dnat ip6 prefix to .*snat ip to 198.18.0.10/31 .*snat ip6 prefix to'";
    let damages = [
        ("ip netns exec nat.router nft delete table inet netlab", mended),
        ("ip netns exec nat.router nft flush chain inet netlab postrouting", mended),
        (
            "ip netns exec nat.router nft insert rule inet netlab prerouting ip daddr 198.18.0.20 dnat ip to 192.0.2.1",
            "! ip netns exec nat.router nft list ruleset | grep -q 'dnat ip to 192.0.2.1$'",
        ),
    ];
    breaks(&host, "nat", &damages, Duration::from_secs(10));
    translated();
    host.ctl(&["delete-lab", "nat"]).ok();
    before.assert_unchanged();
}

/// Each type by what it does (RFC 5780): one socket asks two addresses, then whether others get through.
fn types() {
    let host = TestHost::started();
    let before = host.inventory();
    host.ctl(&["create-lab", "labs/nat-types.yaml"]).ok();
    host.ctl(&["check-lab", "nat-types"]).ok();
    let reflector = host.reflect("nat-types.server", &["198.18.0.1", "198.18.0.2", "198.18.0.3"]);
    let behaves = || {
        thread::scope(|scope| {
            for (at, from_port, from_address) in
                [(1, true, true), (2, true, false), (3, false, false), (4, false, false)]
            {
                let host = &host;
                scope.spawn(move || {
                    let pc = format!("nat-types.pc{at}");
                    let seen = host.probe_nat(&pc, 5000, &["198.18.0.1", "198.18.0.2"]);
                    assert_eq!(
                        (seen.from_port, seen.from_address),
                        (from_port, from_address),
                        "{pc}: {seen:?}"
                    );
                    let one = seen.mapped[0] == seen.mapped[1];
                    assert_eq!(one, at != 4, "{pc} has one port for both servers, or one for each: {seen:?}");
                    assert!(
                        seen.mapped.iter().all(|it| it.ip().to_string() == format!("198.18.0.1{at}")),
                        "{seen:?}"
                    );
                });
            }
        });
    };
    behaves();
    let _ = host.ctl(&["apply-lab", "--dry-run", "labs/nat-types.yaml"]).code(0);
    let map = host.exec("nat-types.r1", "nft list map inet netlab mappings").ok();
    assert!(map.contains("192.168.1.2 . 5000"), "{map}");
    let damages = [
        (
            "ip netns exec nat-types.r1 nft delete table inet netlab",
            "ip netns exec nat-types.r1 nft list map inet netlab mappings",
        ),
        (
            "ip netns exec nat-types.r3 nft delete chain inet netlab unsolicited",
            "ip netns exec nat-types.r3 nft list chain inet netlab unsolicited",
        ),
    ];
    breaks(&host, "nat-types", &damages, Duration::from_secs(10));
    behaves();
    reflector.stop();
    host.ctl(&["delete-lab", "nat-types"]).ok();
    before.assert_unchanged();
}

/// One subnet on two wires, where that is meant.
fn proxy_arp() {
    let host = TestHost::started();
    let text = example("proxy-arp");
    let file = host.file("slip.yaml", text.replace("    overlapping_subnets: true\n", ""));
    let said = host.ctl(&["create-lab", &file]).code(2).stderr;
    assert!(
        said.contains("192.0.2.101/24 overlaps 192.0.2.100/24 on eth0")
            && said.contains("overlapping_subnets: true"),
        "{said}"
    );
    host.ctl(&["create-lab", "labs/proxy-arp.yaml"]).ok();
    host.ctl(&["check-lab", "proxy-arp"]).ok();
    let damages = [(
        "ip -n proxy-arp.mid address del 192.0.2.100/24 dev eth0",
        "ip -n proxy-arp.mid route get 192.0.2.1 | grep -q 'dev eth0'",
    )];
    breaks(&host, "proxy-arp", &damages, Duration::from_secs(10));
    let _ = host.ctl(&["apply-lab", "--dry-run", "labs/proxy-arp.yaml"]).code(0);
    host.ctl(&["delete-lab", "proxy-arp"]).ok();
}

/// Faults are told with line and column, and change nothing.
fn bad_input() {
    let host = TestHost::started();
    let lab = |nat: &str| {
        let node = format!("forwarding: true, interfaces: {{ e: {{}} }}, nat: {{\n    {nat}\n  }}");
        format!(
            "name: bad\nnodes:\n  r: {{ {node} }}\n  h: {{ interfaces: {{ e: {{}} }} }}\nlinks: [ {{ endpoints: [\"r:e\", \"h:e\"] }} ]\n"
        )
    };
    for (nat, place, words) in [
        ("snat: [ { to: 192.0.2.9-192.0.2.5 } ]", "4:19", "ends before it begins; write 192.0.2.5-192.0.2.9"),
        ("snat: [ { to: \"192.0.2.9-2001:db8::5\" } ]", "4:19", "mixes IPv4 and IPv6; make it two rules"),
        ("snat: [ { to: 192.0.2.9 }, { to: 192.0.2.8 } ]", "4:32", "snat[0] translates all of this before"),
        ("masquerade: [ { out_interface: e, type: symetric } ]", "4:45", "did you mean \"symmetric\"?"),
        ("dnat: [ { ports: 80, to: 192.0.2.5 } ]", "4:22", "add protocol: tcp or protocol: udp"),
        ("dnat: [ { protocol: tcp, ports: 0, to: 192.0.2.5 } ]", "4:37", "is no port (1 to 65535)"),
        (
            "dnat: [ { protocol: tcp, ports: 1-9, to: \"192.0.2.5:1-8\" } ]",
            "4:46",
            "9 ports cannot become 8 one by one",
        ),
        (
            "prefixes: [ { internal: \"fd00:1::/48\", external: \"2001:db8::/32\", interface: e } ]",
            "4:54",
            "as long as each other",
        ),
    ] {
        let file = host.file("bad.yaml", lab(nat));
        for command in ["show-commands", "create-lab"] {
            let said = host.ctl(&[command, &file]).code(2).stderr;
            assert!(said.contains(&format!("bad.yaml:{place}: ")) && said.contains(words), "{nat}:\n{said}");
        }
    }
    assert_eq!(host.sh("ls /run/netns"), "", "nothing has changed");
}
