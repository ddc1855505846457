//! kill -9 at every step of netlabd's work: whatever it was doing, the next start finishes it in one
//! direction or the other, and nothing is left behind.

use std::time::Duration;

use super::{Test, apply::SMALL};
use crate::{command::wait_until, daemon::Daemon, feature::Feature, host::TestHost, traffic::Traffic};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("faults::killed_while_creating", creating).needs(&[Feature::Nat]),
    Test::new("faults::killed_while_applying", applying),
    Test::new("faults::killed_while_deleting", deleting).needs(&[Feature::Nat]),
];

/// Every step is a life of the daemon; more than this many are not needed by any of the labs here.
const MOST_STEPS: u32 = 300;

/// Fewer deaths than this, and the hook has not worked.
const FEWEST_DEATHS: u32 = 10;

/// The host's part is what outlives namespaces: a lab with all of it.
const LAB: &str = "labs/internet.yaml";

/// Runs `work` with daemons that die at step 1, 2, 3... until one survives it; `check` sees what the
/// next, healthy daemon makes of each death. Returns how many died.
fn at_every_step(host: &mut TestHost, work: &[&str], check: impl Fn(&mut TestHost)) -> u32 {
    for step in 1..MOST_STEPS {
        let mut daemon = Daemon::start_to_die(host.folders(), step);
        if host.ctl(work).code == 0 {
            // It may still die of what it does when all is done.
            std::thread::sleep(Duration::from_millis(50));
        } else {
            wait_until("a daemon that did not do its work is dead", Duration::from_secs(20), || {
                !daemon.runs()
            });
        }
        let survived = daemon.runs();
        if survived {
            daemon.kill();
        }
        host.start();
        check(host);
        host.stop();
        if survived {
            assert!(step > FEWEST_DEATHS, "netlabd died at {} steps only", step - 1);
            return step - 1;
        }
    }
    panic!("the daemon never came to the end of its work in {MOST_STEPS} steps");
}

fn exists(host: &TestHost, lab: &str) -> bool {
    host.ctl(&["get-lab", lab]).code == 0
}

fn ready_or_absent(host: &TestHost, lab: &str) {
    if exists(host, lab) {
        host.wait_ready(lab);
        host.ctl(&["check-lab", lab]).ok();
    }
}

fn creating() {
    let mut host = TestHost::here();
    let bystander = with_bystander(&mut host);
    let before = host.inventory();
    host.stop();
    let deaths = at_every_step(&mut host, &["create-lab", LAB, "--timeout", "2s"], |host| {
        ready_or_absent(host, "internet");
        let _ = host.ctl(&["delete-lab", "internet"]);
        before.assert_unchanged();
    });
    bystander.lost_nothing();
    println!("killed at {deaths} steps of a create");
}

fn deleting() {
    let mut host = TestHost::here();
    let bystander = with_bystander(&mut host);
    let before = host.inventory();
    host.ctl(&["create-lab", LAB]).ok();
    host.stop();
    let deaths = at_every_step(&mut host, &["delete-lab", "internet", "--timeout", "2s"], |host| {
        // A delete that was accepted goes on by itself.
        let _ = host.ctl(&["delete-lab", "internet"]);
        wait_until("the lab is gone", Duration::from_secs(20), || !exists(host, "internet"));
        before.assert_unchanged();
        host.ctl(&["create-lab", LAB]).ok();
    });
    bystander.lost_nothing();
    println!("killed at {deaths} steps of a delete");
}

/// Two versions of a lab by turns: after each death it is one or the other, whole.
fn applying() {
    let mut host = TestHost::here();
    let bystander = with_bystander(&mut host);
    let versions = [2, 3].map(|last| {
        let lab = format!(
            "{{ name: turn, nodes: {{ a: {{ interfaces: {{ e: {{ addresses: [198.51.100.1/24] }} }} }}, b: {{ \
             interfaces: {{ e: {{ addresses: [198.51.100.{last}/24], mtu: {mtu} }} }} }} }}, links: [ {{ endpoints: \
             ['a:e', 'b:e'] }} ], checks: [ {{ from: a, to: b }} ] }}",
            mtu = 1300 + last
        );
        host.file(&format!("turn{last}.yaml"), lab)
    });
    host.ctl(&["apply-lab", &versions[0]]).ok();
    host.stop();
    let mut deaths = 0;
    for version in [&versions[1], &versions[0]] {
        deaths += at_every_step(&mut host, &["apply-lab", version, "--timeout", "2s"], |host| {
            host.wait_ready("turn");
            host.ctl(&["check-lab", "turn"]).ok();
            let changes = |file: &String| host.ctl(&["apply-lab", "--dry-run", file]).code != 0;
            assert!(!versions.iter().all(changes), "the lab is neither the old nor the new one");
            // Back to the version that is to be changed.
            let other = versions.iter().find(|other| *other != version).expect("there are two");
            host.ctl(&["apply-lab", other]).ok();
        });
    }
    bystander.lost_nothing();
    println!("killed at {deaths} steps of applies");
}

/// A lab that nobody touches, and a ping through it.
fn with_bystander(host: &mut TestHost) -> Traffic {
    host.start();
    let file = host.file("small.yaml", SMALL);
    host.ctl(&["create-lab", &file]).ok();
    Traffic::start(host, "small.ns1", "203.0.113.1")
}
