//! Clients that ask for far too much: they are held to their share, and others do not notice.

use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt,
    process::{Child, Stdio},
    time::Duration,
};

use super::{Test, apply::SMALL};
use crate::{
    command::wait_until,
    cost::Cost,
    daemon,
    flood::COMMAND,
    host::TestHost,
    users::{self, ALICE, BOB, MALLORY},
};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("abuse::clients_that_never_read", never_read),
    Test::new("abuse::ten_thousand_streams", many_streams),
    Test::new("abuse::a_connection_with_too_many_streams", one_connection),
    Test::new("abuse::a_thousand_commands", thousand_commands),
    Test::new("abuse::what_is_refused", refusals),
];

/// How long a flood may take to be sent, and the daemon to be rid of it.
const LIMIT: Duration = Duration::from_secs(90);

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

/// Others are served while the flood stands, and its end gives everything back.
fn stands(host: &TestHost, mut flood: Child, cost: Cost<'_>, answer: &str) {
    let _ = BOB.ctl(host, &["list-labs"]).code(0).says("small");
    host.ctl(&["ping", "small", "ns1", "ns2", "-c", "1"]).ok();
    flood.kill().expect("the flood is there");
    flood.wait().expect("waiting for the flood");
    wait_until("the flood's share is given back", LIMIT, || ALICE.ctl(host, &["list-labs"]).code == 0);
    cost.end(answer);
}

/// What a flood saw, in words.
fn answers(seen: &str) -> String {
    format!("{} go on, the others are refused (RESOURCE_EXHAUSTED or REFUSED_STREAM)", count(seen, "begun"))
}

fn never_read() {
    let host = with_lab();
    let cost =
        Cost::begin(&host, "200 connections of one user, 100 calls on each, whose answers nobody reads");
    let (child, _) = flood(&host, 200, 100, "silent", "LabService/GetLab");
    // Connections are accepted in their order: when Bob is served, Alice's have been.
    let _ = BOB.ctl(&host, &["list-labs"]).code(0);
    let sockets = fs::read_dir(format!("/proc/{}/fd", host.daemon_pid())).expect("netlabd runs");
    let open = sockets.flatten().filter_map(|fd| fs::read_link(fd.path()).ok());
    let open = open.filter(|target| target.to_string_lossy().starts_with("socket:")).count();
    assert!(open < 120, "200 connections of one user, 64 of them allowed: {open}");
    stands(&host, child, cost, &format!("64 connections are served, the others wait: {open} sockets open"));
}

fn many_streams() {
    let host = with_lab();
    let cost = Cost::begin(&host, "10,000 watches of one user by 50 connections");
    let (child, seen) = flood(&host, 50, 200, "read", "LabService/WatchLab");
    assert!((1..=256).contains(&count(&seen, "begun")), "calls under way of one user: {seen}");
    assert!(count(&seen, "ended") + count(&seen, "refused") > 0, "the others are refused: {seen}");
    stands(&host, child, cost, &answers(&seen));
}

fn one_connection() {
    let host = with_lab();
    let cost = Cost::begin(&host, "10,000 watches by one connection that ignores the limit told to it");
    let (child, seen) = flood(&host, 1, 10_000, "read", "LabService/WatchLab");
    assert!(count(&seen, "begun") <= 100, "calls under way in one connection: {seen}");
    // Whoever does not heed the limit that the server announced may be cut off before any call begins.
    assert!(count(&seen, "begun") + count(&seen, "closed") > 0, "the flood was served or cut off: {seen}");
    stands(&host, child, cost, &answers(&seen));
}

/// How many commands one user may run at once (`exec_sessions` of `[quotas]`), unless configured otherwise.
const COMMANDS: usize = 64;

fn thousand_commands() {
    let host = with_lab();
    let cost = Cost::begin(&host, "1,000 commands at once by one user");
    let line = COMMAND.join(" ");
    let running = || {
        let list = host.run("ps", &["-eo", "args"]).ok();
        list.lines().filter(|args| *args == line).count()
    };
    let (child, seen) = flood(&host, 10, 100, "read", "NodeService/Exec");
    wait_until("as many run as are allowed", LIMIT, || running() == COMMANDS);
    let refused = ALICE.ctl(&host, &["exec", "small", "ns1", "--", "true"]).code(125);
    let refused = refused.complains("quota exec_sessions: 64 of 64");
    assert!(count(&seen, "begun") as usize <= COMMANDS, "{seen}");
    // Others have their own.
    host.ctl(&["exec", "small", "ns1", "--", "true"]).ok();
    assert_eq!(running(), COMMANDS, "no more and no less");
    let text = refused.stderr.trim().to_owned();
    stands(&host, child, cost, &format!("{COMMANDS} run; each other one: `{text}` (RESOURCE_EXHAUSTED)"));
    wait_until("none is left", LIMIT, || running() == 0);
    ALICE.ctl(&host, &["exec", "small", "ns1", "--", "true"]).ok();
    let helpers = || host.sh("ps -eo args | grep -c '^[n]etlabd-sandbox run' || true").trim().to_owned();
    wait_until("no helper is left but the two that fork them", LIMIT, || helpers() == "2");
}

fn refusals() {
    let host = with_lab();
    let socket = host.folders().socket();
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).expect("opening the socket to all");
    let forged = host.file("forged.yaml", format!("owner_uid: 0\n{SMALL}"));
    let exec = |command| ["exec", "small", "ns1", "--", command];
    for (case, user, args, code) in [
        ("an outsider asks for the labs", MALLORY, &["list-labs"][..], 6),
        ("a member deletes another's lab", BOB, &["delete-lab", "small"], 6),
        ("a member runs a command in another's lab", BOB, &exec("true"), 125),
        ("a member writes another's uid into the lab file", BOB, &["create-lab", &forged], 2),
        ("a command that does not exist", ALICE, &exec("no-such-program"), 127),
        ("a command that cannot be executed", ALICE, &exec("/etc/passwd"), 126),
        ("a capture filter with a fault", ALICE, &["capture", "small", "ns1:eth0", "-f", "tcp and and"], 2),
    ] {
        let cost = Cost::begin(&host, case);
        cost.refused(&user.ctl(&host, args).code(code));
    }
}
