//! A lab's root who works against netlabd: what the lab file says comes back, and others do not notice.

use std::{fs, time::Duration};

use rustix::process::{Pid, Signal, kill_process};

use super::{Test, apply::SMALL};
use crate::{
    command::{Output, wait_until},
    cost::Cost,
    host::TestHost,
    users::{self, ALICE, BOB},
};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("unruly::the_uplink_is_deleted", uplink_deleted),
    Test::new("unruly::every_interface_is_renamed", renamed),
    Test::new("unruly::a_full_routing_table", routes),
    Test::new("unruly::a_flood_of_events", events),
];

/// How long a repair may take on a loaded machine.
const LIMIT: Duration = Duration::from_secs(90);

/// Alice's lab: two nodes, one with a cable to the host.
const UP: &str = "\
name: up
nodes:
  n:
    interfaces:
      eth0: { addresses: [198.51.100.2/24] }
      eth1: { addresses: [10.8.0.1/24] }
    routes: [ { to: default, via: 198.51.100.1 } ]
  m: { interfaces: { eth0: { addresses: [10.8.0.2/24] } } }
host: { interfaces: { lab0: { addresses: [198.51.100.1/24] } } }
links:
  - endpoints: [\"n:eth0\", \"host:lab0\"]
  - endpoints: [\"n:eth1\", \"m:eth0\"]
";

/// A host with Alice's lab, and Bob's, who has nothing to do with it.
fn with_labs() -> TestHost {
    let mut host = TestHost::here();
    users::move_in(&host);
    host.start();
    for (user, name, text) in [(ALICE, "up.yaml", UP), (BOB, "small.yaml", SMALL)] {
        let file = host.file(name, text);
        user.ctl(&host, &["create-lab", &file]).ok();
    }
    host
}

/// Runs a script as root of Alice's node `n`.
fn in_node(host: &TestHost, script: &str) -> Output {
    ALICE.ctl(host, &["exec", "up", "n", "--", "sh", "-c", script])
}

/// Whether a script that looks at something succeeds.
fn holds(host: &TestHost, script: &str) -> bool {
    host.run("sh", &["-ec", script]).code == 0
}

/// What the lab file says is there again.
fn whole_again(host: &TestHost) {
    wait_until("the lab is whole again", LIMIT, || {
        holds(host, "ip -n up.n route | grep -q '^default via 198.51.100.1 dev eth0'")
            && holds(host, "ip -br addr show up dev lab0 | grep -q 198.51.100.1/24")
            && holds(host, "ip -n up.n -br addr show up dev eth1 | grep -q 10.8.0.1/24")
            && ALICE
                .ctl(host, &["apply-lab", "--dry-run", &host.scratch("up.yaml").display().to_string()])
                .code
                == 0
    });
    ALICE.ctl(host, &["ping", "up", "n", "host", "-c", "1"]).ok();
    ALICE.ctl(host, &["ping", "up", "m", "n", "-c", "1"]).ok();
}

/// What somebody breaks of Bob's lab is repaired, whatever Alice does.
fn others_are_repaired(host: &TestHost) {
    host.sh("ip -n small.ns1 addr del 192.0.2.1/24 dev eth0");
    wait_until("Bob's lab is repaired", LIMIT, || {
        holds(host, "ip -n small.ns1 addr show dev eth0 | grep -q 192.0.2.1/24")
    });
    BOB.ctl(host, &["ping", "small", "ns1", "ns2", "-c", "1"]).ok();
}

fn uplink_deleted() {
    let host = with_labs();
    let cost = Cost::begin(&host, "a lab's root deletes the uplink");
    for _ in 0..3 {
        in_node(&host, "ip link del eth0").ok();
        whole_again(&host);
    }
    others_are_repaired(&host);
    cost.end("both ends are repaired, with addresses and routes");
}

fn renamed() {
    let host = with_labs();
    let cost = Cost::begin(&host, "a lab's root renames every interface");
    // netlabd may be quicker in setting one up again, and older kernels rename only what is down.
    let rename = "set -e; for link in $(cd /sys/class/net; ls -d */ | tr -d /); do n=0; \
        until ip link set $link down && ip link set $link name x$link; do n=$((n + 1)); [ $n -lt 1000 ]; done; done";
    in_node(&host, rename).ok();
    whole_again(&host);
    wait_until("no new name is left", LIMIT, || !holds(&host, "ip -n up.n -o link | grep -q ': x'"));
    others_are_repaired(&host);
    cost.end("each has its name again, `lo` too");
}

/// Adds 20,000 routes to the node `n`.
const ROUTES: &str = "i=0; while [ $i -lt 20000 ]; do \
    echo \"route add 100.64.$((i / 256)).$((i % 256))/32 dev eth1\"; i=$((i + 1)); done | ip -batch -";

fn routes() {
    let host = with_labs();
    let cost = Cost::begin(&host, "a lab's root adds 20,000 routes");
    in_node(&host, ROUTES).ok();
    others_are_repaired(&host);
    host.sh("ip -n up.n addr del 10.8.0.1/24 dev eth1");
    whole_again(&host);
    let seen = ALICE.ctl(&host, &["get-lab", "up", "-o", "json"]).ok();
    assert!(seen.len() < 1 << 20, "get-lab gives {} bytes", seen.len());
    cost.end("they stay, as what is extra; what the lab file says is repaired all the same");
    ALICE.ctl(&host, &["delete-lab", "up"]).ok();
}

/// Sets an interface down and up without end, but for two minutes at most.
const FLAPS: &str = "i=0; while [ $i -lt 500 ]; do echo link set eth1 down; echo link set eth1 up; i=$((i + 1)); \
    done > /tmp/flaps; exec timeout 120 sh -c 'while :; do ip -force -batch /tmp/flaps; done'";

fn events() {
    let host = with_labs();
    let cost = Cost::begin(&host, "a lab's root floods netlabd with events of links");
    ALICE.ctl(&host, &["exec", "--detach", "up", "n", "--", "sh", "-c", FLAPS]).ok();
    others_are_repaired(&host);
    // Held still, netlabd is sure to miss some.
    let netlabd = Pid::from_raw(host.daemon_pid().cast_signed()).expect("a process id");
    kill_process(netlabd, Signal::STOP).expect("netlabd is there");
    wait_until("events are lost", LIMIT, || lost() > 0);
    host.sh("ip -n small.ns2 addr flush dev eth0; ip -n small.ns1 addr del 192.0.2.1/24 dev eth0");
    kill_process(netlabd, Signal::CONT).expect("netlabd is there");
    for (node, address) in [("ns1", "192.0.2.1/24"), ("ns2", "203.0.113.1/24")] {
        wait_until("what no event told of is found", LIMIT, || {
            holds(&host, &format!("ip -n small.{node} addr show dev eth0 | grep -q {address}"))
        });
    }
    others_are_repaired(&host);
    ALICE.ctl(&host, &["delete-lab", "up"]).ok();
    cost.end(&format!("others' labs are repaired meanwhile; {} lost events are made good by looks", lost()));
}

/// How many events the host's netlink sockets have lost (`Drops` of `/proc/net/netlink`).
fn lost() -> u64 {
    let text = fs::read_to_string("/proc/net/netlink").expect("reading the list of sockets");
    text.lines().skip(1).filter_map(|line| line.split_whitespace().nth(8)?.parse::<u64>().ok()).sum()
}
