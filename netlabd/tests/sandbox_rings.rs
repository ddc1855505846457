//! Packet rings of a lab's commands: within the lab's budget, which comes back with them.

mod sandbox_common;

use std::time::{Duration, Instant};

use netlabd::sandbox::Streams;
use sandbox_common::{LIMIT, TestLab, inside};

/// Captures with a ring of 4 MiB, half of a test lab's budget, until it is ended.
const HALF: &str = "exec tcpdump -i lo -B 4096 -w /tmp/packets 2> /dev/null";
/// The same until it listens or has ended; prints whether it has listened. (Its start may take long where its files are
/// read for the first time.)
const TRY: &str = "tcpdump -i lo -B 4096 -w /tmp/packets 2> /tmp/said & \
    until grep -q '^tcpdump: listening' /tmp/said || ! kill -0 $! 2> /dev/null; do sleep 0.02; done; \
    kill -INT $! 2> /dev/null; wait; grep -c '^tcpdump: listening' /tmp/said";

#[test]
fn a_ring_that_is_gone_is_free_for_the_next() {
    if !inside("a_ring_that_is_gone_is_free_for_the_next") {
        return;
    }
    let lab = TestLab::new();
    let many = format!("ip link set lo up; for i in 1 2 3 4 5; do {TRY}; done");
    assert_eq!(lab.output(&many).0, "1\n".repeat(5), "one after the other in one command");
    for _ in 0..3 {
        assert_eq!(lab.output(TRY).0, "1\n", "and in one each");
    }
    let (text, _) = lab.output("tcpdump -i lo -B 4096 -c 2 -U -w /tmp/packets 2>&1 & sleep 0.3; ping -c 2 -i 0.2 127.0.0.1 > /dev/null; wait");
    assert!(text.contains("2 packets captured"), "{text}");
}

#[test]
fn all_commands_of_a_lab_have_one_budget() {
    if !inside("all_commands_of_a_lab_have_one_budget") {
        return;
    }
    let lab = TestLab::new();
    lab.output("ip link set lo up");
    drop(lab.spawn(&["sh", "-c", HALF], Streams::Detached));
    // One whose command has ended, and which runs on.
    lab.output(&format!("({HALF}) > /dev/null 2>&1 &"));
    let sockets = || lab.output("grep -c . /proc/net/packet").0.trim().parse::<u32>().unwrap() - 1;
    let wait_for = |what: &str, done: &dyn Fn() -> bool| {
        let deadline = Instant::now() + LIMIT;
        while !done() {
            assert!(Instant::now() < deadline, "{what}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    wait_for("two captures", &|| sockets() == 2);
    // A ring is made a moment after its socket.
    wait_for("none is left", &|| lab.output(TRY).0 == "0\n");
    lab.output("kill -9 -1");
    wait_for("no capture", &|| sockets() == 0);
    wait_for("the budget is back", &|| lab.output(TRY).0 == "1\n");
    lab.wait_for_processes(1, LIMIT);
}
