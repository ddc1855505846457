//! The README's tour, line by line, as an ordinary user in group `netlab`.
//!
//! A line that is new there must be told to this test: see [`RUN_ELSEWHERE`] and [`Line::of`].

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use super::Test;
use crate::{
    command::{LIMIT, exit_code, run, wait_until},
    host::{TestHost, example, repository},
    users::{self, ALICE},
};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[Test::new("tour::as_in_the_readme", tour)];

/// How these lines begin; the harness does what they do, or another test.
const RUN_ELSEWHERE: [&str; 8] = [
    "make build",
    "export PATH=",
    "sudo groupadd",
    "newgrp netlab",
    "sudo target/debug/netlabd",
    "mkdir -p ~/.local/lib/wireshark", // captures::in_wireshark
    "wireshark -k -i netlab:",         // captures::in_wireshark
    "netlabctl --host ssh://me@lab1",  // ssh::all_commands
];

/// What goes on while other lines are run, and how it is seen to have begun; its output is in `$0`.
const BACKGROUND: [(&str, &str); 2] = [
    (
        "netlabctl exec vxlan ns2 -- nc -lnv 54321",
        "ip netns exec vxlan.ns2 ss -Hltn sport = 54321 | grep -q .",
    ),
    ("netlabctl watch-lab vxlan &", "grep -q Ready \"$0\""),
];

/// A line that is run to its end.
struct Line {
    script: String,
    code: i32,
    says: &'static str,
}

impl Line {
    /// How a line of the README is run and what comes of it. What goes on until Ctrl-C is bounded.
    fn of(line: &str) -> Self {
        let (script, code, says) = match line {
            "netlabctl shell vxlan ns1" => {
                (format!("printf 'id -u; ip -br addr; exit 3\\n' | {line}"), 3, "198.51.100.1/24")
            }
            "netlabctl get-lab vxlan" => (line.to_owned(), 0, "eth1"),
            "netlabctl apply-lab --dry-run my-vxlan.yaml" => (line.to_owned(), 8, "router"),
            _ if line.contains("| wireshark -k -i -") => {
                let line = line.replace("-w - | wireshark -k -i -", "-c 30 -w - | tcpdump -nr -");
                (line, 0, "198.51.100.1 > 198.51.100.2: ICMP")
            }
            _ if line.starts_with("netlabctl capture ") => {
                (format!("{line} -c 2"), 0, "198.51.100.1 > 198.51.100.2: ICMP")
            }
            _ if line.contains(" tcpdump ") => {
                (format!("{line} -c 2"), 0, "198.51.100.1 > 198.51.100.2: ICMP")
            }
            _ if line.ends_with("addr show vxlan0") => (line.to_owned(), 0, "vxlan id 100"),
            _ => (line.to_owned(), 0, ""),
        };
        Self { script, code, says }
    }
}

/// The commands of the section.
fn lines() -> Vec<String> {
    let text = fs::read_to_string(repository().join("README.md")).expect("reading README.md");
    let (_, section) = text.split_once("## A five-minute tour\n").expect("the tour");
    let section = section.split("\n## ").next().unwrap_or(section);
    let commands = section.lines().filter_map(|line| line.strip_prefix("$ "));
    commands.map(|line| line.split(" # ").next().unwrap_or(line).trim_end().to_owned()).collect()
}

/// A shell that runs a line: as Alice, and as root what the README does by sudo.
fn shell(host: &TestHost, folder: &Path, line: &str) -> Command {
    let mut command = match line.strip_prefix("sudo ") {
        Some(line) => {
            let mut command = Command::new("sh");
            command.args(["-c", line]);
            command
        }
        None => ALICE.shell(host, line),
    };
    command.current_dir(folder);
    command
}

fn tour() {
    let mut host = TestHost::here();
    users::move_in(&host);
    host.start();
    let folder = host.scratch("tour");
    fs::create_dir_all(folder.join("labs")).expect("making a folder");
    let lab = example("vxlan");
    fs::write(folder.join("labs/vxlan.yaml"), &lab).expect("writing the lab file");
    let changed =
        lab.replace("forwarding: true", "forwarding: true\n    sysctls: { net.ipv4.ip_default_ttl: \"63\" }");
    assert_ne!(changed, lab, "an edited copy");
    fs::write(folder.join("my-vxlan.yaml"), changed).expect("writing the edited copy");
    let before = host.inventory();

    let mut background: Vec<(String, Child, PathBuf)> = Vec::new();
    for line in lines() {
        if RUN_ELSEWHERE.iter().any(|start| line.starts_with(start)) {
            continue;
        }
        println!("$ {line}");
        if let Some((_, seen)) = BACKGROUND.iter().find(|(known, _)| *known == line) {
            let mut command = shell(&host, &folder, line.trim_end_matches(" &"));
            let said = host.scratch(&format!("background-{}", background.len()));
            let file = File::create(&said).expect("making a file for its output");
            let command = command.stdin(Stdio::null()).stdout(file).stderr(Stdio::null());
            background.push((line, command.spawn().expect("starting a shell"), said.clone()));
            let said = said.display().to_string();
            wait_until(seen, LIMIT, || host.run("sh", &["-c", seen, &said]).code == 0);
            continue;
        }
        let Line { script, code, says } = Line::of(&line);
        let run_it = || run(&mut shell(&host, &folder, &script));
        if line.contains("get-lab vxlan") && !line.contains('|') {
            wait_until("the repair is told", LIMIT, || run_it().stdout.contains(says));
        }
        let mut pings = ["tcpdump", "capture"].iter().any(|word| line.contains(word)).then(|| {
            let mut pings =
                shell(&host, &folder, "exec netlabctl ping vxlan ns1 198.51.100.2 -c 2000 -i 30ms");
            pings.stdout(Stdio::null()).spawn().expect("starting a shell")
        });
        let _ = run_it().code(code).says(says);
        if let Some(pings) = &mut pings {
            let (_, _) = (pings.kill(), pings.wait());
        }
    }
    for (line, mut child, said) in background {
        wait_until("it ends with what it watches", LIMIT, || child.try_wait().expect("waiting").is_some());
        let said = fs::read_to_string(said).expect("its output");
        let expected = if line.contains("nc -l") { "Hello World!\n" } else { "eth1" };
        let ended = child.wait().expect("it has ended");
        assert!(exit_code(ended) == 0 && said.contains(expected), "{line}: {ended:?} {said}");
    }
    before.assert_unchanged();
}
