//! netlabctl: exit codes, output, waiting.

use std::{
    fmt::Write as _,
    io::Write as _,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{Test, apply::SMALL};
use crate::{
    command::{exit_code, run, wait_until},
    feature::Feature,
    host::TestHost,
};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("client::exit_codes", exit_codes),
    Test::new("client::machine_readable_output", machine_readable),
    Test::new("client::reads_standard_input", standard_input),
    Test::new("client::failed_check", failed_check),
    Test::new("client::ping_from_a_source_and_in_one_piece", ping).needs(&[Feature::Kind("vxlan")]),
    Test::new("client::watch", watch),
    Test::new("client::interrupt_ends_the_waiting_only", interrupt),
    Test::new("client::doctor", doctor),
];

fn exit_codes() {
    let mut host = TestHost::started();
    let file = host.file("small.yaml", SMALL);
    let _ = host.ctl(&["make-lab"]).code(2).complains("make-lab");
    let _ = host.ctl(&["create-lab"]).code(2);
    let _ = host.ctl(&["get-lab", "small"]).code(4).complains("small");
    let _ = host.ctl(&["delete-lab", "small"]).code(4).complains("small");
    let _ = host.ctl(&["check-lab", "small"]).code(4);
    host.ctl(&["create-lab", &file]).ok();
    let _ = host.ctl(&["create-lab", &file]).code(5).complains("small");
    let _ = host.ctl(&["ping", "small", "ns9", "ns1"]).code(4).complains("ns9");
    let _ = host.ctl(&["ping", "small", "ns1", "ns2"]).code(0);
    let _ = host.ctl(&["ping", "small", "ns1", "ns2:eth0"]).code(0);
    let _ = host.ctl(&["ping", "small", "ns1", "192.0.2.200"]).code(1);
    let _ = host.ctl(&["completions", "bash"]).code(0).says("netlabctl");
    host.stop();
    let _ = host.ctl(&["list-labs"]).code(3).complains("netlabd.sock");
    let _ = run(host.ctl_command(&["list-labs"]).env("NETLAB_HOST", "ftp://nowhere")).code(2);
}

fn machine_readable() {
    let host = TestHost::started();
    let file = host.file("small.yaml", SMALL);
    host.ctl(&["create-lab", &file]).ok();
    let lab = host.lab("small");
    assert_eq!(lab["name"], "small");
    assert_eq!(lab["spec"]["nodes"]["ns1"]["interfaces"]["eth0"]["addresses"][0], "192.0.2.1/24");
    assert_eq!(lab["status"]["phase"], "PHASE_READY");
    assert_eq!(lab["status"]["observed_generation"], lab["generation"]);
    let yaml = host.ctl(&["get-lab", "small", "-o", "yaml"]).ok();
    assert!(yaml.contains("phase: PHASE_READY") && yaml.contains("192.0.2.1/24"), "{yaml}");
    let list = host.ctl(&["list-labs", "-o", "json"]).ok();
    let list: Value = serde_json::from_str(&list).unwrap_or_else(|error| panic!("{error}: {list}"));
    assert!(list.to_string().contains("\"small\""), "{list}");
}

fn standard_input() {
    let host = TestHost::started();
    let mut child =
        host.ctl_command(&["create-lab", "-"]).stdin(Stdio::piped()).spawn().expect("starting netlabctl");
    let mut stdin = child.stdin.take().expect("a pipe to netlabctl");
    stdin.write_all(SMALL.as_bytes()).expect("writing to netlabctl");
    drop(stdin);
    assert_eq!(exit_code(child.wait().expect("waiting for netlabctl")), 0);
    host.ctl(&["check-lab", "small"]).ok();
}

fn failed_check() {
    let host = TestHost::started();
    let wrong = "checks:\n  - { from: ns2, to: ns1, reachable: false }\n  - { from: ns1, to: 192.0.2.99 }\n";
    let file = host.file("small.yaml", SMALL.replace("checks:\n", wrong));
    host.ctl(&["create-lab", &file]).ok();
    let table = host.ctl(&["check-lab", "small"]).code(7).stdout;
    assert_eq!(
        table.lines().filter(|line| line.contains("ns1") && line.contains("ns2")).count(),
        2,
        "{table}"
    );
    assert!(table.contains("192.0.2.99"), "{table}");
    let junit = host.ctl(&["check-lab", "small", "-o", "junit"]).code(7).stdout;
    assert!(junit.contains("<testsuite") && junit.contains("failures=\"2\""), "{junit}");
}

fn ping() {
    let host = TestHost::started();
    host.ctl(&["create-lab", "labs/vxlan.yaml"]).ok();
    let ping = |args: &[&str]| host.ctl(&[&["ping", "vxlan"], args, &["-c", "1"]].concat());
    let _ = ping(&["ns1", "ns2"]).code(0).says("PING ns2 (198.51.100.2, ns2:vxlan0) 56 bytes of data.");
    let _ = ping(&["ns1", "ns2:eth0"]).code(0).says("PING ns2:eth0 (203.0.113.1) 56 bytes of data.");
    for from in
        [&["ns1:vxlan0", "ns2"][..], &["ns1", "ns2", "-I", "vxlan0"], &["ns1", "ns2", "-I", "198.51.100.1"]]
    {
        let _ = ping(from).code(0).says("from 198.51.100.1: 56 bytes");
    }
    // vxlan0 takes 1,450 bytes: 28 of them are headers here.
    let _ = ping(&["ns1", "ns2", "-s", "1422", "--dont-fragment"]).code(0);
    let _ = ping(&["ns1", "ns2", "-s", "1423", "-M", "do"]).code(1).says("Message too long");
    let _ = ping(&["ns1", "ns2", "-s", "1423"]).code(0);
    let _ = ping(&["ns1", "ns2", "-I", "192.0.2.99"]).code(2).complains("ns1 has no address 192.0.2.99");
    let _ = ping(&["ns1", "ns2", "-I", "eth9"]).code(2).complains("ns1 has no interface eth9");
    let _ = ping(&["ns1", "ns2", "-I", "2001:db8::1"]).code(2).complains("different IP versions");
    let _ = ping(&["ns1:eth0", "ns2", "-I", "eth0"]).code(2).complains("both say where from");
}

fn watch() {
    let host = TestHost::started();
    let file = host.file("small.yaml", SMALL);
    host.ctl(&["create-lab", &file]).ok();
    thread::scope(|scope| {
        let watch = scope.spawn(|| host.ctl(&["watch-lab", "small"]));
        thread::sleep(Duration::from_millis(500));
        host.sh("ip -n small.ns1 link set eth0 mtu 1300");
        wait_until("the MTU is repaired", Duration::from_secs(20), || {
            host.sh("ip -n small.ns1 link show eth0").contains("mtu 1500")
        });
        host.wait_ready("small");
        host.ctl(&["delete-lab", "small"]).ok();
        let seen = watch.join().expect("watch-lab ends").code(0).stdout.to_lowercase();
        assert!(seen.contains("repair") && seen.contains("eth0") && seen.contains("delet"), "{seen}");
    });
}

/// Ctrl-C while a big lab is made: netlabctl ends at once, the lab is made all the same.
fn interrupt() {
    let host = TestHost::started();
    let mut text = "name: big\nnodes:\n".to_owned();
    for n in 0..150 {
        let _ = writeln!(text, "  n{n}: {{ interfaces: {{ lo: {{ addresses: [10.0.0.{n}/32] }} }} }}");
    }
    let file = host.file("big.yaml", text);
    let mut child =
        host.ctl_command(&["create-lab", &file]).stdin(Stdio::null()).spawn().expect("starting netlabctl");
    wait_until("netlabd has the lab", Duration::from_secs(20), || host.ctl(&["get-lab", "big"]).code == 0);
    let start = Instant::now();
    let interrupted = kill_process(Pid::from_child(&child), Signal::INT).is_ok();
    let code = exit_code(child.wait().expect("waiting for netlabctl"));
    assert!(start.elapsed() < Duration::from_secs(20), "Ctrl-C ends netlabctl at once");
    assert!(interrupted && [0, 130].contains(&code), "exit code {code}");
    host.wait_ready("big");
    host.ctl(&["delete-lab", "big"]).ok();
    let _ = host.ctl(&["create-lab", "--no-wait", &file]).code(0);
    host.wait_ready("big");
}

fn doctor() {
    let host = TestHost::started();
    let before = host.inventory();
    let output = host.ctl(&["doctor"]).says("CONFIG_BRIDGE_VLAN_FILTERING").says("CONFIG_VLAN_8021Q");
    assert!([0, 1].contains(&output.code), "{output}");
    let output = output.says("modules");
    let bounds = if Feature::Cgroup.works(&host) { "are bounded, below" } else { "boot with cgroup v2" };
    let _ = output.says(bounds);
    before.assert_unchanged();
}
