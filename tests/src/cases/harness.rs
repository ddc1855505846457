//! The tests' own tools: what they are to find, they find.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::Test;
use crate::{feature::Feature, foreign, host::TestHost, internet::Internet, traffic::Traffic};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("harness::leftovers_are_found", leftovers),
    Test::new("harness::lost_packets_are_found", lost_packets),
    Test::new("harness::internet_sees_who_pings", internet).needs(&[Feature::Nat]),
];

/// What a bad delete could leave behind or take away, and how to put it right again.
const LEFTOVERS: &[(&str, &str)] = &[
    ("ip link add left0 type veth peer name left1", "ip link del left0"),
    ("ip addr add 10.1.1.1/24 dev stranger0", "ip addr del 10.1.1.1/24 dev stranger0"),
    ("ip addr del 10.66.0.1/24 dev stranger0", ""),
    ("ip route add 10.70.0.0/16 dev stranger0", "ip route del 10.70.0.0/16"),
    ("ip -6 route add 2001:db8::/32 dev stranger0", "ip -6 route del 2001:db8::/32"),
    ("ip route add 10.70.0.0/16 dev stranger0 table 9", "ip route del 10.70.0.0/16 table 9"),
    ("ip rule add from 10.1.1.1 lookup 9", "ip rule del from 10.1.1.1 lookup 9"),
    ("ip link set stranger0 mtu 1400", "ip link set stranger0 mtu 1500"),
    ("ip link set stranger0 alias mine", "ip link set stranger0 alias 'not yours'"),
    ("nft add table ip netlab", "nft delete table ip netlab"),
    ("nft add rule ip stranger postrouting counter", "nft flush chain ip stranger postrouting"),
    ("sysctl -qw net.ipv4.conf.stranger0.forwarding=0", "sysctl -qw net.ipv4.conf.stranger0.forwarding=1"),
    ("sysctl -qw net.ipv4.ip_forward=1", "sysctl -qw net.ipv4.ip_forward=0"),
    ("ip netns add left", "ip netns del left"),
    ("ip netns del stranger", ""),
    ("mkdir -p /run/test/runtime/labs/left", "rm -r /run/test/runtime"),
    ("mount -t tmpfs tmpfs /mnt", "umount /mnt"),
];

fn leftovers() {
    let host = TestHost::here();
    foreign::create(&host);
    host.inventory().assert_unchanged();
    for (damage, mend) in LEFTOVERS {
        let before = host.inventory();
        host.sh(damage);
        let seen = catch_unwind(AssertUnwindSafe(|| before.assert_unchanged()));
        assert!(seen.is_err(), "the inventory does not see `{damage}`");
        host.sh(mend);
    }
}

fn lost_packets() {
    let host = TestHost::here();
    foreign::create(&host);
    Traffic::start(&host, "stranger", "10.66.0.1").lost_nothing();
    let traffic = Traffic::start(&host, "stranger", "10.66.0.1");
    host.sh("ip link set stranger0 down; sleep 2; ip link set stranger0 up");
    let seen = catch_unwind(AssertUnwindSafe(|| traffic.lost_nothing()));
    assert!(seen.is_err(), "a lost packet is not seen");
}

fn internet() {
    let host = TestHost::here();
    let internet = Internet::connect(&host);
    foreign::create(&host);
    assert_eq!(internet.pinged_by(&host), [""; 0]);
    let ping = format!("ping -n -c 1 -W 1 {}", Internet::SERVER);
    host.sh("ip -n stranger route add default via 10.66.0.1; sysctl -qw net.ipv4.ip_forward=1");
    assert_eq!(host.exec("stranger", &ping).code, 0, "the stranger's table translates");
    assert_eq!(internet.pinged_by(&host), [Internet::HOST]);
    host.sh("nft delete table ip stranger");
    assert_eq!(host.exec("stranger", &ping).code, 1, "without translation no answer finds its way back");
    assert_eq!(internet.pinged_by(&host).len(), 2, "the untranslated address was seen");
}
