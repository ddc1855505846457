//! What a command sees of the host's files and devices, and when.

mod sandbox_common;

use std::{
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use netlabd::sandbox::{Streams, WindowSize};
use sandbox_common::{LIMIT, TestLab, block_on, inside, run};

/// Says that it runs, waits for a line, and then looks whether something is mounted at /srv/late and can be written to.
const LOOK: &str =
    "echo runs; read -r go; grep -c ' /srv/late ' /proc/self/mounts; echo x > /srv/late/file && echo wrote";

#[test]
fn what_the_host_mounts_later_does_not_come() {
    if !inside("what_the_host_mounts_later_does_not_come") {
        return;
    }
    // As systemd has it.
    run("mount -t tmpfs host /srv && mkdir /srv/late && mount --make-rshared /");
    let lab = TestLab::new();
    let mut child = lab.spawn(&["sh", "-c", LOOK], Streams::Pipes);
    let mut output = std::fs::File::from(child.stdout.take().unwrap());
    let mut runs = [0; 5];
    output.read_exact(&mut runs).unwrap();
    // The control: whose mounts follow the host's does see it, and writes.
    let mut follower = Command::new("unshare")
        .args(["--mount", "--propagation", "slave", "sh", "-c", LOOK])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut its_output = follower.stdout.take().unwrap();
    its_output.read_exact(&mut runs).unwrap();
    run("mount -t tmpfs -o mode=1777 late /srv/late");
    follower.stdin.take().unwrap().write_all(b"go\n").unwrap();
    let mut text = String::new();
    its_output.read_to_string(&mut text).unwrap();
    follower.wait().unwrap();
    assert_eq!(text, "1\nwrote\n", "a mount namespace that follows the host's");
    run("rm /srv/late/file");
    std::fs::File::from(child.stdin.take().unwrap()).write_all(b"go\n").unwrap();
    text.clear();
    output.read_to_string(&mut text).unwrap();
    block_on(child.wait()).unwrap();
    assert_eq!(text, "0\n", "a command in a lab");
    assert!(!Path::new("/srv/late/file").exists());
}

#[test]
fn a_command_keeps_no_mount_that_it_cannot_see() {
    if !inside("a_command_keeps_no_mount_that_it_cannot_see") {
        return;
    }
    run(
        "mkdir -p /media && mount -t tmpfs media /media && mkdir /media/disk && mount -t tmpfs disk /media/disk",
    );
    run(
        "mkdir /run/netns/x && mount -t tmpfs x /run/netns/x && mount -t tmpfs y /run/netns/x && mount -t tmpfs t /tmp",
    );
    let lab = TestLab::new();
    let (text, _) = lab.output("grep -cE ' (media|disk|x|y|t) / ' /proc/self/mountinfo; cut -d' ' -f5 /proc/self/mountinfo | grep -E '^/(media|run|tmp)' | sort");
    // The lower /tmp holds the node's /etc/hosts and /etc/resolv.conf.
    assert_eq!(text, "0\n/run\n/tmp\n/tmp\n");
}

/// Processes of netlabd that have something mounted at a path.
fn keepers(path: &str) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let netlabd = |process: &PathBuf| {
        std::fs::read_to_string(process.join("comm")).is_ok_and(|name| name.starts_with("netlabd"))
    };
    let has = |process: &PathBuf| {
        std::fs::read_to_string(process.join("mountinfo")).is_ok_and(|text| text.contains(path))
    };
    processes.filter(netlabd).filter(has).map(|process| process.display().to_string()).collect()
}

#[test]
fn commands_see_what_the_host_has_mounted_before() {
    if !inside("commands_see_what_the_host_has_mounted_before") {
        return;
    }
    run("mount -t tmpfs host /srv && mkdir /srv/disk");
    let mut lab = TestLab::new();
    let look = "test -e /srv/disk/file && echo there; echo x > /srv/disk/x";
    let read_only = "sh: 1: cannot create /srv/disk/x: Read-only file system\n";
    for turn in 0..3 {
        assert_eq!(lab.output(look).0, read_only, "turn {turn}, not yet");
        run("mount -t tmpfs -o mode=1777 disk /srv/disk && touch /srv/disk/file");
        assert_eq!(lab.output(look).0, format!("there\n{read_only}"), "turn {turn}");
        // By now it has been copied for more than one command; nothing may keep it when the host lets go.
        assert_eq!(lab.output(look).0, format!("there\n{read_only}"), "turn {turn}, again");
        run("umount /srv/disk");
        let deadline = Instant::now() + LIMIT;
        while !keepers("/srv/disk").is_empty() {
            assert!(Instant::now() < deadline, "{:?} keep what the host has unmounted", keepers("/srv/disk"));
            std::thread::sleep(Duration::from_millis(5));
        }
        // Labs that may open it and labs that may not, in turn.
        lab.tun = !lab.tun;
    }
}

#[test]
fn the_devices_are_those_that_programs_expect() {
    if !inside("the_devices_are_those_that_programs_expect") {
        return;
    }
    let mut lab = TestLab::new();
    assert_eq!(
        lab.output("ls -C -w 200 /dev; ls /dev/net").0.split_whitespace().collect::<Vec<_>>().join(" "),
        "fd full net null ptmx pts random shm stderr stdin stdout tty urandom zero"
    );
    for (script, expected) in [
        (
            "head -c 3 /dev/zero | wc -c; head -c 3 /dev/urandom | wc -c; head -c 3 /dev/random | wc -c",
            "3\n3\n3\n",
        ),
        (
            "echo lost > /dev/null && echo kept > /dev/stdout && echo x > /dev/full; true",
            "kept\nsh: 1: echo: echo: I/O error\n",
        ),
        ("echo x > /dev/shm/x && cat /dev/shm/x && cat /dev/fd/3 3< /dev/shm/x", "x\nx\n"),
        ("touch /dev/x", "touch: cannot touch '/dev/x': Read-only file system\n"),
        ("rm /dev/null", "rm: cannot remove '/dev/null': Read-only file system\n"),
        ("ls /dev/pts", "ptmx\n"),
    ] {
        assert_eq!(lab.output(script).0, expected, "{script}");
    }
    if !Path::new("/dev/net/tun").exists() {
        return println!("this kernel has no tun");
    }
    run("mknod -m 666 /run/netns/tun c 10 200 && mount --bind /run/netns/tun /dev/net/tun");
    let tap = "ip tuntap add mode tap name tap0 && ip -o link show tap0";
    assert_ne!(lab.output(tap).1.code, 0, "a tap in a lab");
    lab.tun = true;
    let (text, exit) = lab.output(tap);
    assert!(exit.code == 0 && text.contains("tap0"), "where the administrator allows it: {text}");
}

#[test]
fn of_proc_only_the_nodes_sysctls_can_be_written() {
    if !inside("of_proc_only_the_nodes_sysctls_can_be_written") {
        return;
    }
    let lab = TestLab::new();
    let (text, _) = lab.output("echo 1 > /proc/sys/net/ipv4/ip_forward && cat /proc/sys/net/ipv4/ip_forward");
    assert_eq!(text, "1\n");
    // What was there before the command, and what came later.
    let (text, _) = lab.output(
        "ip link add x type bridge; \
        echo 0 > /proc/sys/net/ipv4/conf/x/rp_filter && cat /proc/sys/net/ipv4/conf/x/rp_filter",
    );
    assert_eq!(text, "0\n");
    for file in ["self/oom_score_adj", "sys/net/ipv4/ipfrag_high_thresh", "sys/net/ipv6/ip6frag_time"] {
        let (text, _) = lab.output(&format!(
            "cat /proc/{file} > /dev/null && cp /proc/{file} /tmp/x && cat /tmp/x > /proc/{file}"
        ));
        assert_eq!(text, format!("sh: 1: cannot create /proc/{file}: Read-only file system\n"));
    }
    assert_eq!(lab.output("cat /proc/self/oom_score_adj").0, "500\n");
    assert_eq!(
        lab.output(
            "ulimit -c 0; ulimit -c 5; sed -n 's/Max core file size *//p' /proc/self/limits | tr -s ' '"
        )
        .0,
        "1 1 bytes \n"
    );
}

#[test]
fn terminals_are_the_commands_own() {
    if !inside("terminals_are_the_commands_own") {
        return;
    }
    let lab = TestLab::new();
    let size = WindowSize { rows: 10, columns: 20 };
    let show = "stty -opost; tty; stat -Lc '%A %u %g %n' /dev/ptmx /dev/pts/*; exit 3";
    let mut child = lab.spawn(&["sh", "-c", show], Streams::Terminal(size));
    let mut terminal = std::fs::File::from(child.terminal.take().unwrap());
    let (mut text, mut buffer) = (Vec::new(), [0; 256]);
    while let Ok(n @ 1..) = terminal.read(&mut buffer) {
        text.extend(&buffer[..n]);
    }
    drop(terminal);
    assert_eq!(block_on(child.wait()).unwrap().code, 3);
    let nobody = run("cat /proc/sys/kernel/overflowuid").trim().to_owned();
    let expected = format!(
        "/dev/pts/0\ncrw-rw-rw- {nobody} {nobody} /dev/ptmx\ncrw--w---- 0 5 /dev/pts/0\ncrw-rw-rw- {nobody} {nobody} /dev/pts/ptmx\n"
    );
    assert_eq!(String::from_utf8_lossy(&text), expected);
}
