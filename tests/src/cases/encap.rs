//! What routes put around packets, and who takes it off: MPLS and segment routing over IPv6.

use super::{Test, drift::SOON, routing::is_kept};
use crate::{
    capture::Capture,
    command::wait_until,
    feature::Feature,
    host::{TestHost, example},
};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("encap::segments", segments).needs(&[Feature::Seg6]),
    Test::new("encap::labels", labels).needs(&[Feature::Mpls, Feature::MplsIptunnel]),
    Test::new("encap::without_mpls", without_mpls).lacks(&[Feature::MplsIptunnel]),
];

/// The example: packets take the way that the sender has chosen; the routes come back, and so do sysctls of who takes them.
fn segments() {
    let host = TestHost::started();
    let before = host.inventory();
    host.ctl(&["create-lab", "labs/srv6.yaml"]).ok();
    host.ctl(&["check-lab", "srv6"]).ok();
    let wire = Capture::start(&host, "srv6.pe1", "p2", "ip6");
    assert!(host.pings("srv6.h1", "10.2.0.2"));
    wire.sees(&["2001:db8:f::12: RT6 (len=4, type=4, segleft=1", "10.1.0.2 > 10.2.0.2: ICMP echo request"]);
    let wire = Capture::start(&host, "srv6.p2", "east", "ip6");
    assert!(host.pings("srv6.h1", "10.2.0.2"));
    wire.sees(&["2001:db8:f::2: RT6 (len=4, type=4, segleft=0", "10.1.0.2 > 10.2.0.2: ICMP echo request"]);
    // Back by the other way.
    let wire = Capture::start(&host, "srv6.p1", "west", "ip6");
    assert!(host.pings("srv6.h1", "10.2.0.2"));
    wire.sees(&["2001:db8:f::1: RT6 (len=2, type=4, segleft=0", "10.2.0.2 > 10.1.0.2: ICMP echo reply"]);
    // As large as the sites let packets be.
    let _ = host.exec("srv6.h1", "ping -c 1 -W 5 -M do -s 1472 10.2.0.2").ok();
    let whole = "ip -n srv6.pe1 route show 10.2.0.0/24 |
            grep -q 'encap seg6 mode encap segs 2 \\[ 2001:db8:f::12 2001:db8:f::2 \\] via inet6 2001:db8:2::2 dev p2 proto 78'
        [ $(ip netns exec srv6.p2 sysctl -n net.ipv6.conf.all.seg6_enabled net.ipv6.conf.west.seg6_enabled | tr -d '\\n') = 11 ]
        [ $(ip netns exec srv6.p1 sysctl -n net.ipv6.conf.all.seg6_enabled) = 0 ]";
    is_kept(
        &host,
        "srv6",
        whole,
        &[
            "ip -n srv6.pe1 route del 10.2.0.0/24",
            "ip -n srv6.pe1 route replace 10.2.0.0/24 via inet6 2001:db8:2::2 dev p2 proto 78",
            "ip -n srv6.pe1 route replace 10.2.0.0/24 encap seg6 mode encap segs 2001:db8:f::2 via inet6 2001:db8:2::2 dev p2 proto 78",
            "ip netns exec srv6.p2 sysctl -w net.ipv6.conf.all.seg6_enabled=0 net.ipv6.conf.west.seg6_enabled=0",
        ],
    );
    // By the other way both, and p2 is asked for nothing any more.
    let other = example("srv6").replacen("seg6: [\"2001:db8:f::12\", ", "seg6: [", 1);
    let other = host.file("other.yaml", other);
    host.ctl(&["apply-lab", &other]).ok();
    host.ctl(&["check-lab", "srv6"]).ok();
    host.sh("[ $(ip netns exec srv6.p2 sysctl -n net.ipv6.conf.all.seg6_enabled) = 0 ]");
    host.ctl(&["delete-lab", "srv6"]).ok();
    before.assert_unchanged();
}

/// The example: a label is put before packets, another takes its place, and it is taken off; all of it comes back.
fn labels() {
    let host = TestHost::started();
    let before = host.inventory();
    host.ctl(&["create-lab", "labs/mpls.yaml"]).ok();
    host.ctl(&["check-lab", "mpls"]).ok();
    let steps: [(&str, &str, &[&str]); 4] = [
        ("pe1", "core", &["MPLS unicast", "MPLS (label 100,", "10.1.0.2 > 10.2.0.2: ICMP echo request"]),
        ("p2", "west", &["MPLS (label 200,", "10.1.0.2 > 10.2.0.2: ICMP echo request"]),
        ("pe2", "core", &["ethertype IPv4", "10.1.0.2 > 10.2.0.2: ICMP echo request"]),
        ("pe1", "core", &["MPLS (label 401,", "10.2.0.2 > 10.1.0.2: ICMP echo reply"]),
    ];
    for (node, interface, words) in steps {
        // Behind `mpls` tcpdump looks for all else within it.
        let wire = Capture::start(&host, &format!("mpls.{node}"), interface, "icmp or mpls");
        assert!(host.pings("mpls.h1", "10.2.0.2"));
        wire.sees(words);
    }
    let _ = host.exec("mpls.h1", "ping -c 1 -W 5 -M do -s 1472 10.2.0.2").ok();
    let whole = "p1='ip -n mpls.p1 -f mpls route show'
        $p1 | grep -q '^100 as to 200 via inet 192.0.2.6 dev east proto 78'
        $p1 | grep -q '^300 as to 401 via inet 192.0.2.1 dev west proto 78'
        ip -n mpls.pe1 -f mpls route show | grep -q '^401 dev lo proto 78'
        [ \"$(ip netns exec mpls.p1 sysctl -n net.mpls.platform_labels net.mpls.conf.west.input net.mpls.conf.lo.input | tr '\\n' ' ')\" = '301 1 1 ' ]
        ip -n mpls.pe1 route show 10.2.0.0/24 | grep -q 'encap mpls  100 via 192.0.2.2 dev core proto 78'";
    is_kept(
        &host,
        "mpls",
        whole,
        &[
            "ip -n mpls.p1 -f mpls route del 100",
            "ip -n mpls.p1 -f mpls route replace 100 as 201/202 via inet 192.0.2.6 dev east proto 78",
            "ip -n mpls.pe1 -f mpls route replace 401 via inet 192.0.2.2 dev core ttl-propagate enabled",
            "ip netns exec mpls.p1 sysctl -w net.mpls.platform_labels=0 net.mpls.conf.west.input=0 net.mpls.conf.lo.input=0",
            "ip -n mpls.p1 link del east",
            "ip -n mpls.pe1 route replace 10.2.0.0/24 encap mpls 100/200 via 192.0.2.2 dev core proto 78",
        ],
    );
    // What others make is told, and left alone.
    host.sh("ip -n mpls.p1 -f mpls route add 17 via inet 192.0.2.1 dev west");
    let told =
        || host.lab("mpls")["status"].to_string().contains("p1: label route 17 via inet 192.0.2.1 dev west");
    wait_until("a label route of others is told", SOON, told);
    host.sh("ip -n mpls.p1 -f mpls route show | grep -q '^17 '; ip -n mpls.p1 -f mpls route del 17");
    fewer(&host);
    host.ctl(&["delete-lab", "mpls"]).ok();
    before.assert_unchanged();
}

/// Without label routes a node has room for none, and takes none.
fn fewer(host: &TestHost) {
    let without = |words: &[&str]| {
        let kept = |line: &&str| !words.iter().any(|word| line.contains(word)) && !line.contains("from: h");
        let text = example("mpls");
        text.lines().filter(kept).collect::<Vec<_>>().join("\n")
    };
    let file = host.file("fewer.yaml", without(&["mpls:3"]));
    host.ctl(&["apply-lab", &file]).ok();
    let left = host.sh("ip -n mpls.p1 -f mpls route show");
    assert_eq!(left.trim(), "100 as to 200 via inet 192.0.2.6 dev east proto 78");
    let none =
        without(&["to: \"mpls:"]).replace("    routes:\n\n", "\n").replace("    routes:\n  p2", "  p2");
    let file = host
        .file("none.yaml", none.replace("    routes:\n      # The last but one", "      # The last but one"));
    host.ctl(&["apply-lab", &file]).ok();
    let left = host.sh("ip -n mpls.p1 -f mpls route show
        ip netns exec mpls.p1 sysctl -n net.mpls.platform_labels net.mpls.conf.west.input");
    assert_eq!(left, "0\n0\n");
}

/// A kernel without it is named before anything is made.
fn without_mpls() {
    let host = TestHost::started();
    let file = host.file(
        "lab.yaml",
        "name: l
nodes:
  a:
    interfaces: { eth0: { dummy: {}, addresses: [192.0.2.1/24] } }
    routes: [{ to: 203.0.113.0/24, via: 192.0.2.2, encap: { mpls: [100] } }]
",
    );
    let _ = host.ctl(&["create-lab", &file]).code(1).complains("CONFIG_MPLS_IPTUNNEL");
}
