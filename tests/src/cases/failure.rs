//! What happens when something goes wrong halfway.

use super::{Test, apply::SMALL};
use crate::{foreign, host::TestHost};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("failure::failed_create_is_rolled_back", create),
    Test::new("failure::failed_change_says_so_and_can_be_mended", change),
    Test::new("failure::stale_generation_is_refused", stale),
    Test::new("failure::half_of_a_lab_gone_before_delete", half_gone),
];

/// A sysctl of an interface that the kernel refuses is found out halfway, when interfaces are there already.
const REFUSED: &str =
    "    sysctls: { net.ipv4.ip_default_ttl: \"33\", net.ipv4.conf.eth0.rp_filter: many }\n";

fn create() {
    let mut host = TestHost::here();
    foreign::create(&host);
    host.start();
    let before = host.inventory();
    let file = host.file("bad.yaml", SMALL.replace("    forwarding: true\n", REFUSED));
    let _ = host
        .ctl(&["create-lab", &file])
        .code(1)
        .complains("router")
        .complains("net.ipv4.conf.eth0.rp_filter")
        .complains("Invalid argument");
    before.assert_unchanged();
    let lab = host.lab("small");
    assert_eq!(lab["status"]["phase"], "PHASE_FAILED");
    let failure = lab["status"]["last_error"]["message"].to_string();
    assert!(failure.contains("Invalid argument") && failure.contains("removed"), "{failure}");
    // A lab that failed can be mended, and deleted.
    let good = host.file("good.yaml", SMALL);
    host.ctl(&["apply-lab", &good]).ok();
    host.ctl(&["check-lab", "small"]).ok();
    host.ctl(&["delete-lab", "small"]).ok();
    before.assert_unchanged();
}

fn change() {
    let host = TestHost::started();
    let before = host.inventory();
    let good = host.file("good.yaml", SMALL);
    host.ctl(&["create-lab", &good]).ok();
    let bad = host.file(
        "bad.yaml",
        SMALL.replace("    forwarding: true\n", &format!("    forwarding: true\n{REFUSED}")),
    );
    let ttl = || host.exec("small.router", "sysctl -n net.ipv4.ip_default_ttl").ok();
    let wanted = ttl();
    let _ = host
        .ctl(&["apply-lab", "--timeout", "30s", &bad])
        .code(1)
        .complains("Invalid argument")
        .complains("was rolled back to what it was before the change");
    // At once: that it is put back is said when it is so.
    assert_eq!(ttl(), wanted);
    let lab = host.lab("small");
    assert_eq!(lab["status"]["phase"], "PHASE_READY");
    assert!(lab["status"]["last_error"]["message"].to_string().contains("eth0.rp_filter"), "{lab}");
    // What worked before works still.
    host.ctl(&["check-lab", "small"]).ok();
    host.ctl(&["apply-lab", &good]).ok();
    let _ = host.ctl(&["apply-lab", "--dry-run", &good]).code(0);
    host.ctl(&["delete-lab", "small"]).ok();
    before.assert_unchanged();
}

fn stale() {
    let host = TestHost::started();
    let file = host.file("small.yaml", SMALL);
    host.ctl(&["create-lab", &file]).ok();
    let other = host.file("other.yaml", SMALL.replace("192.0.2.1/24", "192.0.2.9/24"));
    let _ = host.ctl(&["apply-lab", "--expected-generation", "2", &other]).code(5).complains("generation");
    let _ = host.exec("small.ns1", "ip addr").says("192.0.2.1/24");
    host.ctl(&["apply-lab", "--expected-generation", "1", &other]).ok();
    let _ = host.exec("small.ns1", "ip addr").says("192.0.2.9/24");
}

fn half_gone() {
    let host = TestHost::started();
    let before = host.inventory();
    for damage in [
        "ip netns del small.ns1",
        "ip -n small.router link del eth0; ip -n small.router link del eth1",
        "umount /run/netns/small.ns1; rm /run/netns/small.ns2 || umount /run/netns/small.ns2",
        "ip -all netns del",
        "umount -l /run/test/runtime/labs/small/net",
        "rm /run/netns/*",
    ] {
        let file = host.file("small.yaml", SMALL);
        host.ctl(&["create-lab", &file]).ok();
        host.ctl(&["pause-lab", "small"]).ok();
        host.sh(damage);
        host.ctl(&["delete-lab", "small"]).ok();
        before.assert_unchanged();
    }
}
