//! What happens when something goes wrong halfway.

use std::{process::Stdio, thread, time::Duration};

use super::{Test, apply::SMALL};
use crate::{
    command::wait_until,
    host::{TestHost, example},
    strangers,
};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("failure::failed_create_is_rolled_back", create),
    Test::new("failure::failed_change_says_so_and_can_be_mended", change),
    Test::new("failure::stale_generation_is_refused", stale),
    Test::new("failure::half_of_a_lab_gone_before_delete", half_gone),
    Test::new("failure::killed_while_creating", killed_creating),
    Test::new("failure::killed_while_changing", killed_changing),
    Test::new("failure::killed_while_deleting", killed_deleting),
];

/// How long netlabd may take to finish interrupted work.
const SOON: Duration = Duration::from_secs(30);
/// How often netlabd is killed in each test; each time a little later in its work.
const KILLS: u64 = 12;

/// A sysctl that the kernel refuses is found out halfway, when interfaces are there already.
const REFUSED: &str = "    sysctls: { net.ipv4.ip_default_ttl: many }\n";

fn create() {
    let mut host = TestHost::here();
    strangers::move_in(&host);
    host.start();
    let before = host.inventory();
    let file = host.file("bad.yaml", SMALL.replace("    forwarding: true\n", REFUSED));
    let _ = host
        .ctl(&["create-lab", &file])
        .code(1)
        .complains("router")
        .complains("net.ipv4.ip_default_ttl")
        .complains("Invalid argument");
    before.assert_unchanged();
    let lab = host.lab("small");
    assert_eq!(lab["status"]["phase"], "PHASE_FAILED");
    let failure = lab["status"]["last_error"]["message"].to_string();
    assert!(failure.contains("Invalid argument") && failure.contains("taken away"), "{failure}");
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
    let _ = host.ctl(&["apply-lab", "--timeout", "5s", &bad]).code(1).complains("Invalid argument");
    let lab = host.lab("small");
    assert!(lab["status"]["last_error"]["message"].to_string().contains("ip_default_ttl"), "{lab}");
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
    ] {
        let file = host.file("small.yaml", SMALL);
        host.ctl(&["create-lab", &file]).ok();
        host.ctl(&["pause-lab", "small"]).ok();
        host.sh(damage);
        host.ctl(&["delete-lab", "small"]).ok();
        before.assert_unchanged();
    }
}

/// Starts netlabctl, kills netlabd a little later, and starts netlabd again; netlabctl has to end by itself.
fn interrupt(host: &mut TestHost, args: &[&str], after: Duration) {
    let mut client = host
        .ctl_command(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("starting netlabctl");
    thread::sleep(after);
    host.kill();
    host.start();
    wait_until("netlabctl ends", SOON, || client.try_wait().expect("waiting for netlabctl").is_some());
}

/// Kills at moments spread over the work; most of it is done within some tens of milliseconds.
fn moments() -> impl Iterator<Item = Duration> {
    (1..=KILLS).map(|n| Duration::from_millis(n * 5))
}

fn killed_creating() {
    let mut host = TestHost::here();
    strangers::move_in(&host);
    host.start();
    let before = host.inventory();
    for after in moments() {
        interrupt(&mut host, &["create-lab", "labs/internet-router.yaml"], after);
        if host.ctl(&["get-lab", "internet-router"]).code == 0 {
            // It was accepted, so it comes up.
            host.wait_ready("internet-router");
            host.ctl(&["check-lab", "internet-router"]).ok();
            host.ctl(&["delete-lab", "internet-router"]).ok();
        }
        before.assert_unchanged();
    }
}

fn killed_changing() {
    let mut host = TestHost::started();
    let files = ["192.0.2.1/24", "192.0.2.9/24"].map(|address| {
        let text = example("internet-router").replace("192.0.2.1/24", address);
        let text = text.replace("eth1:\n        addresses", "eth1:\n        mtu: 1400\n        addresses");
        (
            address,
            host.file(
                &address.replace('/', "-"),
                if address.contains('9') { text } else { example("internet-router") },
            ),
        )
    });
    host.ctl(&["create-lab", &files[0].1]).ok();
    for (n, after) in moments().enumerate() {
        interrupt(&mut host, &["apply-lab", &files[(n + 1) % 2].1], after);
        host.wait_ready("internet-router");
        host.ctl(&["check-lab", "internet-router"]).ok();
        // The old state or the new one, and what is is what is wanted.
        let wanted = host.lab("internet-router")["spec"].to_string();
        let (_, file) = files.iter().find(|(address, _)| wanted.contains(address)).expect("one of the two");
        let _ = host.ctl(&["apply-lab", "--dry-run", file]).code(0);
    }
}

fn killed_deleting() {
    let mut host = TestHost::here();
    strangers::move_in(&host);
    host.start();
    let before = host.inventory();
    for after in moments() {
        host.ctl(&["create-lab", "labs/internet-router.yaml"]).ok();
        interrupt(&mut host, &["delete-lab", "internet-router"], after);
        wait_until("the lab is deleted, or was never asked to be", SOON, || {
            let gone = host.ctl(&["get-lab", "internet-router", "-o", "json"]);
            gone.code == 4 || gone.stdout.contains("PHASE_READY")
        });
        if host.ctl(&["get-lab", "internet-router"]).code == 0 {
            host.ctl(&["delete-lab", "internet-router"]).ok();
        }
        before.assert_unchanged();
    }
}
