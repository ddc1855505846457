//! Inside nodes: commands, terminals and captures, as the notebook has them.

use std::time::Duration;

use super::{Test, apply::SMALL};
use crate::{command::wait_until, cost::Cost, host::TestHost};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("nodes::commands_end_with_their_own_code", codes),
    Test::new("nodes::streams_pass_unchanged", streams),
    Test::new("nodes::names_of_the_lab_are_known", names),
    Test::new("nodes::root_inside_is_nobody_outside", root_inside),
    Test::new("nodes::processes_end_with_the_lab", processes),
    Test::new("nodes::a_shutdown_ends_the_labs_init", shutdown),
    Test::new("nodes::processes_end_with_their_node", processes_of_a_node),
    Test::new("nodes::detached_commands_are_listed", detached),
    Test::new("nodes::terminals", terminals),
    Test::new("nodes::namespaces_are_those_of_ip_netns", by_ip_netns),
];

fn with_small() -> TestHost {
    let host = TestHost::started();
    let file = host.file("small.yaml", SMALL);
    host.ctl(&["create-lab", &file]).ok();
    host
}

fn codes() {
    let host = with_small();
    let exec = |command: &[&str]| host.ctl(&[&["exec", "small", "ns1", "--"], command].concat());
    let _ = exec(&["true"]).code(0);
    let _ = exec(&["sh", "-c", "exit 7"]).code(7);
    let _ = exec(&["sh", "-c", "kill -9 $$"]).code(137);
    let _ = exec(&["no-such-program"]).code(127).complains("No such file");
    let _ = exec(&["/etc/passwd"]).code(126).complains("Permission denied");
    let _ = host.ctl(&["exec", "small", "ns9", "--", "true"]).code(125).complains("ns1");
    let _ = host.ctl(&["exec", "nothing", "ns1", "--", "true"]).code(125);
}

fn streams() {
    let host = with_small();
    let ctl = host.ctl_command(&[]).get_program().to_string_lossy().into_owned();
    let socket = host.folders().socket().display().to_string();
    let sum = |command: &str| host.sh(&format!("export NETLAB_HOST=unix://{socket}; {command} | sha256sum"));
    host.sh("head -c 3000000 /dev/urandom > /tmp/bytes");
    let sent = host.sh("sha256sum < /tmp/bytes");
    assert_eq!(sum(&format!("{ctl} exec small ns1 -- cat < /tmp/bytes")), sent);
    let _ = host.ctl(&["exec", "small", "ns1", "--", "sh", "-c", "echo wrong >&2"]).complains("wrong");
}

fn names() {
    let host = with_small();
    let _ = host.ctl(&["exec", "small", "ns1", "--", "hostname"]).says("ns1");
    host.ctl(&["exec", "small", "ns1", "--", "ping", "-c", "1", "-W", "5", "router"]).ok();
    host.ctl(&["exec", "small", "ns1", "--", "ping", "-c", "1", "-W", "5", "ns2"]).ok();

    // Both families, and as the lab is now.
    let both = |ns2: &str| {
        let more = "addresses: [192.0.2.1/24, \"2001:db8::1/64\"]";
        let six = ["addresses: [192.0.2.254/24, \"2001:db8::254/64\"]", ns2];
        SMALL
            .replace("addresses: [192.0.2.1/24]", more)
            .replace("addresses: [192.0.2.254/24]", six[0])
            .replace("addresses: [203.0.113.1/24]", six[1])
    };
    let hosts = || host.ctl(&["exec", "small", "ns1", "--", "cat", "/etc/hosts"]).ok();
    let apply = |text: String| host.ctl(&["apply-lab", &host.file("both.yaml", text)]).ok();
    apply(both("addresses: [203.0.113.1/24]"));
    assert_eq!(
        hosts(),
        "127.0.0.1 localhost\n::1 localhost\n192.0.2.1 ns1\n2001:db8::1 ns1\n203.0.113.1 ns2\n\
         192.0.2.254 router\n2001:db8::254 router\n"
    );
    let six = ["exec", "small", "ns1", "--", "ping", "-6", "-c", "1", "-W", "5", "router"];
    wait_until("the name is reached by IPv6", Duration::from_secs(30), || host.ctl(&six).code == 0);
    apply(both("addresses: [203.0.113.9/24]"));
    assert!(hosts().contains("203.0.113.9 ns2\n"), "{}", hosts());
    host.ctl(&["exec", "small", "ns1", "--", "ping", "-c", "1", "-W", "5", "ns2"]).ok();
    let resolvers = || host.ctl(&["exec", "small", "ns1", "--", "cat", "/etc/resolv.conf"]).ok();
    assert!(!resolvers().contains("127.0.0."), "a resolver that no node reaches: {}", resolvers());
    // As systemd-resolved has it: the host asks itself, and that asks others.
    let stub = host.file("stub.conf", "nameserver 127.0.0.53\noptions edns0\n");
    host.sh(&format!("touch /etc/resolv.conf; mount --bind {stub} $(readlink -f /etc/resolv.conf)"));
    assert!(
        resolvers().starts_with("# The host's name servers listen on its own loopback"),
        "{}",
        resolvers()
    );
    host.sh("mkdir -p /run/systemd/resolve; echo nameserver 198.18.0.53 >/run/systemd/resolve/resolv.conf");
    assert_eq!(resolvers(), "nameserver 198.18.0.53\n");
}

fn root_inside() {
    let host = with_small();
    let exec = |command: &str| host.ctl(&["exec", "small", "ns1", "--", "sh", "-c", command]);
    let _ = exec("id -u").says("0");
    exec("ip addr add 192.0.2.77/24 dev eth0 && ip addr del 192.0.2.77/24 dev eth0").ok();
    exec("echo 1 > /proc/sys/net/ipv4/conf/all/log_martians").ok();
    // Process 1 there is the lab's own init, in a network of its own.
    let _ = exec("ip link add evil type veth peer name worse netns 1");
    let _ = exec("ip link del evil");
    host.sh("! ip link show worse 2>/dev/null");
    for refused in [
        "echo evil > /proc/sys/kernel/hostname",
        "mount -t tmpfs evil /mnt",
        "touch /etc/evil",
        "nsenter --net=/proc/1/ns/net true",
    ] {
        assert_ne!(exec(refused).code, 0, "{refused}");
    }
}

fn processes() {
    let host = with_small();
    let cost = Cost::begin(&host, "a process that ignores SIGTERM and SIGHUP when its lab is deleted");
    let count = || host.sh("ps ax | grep -c '[s]leep 4321' || true").trim().parse::<u32>().unwrap_or(0);
    host.ctl(&["exec", "--detach", "small", "ns1", "--", "sh", "-c", "trap '' TERM HUP; sleep 4321"]).ok();
    wait_until("the command runs", Duration::from_secs(10), || count() > 0);
    host.ctl(&["delete-lab", "small"]).ok();
    assert_eq!(count(), 0, "a process outlives its lab");
    cost.end("SIGKILL by the kernel; the delete ends when it is gone");
}

/// A shutdown sends SIGTERM to every process and waits for those that stay: the lab's init must not be one. Nobody
/// within the lab ends it so.
fn shutdown() {
    let host = with_small();
    let exec = |script: &str| host.ctl(&["exec", "small", "ns1", "--", "sh", "-c", script]);
    exec("kill -TERM 1; kill -INT 1; kill -KILL 1; kill -HUP 1").ok();
    // The first process of a namespace below this one.
    let init =
        host.sh("awk '/^NSpid:/ && NF == 3 && $3 == 1 { print $2 }' /proc/[0-9]*/status 2>/dev/null || true");
    let runs =
        || host.sh(&format!("kill -0 {} 2>/dev/null && echo yes || true", init.trim())).contains("yes");
    let [pid] = init.split_whitespace().collect::<Vec<_>>()[..] else { panic!("not one init: {init}") };
    exec("kill -0 1").ok();
    assert!(runs(), "a command of the lab has ended its init");
    host.sh(&format!("kill -TERM {pid}"));
    wait_until("the init ends", Duration::from_secs(30), || !runs());
    exec("true").ok();
}

/// A node leaves a lab that stays: what runs in it ends, what runs beside it and what is of others goes on.
fn processes_of_a_node() {
    let host = with_small();
    let sleeps = |seconds: u32| {
        host.sh(&format!("ps ax | grep -c '[s]leep {seconds}' || true")).trim().parse::<u32>().unwrap_or(0)
    };
    for (node, script) in [("ns2", "trap '' TERM HUP; sleep 4321; sleep 4321"), ("ns1", "sleep 4322")] {
        host.ctl(&["exec", "--detach", "small", node, "--", "sh", "-c", script]).ok();
    }
    // Root's own, by hand.
    host.sh("ip netns exec small.ns2 sleep 4323 >/dev/null 2>&1 &");
    for seconds in 4321..=4323 {
        wait_until("the commands run", Duration::from_secs(10), || sleeps(seconds) > 0);
    }
    let (keep, _) = SMALL.split_once("  ns2:").expect("ns2 is in there");
    let file = host.file(
        "less.yaml",
        format!("{keep}links:\n  - endpoints: [\"ns1:eth0\", \"router:eth0\"]\n")
            .replace("      eth1: { addresses: [203.0.113.254/24] }\n", ""),
    );
    host.ctl(&["apply-lab", &file]).ok();
    assert_eq!(sleeps(4321), 0, "a process outlives its node");
    assert!(sleeps(4322) > 0 && sleeps(4323) > 0, "others go on");
    let _ = host.ctl(&["exec", "small", "ns1", "--", "true"]).code(0);
    host.ctl(&["delete-lab", "small"]).ok();
    assert_eq!(sleeps(4322), 0, "a process outlives its lab");
    host.sh("kill $(ps ax | awk '/[s]leep 4323/ {print $1}')");
}

fn detached() {
    let mut host = with_small();
    let listed =
        |host: &TestHost| host.lab("small")["status"]["commands"].as_array().cloned().unwrap_or_default();
    assert!(listed(&host).is_empty());
    host.ctl(&["exec", "--detach", "small", "ns1", "--", "sleep", "4323"]).ok();
    host.ctl(&["exec", "--detach", "small", "ns2", "--", "sleep", "4324"]).ok();
    let all = listed(&host);
    let seen: Vec<_> = all
        .iter()
        .map(|one| (one["node"].as_str(), one["args"][1].as_str(), one["owner"].as_str()))
        .collect();
    assert_eq!(seen, [(Some("ns1"), Some("4323"), Some("root")), (Some("ns2"), Some("4324"), Some("root"))]);
    let _ = host.ctl(&["get-lab", "small"]).says("sleep 4323");
    host.kill();
    host.start();
    assert_eq!(listed(&host), all, "a netlabd that starts anew knows them");
    let pid = all[0]["pid"].to_string();
    // From any node of the lab.
    host.ctl(&["exec", "small", "router", "--", "kill", &pid]).ok();
    wait_until("the one that was killed is gone", Duration::from_secs(10), || listed(&host) == all[1..]);
    host.ctl(&["delete-lab", "small"]).ok();
    assert_eq!(host.sh("ps ax | grep -c '[s]leep 432[34]' || true").trim(), "0");
}

fn terminals() {
    let host = with_small();
    let ctl = host.ctl_command(&[]).get_program().to_string_lossy().into_owned();
    let socket = host.folders().socket().display().to_string();
    let line = format!("NETLAB_HOST=unix://{socket} {ctl} exec small ns1 -- sh -c 'tty && stty size'");
    let output = host.sh(&format!("script -qec \"{line}\" /dev/null < /dev/null"));
    assert!(output.contains("/dev/pts/"), "{output}");
}

/// Names of namespaces are links to pins that all go at once: ip-netns(8) does with them what it does with its own.
fn by_ip_netns() {
    let host = with_small();
    let listed = host.sh("ip netns list | sort");
    assert!(["small.ns1", "small.ns2", "small.router"].iter().all(|name| listed.contains(name)), "{listed}");
    let inside = host.sh("ip netns exec small.ns1 sleep 4324 & sleep 0.2
        ip netns identify $!; ip netns pids small.ns1 | grep -x $!; kill $!");
    assert!(inside.starts_with("small.ns1\n"), "{inside}");
    let _ = host.run("ip", &["netns", "add", "small.ns1"]).code(1).complains("File exists");
    let links = host.sh("cd /run/netns; for name in small.*; do readlink $name; done");
    assert_eq!(links.matches("/labs/small/net/").count(), 3, "{links}");
    host.ctl(&["delete-lab", "small"]).ok();
    assert_eq!(host.sh("ip netns list; ls /run/netns"), "");
}
