//! exec, shell, ping and capture.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::fd::OwnedFd,
    process::{Command, Stdio},
};

use rustix::{
    fs::{Mode, OFlags},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize},
};

use crate::run::{Ground, Ran, arg};

#[test]
fn exec_gives_the_commands_own_code() {
    let ground = Ground::scripted();
    for code in [0, 1, 7, 137, 255] {
        assert_eq!(ground.run(&["exec", "vxlan", "ns1", "--", "exit", &code.to_string()]).code, code);
    }
    let ran = ground.run(&["exec", "vxlan", "ns1", "--", "missing"]);
    ran.failed(127, "netlabctl: missing: No such file or directory");
}

#[test]
fn execs_own_failures_are_125() {
    let ground = Ground::scripted();
    let ran = ground.run(&["exec", "vxlam", "ns1", "--", "exit", "0"]);
    ran.failed(125, "netlabctl: there is no lab vxlam; did you mean \"vxlan\"?");
    let ran = ground.run(&["exec", "vxlan", "roter", "--", "exit", "0"]);
    ran.failed(125, "netlabctl: there is no node roter; did you mean \"router\"?");
    let ran = ground.run(&["exec", "vxlan", "ns1", "--", "breaks"]);
    ran.failed(125, "netlabctl: the answer ended before the command did; try again");
    assert_eq!(ground.run(&["exec", "vxlan"]).code, 125);
    assert_eq!(ground.run(&["--host", "unix:///nonexistent", "shell", "vxlan", "ns1"]).code, 125);
    assert_eq!(ground.run(&["-o", "json", "exec", "--nonsense"]).code, 125);
    assert_eq!(ground.run(&["exec", "--help"]).code, 0);
}

#[test]
fn exec_in_several_nodes_goes_on_past_one_that_fails() {
    let ground = Ground::scripted();
    ground.run(&["exec", "vxlan", "--all", "--", "exit", "0"]).wrote("==> ns1 <==\n\n==> router <==\n");
    ground.run(&["exec", "-a", "vxlan", "exit", "0"]).wrote("==> ns1 <==\n\n==> router <==\n");
    let ran = ground.run_with(&["exec", "vxlan", "router,ns1", "--", "cat"], "not sent");
    ran.wrote("==> router <==\n\n==> ns1 <==\n");
    let ran = ground.run(&["exec", "vxlan", "--all", "--", "exit", "3"]);
    assert_eq!((ran.code, ran.out.as_str()), (3, "==> ns1 <==\n\n==> router <==\n"));
    let ran = ground.run(&["exec", "vxlan", "ns1,roter", "--", "missing"]);
    ran.failed(
        127,
        "netlabctl: missing: No such file or directory\nnetlabctl: there is no node roter; did you mean \"router\"?",
    );
    let detached = ground.run(&["exec", "--detach", "vxlan", "--all", "--", "signal"]);
    detached.wrote("==> ns1 <==\n42\n\n==> router <==\n42\n");
    ground
        .run(&["exec", "vxlam", "--all", "--", "exit"])
        .failed(125, "netlabctl: there is no lab vxlam; did you mean \"vxlan\"?");
    assert_eq!(ground.run(&["exec", "vxlan", "--all"]).code, 125);
    for nobody in ["", ",", "ns1,"] {
        let ran = ground.run(&["exec", "vxlan", nobody, "--", "exit", "0"]);
        assert_eq!(ran.code, 125, "{nobody:?}");
        assert!(ran.err.starts_with("netlabctl: there is no node"), "{nobody:?}: {}", ran.err);
    }
}

#[test]
fn exec_passes_input_and_both_outputs() {
    let ground = Ground::scripted();
    let text = "a line\n".repeat(100_000);
    let ran = ground.run_with(&["exec", "vxlan", "ns1", "--", "cat"], &text);
    assert!(ran.code == 0 && ran.out == text, "{} bytes came back", ran.out.len());
    assert_eq!(ground.run_with(&["shell", "vxlan", "ns1"], "script").out, "script");
    assert_eq!(ground.run_with(&["exec", "-n", "vxlan", "ns1", "--", "cat"], "not sent").out, "");
    let ran = ground.run(&["exec", "vxlan", "ns1", "--", "both"]);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("out\n", "err\n"));
    let args = ["exec", "-e", "A=b=c", "-w", "/tmp", "vxlan", "ns1", "--", "environment"];
    assert_eq!(ground.run(&args).out, "{\"A\": \"b=c\"} \"/tmp\"\n");
    ground.run(&["exec", "--detach", "vxlan", "ns1", "--", "signal"]).wrote("42\n");
}

#[test]
fn a_closed_pipe_is_quiet() {
    let ground = Ground::scripted();
    let mut child = ground.command(&["exec", "vxlan", "ns1", "--", "flood"]).spawn().unwrap();
    let mut start = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut start).unwrap();
    Ran::from(child.wait_with_output().unwrap()).failed(141, "");
}

#[test]
fn signals_reach_the_command() {
    let ground = Ground::scripted();
    for (name, number) in [("INT", 2), ("TERM", 15), ("HUP", 1), ("QUIT", 3)] {
        let mut child = ground.command(&["exec", "vxlan", "ns1", "--", "signal"]).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "waiting\n");
        let pid = child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
        assert_eq!(Ran::from(child.wait_with_output().unwrap()).code, 128 + number, "{name}");
    }
}

/// A terminal: the end of the person, and the end of the program.
fn terminal(rows: u16, columns: u16) -> (File, OwnedFd) {
    let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&person).unwrap();
    unlockpt(&person).unwrap();
    let name = ptsname(&person, Vec::new()).unwrap();
    let program = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    resize(&program, rows, columns);
    (File::from(person), program)
}

fn resize(terminal: &OwnedFd, rows: u16, columns: u16) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(terminal, size).unwrap();
}

fn read_until(person: &mut File, text: &str) -> String {
    let mut seen = String::new();
    let mut buffer = [0; 512];
    while !seen.contains(text) {
        let read = person.read(&mut buffer).unwrap();
        seen.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    seen
}

#[test]
fn a_shell_has_a_terminal_and_gives_it_back_as_it_was() {
    let ground = Ground::scripted();
    let (mut person, program) = terminal(33, 101);
    let end = || Stdio::from(program.try_clone().unwrap());
    let before = tcgetattr(&program).unwrap();
    let mut command = ground.command(&["shell", "vxlan", "ns1"]);
    let mut child = command.env("TERM", "vt100").stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
    read_until(&mut person, "33x101 {\"TERM\": \"vt100\"}\r\n");
    // Ctrl-C is a key like any other: the node's terminal makes the signal.
    person.write_all(b"\x03hello").unwrap();
    assert_eq!(read_until(&mut person, "hello"), "\x03hello");
    let raw = tcgetattr(&program).unwrap();
    assert!(!raw.local_modes.contains(LocalModes::ICANON) && !raw.local_modes.contains(LocalModes::ECHO));
    resize(&program, 40, 120);
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-WINCH", &pid]).status().unwrap().success());
    read_until(&mut person, "now 40x120\r\n");
    person.write_all(b"\x04").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(tcgetattr(&program).unwrap().local_modes, before.local_modes);
}

#[test]
fn a_terminal_has_colours_unless_they_are_not_wanted() {
    let ground = Ground::scripted();
    let shown = |variables: &[(&str, &str)], args: &[&str]| {
        let (mut person, program) = terminal(24, 80);
        let mut command = ground.command(&[args, &["list-labs"]].concat());
        command.env("TERM", "xterm").envs(variables.iter().copied());
        let status = command.stdout(Stdio::from(program)).status().unwrap();
        assert!(status.success());
        drop(command);
        let mut seen = Vec::new();
        // A terminal whose last user is gone ends with EIO.
        let _ = person.read_to_end(&mut seen);
        String::from_utf8(seen).unwrap()
    };
    let red = "\u{1b}[31mFailed\u{1b}[0m";
    assert!(shown(&[], &[]).contains(red));
    assert!(shown(&[("NO_COLOR", "")], &[]).contains(red), "empty, it does not count: no-color.org");
    for (variable, value) in [("NO_COLOR", "1"), ("NO_COLOR", "0"), ("TERM", "dumb")] {
        let plain = shown(&[(variable, value)], &[]);
        assert!(plain.contains("Failed") && !plain.contains('\u{1b}'), "{variable}={value}: {plain:?}");
    }
    assert!(!shown(&[], &["--color", "never"]).contains('\u{1b}'));
    assert!(
        shown(&[("NO_COLOR", "1")], &["--color", "always"]).contains(red),
        "what is asked for counts more"
    );
}

#[test]
fn a_terminal_comes_back_when_the_session_breaks() {
    let ground = Ground::scripted();
    let (_person, program) = terminal(24, 80);
    let end = || Stdio::from(program.try_clone().unwrap());
    let before = tcgetattr(&program).unwrap();
    let mut command = ground.command(&["exec", "vxlan", "ns1", "--", "breaks"]);
    let status = command.stdin(end()).stdout(end()).stderr(end()).status().unwrap();
    assert_eq!(status.code(), Some(125));
    assert_eq!(tcgetattr(&program).unwrap().local_modes, before.local_modes);
}

#[test]
fn ping_writes_the_lines_of_ping() {
    let ground = Ground::scripted();
    ground.run(&["ping", "vxlan", "ns1", "ns2", "-c", "2", "-i", "0.2", "-W", "500ms", "-s", "100"]).wrote(
        "PING ns2 (192.0.2.2) 100 bytes of data.\n\
         108 bytes from 192.0.2.2: icmp_seq=1 ttl=63 time=1.042 ms\n\
         From 192.0.2.254 icmp_seq=2 Destination Host Unreachable\n\
         \n\
         --- ns2 ping statistics ---\n\
         2 packets transmitted, 1 received, 50% packet loss\n\
         rtt min/avg/max = 1.042/1.042/1.042 ms\n",
    );
    let ran = ground.run(&["ping", "vxlan", "ns1", "silent"]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.ends_with("3 packets transmitted, 0 received, 100% packet loss\n"), "{}", ran.out);
    let ran = ground.run(&["ping", "vxlan", "roter", "ns2"]);
    ran.failed(4, "netlabctl: there is no node roter; did you mean \"router\"?");
    let json = ground.run(&["ping", "vxlan", "ns1", "ns2", "-o", "json"]);
    assert_eq!(json.out.lines().count(), 4);
}

#[test]
fn a_ping_tells_which_address_a_name_means() {
    let ground = Ground::scripted();
    let ran = ground.run(&["ping", "vxlan", "ns1:eth0", "router"]);
    assert!(
        ran.out.starts_with("PING router (192.0.2.2, router:eth1) from eth0: 56 bytes of data.\n"),
        "{ran:?}"
    );
    let ran = ground.run(&["ping", "vxlan", "ns1:eth0", "router", "-I", "192.0.2.1"]);
    ran.failed(2, "netlabctl: ns1:eth0 and -I 192.0.2.1 both say where from; use one of them");
}

#[test]
fn an_interrupted_ping_sums_up() {
    let ground = Ground::scripted();
    let mut child = ground.command(&["ping", "vxlan", "ns1", "endless", "-c", "100"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("icmp_seq=1")));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert!(lines.any(|line| line == "1 packets transmitted, 1 received, 0% packet loss"));
    assert!(child.wait().unwrap().success());
}

#[test]
fn capture_writes_a_file_or_hands_it_to_tcpdump() {
    let ground = Ground::scripted();
    let told =
        "listening on ns1:eth0, ns2:eth0\n2 packets captured, 1 lost because the reader was too slow\n";
    let raw = "[\"ns1:eth0\", \"ns2:eth0\"] \"icmp\" 5 promiscuous\n";
    let file = ground.path("out.pcapng");
    let wanted = ["capture", "vxlan", "ns1:eth0", "ns2:eth0", "-f", "icmp", "-c", "5"];
    let ran = ground.run(&[&wanted[..], &["-w", arg(&file)]].concat());
    assert_eq!((ran.code, ran.err.as_str()), (0, told));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), raw);
    let ran = ground.run(&["capture", "vxlan", "ns1:eth0,ns2:eth0", "-f", "icmp", "-c", "5", "-w", "-"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, raw, told));
    ground.program("tcpdump", "echo decoded with \"$@\"; cat");
    let ran = ground.run(&[&wanted[..], &["--tcpdump", "-e"]].concat());
    assert_eq!((ran.code, ran.err.as_str()), (0, told));
    assert_eq!(ran.out, format!("decoded with -n -l -e -r -\n{raw}"));
    let ran = ground.run(&["capture", "vxlan", "ns1:eth0", "-f", "nonsense"]);
    ran.failed(2, "netlabctl: filter nonsense: syntax error");
    let ran = ground.run(&["capture", "vxlan", "ns1:eth0"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("no pcapng"), "{}", ran.err);
}

#[test]
fn a_missing_tcpdump_is_told() {
    let ground = Ground::scripted();
    let mut command = ground.command(&["capture", "vxlan", "ns1:eth0", "--tcpdump"]);
    let ran = Ran::from(command.env("PATH", "/nonexistent").output().unwrap());
    ran.failed(1, "netlabctl: tcpdump is not installed here: install it, or leave --tcpdump out");
}
