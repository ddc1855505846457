//! Changing a running lab: only what differs is touched.

use std::time::Duration;

use super::Test;
use crate::{
    command::wait_until,
    host::{TestHost, example},
    traffic::Traffic,
};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("apply::unchanged_file_plans_nothing", unchanged),
    Test::new("apply::dry_run_changes_nothing", dry_run),
    Test::new("apply::creates_what_is_missing", creates),
    Test::new("apply::touches_only_what_differs", touches_only_what_differs),
    Test::new("apply::takes_away_what_is_no_longer_wanted", takes_away),
    Test::new("apply::addresses_change_without_a_loss", addresses_change),
    Test::new("apply::unconfirmed_change_is_put_back", unconfirmed),
    Test::new("apply::confirmed_change_stays", confirmed),
];

/// Two nodes at a router, and nothing that a kernel may lack.
pub(super) const SMALL: &str = "\
name: small
nodes:
  ns1:
    interfaces:
      eth0: { addresses: [192.0.2.1/24] }
    routes: [ { to: default, via: 192.0.2.254 } ]
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
  - endpoints: [\"ns1:eth0\", \"router:eth0\"]
  - endpoints: [\"router:eth1\", \"ns2:eth0\"]
checks:
  - { from: ns1, to: ns2 }
";

/// The same with a third node, an MTU and another address for ns2.
fn changed() -> String {
    SMALL
        .replace("eth0: { addresses: [203.0.113.1/24] }", "eth0: { addresses: [203.0.113.9/24], mtu: 1400 }")
        .replace("eth1: { addresses: [203.0.113.254/24] }", "eth1: { addresses: [203.0.113.254/24], mtu: 1400 }")
        .replace("links:\n", "  ns3:\n    interfaces:\n      eth0: { addresses: [198.51.100.1/24] }\n\nlinks:\n  - endpoints: [\"ns1:eth1\", \"ns3:eth0\"]\n")
}

/// A started host with the small lab; gives the path of its file.
fn with_small() -> (TestHost, String) {
    let host = TestHost::started();
    let file = host.file("small.yaml", SMALL);
    host.ctl(&["create-lab", &file]).ok();
    (host, file)
}

fn unchanged() {
    let (host, file) = with_small();
    let generation = host.lab("small")["generation"].clone();
    host.ctl(&["apply-lab", "--dry-run", &file]).ok();
    let plan = host.ctl(&["apply-lab", "--dry-run", "-o", "json", &file]).ok();
    assert!(!plan.contains("\"changes\": [\n"), "a plan without changes: {plan}");
    host.ctl(&["apply-lab", &file]).ok();
    assert_eq!(host.lab("small")["generation"], generation, "nothing was changed, so nothing is counted");
    for name in ["vxlan", "macvlan"] {
        // The same for kinds whose settings the kernel fills in.
        let file = host.file(&format!("{name}.yaml"), example(name));
        if host.ctl(&["create-lab", &file]).code == 0 {
            host.ctl(&["apply-lab", "--dry-run", &file]).ok();
        }
    }
}

/// All of a node's links and addresses but what the kernel itself changes in the first seconds: duplicate
/// address detection and the operational state.
const SETTINGS: &str = r#"ip -d -j addr | sed -E 's/"(operstate":"[A-Z]*|tentative":true)"?,?//g'"#;

fn dry_run() {
    let (host, _) = with_small();
    let before = host.inventory();
    let links = host.exec("small.ns2", SETTINGS).ok();
    let file = host.file("changed.yaml", changed());
    let _ = host
        .ctl(&["apply-lab", "--dry-run", &file])
        .code(8)
        .says("203.0.113.9/24")
        .says("203.0.113.1/24")
        .says("1400")
        .says("ns3");
    before.assert_unchanged();
    assert_eq!(host.exec("small.ns2", SETTINGS).ok(), links);
    assert_eq!(host.lab("small")["generation"], "1");
}

fn creates() {
    let host = TestHost::started();
    let before = host.inventory();
    let file = host.file("small.yaml", SMALL);
    let _ = host.ctl(&["apply-lab", "--dry-run", &file]).code(8);
    before.assert_unchanged();
    host.ctl(&["apply-lab", &file]).ok();
    host.ctl(&["check-lab", "small"]).ok();
}

fn touches_only_what_differs() {
    let (host, file) = with_small();
    let index = host.exec("small.ns1", "cat /sys/class/net/eth0/ifindex").ok();
    let mac = host.exec("small.ns2", "cat /sys/class/net/eth0/address").ok();
    let traffic = Traffic::start(&host, "small.ns1", "192.0.2.254");
    let changed = host.file("changed.yaml", changed());
    host.ctl(&["apply-lab", &changed]).ok();
    assert!(host.pings("small.ns1", "203.0.113.9"), "the new address answers");
    assert!(!host.pings("small.ns1", "203.0.113.1"), "the old address is gone");
    let _ = host.exec("small.ns2", "ip link show eth0").says("mtu 1400");
    assert_eq!(
        host.exec("small.ns2", "cat /sys/class/net/eth0/address").ok(),
        mac,
        "the same link as before"
    );
    assert_eq!(
        host.exec("small.ns1", "cat /sys/class/net/eth0/ifindex").ok(),
        index,
        "the same link as before"
    );
    let _ = host.exec("small.ns3", "ip addr show eth0").says("198.51.100.1/24");
    host.ctl(&["apply-lab", &file]).ok();
    // The router remembers for a while that nobody had that address.
    wait_until("the old address is back", Duration::from_secs(20), || host.pings("small.ns1", "203.0.113.1"));
    traffic.lost_nothing();
}

fn takes_away() {
    let (host, file) = with_small();
    let before = host.inventory();
    let changed = host.file("changed.yaml", changed());
    host.ctl(&["apply-lab", &changed]).ok();
    host.ctl(&["apply-lab", &file]).ok();
    before.assert_unchanged();
    let _ = host.exec("small.ns1", "ip link show eth1").code(1);
    let _ = host.exec("small.ns2", "ip link show eth0").says("mtu 1500");
    host.ctl(&["apply-lab", "--dry-run", &file]).ok();
}

fn unconfirmed() {
    let (mut host, file) = with_small();
    let changed = host.file("changed.yaml", changed());
    host.ctl(&["apply-lab", &changed, "--rollback-after", "3s"]).ok();
    let _ = host.ctl(&["apply-lab", "--dry-run", &changed]).code(0);
    // Neither a restart nor a crash forgets it.
    host.kill();
    host.start();
    wait_until("the change is rolled back", Duration::from_secs(20), || {
        host.ctl(&["apply-lab", "--dry-run", &file]).code == 0
    });
    host.wait_ready("small");
    let _ = host.ctl(&["confirm-lab", "small"]).code(1).complains("rolled back");
}

fn confirmed() {
    let (host, _) = with_small();
    let changed = host.file("changed.yaml", changed());
    host.ctl(&["apply-lab", &changed, "--rollback-after", "3s"]).ok();
    host.ctl(&["confirm-lab", "small"]).ok();
    std::thread::sleep(Duration::from_secs(4));
    let _ = host.ctl(&["apply-lab", "--dry-run", &changed]).code(0);
}

/// Addresses of an interface are replaced, its first and its only one too: the others go on, and no route
/// is lost meanwhile.
fn addresses_change() {
    let host = TestHost::started();
    let with = |addresses: &str| {
        let text = SMALL.replacen("addresses: [192.0.2.1/24]", &format!("addresses: [{addresses}]"), 1);
        let file = host.file("small.yaml", text);
        host.ctl(&["apply-lab", &file]).ok();
        host.sh("ip -n small.ns1 -4 -o addr show dev eth0 | awk '{print $4}'").replace('\n', " ")
    };
    with("192.0.2.1/24, 192.0.2.7/24, 192.0.2.8/24");
    let out = std::fs::File::create(host.scratch("routes")).expect("making a file");
    let mut monitor = std::process::Command::new("ip")
        .args(["-n", "small.ns1", "-o", "monitor", "route"])
        .stdout(out)
        .spawn()
        .expect("starting ip monitor");
    let told = || std::fs::read_to_string(host.scratch("routes")).unwrap_or_default();
    let mark = |number: u8| {
        wait_until("ip monitor listens", Duration::from_secs(20), || {
            // Each time another one, by its metric: of what is there already the kernel tells nothing.
            host.sh(&format!("ip -n small.ns1 route replace 198.19.{number}.0/24 dev eth0 metric $$"));
            told().contains(&format!("198.19.{number}.0/24"))
        });
    };
    mark(1);
    let traffic = Traffic::start(&host, "small.ns2", "192.0.2.7");
    // Its first address, of which the kernel takes the others for followers: the order is the file's then too.
    assert_eq!(
        with("192.0.2.5/24, 192.0.2.7/24, 192.0.2.8/24").trim(),
        "192.0.2.5/24 192.0.2.7/24 192.0.2.8/24"
    );
    // One of another network beside it, and away again.
    with("198.51.100.1/24, 192.0.2.7/24");
    traffic.continues(5);
    assert_eq!(with("192.0.2.7/24").trim(), "192.0.2.7/24");
    traffic.lost_nothing();
    // Its only one.
    assert_eq!(with("192.0.2.9/24").trim(), "192.0.2.9/24");
    assert_eq!(with("192.0.2.9/23, \"2001:db8::1/64\"").trim(), "192.0.2.9/23");
    with("192.0.2.9/24, \"2001:db8::1/48\"");
    host.sh("ip -n small.ns1 addr show dev eth0 | grep -q 2001:db8::1/48");
    mark(2);
    monitor.kill().expect("stopping ip monitor");
    monitor.wait().expect("stopping ip monitor");
    assert!(!told().contains("Deleted default") && !told().contains("Deleted 198.19.1.0/24"), "{}", told());
    let follow = host.sh("ip netns exec small.ns1 cat /proc/sys/net/ipv4/conf/eth0/promote_secondaries");
    let other = host.sh("ip netns exec small.ns2 cat /proc/sys/net/ipv4/conf/eth0/promote_secondaries");
    assert_eq!(follow, other, "what was set for the moment is put back");
}
