//! A laptop and a lab host: the user's own ssh, and a real sshd.

use std::{
    fs,
    io::Write as _,
    process::{Command, Stdio},
    time::Duration,
};

use super::{Test, apply::SMALL};
use crate::{
    command::{exit_code, run, wait_until},
    host::TestHost,
    remote::{laptop_command, plug_in},
    sshd::{self, Sshd},
    users::{self, ALICE},
};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("ssh::all_commands", commands),
    Test::new("ssh::a_session_that_drops", drops),
    Test::new("ssh::what_can_go_wrong", wrong),
];

/// How long to wait for what must come.
const LIMIT: Duration = Duration::from_secs(60);

/// A private host with users, netlabd and sshd, and a laptop whose user is alice there.
fn reachable() -> (TestHost, Sshd) {
    let mut host = TestHost::here();
    users::move_in(&host);
    plug_in(&host);
    let sshd = Sshd::start(&host);
    host.start();
    (host, sshd)
}

fn ssh(sshd: &Sshd, args: &[&str]) -> Command {
    let mut command = laptop_command(args);
    command.env("NETLAB_HOST", sshd::URL).env("PATH", sshd.path());
    command
}

fn commands() {
    let (host, sshd) = reachable();
    let ctl = |args: &[&str]| run(&mut ssh(&sshd, args));
    let before = host.inventory();
    let file = host.file("small.yaml", SMALL);
    ctl(&["create-lab", &file]).ok();
    assert_eq!(host.lab("small")["owner_uid"], ALICE.uid, "ssh's user owns it");
    let _ = ctl(&["get-lab", "small"]).code(0).says("alice (uid 4001)");
    ctl(&["check-lab", "small"]).ok();
    let _ = ctl(&["exec", "small", "ns1", "--", "sh", "-c", "echo here; exit 7"]).code(7).says("here");
    let mut shell = ssh(&sshd, &["shell", "small", "ns1"]);
    let script = host.file("script", "hostname; exit 9\n");
    let shell = shell.stdin(fs::File::open(script).expect("the script")).output().expect("running netlabctl");
    assert_eq!((shell.status.code(), &*shell.stdout), (Some(9), &b"ns1\n"[..]), "{shell:?}");
    let watch = ssh(&sshd, &["watch-lab", "small"]).stdout(Stdio::piped()).spawn().expect("netlabctl");
    let capture = ["capture", "small", "ns2:eth0", "-f", "icmp", "-c", "2", "-w", "-"];
    let capture =
        ssh(&sshd, &capture).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("netlabctl");
    let mut pings = ssh(&sshd, &["ping", "small", "ns1", "ns2", "-c", "1000", "-i", "50ms"]);
    let mut pings = pings.stdout(Stdio::null()).spawn().expect("netlabctl");
    let captured = capture.wait_with_output().expect("the capture ends");
    let (_, _) = (pings.kill(), pings.wait());
    let file = host.file("captured.pcapng", captured.stdout);
    let seen = host.run("tcpdump", &["-n", "-r", &file]).ok();
    assert_eq!(seen.matches("ICMP echo").count(), 2, "{seen}");
    ctl(&["delete-lab", "small"]).ok();
    let seen = watch.wait_with_output().expect("watch-lab ends");
    assert_eq!(exit_code(seen.status), 0);
    assert!(String::from_utf8_lossy(&seen.stdout).ends_with("deleted\n"), "{seen:?}");
    before.assert_unchanged();
}

fn drops() {
    let (host, sshd) = reachable();
    let file = host.file("small.yaml", SMALL);
    run(&mut ssh(&sshd, &["create-lab", &file])).ok();
    let mut command = ssh(&sshd, &["exec", "small", "ns1", "--", "sh", "-c", "echo up; exec sleep 1000"]);
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = child.spawn().expect("starting netlabctl");
    wait_until("the command runs", LIMIT, || host.sh("ps -eo args").lines().any(|line| line == "sleep 1000"));
    child.stdin.as_mut().expect("a pipe").write_all(b"some input").expect("writing");
    sshd.drop_sessions(&host);
    let ended = child.wait_with_output().expect("netlabctl does not wait for ever");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!((exit_code(ended.status), &*ended.stdout), (125, &b"up\n"[..]), "{said}");
    let own = said.lines().last().unwrap_or_default();
    assert!(own.starts_with("netlabctl: lost netlabd at ssh://") && own.contains("exit code 255"), "{said}");
    wait_until("the command is ended too", LIMIT, || {
        !host.sh("ps -eo args").lines().any(|line| line == "sleep 1000")
    });
    run(&mut ssh(&sshd, &["check-lab", "small"])).ok();
}

fn wrong() {
    let (mut host, sshd) = reachable();
    let list = |change: &dyn Fn(&mut Command)| {
        let mut command = ssh(&sshd, &["list-labs"]);
        change(&mut command);
        run(&mut command)
    };
    // Nobody listens, and nobody is let in; ssh says so itself.
    let _ = list(&|command| {
        command.env("NETLAB_HOST", "ssh://alice@198.18.0.1:23");
    })
    .code(3)
    .complains("Connection refused")
    .complains("netlabctl: ssh cannot reach alice@198.18.0.1");
    let denied = |user: &str| {
        let url = format!("ssh://{user}@198.18.0.1:2222");
        list(&|command| {
            command.env("NETLAB_HOST", &url);
        })
    };
    let _ = denied("stranger").code(3).complains("Permission denied");
    // One who may log in, but not use netlabd.
    let _ = denied("dave").code(6).complains("does not let you in");
    sshd.hide_netlabctl(&host);
    let _ = list(&|_| {}).code(3).complains("netlabctl cannot be run on alice@198.18.0.1");
    sshd.show_netlabctl(&host);
    host.stop();
    let _ = list(&|_| {}).code(3).complains("no netlabd reached on alice@198.18.0.1");
    let mut exec = ssh(&sshd, &["exec", "small", "ns1", "--", "true"]);
    let _ = run(&mut exec).code(125).complains("no netlabd reached on");
}
