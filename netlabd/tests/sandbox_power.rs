//! What a lab's root has: full power over its node's network, exact capabilities, and bounds.

mod sandbox_common;

use std::{
    fs,
    time::{Duration, Instant},
};

use netlabd::sandbox::{Cgroups, LabInit, Limits, Streams, end_all};
use sandbox_common::{IDS, LIMIT, TestLab, block_on, init_status, inside, run};

/// `NET_ADMIN`, `NET_RAW`, `NET_BIND_SERVICE`, `SETUID`, `SETGID`, `CHOWN`, `DAC_OVERRIDE`, `FOWNER`, `KILL`,
/// `SYS_CHROOT`, as linux/capability.h numbers them.
const KEPT: &str = "00000000000434eb";

#[test]
fn a_lab_root_has_full_power_over_its_network() {
    if !inside("a_lab_root_has_full_power_over_its_network") {
        return;
    }
    let lab = TestLab::new();
    for (script, expected) in [
        (
            "ip link set lo up && ip addr add 192.0.2.1/24 dev lo && ip route add 198.51.100.0/24 dev lo; ip route",
            "198.51.100.0/24",
        ),
        ("ip link set lo up && ping -c 1 -W 2 127.0.0.1", "1 received"),
        ("ip link add br0 type bridge && bridge link && ip -o link show br0", "br0"),
        (
            "ip link add va type veth peer name vb && tc qdisc add dev va root tbf rate 1mbit burst 32k latency 50ms && tc qdisc show dev va",
            "tbf",
        ),
        (
            "nft 'add table inet t; add chain inet t c { type filter hook input priority 0; }' && nft list ruleset",
            "hook input",
        ),
        ("echo 1 > /proc/sys/net/ipv4/ip_forward && sysctl net.ipv4.ip_forward", "= 1"),
        (
            "ip link set lo up; (echo hello | nc -l -w 2 127.0.0.1 80 &) ; sleep 0.2; nc -w 2 127.0.0.1 80 < /dev/null",
            "hello",
        ),
        (
            "ip link set lo up; tcpdump -i lo -c 1 -U -w - 2>/dev/null | od -c | head -1 & sleep 0.3; ping -c 2 -i 0.2 127.0.0.1 >/dev/null; wait",
            "324",
        ),
        ("chown 1000:1000 /tmp && su -s /bin/sh nobody -c id || id", "uid="),
        ("ss -lnt | head -1", "Local Address"),
    ] {
        let (text, _) = lab.output(script);
        assert!(text.contains(expected), "{script}: {text}");
    }
}

#[test]
fn capabilities_filters_and_privileges_are_exactly_these() {
    if !inside("capabilities_filters_and_privileges_are_exactly_these") {
        return;
    }
    let lab = TestLab::new();
    let (status, _) = lab.output("cat /proc/self/status");
    let field = |status: &str, name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    for (name, value) in [
        ("Uid", "0 0 0 0"),
        ("Gid", "0 0 0 0"),
        ("Groups", ""),
        ("CapInh", "0000000000000000"),
        ("CapPrm", KEPT),
        ("CapEff", KEPT),
        ("CapBnd", KEPT),
        ("CapAmb", "0000000000000000"),
        ("NoNewPrivs", "1"),
        ("Seccomp", "2"),
        ("Seccomp_filters", "5"),
    ] {
        assert_eq!(field(&status, name), value, "{name} of a command");
    }
    let init = init_status();
    let base = IDS.base;
    for (name, value) in [
        ("Uid", format!("{base} {base} {base} {base}")),
        ("CapPrm", "0".repeat(16)),
        ("CapEff", "0".repeat(16)),
        ("CapBnd", "0".repeat(16)),
        ("NoNewPrivs", "1".into()),
        ("Seccomp", "2".into()),
    ] {
        assert_eq!(field(&init, name), value, "{name} of the init");
    }
    let (fds, _) = lab.output("ls /proc/self/fd | wc -l");
    assert_eq!(fds, "4\n", "three streams and the directory that ls reads");
    assert_eq!(lab.output("kill -9 1; kill -15 1; sleep 0.05; ls -d /proc/1").0, "/proc/1\n");
}

#[test]
fn a_command_that_is_starting_leaks_no_descriptor() {
    if !inside("a_command_that_is_starting_leaks_no_descriptor") {
        return;
    }
    let lab = TestLab::new();
    // What only a starting command holds: namespaces, the daemon's socket, the spec.
    let spy = "end=$(( $(date +%s) + 3 )); while [ $(date +%s) -lt $end ]; do \
        ls -l /proc/[0-9]*/fd /proc/[0-9]*/task/*/fd 2>/dev/null | grep -E 'user:|pid:|net:|socket:|memfd:'; \
        for p in /proc/[0-9]*; do read -r x < $p/environ 2>/dev/null; done; done; echo done";
    let mut child = lab.spawn(&["sh", "-c", spy], Streams::Pipes);
    let started = Instant::now();
    let mut commands = 0;
    while started.elapsed() < Duration::from_secs(3) {
        block_on(lab.spawn(&["true"], Streams::Pipes).wait()).unwrap();
        commands += 1;
    }
    let mut text = String::new();
    std::io::Read::read_to_string(&mut fs::File::from(child.stdout.take().unwrap()), &mut text).unwrap();
    assert_eq!(text, "done\n", "seen during {commands} starts");
    assert!(commands > 1, "only {commands} starts");
}

#[test]
fn no_process_of_the_hosts_network_shows_up_in_a_lab() {
    if !inside("no_process_of_the_hosts_network_shows_up_in_a_lab") {
        return;
    }
    let lab = TestLab::new();
    // Many kernels let anybody put the peer of a veth wherever a process id leads (they lack a check
    // that Linux got in 2026). A starting command must not lead to the host, not for a moment.
    let spy = "trap 'exit 0' TERM; while :; do last=$(cut -d' ' -f5 /proc/loadavg); \
        for i in 1 2 3 4 5 6; do echo link add type veth peer netns $((last + i)); done | \
        sed 'p;p;p;p;p;p;p;p' | ip -force -batch - >/dev/null 2>&1; done";
    let spy = lab.spawn(&["sh", "-c", spy], Streams::Pipes);
    let before = run("ip -o link | wc -l");
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(4) {
        block_on(lab.spawn(&["true"], Streams::Pipes).wait()).unwrap();
        LabInit::open(lab.pid_pin()).unwrap().unwrap();
    }
    assert_eq!(run("ip -o link | wc -l"), before, "links on the host");
    drop(spy);
}

#[test]
fn a_fork_bomb_is_bounded_and_ends_with_its_lab() {
    if !inside("a_fork_bomb_is_bounded_and_ends_with_its_lab") {
        return;
    }
    let (lab, other) = (TestLab::new(), TestLab::new());
    let many = "i=0; while [ $i -lt 2000 ]; do sleep 1000 & i=$((i+1)); done; echo all";
    // The sleepers keep the pipes, so only the shell's own end is waited for.
    let exit = block_on(lab.spawn(&["sh", "-c", many], Streams::Pipes).wait()).unwrap();
    assert_ne!(exit.code, 0, "the shell could start 2,000 processes");
    let processes = lab.count_processes();
    assert!((400..=513).contains(&processes), "{processes} processes");
    assert_eq!(other.output("echo fine").0, "fine\n");
    end_all(lab.pid_pin(), None, LIMIT).unwrap();
    assert_eq!(lab.count_processes(), 0);

    if fs::read_to_string("/proc/cpuinfo").unwrap().contains("User Mode Linux") {
        return println!("no real bomb: User Mode Linux itself panics under one now and then");
    }
    let lab = TestLab::new();
    drop(lab.spawn(&["bash", "-c", "f() { f | f & }; f"], Streams::Detached));
    std::thread::sleep(Duration::from_millis(300));
    assert!(lab.count_processes() <= 513);
    end_all(lab.pid_pin(), None, LIMIT).unwrap();
    assert_eq!(lab.count_processes(), 0);
}

#[test]
fn a_cgroup_bounds_memory_and_processes() {
    if !inside("a_cgroup_bounds_memory_and_processes") {
        return;
    }
    let cgroups = match Cgroups::prepare() {
        Ok(cgroups) => cgroups,
        Err(reason) => return println!("no cgroups here: {reason}"),
    };
    let limits = Limits { memory: 64 << 20, processes: 20, tun: false };
    let lab = TestLab::with_cgroup(Some(cgroups.create("test", limits).unwrap()));
    let many = "i=0; while [ $i -lt 100 ]; do sleep 1000 & i=$((i+1)); done";
    assert_ne!(block_on(lab.spawn(&["sh", "-c", many], Streams::Pipes).wait()).unwrap().code, 0);
    assert!(lab.count_processes() <= 20, "{}", lab.count_processes());
    lab.init.end(LIMIT).unwrap();
    let lab = TestLab::with_cgroup(Some(cgroups.create("test", limits).unwrap()));
    // Read into memory: 200 MiB, which a hungry process does not survive.
    let (text, _) = lab.output("head -c 200M /dev/zero | tail -n 1 | wc -c");
    assert!(text.starts_with("0\n"), "{text}");
    assert!(lab.init.runs(), "the init is spared");
    drop(lab.spawn(&["sleep", "1000"], Streams::Detached));
    end_all(lab.pid_pin(), lab.cgroup.as_ref(), LIMIT).unwrap();
    assert!(cgroups.create("test", limits).is_ok());
    end_all(lab.pid_pin(), lab.cgroup.as_ref(), LIMIT).unwrap();
}
