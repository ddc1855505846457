//! kill -9 at every step of netlabd's work: whatever it was doing, the next start finishes it in one
//! direction or the other, and nothing is left behind.

use std::time::Duration;

use super::{Test, apply::SMALL};
use crate::{
    command::wait_until,
    daemon::Daemon,
    feature::Feature,
    foreign,
    host::TestHost,
    results::{self, TestResults},
    rng::seed,
    soak::Soak,
    traffic::Traffic,
};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("faults::killed_while_creating", || creating(1)).needs(&[Feature::Nat]),
    Test::new("faults::killed_while_creating_at_even_steps", || creating(2)).needs(&[Feature::Nat]),
    Test::new("faults::killed_while_applying", applying),
    Test::new("faults::killed_while_deleting", deleting).needs(&[Feature::Nat]),
    Test::new("faults::killed_while_putting_back", putting_back),
    Test::new("faults::killed_while_pausing_and_resuming", pausing),
    Test::new("faults::random_work_with_kills", random_kills),
    Test::new("faults::random_labs_and_edits", random_edits),
];

/// Every step is a life of the daemon; more than this many are not needed by any of the labs here.
const MOST_STEPS: u32 = 300;

/// Work of fewer steps than this, and the hook has not worked.
const FEWEST_STEPS: u32 = 10;

/// The host's part is what outlives namespaces: a lab with all of it.
const LAB: &str = "labs/internet.yaml";

/// The steps of netlabd's work at which it is killed, each `every`-th from `first` on. `make faults`, which sets
/// `NETLAB_REPEAT`, kills at all of them; each is a life of two daemons, and programs take about eight times as long to
/// start under User-mode Linux.
fn steps(host: &TestHost, first: u32, every: usize) -> impl Iterator<Item = u32> + use<> {
    let stride = match (std::env::var_os("NETLAB_REPEAT"), Feature::OwnKernel.works(host)) {
        (Some(_), _) => 1,
        (None, false) => 2,
        (None, true) => 5,
    };
    (first..MOST_STEPS).step_by(every * stride)
}

/// Runs `work` with daemons that die at these steps until one survives it, and answers whether it was done; `check`
/// sees what the next, healthy daemon makes of each death. Returns how many died.
fn at_steps(
    host: &mut TestHost,
    steps: impl Iterator<Item = u32>,
    work: impl Fn(&TestHost, &mut Daemon) -> bool,
    check: impl Fn(&mut TestHost),
) -> u32 {
    for (deaths, step) in (0..).zip(steps) {
        let mut daemon = Daemon::start_to_die(host.folders(), step);
        if work(host, &mut daemon) {
            // It may still die of what it does when all is done.
            std::thread::sleep(Duration::from_millis(50));
        } else {
            // On a busy machine the command may have given up before the daemon was done.
            wait_until("a daemon that did not do its work is dead", Duration::from_secs(60), || {
                !daemon.runs() || work(host, &mut daemon)
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
            assert!(step > FEWEST_STEPS, "netlabd did its work in {step} steps");
            return deaths;
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

/// At every second step from the first one on: all in one test take longer than a slow kernel has time.
fn creating(first: u32) {
    let mut host = TestHost::here();
    let bystander = with_bystander(&mut host);
    foreign::create(&host);
    let before = host.inventory();
    host.stop();
    let create =
        |host: &TestHost, _: &mut Daemon| match host.ctl(&["create-lab", LAB, "--timeout", "2s"]).code {
            // There already: made for a command that did not wait for the end.
            5 => host.ctl(&["apply-lab", LAB, "--timeout", "2s"]).code == 0,
            code => code == 0,
        };
    let steps = steps(&host, first, 2);
    let deaths = at_steps(&mut host, steps, create, |host| {
        ready_or_absent(host, "internet");
        let _ = host.ctl(&["delete-lab", "internet"]);
        before.assert_unchanged();
    });
    told("create", deaths, bystander);
}

fn deleting() {
    let mut host = TestHost::here();
    let bystander = with_bystander(&mut host);
    // Others' exceptions from the host's forwarding are put back with it.
    foreign::create(&host);
    let before = host.inventory();
    host.ctl(&["create-lab", LAB]).ok();
    host.stop();
    // Not found: it was deleted by a command that did not wait for the end.
    let delete = |host: &TestHost, _: &mut Daemon| {
        [0, 4].contains(&host.ctl(&["delete-lab", "internet", "--timeout", "2s"]).code)
    };
    let steps = steps(&host, 1, 1);
    let deaths = at_steps(&mut host, steps, delete, |host| {
        // A delete that was accepted goes on by itself.
        let _ = host.ctl(&["delete-lab", "internet"]);
        wait_until("the lab is gone", Duration::from_secs(20), || !exists(host, "internet"));
        before.assert_unchanged();
        host.ctl(&["create-lab", LAB]).ok();
    });
    told("delete", deaths, bystander);
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
        let apply =
            |host: &TestHost, _: &mut Daemon| host.ctl(&["apply-lab", version, "--timeout", "2s"]).code == 0;
        let steps = steps(&host, 1, 1);
        deaths += at_steps(&mut host, steps, apply, |host| {
            host.wait_ready("turn");
            host.ctl(&["check-lab", "turn"]).ok();
            let changes = |file: &String| host.ctl(&["apply-lab", "--dry-run", file]).code != 0;
            assert!(!versions.iter().all(changes), "the lab is neither the old nor the new one");
            // Back to the version that is to be changed.
            let other = versions.iter().find(|other| *other != version).expect("there are two");
            host.ctl(&["apply-lab", other]).ok();
        });
    }
    told("applies, both ways", deaths, bystander);
}

/// A lab `name` of two nodes, the second with an address that ends with `last`.
fn pair(host: &TestHost, name: &str, last: u8) -> String {
    let lab = format!(
        "{{ name: {name}, nodes: {{ a: {{ interfaces: {{ e: {{ addresses: [198.51.100.1/24] }} }} }}, b: {{ \
         interfaces: {{ e: {{ addresses: [198.51.100.{last}/24] }} }} }} }}, links: [ {{ endpoints: ['a:e', 'b:e'] }} \
         ], checks: [ {{ from: a, to: b }} ] }}"
    );
    host.file(&format!("{name}-{last}.yaml"), lab)
}

/// A change that nobody confirms comes undone, whenever netlabd dies: while it is made, while it waits,
/// while it is put back.
fn putting_back() {
    let mut host = TestHost::here();
    let bystander = with_bystander(&mut host);
    let (old, new) = (pair(&host, "back", 2), pair(&host, "back", 3));
    host.ctl(&["apply-lab", &old]).ok();
    host.stop();
    let is_old = |host: &TestHost| host.ctl(&["apply-lab", "--dry-run", &old]).code == 0;
    let work = |host: &TestHost, daemon: &mut Daemon| {
        if host.ctl(&["apply-lab", &new, "--rollback-after", "1s", "--timeout", "2s"]).code != 0 {
            return false;
        }
        wait_until("the change is rolled back or netlabd dead", Duration::from_secs(20), || {
            !daemon.runs() || is_old(host)
        });
        daemon.runs()
    };
    let steps = steps(&host, 1, 2);
    let deaths = at_steps(&mut host, steps, work, |host| {
        wait_until("the old state is back", Duration::from_secs(20), || is_old(host));
        host.wait_ready("back");
        host.ctl(&["check-lab", "back"]).ok();
        let waits = host.ctl(&["confirm-lab", "back"]);
        assert!(waits.code != 0, "nothing waits to be confirmed any more: {waits}");
    });
    told("changes that are rolled back", deaths, bystander);
}

/// A lab is paused, damaged and resumed.
fn pausing() {
    let mut host = TestHost::here();
    let bystander = with_bystander(&mut host);
    let file = pair(&host, "rest", 2);
    host.ctl(&["apply-lab", &file]).ok();
    host.stop();
    let damaged =
        |host: &TestHost| host.run("sh", &["-c", "ip -n rest.a link show e | grep -q 'mtu 1400'"]).code == 0;
    let work = |host: &TestHost, _: &mut Daemon| {
        host.ctl(&["pause-lab", "rest"]).code == 0 && {
            host.sh("ip -n rest.a link set e mtu 1400");
            host.ctl(&["resume-lab", "rest", "--timeout", "2s"]).code == 0
        }
    };
    let steps = steps(&host, 1, 1);
    let deaths = at_steps(&mut host, steps, work, |host| {
        if host.lab("rest")["status"]["paused"] == true {
            // What was accepted counts: nothing is repaired behind a learner's back.
            let before = damaged(host);
            std::thread::sleep(Duration::from_millis(100));
            assert_eq!(damaged(host), before, "a paused lab is left alone");
            host.ctl(&["resume-lab", "rest"]).ok();
        }
        wait_until("the damage is repaired", Duration::from_secs(20), || !damaged(host));
        host.wait_ready("rest");
        host.ctl(&["check-lab", "rest"]).ok();
    });
    told("pause and resume", deaths, bystander);
}

/// Labs of all kinds, changed, damaged, paused and deleted, and netlabd killed meanwhile.
fn random_kills() {
    let results = Soak::new(5, seed()).run_steps(20, true);
    assert!(results.counted("kill -9") > 0, "{results}");
    println!("{results}");
}

/// Labs of all kinds and edits of them: each plan converges, and the second plan is empty.
fn random_edits() {
    let results = Soak::new(5, seed()).run_steps(30, false);
    assert!(results.counted("create or apply") > 2, "{results}");
    println!("{results}");
}

/// Stops the ping, and tells of a test that went well.
fn told(work: &str, deaths: u32, bystander: Traffic) {
    let figure =
        TestResults { kills: deaths as usize, packets: bystander.lost_nothing(), ..TestResults::default() };
    results::tell(&format!("kill -9 at steps of: {work}"), &figure);
}

/// A lab that nobody touches, and a ping through it.
fn with_bystander(host: &mut TestHost) -> Traffic {
    host.start();
    let file = host.file("small.yaml", SMALL);
    host.ctl(&["create-lab", &file]).ok();
    Traffic::start(host, "small.ns1", "203.0.113.1")
}
