//! Commands in nodes, on the real kernel, inside a test host.

mod sandbox_common;

use std::{
    io::{Read, Write},
    os::fd::OwnedFd,
    path::Path,
    time::{Duration, Instant},
};

use netlabd::sandbox::{Exit, LabInit, Streams, WindowSize, end_all, spawn};
use sandbox_common::{LIMIT, TestLab, block_on, inside, run};

#[test]
fn a_command_sees_its_node_and_its_exit_code_comes_back() {
    if !inside("a_command_sees_its_node_and_its_exit_code_comes_back") {
        return;
    }
    let lab = TestLab::new();
    let (text, exit) =
        lab.output("id -u; hostname; cat /etc/hosts /etc/resolv.conf; pwd; ip -o link | wc -l; exit 42");
    assert_eq!(text, "0\nnode1\n127.0.0.1 localhost\nnameserver 198.18.0.1\n/\n1\n");
    assert_eq!(exit, Exit { code: 42, message: String::new() });
    assert_eq!(lab.output("kill -9 $$").1.code, 137);
    assert_eq!(
        lab.output("echo $$ > /tmp/x; cat /tmp/x; echo $HOME; touch /etc/x 2>&1; true").0.lines().last(),
        Some("touch: cannot touch '/etc/x': Read-only file system")
    );
}

#[test]
fn a_host_file_that_is_a_symbolic_link_is_covered_too() {
    if !inside("a_host_file_that_is_a_symbolic_link_is_covered_too") {
        return;
    }
    // As systemd-resolved has it.
    run("mount -t tmpfs copy /srv && cp -a /etc /srv/etc && mount --bind /srv/etc /etc");
    run("ln -sf ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf && rm -f /etc/hosts");
    let lab = TestLab::new();
    let (text, _) = lab.output("cat /etc/resolv.conf; ls /etc/hosts; ls -A /tmp");
    assert_eq!(text, "nameserver 198.18.0.1\nls: cannot access '/etc/hosts': No such file or directory\n");
}

#[test]
fn what_cannot_be_executed_says_why() {
    if !inside("what_cannot_be_executed_says_why") {
        return;
    }
    let lab = TestLab::new();
    for (program, code, why) in [
        ("no-such-program", 127, "No such file"),
        ("/etc/passwd", 126, "Permission denied"),
        ("nul\0", 126, "Invalid argument"),
    ] {
        let mut child = lab.spawn(&[program], Streams::Pipes);
        let exit = block_on(child.wait()).unwrap();
        assert_eq!(exit.code, code, "{exit:?}");
        assert!(exit.message.contains(why), "{exit:?}");
    }
    let mut command = TestLab::command(&["true"], Streams::Pipes);
    command.working_directory = "/no/such/place".into();
    let error = lab.context(|context| spawn(context, command)).unwrap_err().to_string();
    assert!(error.contains("working directory") && error.contains("No such file"), "{error}");
}

#[test]
fn streams_carry_bytes_and_signals_reach_the_group() {
    if !inside("streams_carry_bytes_and_signals_reach_the_group") {
        return;
    }
    let lab = TestLab::new();
    let mut child =
        lab.spawn(&["sh", "-c", "cat; echo end >&2; echo again > /proc/self/fd/1"], Streams::Pipes);
    let mut stdin = std::fs::File::from(child.stdin.take().unwrap());
    stdin.write_all(b"hello").unwrap();
    drop(stdin);
    assert_eq!(read(child.stdout.take()), "helloagain\n");
    assert_eq!(read(child.stderr.take()), "end\n");
    assert_eq!(block_on(child.wait()).unwrap().code, 0);

    let mut child = lab
        .spawn(&["sh", "-c", "trap 'exit 7' USR1; echo ready; while :; do sleep 0.01; done"], Streams::Pipes);
    let mut ready = [0; 6];
    std::fs::File::from(child.stdout.take().unwrap()).read_exact(&mut ready).unwrap();
    child.signal(10).unwrap();
    assert_eq!(block_on(child.wait()).unwrap().code, 7);
    child.signal(10).unwrap();
}

#[test]
fn a_terminal_has_a_size_and_ends_with_its_child() {
    if !inside("a_terminal_has_a_size_and_ends_with_its_child") {
        return;
    }
    let lab = TestLab::new();
    let size = WindowSize { rows: 33, columns: 99 };
    let mut child =
        lab.spawn(&["sh", "-c", "stty size; tty; read -r go; stty size < /dev/tty"], Streams::Terminal(size));
    let mut terminal = std::fs::File::from(child.terminal.take().unwrap());
    let mut text = String::new();
    while text.lines().count() < 2 || !text.ends_with('\n') {
        let mut byte = [0];
        terminal.read_exact(&mut byte).unwrap();
        text.push(char::from(byte[0]));
    }
    assert!(text.starts_with("33 99\r\n/dev/pts/"), "{text}");
    child.resize(WindowSize { rows: 44, columns: 111 }).unwrap();
    terminal.write_all(b"go\n").unwrap();
    let text = read_terminal(terminal);
    assert!(text.ends_with("44 111\r\n"), "{text}");
    assert_eq!(block_on(child.wait()).unwrap().code, 0);

    let child =
        lab.spawn(&["sh", "-c", "trap '' HUP TERM; while :; do sleep 1; done"], Streams::Terminal(size));
    lab.wait_for_processes(3, LIMIT);
    drop(child);
    lab.wait_for_processes(1, LIMIT);
}

#[test]
fn a_dropped_child_ends_with_its_group_and_a_detached_one_stays() {
    if !inside("a_dropped_child_ends_with_its_group_and_a_detached_one_stays") {
        return;
    }
    let lab = TestLab::new();
    let stubborn = "trap '' HUP TERM; sleep 1000 & while :; do sleep 1000; done";
    let child = lab.spawn(&["sh", "-c", stubborn], Streams::Pipes);
    drop(lab.spawn(&["sleep", "1000"], Streams::Detached));
    lab.wait_for_processes(5, LIMIT);
    drop(child);
    lab.wait_for_processes(2, LIMIT);
    // The detached one outlives its Child, and ends with the lab at the latest.
    lab.output("kill -9 -1; true");
    lab.wait_for_processes(1, LIMIT);
}

#[test]
fn a_lab_ends_however_its_processes_behave() {
    if !inside("a_lab_ends_however_its_processes_behave") {
        return;
    }
    let lab = TestLab::new();
    let stubborn =
        "trap '' HUP TERM INT; setsid sh -c 'trap \"\" HUP TERM INT; while :; do sleep 1000; done' & wait";
    drop(lab.spawn(&["sh", "-c", stubborn], Streams::Detached));
    lab.wait_for_processes(4, LIMIT);
    end_all(lab.pid_pin(), None, LIMIT).unwrap();
    assert_eq!(lab.count_processes(), 0);
    assert!(!lab.pid_pin().exists() && !lab.init.runs());
    end_all(lab.pid_pin(), None, LIMIT).unwrap();
}

#[test]
fn the_init_outlives_the_daemon_and_is_found_again() {
    if !inside("the_init_outlives_the_daemon_and_is_found_again") {
        return;
    }
    let lab = TestLab::new();
    drop(lab.spawn(&["sleep", "1000"], Streams::Detached));
    let again = LabInit::open(lab.pid_pin()).unwrap().expect("a running init");
    let same = LabInit::ensure(lab.pid_pin(), &lab.user, None).unwrap();
    assert_eq!(lab.count_processes(), 2, "no second init");
    again.end(LIMIT).unwrap();
    assert!(!same.runs());
    assert!(LabInit::open(lab.pid_pin()).unwrap().is_none(), "a dead namespace is no init");
    let new = LabInit::ensure(lab.pid_pin(), &lab.user, None).unwrap();
    assert!(new.runs());
    new.end(LIMIT).unwrap();
    assert!(LabInit::open(Path::new("/run/netns/none")).unwrap().is_none());
}

#[test]
fn a_command_keeps_no_pin_of_another_lab_alive() {
    if !inside("a_command_keeps_no_pin_of_another_lab_alive") {
        return;
    }
    let lab = TestLab::new();
    run("mount -t tmpfs elsewhere /srv && touch /srv/pin && mount --bind /proc/self/ns/net /srv/pin");
    assert_eq!(lab.output("grep -c ' - nsfs ' /proc/self/mountinfo").0, "0\n", "wherever it is pinned");
    run("ip netns add other && ip -n other link add marker type veth peer name marker-peer netns 1");
    let child = lab.spawn(&["sleep", "1000"], Streams::Pipes);
    run("ip netns del other");
    // The peer goes with the last reference to the namespace, in the background.
    let deadline = Instant::now() + LIMIT;
    while run("ip -o link").contains("marker-peer") {
        assert!(Instant::now() < deadline, "the running command holds another lab's node");
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(child);
}

/// The process id of the fork server.
fn fork_server() -> Option<String> {
    let own = std::process::id().to_string();
    let list = run("ps -eo ppid=,pid=,args=");
    let mut lines = list.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let line = lines.find(|words| words[0] == own && words[2..] == ["netlabd-sandbox", "run"]);
    line.map(|words| words[1].to_owned())
}

#[test]
fn a_fork_server_that_dies_is_replaced_and_its_commands_go_on() {
    if !inside("a_fork_server_that_dies_is_replaced_and_its_commands_go_on") {
        return;
    }
    let lab = TestLab::new();
    let mut child = lab.spawn(&["sleep", "1000"], Streams::Pipes);
    let first = fork_server().expect("a fork server");
    run(&format!("kill -KILL {first}"));
    assert_eq!(lab.output("echo again").0, "again\n");
    assert_ne!(fork_server(), Some(first), "a new one");
    child.signal(15).unwrap();
    assert_eq!(block_on(child.wait()).unwrap().code, 128 + 15);
}

#[test]
fn what_forks_commands_ends_with_the_daemon() {
    if !inside("what_forks_commands_ends_with_the_daemon") {
        return;
    }
    let lab = TestLab::new();
    lab.output("true");
    let server = fork_server().expect("a fork server");
    let forker = run(&format!("ps -o pid= --ppid {server}")).trim().to_owned();
    assert!(forker.parse::<u32>().is_ok(), "one process forks for the server: {forker:?}");
    netlabd::sandbox::end_preparations();
    // At once, not soon: whoever has ended a service looks for what is left of it.
    let left = run(&format!("ps -o pid=,args= -p {server},{forker} || true"));
    assert_eq!(left, "");
    assert_eq!(lab.output("echo again").0, "again\n");
}

#[test]
fn a_fork_server_that_does_not_answer_is_replaced() {
    if !inside("a_fork_server_that_does_not_answer_is_replaced") {
        return;
    }
    let lab = TestLab::new();
    let mut child = lab.spawn(&["sleep", "1000"], Streams::Pipes);
    let first = fork_server().expect("a fork server");
    run(&format!("kill -STOP {first}"));
    assert_eq!(lab.output("echo again").0, "again\n");
    let deadline = Instant::now() + LIMIT;
    while Path::new(&format!("/proc/{first}")).exists() {
        assert!(Instant::now() < deadline, "the stopped one is still there");
        std::thread::sleep(Duration::from_millis(20));
    }
    child.signal(15).unwrap();
    assert_eq!(block_on(child.wait()).unwrap().code, 128 + 15, "its commands go on");
}

#[test]
fn a_command_whose_monitor_is_killed_is_killed_too() {
    if !inside("a_command_whose_monitor_is_killed_is_killed_too") {
        return;
    }
    let lab = TestLab::new();
    let mut child = lab.spawn(&["sleep", "1000"], Streams::Pipes);
    run(&format!("kill -KILL {}", child.monitor()));
    assert_eq!(block_on(child.wait()).unwrap().code, 128 + 9);
    let deadline = Instant::now() + LIMIT;
    while run("ps -eo args=").lines().any(|line| line == "sleep 1000") {
        assert!(Instant::now() < deadline, "it goes on");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn read(fd: Option<OwnedFd>) -> String {
    let mut text = String::new();
    std::fs::File::from(fd.unwrap()).read_to_string(&mut text).unwrap();
    text
}

fn read_terminal(mut master: std::fs::File) -> String {
    let (mut text, mut buffer) = (Vec::new(), [0; 256]);
    // EIO: nobody has the other side any more.
    while let Ok(n @ 1..) = master.read(&mut buffer) {
        text.extend(&buffer[..n]);
    }
    String::from_utf8(text).unwrap()
}
