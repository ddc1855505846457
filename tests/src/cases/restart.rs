//! Stopping, killing and starting netlabd: labs do not notice, and are taken up again.

use std::{
    fs::{self, File},
    process::Stdio,
    thread,
    time::Duration,
};

use super::{Test, apply::SMALL};
use crate::{
    command::{exit_code, run_within, wait_until},
    daemon::{Folders, program},
    feature::Feature,
    host::TestHost,
    traffic::Traffic,
};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("restart::stop_leaves_labs_running", stop),
    Test::new("restart::kill_leaves_labs_running", kill),
    Test::new("restart::no_mount_without_a_lab", mounts),
    Test::new("restart::damage_meanwhile_is_repaired", damage),
    Test::new("restart::everything_gone_comes_back_the_same", everything_gone),
    Test::new("restart::deletes_leave_nothing_afterwards", deletes).needs(&[Feature::Nat]),
    Test::new("restart::netlabctl_waits_through_kills", waits),
    Test::new("restart::a_pin_put_back_holds_nothing_afterwards", put_back),
    Test::new("restart::pins_of_an_earlier_release_are_taken_over", earlier_pins),
    Test::new("restart::names_without_pins_are_no_namespaces", names_alone),
    Test::new("restart::second_daemon_is_refused", second),
];

fn with_small() -> TestHost {
    let host = TestHost::started();
    let file = host.file("small.yaml", SMALL);
    host.ctl(&["create-lab", &file]).ok();
    host
}

/// What identifies the small lab and its links.
fn identity(host: &TestHost) -> String {
    let lab = host.lab("small");
    let links = ["ns1", "router", "ns2"]
        .map(|node| host.sh(&format!("ip -n small.{node} -br link | awk '{{ print $1, $3 }}'")));
    format!("{} {} {} {}", lab["uid"], lab["generation"], lab["create_time"], links.concat())
}

/// A stopped netlabd leaves a mount behind only for labs that run on.
fn mounts() {
    let mut host = TestHost::started();
    let mounted =
        |host: &TestHost| host.sh("grep -c ' /run/test/runtime' /proc/self/mountinfo || :").trim() != "0";
    host.stop();
    assert!(!mounted(&host), "{}", host.sh("cat /proc/self/mountinfo"));
    host.start();
    let file = host.file("small.yaml", SMALL);
    host.ctl(&["create-lab", &file]).ok();
    host.ctl(&["exec", "small", "ns1", "--", "true"]).ok();
    host.stop();
    assert!(mounted(&host), "the lab runs on");
    host.start();
    host.wait_ready("small");
    let _ = host.ctl(&["apply-lab", "--dry-run", &file]).code(0);
    host.ctl(&["delete-lab", "small"]).ok();
    host.stop();
    assert!(!mounted(&host), "{}", host.sh("cat /proc/self/mountinfo"));
    host.start();
    host.ctl(&["create-lab", &file]).ok();
}

fn stop() {
    let mut host = with_small();
    let before = identity(&host);
    let traffic = Traffic::start(&host, "small.ns1", "203.0.113.1");
    for _ in 0..3 {
        host.stop();
        traffic.continues(3);
        let _ = host.ctl(&["get-lab", "small"]).code(3);
        host.start();
        host.wait_ready("small");
        traffic.continues(3);
    }
    assert_eq!(identity(&host), before);
    let file = host.file("small.yaml", SMALL);
    let _ = host.ctl(&["apply-lab", "--dry-run", &file]).code(0);
    traffic.lost_nothing();
}

fn kill() {
    let mut host = with_small();
    let before = identity(&host);
    let traffic = Traffic::start(&host, "small.ns1", "203.0.113.1");
    for _ in 0..5 {
        host.kill();
        host.start();
        host.wait_ready("small");
        traffic.continues(2);
    }
    assert_eq!(identity(&host), before);
    let file = host.file("small.yaml", SMALL);
    let _ = host.ctl(&["apply-lab", "--dry-run", &file]).code(0);
    traffic.lost_nothing();
}

fn damage() {
    let mut host = with_small();
    host.kill();
    host.sh("ip -n small.ns1 link del eth0; ip netns del small.ns2");
    host.start();
    wait_until("the lab is repaired", Duration::from_secs(30), || {
        host.ctl(&["check-lab", "small"]).code == 0
    });
}

/// As after a reboot: nothing of the lab is left but netlabd's state.
fn everything_gone() {
    let mut host = with_small();
    let before = identity(&host);
    host.stop();
    host.sh(
        "ip -all netns del; awk '$2 ~ \"^/run/test/runtime/\" { print $2 }' /proc/mounts | tac | xargs -r -n 1 umount -l",
    );
    std::fs::remove_dir_all(&host.folders().runtime).expect("removing the runtime folder");
    host.start();
    wait_until("the lab is back", Duration::from_secs(30), || host.ctl(&["check-lab", "small"]).code == 0);
    host.wait_ready("small");
    // Interfaces are the same by name, index, MAC address and state.
    assert_eq!(identity(&host), before);
}

fn deletes() {
    let mut host = TestHost::started();
    let before = host.inventory();
    host.ctl(&["create-lab", "labs/internet.yaml"]).ok();
    host.kill();
    host.start();
    host.ctl(&["delete-lab", "internet"]).ok();
    before.assert_unchanged();
}

/// A pin put back by a netlabd that found the namespace by that pin, beside a process with its own view of
/// mounts, as each `ip netns exec` has: the namespace ends with the lab.
fn put_back() {
    let mut host = TestHost::here();
    host.sh("ip netns add stranger; ip -n stranger link set lo up");
    host.start();
    let before = host.inventory();
    let traffic = Traffic::start(&host, "stranger", "127.0.0.1");
    let file = host.file("small.yaml", SMALL);
    host.ctl(&["create-lab", &file]).ok();
    host.stop();
    host.start();
    host.wait_ready("small");
    // The pin may be back before its file is gone.
    host.sh("umount -l /run/netns/small.ns1; rm -f /run/netns/small.ns1 2>/dev/null || true");
    wait_until("the pin is back", Duration::from_secs(30), || {
        host.run("ip", &["-n", "small.ns1", "link"]).code == 0
    });
    host.wait_ready("small");
    host.ctl(&["delete-lab", "small"]).ok();
    traffic.lost_nothing();
    before.assert_unchanged();
}

/// Pins as earlier releases made them, at their names: the lab runs on and is looked after as ever.
fn earlier_pins() {
    let mut host = TestHost::started();
    let before = host.inventory();
    let file = host.file("small.yaml", SMALL);
    host.ctl(&["create-lab", &file]).ok();
    let traffic = Traffic::start(&host, "small.ns1", "203.0.113.1");
    host.stop();
    host.sh("for name in /run/netns/small.*; do
            pin=$(readlink $name); rm $name; touch $name; chmod 444 $name; mount --bind $pin $name
        done
        umount -l /run/test/runtime/labs/small/net; rmdir /run/test/runtime/labs/small/net");
    host.start();
    host.wait_ready("small");
    let _ = host.ctl(&["apply-lab", "--dry-run", &file]).code(0);
    assert_eq!(host.lab("small")["status"]["drift_repaired"], "0", "nothing was missing");
    host.ctl(&["exec", "small", "ns1", "--", "true"]).ok();
    // One that is lost comes back, beside one that is new.
    host.sh("umount -l /run/netns/small.ns1; rm -f /run/netns/small.ns1 2>/dev/null || true");
    wait_until("the pin is back", Duration::from_secs(30), || {
        host.run("ip", &["-n", "small.ns1", "link"]).code == 0
    });
    let more = host.file("more.yaml", SMALL.replace("  ns2:\n", "  more: {}\n  ns2:\n"));
    host.ctl(&["apply-lab", &more]).ok();
    host.sh("ip -n small.more link; ip -n small.router link");
    host.ctl(&["apply-lab", &file]).ok();
    host.sh("! ls /run/netns | grep more");
    traffic.lost_nothing();
    host.ctl(&["delete-lab", "small"]).ok();
    before.assert_unchanged();
}

/// What is left in the folder of names where the pins of a lab went without it, as after a crash that nobody has
/// thought of: no namespace, in nobody's way, and gone with the lab.
fn names_alone() {
    let mut host = TestHost::started();
    let before = host.inventory();
    let file = host.file("small.yaml", SMALL);
    let state = host.folders().state.display().to_string();
    let lost = "umount -l /run/test/runtime/labs/small/net";
    for rest in [lost.to_owned(), format!("{lost}; rm -r {state}/*")] {
        host.ctl(&["create-lab", &file]).ok();
        host.kill();
        host.sh(&rest);
        host.start();
        if host.ctl(&["get-lab", "small"]).code != 0 {
            assert_eq!(host.sh("ls /run/netns"), "", "names of a lab that is not known");
            host.ctl(&["create-lab", &file]).ok();
        }
        host.wait_ready("small");
        host.ctl(&["check-lab", "small"]).ok();
        host.ctl(&["delete-lab", "small"]).ok();
    }
    before.assert_soon_unchanged();
    // Others' names that lead nowhere are left alone.
    host.sh("ln -s /run/test/nowhere /run/netns/small.ns1");
    let _ = host.ctl(&["create-lab", &file]).code(5).complains("small.ns1 exists and is not netlab's");
    host.sh("[ $(readlink /run/netns/small.ns1) = /run/test/nowhere ]");
}

/// A client that waits for a change sees the end of it, whenever netlabd was killed and started again.
fn waits() {
    let mut host = with_small();
    let files = [1500, 1400].map(|mtu| {
        let text = SMALL.replace("[192.0.2.1/24]", &format!("[192.0.2.1/24], mtu: {mtu}"));
        host.file(
            &format!("{mtu}.yaml"),
            text.replace("[192.0.2.254/24]", &format!("[192.0.2.254/24], mtu: {mtu}")),
        )
    });
    for n in 0..30 {
        let mut client = host
            .ctl_command(&["apply-lab", &files[(n + 1) % 2]])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(host.scratch("said")).expect("making a file"))
            .spawn()
            .expect("starting netlabctl");
        // At once, when the request is under way, when it is being worked on, when all is done.
        thread::sleep(Duration::from_millis(5 * n as u64));
        host.kill();
        host.start();
        let mut code = None;
        wait_until("netlabctl ends", Duration::from_secs(30), || {
            code = client.try_wait().expect("waiting for netlabctl").map(exit_code);
            code.is_some()
        });
        let said = fs::read_to_string(host.scratch("said")).unwrap_or_default();
        assert!(code == Some(0) || code == Some(3), "done, or not reached: {code:?}: {said}");
        host.wait_ready("small");
        host.ctl(&["check-lab", "small"]).ok();
    }
}

fn second() {
    let host = with_small();
    let pid = host.daemon_pid().to_string();
    let folders = host.folders();
    let other = |runtime: &str, state: &str| {
        let folders = Folders { runtime: runtime.into(), state: state.into(), ..folders.clone() };
        run_within(&mut folders.command(), Duration::from_secs(20))
    };
    let runtime = folders.runtime.to_str().expect("a path of ours");
    let state = folders.state.to_str().expect("a path of ours");
    for (runtime, state) in [(runtime, state), (runtime, "/run/test/other"), ("/run/test/other", state)] {
        let output = other(runtime, state).complains(&pid);
        assert_ne!(output.code, 0, "a second daemon is refused");
    }
    assert!(program("netlabd").exists());
    host.ctl(&["check-lab", "small"]).ok();
}
