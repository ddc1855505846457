//! Clients that ask for far too much: they are held to their share, and others do not notice.

use std::{
    fs::{self, File},
    process::{Child, Stdio},
    time::Duration,
};

use super::{Test, apply::SMALL};
use crate::{
    command::wait_until,
    daemon,
    host::TestHost,
    users::{self, ALICE, BOB},
};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("abuse::clients_that_never_read", never_read),
    Test::new("abuse::ten_thousand_streams", many_streams),
    Test::new("abuse::a_connection_with_too_many_streams", one_connection),
];

/// How long a flood may take to be sent, and the daemon to be rid of it.
const LIMIT: Duration = Duration::from_secs(90);

/// How much netlabd may grow under a flood, in KiB: far less than the answers that are asked for.
const GROWTH: u64 = 96 << 10;

/// A host with a lab of Alice's whose answers are large.
fn with_lab() -> TestHost {
    let mut host = TestHost::here();
    users::move_in(&host);
    host.start();
    let checks = "  - { from: ns1, to: ns2 }\n".repeat(2_000);
    let file = host.file("small.yaml", SMALL.to_owned() + &checks);
    ALICE.ctl(&host, &["create-lab", &file]).ok();
    host
}

/// netlabd's resident memory in KiB, highest so far.
pub(super) fn memory(host: &TestHost) -> u64 {
    daemon::memory(host.daemon_pid(), "VmHWM")
}

/// Floods netlabd as Alice; the process keeps everything open. Gives what it saw.
fn flood(host: &TestHost, connections: u32, calls: u32, reads: &str, method: &str) -> (Child, String) {
    let seen = host.scratch("flood");
    let socket = host.folders().socket();
    let socket = socket.to_str().expect("a path of ours is UTF-8");
    let (connections, calls) = (connections.to_string(), calls.to_string());
    let args = ["--flood", &connections, &calls, socket, reads, method, "small"];
    let child = ALICE
        .command(host, "netlab-tests", &args)
        .stdin(Stdio::null())
        .stdout(File::create(&seen).expect("making a file"))
        .spawn()
        .expect("starting a flood");
    let text = || fs::read_to_string(&seen).unwrap_or_default();
    wait_until("the flood is sent", LIMIT, || text().contains("ready"));
    (child, text())
}

/// A number that the flood saw.
fn count(seen: &str, what: &str) -> u32 {
    let mut words = seen.split_whitespace().skip_while(|word| *word != what);
    words.nth(1).and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no {what} in {seen}"))
}

/// Others are served while the flood stands, memory stays bounded, and its end gives everything back.
fn stands(host: &TestHost, mut flood: Child, before: u64, seen: &str) {
    let _ = BOB.ctl(host, &["list-labs"]).code(0).says("small");
    host.ctl(&["ping", "small", "ns1", "ns2", "-c", "1"]).ok();
    let after = memory(host);
    println!("{} netlabd: {before} KiB before, {after} KiB at most", seen.replace("ready", "").trim());
    assert!(after - before < GROWTH, "netlabd grew from {before} to {after} KiB: {seen}");
    flood.kill().expect("the flood is there");
    flood.wait().expect("waiting for the flood");
    wait_until("the flood's share is given back", LIMIT, || ALICE.ctl(host, &["list-labs"]).code == 0);
    assert!(!host.log().contains("panicked"), "{}", host.log());
}

fn never_read() {
    let host = with_lab();
    let before = memory(&host);
    let (child, seen) = flood(&host, 200, 100, "silent", "LabService/GetLab");
    // Connections are accepted in their order: when Bob is served, Alice's have been.
    let _ = BOB.ctl(&host, &["list-labs"]).code(0);
    let sockets = fs::read_dir(format!("/proc/{}/fd", host.daemon_pid())).expect("netlabd runs");
    let open = sockets.flatten().filter_map(|fd| fs::read_link(fd.path()).ok());
    let open = open.filter(|target| target.to_string_lossy().starts_with("socket:")).count();
    println!("netlabd has {open} sockets open");
    assert!(open < 120, "200 connections of one user, 64 of them allowed: {open}");
    stands(&host, child, before, &seen);
}

fn many_streams() {
    let host = with_lab();
    let before = memory(&host);
    let (child, seen) = flood(&host, 50, 200, "read", "LabService/WatchLab");
    assert!((1..=256).contains(&count(&seen, "begun")), "calls under way of one user: {seen}");
    assert!(count(&seen, "ended") + count(&seen, "refused") > 0, "the others are refused: {seen}");
    stands(&host, child, before, &seen);
}

fn one_connection() {
    let host = with_lab();
    let before = memory(&host);
    let (child, seen) = flood(&host, 1, 10_000, "read", "LabService/WatchLab");
    assert!(count(&seen, "begun") <= 100, "calls under way in one connection: {seen}");
    // Whoever does not heed the limit that the server announced may be cut off before any call begins.
    assert!(count(&seen, "begun") + count(&seen, "closed") > 0, "the flood was served or cut off: {seen}");
    stands(&host, child, before, &seen);
}
