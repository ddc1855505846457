//! The streams of commands in nodes under load: nothing is lost, nothing is gathered, signals pass.

use std::{
    fs::{self, File},
    io::Read,
    process::{Child, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use super::{Test, abuse::memory, apply::SMALL};
use crate::{
    command::{exit_code, wait_until},
    feature::Feature,
    host::TestHost,
};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("exec::signals_pass_where_input_is_not_read", unread_input),
    Test::new("exec::no_signal_is_ignored_from_the_start", defaults),
    Test::new("exec::a_command_is_killed_with_its_lab", with_its_lab),
    Test::new("exec::run_is_the_nodes", runtime_directory),
    Test::new("exec::a_slow_reader_costs_no_memory", slow_reader)
        // Its kernel does not tell what a process waits for.
        .lacks(&[Feature::OwnKernel]),
];

const LIMIT: Duration = Duration::from_secs(60);

fn with_small() -> TestHost {
    let host = TestHost::started();
    let file = host.file("small.yaml", SMALL);
    host.ctl(&["create-lab", &file]).ok();
    host
}

/// How many processes with these arguments there are.
fn count(host: &TestHost, args: &str) -> u32 {
    let list = host.run("ps", &["-eo", "args"]).ok();
    u32::try_from(list.lines().filter(|line| *line == args).count()).unwrap_or(u32::MAX)
}

/// netlabctl with more on its standard input than fits anywhere, which the command does not read.
fn unread(host: &TestHost) -> Child {
    let input = host.file("input", vec![0; 4 << 20]);
    let child = host
        .ctl_command(&["exec", "-T", "small", "ns1", "--", "sleep", "432"])
        .stdin(File::open(input).expect("the file was made"))
        .stdout(Stdio::null())
        .spawn()
        .expect("starting netlabctl");
    // More than a pipe holds, so something of it waits in netlabd.
    wait_until("the input is on its way", LIMIT, || {
        let info = fs::read_to_string(format!("/proc/{}/fdinfo/0", child.id())).unwrap_or_default();
        let position = info.lines().find_map(|line| line.strip_prefix("pos:"));
        position.and_then(|number| number.trim().parse().ok()).is_some_and(|bytes: u64| bytes >= 160 << 10)
    });
    wait_until("the command runs", LIMIT, || count(host, "sleep 432") == 1);
    child
}

fn unread_input() {
    let host = with_small();
    let mut child = unread(&host);
    kill_process(Pid::from_child(&child), Signal::INT).expect("netlabctl is there");
    wait_until("SIGINT ends the command", LIMIT, || child.try_wait().expect("waiting").is_some());
    assert_eq!(exit_code(child.wait().expect("it has ended")), 130);
    wait_until("the command is gone", LIMIT, || count(&host, "sleep 432") == 0);

    let mut child = unread(&host);
    child.kill().expect("netlabctl is there");
    child.wait().expect("waiting");
    wait_until("the command goes with its client", LIMIT, || count(&host, "sleep 432") == 0);
}

/// Whatever is killed first, the command or what watches over it: the client hears the same.
fn with_its_lab() {
    let host = with_small();
    for round in 0..5 {
        let child = host
            .ctl_command(&["exec", "-T", "small", "ns1", "--", "sleep", "433"])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starting netlabctl");
        wait_until("the command runs", LIMIT, || count(&host, "sleep 433") == 1);
        host.ctl(&["delete-lab", "small"]).ok();
        let ended = child.wait_with_output().expect("netlabctl ends");
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!((exit_code(ended.status), said.as_str()), (137, ""), "round {round}");
        host.ctl(&["create-lab", &host.file("small.yaml", SMALL)]).ok();
    }
}

/// netlabd as a script starts it in the background: with Ctrl-C ignored, which children inherit.
fn defaults() {
    let mut host = TestHost::here();
    host.start_under(&["sh", "-c", "trap '' INT QUIT HUP USR1; exec \"$@\"", "sh"]);
    let file = host.file("small.yaml", SMALL);
    host.ctl(&["create-lab", &file]).ok();
    let line = host.ctl(&["exec", "small", "ns1", "--", "grep", "SigIgn", "/proc/self/status"]).ok();
    let word = line.split_whitespace().last().unwrap_or_default();
    let ignored = u64::from_str_radix(word, 16).expect("a mask of signals");
    // Two belong to the C library, which lets nobody change them.
    assert_eq!(ignored & !(3 << 31), 0, "{line}");
}

/// How much netlabd may grow with a stream, in KiB: its buffers, and what the allocator takes for them.
const GROWTH: u64 = 16 << 10;

fn slow_reader() {
    const BYTES: usize = 128 << 20;
    let host = with_small();
    host.ctl(&["exec", "small", "ns1", "--", "true"]).ok();
    let before = memory(&host);
    let line = format!("yes netlab | head -c {BYTES}; echo done >&2; exit 3");
    let mut child = host
        .ctl_command(&["exec", "-T", "small", "ns1", "--", "sh", "-c", &line])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("starting netlabctl");
    // The command can write no more: that is what the kernel says it waits for.
    let waits = || {
        let list = host.run("ps", &["-eo", "args,wchan:32"]).ok();
        list.lines().any(|line| line.starts_with("yes netlab ") && line.contains("pipe"))
    };
    wait_until("the command waits for its reader", LIMIT, waits);
    let stalled = memory(&host);
    let (mut stdout, mut buffer, mut seen) = (child.stdout.take().expect("piped"), vec![0; 70_000], 0);
    loop {
        let read = stdout.read(&mut buffer).expect("reading from netlabctl");
        if read == 0 {
            break;
        }
        for (at, byte) in buffer[..read].iter().enumerate() {
            assert_eq!(*byte, b"netlab\n"[(seen + at) % 7], "byte {}", seen + at);
        }
        seen += read;
    }
    assert_eq!((seen, exit_code(child.wait().expect("waiting"))), (BYTES, 3));
    let after = memory(&host);
    println!("128 MiB to a slow reader; netlabd: {before} KiB before, {stalled} stalled, {after} at most");
    assert!(after - before < GROWTH, "netlabd grew from {before} to {after} KiB");
}

/// What a command leaves in `/run` is there for the next one in the same node, and for nobody else.
fn runtime_directory() {
    let mut host = with_small();
    let sh = |host: &TestHost, node: &str, script: &str| {
        host.ctl(&["exec", "small", node, "--", "sh", "-c", script])
    };
    sh(&host, "ns1", "umask 022; mkdir /run/program; echo here >/run/program/socket; echo gone >/tmp/file")
        .ok();
    let look = "cat /run/program/socket; ls /tmp";
    assert_eq!(sh(&host, "ns1", look).ok(), "here\n");
    assert_eq!(sh(&host, "ns2", "ls -A /run").ok(), "");
    // Whoever is root of the lab may write, and no more than there is room for.
    let full = sh(
        &host,
        "ns1",
        "dd if=/dev/zero of=/run/large bs=1M count=17 2>&1; stat -c '%u %g %a' /run; rm /run/large",
    )
    .ok();
    assert!(full.contains("No space left") && full.ends_with("0 0 755\n"), "{full}");
    let programs = sh(
        &host,
        "ns1",
        "cp /bin/true /run/true; chmod 6755 /run/true; mknod /run/null c 1 3 2>&1; grep ' /run ' /proc/mounts",
    );
    let programs = programs.ok();
    assert!(programs.contains("not permitted") && programs.contains("nosuid,nodev"), "{programs}");
    host.kill();
    host.start();
    assert_eq!(sh(&host, "ns1", look).ok(), "here\n", "after netlabd was killed");
    let mounts = || fs::read_to_string("/proc/self/mountinfo").expect("it is always there");
    let of_lab = |mounts: &str| mounts.lines().filter(|line| line.contains("/labs/small/run")).count();
    assert_eq!(of_lab(&mounts()), 3, "one of the lab, one of each node in which a command ran");
    // A node that leaves takes it along.
    let one = SMALL.replace("ns2", "ns3");
    let file = host.file("one.yaml", one.as_str());
    host.ctl(&["apply-lab", &file]).ok();
    assert_eq!(of_lab(&mounts()), 2);
    let file = host.file("small.yaml", SMALL);
    host.ctl(&["apply-lab", &file]).ok();
    assert_eq!(sh(&host, "ns1", look).ok(), "here\n");
    host.ctl(&["delete-lab", "small"]).ok();
    assert_eq!(of_lab(&mounts()), 0);
    host.ctl(&["create-lab", &file]).ok();
    assert_eq!(sh(&host, "ns1", "ls -A /run").ok(), "");
    host.ctl(&["delete-lab", "small"]).ok();
}
