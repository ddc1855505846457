//! What the kernel refuses for want of room or rights, and what is gone just then: a lab ends in the old
//! state or the new one, with the kernel's own words.

use std::{
    fs,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use super::{Test, apply::SMALL};
use crate::{
    command::{run, wait_until},
    feature::Feature,
    host::TestHost,
    results::{self, TestResults},
    traffic::Traffic,
};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("shortage::namespaces", namespaces).needs(&[Feature::OwnKernel]),
    Test::new("shortage::user_namespaces", user_namespaces).needs(&[Feature::OwnKernel]),
    Test::new("shortage::descriptors", descriptors),
    Test::new("shortage::rights", rights),
    Test::new("shortage::parent_comes_and_goes", parent).needs(&[Feature::Kind("macvlan")]),
    Test::new("shortage::names_are_taken_meanwhile", names),
];

/// The small lab as a change would have it: a fourth node.
fn larger() -> String {
    SMALL.replace("links:\n", "  ns3: { interfaces: { eth0: { addresses: [198.51.100.1/24] } } }\nlinks:\n  - endpoints: [\"ns1:eth1\", \"ns3:eth0\"]\n")
}

/// A limit of this kernel, for as long as this lives.
struct Limit {
    path: &'static str,
    before: String,
}

impl Limit {
    fn new(path: &'static str) -> Self {
        let before = fs::read_to_string(path).expect("reading a limit");
        Self { path, before }
    }

    fn set(&self, value: usize) {
        fs::write(self.path, value.to_string()).expect("setting a limit");
    }

    fn lift(&self) {
        fs::write(self.path, &self.before).expect("lifting a limit");
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        let _ = fs::write(self.path, &self.before);
    }
}

/// A create is refused and leaves nothing, a change is put back, and both work when there is room again.
fn refused_and_mended(host: &TestHost, words: &str, set: impl Fn(bool)) {
    let before = host.inventory();
    let small = host.file("small.yaml", SMALL);
    let larger = host.file("larger.yaml", larger());
    set(true);
    let _ = host.ctl(&["create-lab", &small]).code(1).complains(words);
    set(false);
    wait_until("nothing is left of it", Duration::from_secs(30), || host.sh("ls /run/netns").is_empty());
    before.assert_unchanged();
    host.ctl(&["apply-lab", &small]).ok();
    let with_lab = host.inventory();
    set(true);
    let _ = host.ctl(&["apply-lab", &larger]).code(1).complains(words);
    set(false);
    host.wait_ready("small");
    let _ = host.ctl(&["apply-lab", "--dry-run", &small]).code(0);
    host.ctl(&["check-lab", "small"]).ok();
    with_lab.assert_unchanged();
    host.ctl(&["apply-lab", &larger]).ok();
    host.ctl(&["check-lab", "small"]).ok();
    host.ctl(&["delete-lab", "small"]).ok();
    before.assert_unchanged();
    told("refused by the kernel: no more network namespaces", 2);
}

/// Tells how often something was refused, in a test that went well.
fn told(work: &str, injected: usize) {
    results::tell(work, &TestResults { injected, ..TestResults::default() });
}

fn namespaces() {
    let host = TestHost::started();
    let limit = Limit::new("/proc/sys/user/max_net_namespaces");
    refused_and_mended(&host, "No space left on device", |on| if on { limit.set(0) } else { limit.lift() });
}

/// Only new labs need one.
fn user_namespaces() {
    let host = TestHost::started();
    let before = host.inventory();
    let limit = Limit::new("/proc/sys/user/max_user_namespaces");
    let small = host.file("small.yaml", SMALL);
    limit.set(0);
    let output = host.ctl(&["create-lab", &small]).code(1);
    assert!(
        output.stderr.contains("No space left") || output.stderr.contains("max_user_namespaces"),
        "{output}"
    );
    limit.lift();
    before.assert_unchanged();
    host.ctl(&["apply-lab", &small]).ok();
    host.ctl(&["check-lab", "small"]).ok();
    host.ctl(&["delete-lab", "small"]).ok();
    before.assert_unchanged();
    told("refused by the kernel: no more user namespaces", 1);
}

/// netlabd may open so many files more, and no more.
fn descriptors() {
    let host = TestHost::started();
    let before = host.inventory();
    let pid = host.daemon_pid();
    let many = host.sh(&format!("prlimit --pid {pid} --nofile --noheadings --output SOFT"));
    let small = host.file("small.yaml", SMALL);
    let limit = |limit: &str| {
        host.sh(&format!("prlimit --pid {pid} --nofile={limit}:"));
    };
    let mut refused = 0;
    for room in [2, 6, 12, 24, 64] {
        let open = fs::read_dir(format!("/proc/{pid}/fd")).expect("reading descriptors").count();
        limit(&(open + room).to_string());
        // With too little room not even the request gets through.
        let mut client = host.ctl_command(&["create-lab", &small, "--timeout", "5s"]);
        let mut client = quiet(&mut client);
        let mut code = None;
        for _ in 0..300 {
            code = client.try_wait().expect("waiting for netlabctl").map(crate::command::exit_code);
            if code.is_some() {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
        limit(many.trim());
        if code.is_none() {
            wait_until("netlabctl ends", Duration::from_secs(30), || {
                code = client.try_wait().expect("waiting for netlabctl").map(crate::command::exit_code);
                code.is_some()
            });
        }
        refused += usize::from(code != Some(0));
        // There it is, whole, or there is nothing of it.
        let state = host.ctl(&["get-lab", "small", "-o", "json"]);
        if state.code == 0 {
            wait_until("the lab is one or the other", Duration::from_secs(60), || {
                ["PHASE_READY", "PHASE_FAILED"]
                    .contains(&host.lab("small")["status"]["phase"].as_str().unwrap_or_default())
            });
            let lab = host.lab("small");
            if lab["status"]["phase"] == "PHASE_READY" {
                host.ctl(&["check-lab", "small"]).ok();
            } else {
                let message = lab["status"]["last_error"]["message"].to_string();
                assert!(message.contains("Too many open files"), "{message}");
            }
            host.ctl(&["delete-lab", "small"]).ok();
        }
        before.assert_unchanged();
    }
    assert!(refused > 0, "the limit was never reached");
    host.ctl(&["create-lab", &small]).ok();
    host.ctl(&["check-lab", "small"]).ok();
    told("refused by the kernel: no more descriptors", refused);
}

fn quiet(command: &mut Command) -> Child {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("starting netlabctl")
}

/// netlabd without rights that it needs.
fn rights() {
    let mut host = TestHost::started();
    let before = host.inventory();
    let small = host.file("small.yaml", SMALL);
    host.ctl(&["create-lab", &small]).ok();
    let traffic = Traffic::start(&host, "small.ns1", "203.0.113.1");
    host.stop();
    // Without the network it says at once what it lacks.
    let netlabd = host.folders().command();
    let mut bare = Command::new("setpriv");
    bare.args(["--bounding-set", "-net_admin"]).arg(netlabd.get_program()).args(netlabd.get_args());
    let _ = run(&mut bare).code(1).complains("lacks CAP_NET_ADMIN");
    // Without the right to map users it makes no lab, and cares for those that are there.
    host.start_under(&["setpriv", "--bounding-set", "-setuid,-setgid"]);
    host.wait_ready("small");
    let other = host.file("other.yaml", SMALL.replace("name: small", "name: other"));
    let _ = host.ctl(&["create-lab", &other]).code(1).complains("Operation not permitted");
    let _ = host.ctl(&["delete-lab", "other"]);
    host.sh("ip -n small.ns2 link set eth0 mtu 1400");
    wait_until("damage is repaired", Duration::from_secs(30), || {
        host.run("sh", &["-c", "ip -n small.ns2 link show eth0 | grep -q 'mtu 1500'"]).code == 0
    });
    host.stop();
    host.start();
    host.ctl(&["create-lab", &other]).ok();
    traffic.lost_nothing();
    for lab in ["other", "small"] {
        host.ctl(&["delete-lab", lab]).ok();
    }
    before.assert_unchanged();
    told("refused by the kernel: capabilities revoked", 2);
}

/// A file that ends what flickers. Killed, it would leave a last command that goes on alone.
const ENOUGH: &str = "enough";

/// A macvlan's parent is deleted and made again while labs are made on it.
fn parent() {
    let host = TestHost::started();
    let before = host.inventory();
    let file = host.file(
        "m.yaml",
        "{ name: m, nodes: { a: { interfaces: { mv0: { macvlan: { parent: par0 } } } }, b: { interfaces: { mv0: { \
         macvlan: { parent: par0 } } } } } }",
    );
    let mut flicker = quiet(Command::new("sh").args([
        "-c",
        "until [ -e \"$0\" ]; do ip link add par0 type veth peer name par1 && ip link set par0 up; sleep 0.02; \
         ip link del par0; done",
        &host.scratch(ENOUGH).display().to_string(),
    ]));
    let mut made = 0;
    for _ in 0..6 {
        let output = host.ctl(&["create-lab", &file, "--timeout", "2s"]);
        // Made, refused because there is no parent (yet), or failed when it went.
        assert!([0, 1].contains(&output.code), "{output}");
        assert!(!output.stderr.contains("panicked"), "{output}");
        made += usize::from(output.code == 0);
        let _ = host.ctl(&["delete-lab", "m"]);
    }
    host.file(ENOUGH, "");
    let _ = flicker.wait();
    host.run("ip", &["link", "del", "par0"]);
    wait_until("nothing is left", Duration::from_secs(30), || host.sh("ls /run/netns").is_empty());
    before.assert_unchanged();
    told("a macvlan's parent that comes and goes", 6 - made);
}

/// Somebody takes and frees the name of the lab's interface on the host all the time.
fn names() {
    let host = TestHost::started();
    let before = host.inventory();
    let file = host.file(
        "n.yaml",
        "{ name: n, nodes: { a: { interfaces: { e: { addresses: [198.51.100.1/24] } } } }, host: { interfaces: { \
         lab0: { addresses: [198.51.100.254/24] } } }, links: [ { endpoints: ['a:e', 'host:lab0'] } ], checks: [ { from: a, to: 198.51.100.254 } ] }",
    );
    // It deletes only what is its own.
    let mut flicker = quiet(Command::new("sh").args([
        "-c",
        "until [ -e \"$0\" ]; do ip link add lab0 type veth peer name other && sleep 0.01 && ip link del other; done",
        &host.scratch(ENOUGH).display().to_string(),
    ]));
    let mut made = 0;
    for _ in 0..10 {
        let output = host.ctl(&["create-lab", &file, "--timeout", "5s"]);
        match output.code {
            0 => made += 1,
            1 | 5 => {}
            _ => panic!("{output}"),
        }
        let _ = host.ctl(&["delete-lab", "n"]);
        assert!(!host.log().contains("panicked"), "{}", host.log());
    }
    host.file(ENOUGH, "");
    let _ = flicker.wait();
    host.run("ip", &["link", "del", "other"]);
    before.assert_unchanged();
    host.ctl(&["create-lab", &file]).ok();
    host.ctl(&["check-lab", "n"]).ok();
    host.ctl(&["delete-lab", "n"]).ok();
    before.assert_unchanged();
    told("an interface name that others take all the time", 10 - made);
}
