//! What routes put around packets, and who takes it off: MPLS and segment routing over IPv6.

use super::{Test, routing::is_kept};
use crate::{
    capture::Capture,
    feature::Feature,
    host::{TestHost, example},
};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("encap::segments", segments).needs(&[Feature::Seg6]),
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
