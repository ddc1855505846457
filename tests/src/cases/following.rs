//! Who follows what happens: all labs on one stream, one lab until it is ready or gone, a change that goes
//! back, and what a change will interrupt.

use std::{
    fs::{self, File},
    process::{Child, Command},
    time::Duration,
};

use serde_json::Value;

use super::{Test, apply::SMALL};
use crate::{
    command::wait_until,
    feature::Feature,
    host::TestHost,
    users::{self, ALICE, BOB},
};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("following::all_labs_on_one_stream", all_labs),
    Test::new("following::others_see_that_a_lab_exists", others),
    Test::new("following::wait_lab", wait_lab),
    Test::new("following::a_name_that_is_taken", taken),
    Test::new("following::what_a_plan_interrupts", interrupts).needs(&[Feature::Kind("vxlan")]),
    Test::new("following::a_change_that_goes_back", goes_back),
];

/// How long something may take that is not measured here.
const SOON: Duration = Duration::from_secs(30);

/// A `list-labs --watch` in the background, which is ended with the test.
struct Watcher {
    child: Child,
    file: String,
}

impl Watcher {
    fn start(host: &TestHost, mut command: Command, name: &str) -> Self {
        let file = host.file(name, "");
        let out = File::create(&file).expect("a file of ours can be written");
        Self { child: command.stdout(out).spawn().expect("netlabctl starts"), file }
    }

    fn messages(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.file).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Waits for a message.
    fn wait(&self, what: &str, is: impl Fn(&Value) -> bool) {
        wait_until(what, SOON, || self.messages().iter().any(&is));
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether a message tells of a lab's phase.
fn phase<'a>(lab: &'a str, phase: &'a str) -> impl Fn(&Value) -> bool + 'a {
    move |message| message["lab"] == lab && message["event"]["status_changed"]["phase"] == phase
}

fn deleted(lab: &str) -> impl Fn(&Value) -> bool + '_ {
    move |message| {
        message["lab"] == lab && message["event"].get("deleted").is_some_and(|body| !body.is_null())
    }
}

fn all_labs() {
    let mut host = TestHost::started();
    let file = host.file("small.yaml", SMALL);
    host.ctl(&["create-lab", &file]).ok();
    let watcher = Watcher::start(&host, host.ctl_command(&["list-labs", "--watch", "-o", "json"]), "watched");
    watcher.wait("the lab that is there is listed", |message| message["lab_listed"]["name"] == "small");
    watcher
        .wait("the listing ends", |message| message.get("listing_done").is_some_and(|body| !body.is_null()));
    // One that is made later, under another name beside the first: the same file twice.
    host.ctl(&["create-lab", &file, "--name", "later"]).ok();
    watcher.wait("a lab that is made later is listed", |message| message["lab_listed"]["name"] == "later");
    watcher.wait("its events are told", phase("later", "PHASE_READY"));
    host.sh("ip -n small.ns1 link set eth0 down");
    watcher.wait("drift is told with the lab's name", |message| {
        message["lab"] == "small"
            && message["event"].get("drift_repaired").is_some_and(|body| !body.is_null())
    });
    let tokens: Vec<String> =
        watcher.messages().iter().map(|message| message["resume_token"].to_string()).collect();
    // It goes on through a restart, with the labs as they are.
    host.stop();
    host.start();
    wait_until("a listing after the restart", SOON, || {
        let begun = |message: &&Value| message.get("listing_begun").is_some_and(|body| !body.is_null());
        watcher.messages().iter().filter(begun).count() == 2
    });
    host.ctl(&["delete-lab", "later"]).ok();
    watcher.wait("the end of a lab is told", deleted("later"));
    // Each token but those of a listing is another one.
    let mut given: Vec<_> = tokens.iter().filter(|token| *token != "\"\"").collect();
    let all = given.len();
    given.dedup();
    assert_eq!(given.len(), all, "{tokens:?}");
    host.ctl(&["delete-lab", "small"]).ok();
}

fn others() {
    let mut host = TestHost::here();
    users::move_in(&host);
    host.start();
    let watcher = Watcher::start(
        &host,
        BOB.command(&host, "netlabctl", &["list-labs", "--watch", "-o", "json"]),
        "watched",
    );
    watcher
        .wait("the listing ends", |message| message.get("listing_done").is_some_and(|body| !body.is_null()));
    let file = host.file("small.yaml", SMALL);
    ALICE.ctl(&host, &["create-lab", &file]).ok();
    watcher.wait("that it is ready is told", phase("small", "PHASE_READY"));
    ALICE.ctl(&host, &["delete-lab", "small"]).ok();
    watcher.wait("that it is gone is told", deleted("small"));
    let all = Value::from(watcher.messages()).to_string();
    assert!(
        all.contains("alice") && !all.contains("192.0.2") && !all.contains("ns1"),
        "no more than that: {all}"
    );
}

fn wait_lab() {
    let host = TestHost::started();
    let file = host.file("small.yaml", SMALL);
    let _ = host.ctl(&["wait-lab", "small"]).code(4);
    host.ctl(&["wait-lab", "small", "--for", "deleted"]).ok();
    host.ctl(&["create-lab", "--no-wait", &file]).ok();
    let _ = host.ctl(&["wait-lab", "small"]).code(0).says("lab small ready (generation 1)");
    host.ctl(&["pause-lab", "small"]).ok();
    host.sh("ip -n small.ns1 link set eth0 down");
    wait_until("the damage is seen", SOON, || host.lab("small")["status"]["phase"] == "PHASE_DEGRADED");
    let _ = host.ctl(&["wait-lab", "small", "--timeout", "3s"]).code(1).complains("eth0");
    host.ctl(&["resume-lab", "small"]).ok();
    host.ctl(&["wait-lab", "small"]).ok();
    host.ctl(&["delete-lab", "--no-wait", "small"]).ok();
    let _ = host.ctl(&["wait-lab", "small", "--for=deleted"]).code(0).says("lab small deleted");
    let _ = host.ctl(&["get-lab", "small"]).code(4);
}

fn taken() {
    let mut host = TestHost::here();
    users::move_in(&host);
    host.start();
    let file = host.file("small.yaml", SMALL);
    ALICE.ctl(&host, &["create-lab", &file]).ok();
    let _ = BOB
        .ctl(&host, &["create-lab", &file])
        .code(5)
        .complains("lab small is alice's; give yours another name: netlabctl create-lab --name NAME");
    let _ =
        BOB.ctl(&host, &["apply-lab", &file]).code(6).complains("alice").complains("apply-lab --name NAME");
    let _ = BOB.ctl(&host, &["create-lab", "--name", "small-2", &file]).code(0).says("lab small-2 ready");
    let _ =
        BOB.ctl(&host, &["apply-lab", "--dry-run", "--name", "small-2", &file]).code(0).says("no changes");
    let _ = BOB.ctl(&host, &["create-lab", "--name", "Not a name", &file]).code(2).complains("--name: ");
    let _ = ALICE
        .ctl(&host, &["create-lab", &file])
        .code(5)
        .complains("there is a lab small already")
        .complains("netlabctl delete-lab small");
}

fn interrupts() {
    let host = TestHost::started();
    let lab = "\
name: x
nodes:
  a:
    interfaces:
      eth0: { addresses: [192.0.2.1/24] }
      vx0: { vxlan: { vni: 7, remote: 192.0.2.2, dev: eth0, port: 4789 } }
  b: { interfaces: { eth0: { addresses: [192.0.2.2/24] } } }
links: [ { endpoints: [\"a:eth0\", \"b:eth0\"] } ]
";
    let file = host.file("x.yaml", lab);
    host.ctl(&["create-lab", &file]).ok();
    let other = host.file("other.yaml", lab.replace("4789", "4790").replace("vni: 7", "vni: 8"));
    let _ = host
        .ctl(&["apply-lab", "--dry-run", &other])
        .code(8)
        .says("nodes.a.interfaces.vx0.vxlan.port: 4789 -> 4790 (vx0 is recreated: its traffic stops for a moment)\n")
        .says("nodes.a.interfaces.vx0.vxlan.vni: 7 -> 8 (");
    let json = host.ctl(&["apply-lab", "--dry-run", &other, "-o", "json"]).code(8).stdout;
    let plan: Value = serde_json::from_str(&json).expect("a plan is JSON");
    assert_eq!(plan["fields"][0]["path"], "nodes.a.interfaces.vx0.vxlan.vni", "{plan}");
    assert_eq!(plan["interruptions"][0]["object"], "a:vx0", "{plan}");
    // Damage changes no field, and yet something is made anew.
    host.ctl(&["pause-lab", "x"]).ok();
    host.sh("ip -n x.a link set vx0 name oops; ip -n x.a link add vx0 type bridge");
    let text = host.ctl(&["apply-lab", "--dry-run", &file]).code(8).stdout;
    assert!(!text.contains("nodes.a"), "{text}");
    host.ctl(&["delete-lab", "x"]).ok();
}

fn goes_back() {
    let host = TestHost::started();
    let file = host.file("small.yaml", SMALL);
    host.ctl(&["create-lab", &file]).ok();
    let other = host.file("other.yaml", SMALL.replace("203.0.113.1/24", "203.0.113.9/24"));
    let _ = host
        .ctl(&["apply-lab", &other, "--rollback-after", "10m"])
        .code(0)
        .says("lab small ready (generation 2); goes back in ")
        .says(" unless: netlabctl confirm-lab small\n");
    let _ = host.ctl(&["get-lab", "small"]).code(0).says("Goes back:   in ");
    let _ = host.ctl(&["list-labs"]).code(0).says("goes back in ").says("netlabctl confirm-lab small");
    host.ctl(&["confirm-lab", "small"]).ok();
    for text in [host.ctl(&["get-lab", "small"]).ok(), host.ctl(&["list-labs"]).ok()] {
        assert!(!text.contains("oes back"), "{text}");
    }
    host.ctl(&["apply-lab", "--no-wait", &file, "--rollback-after", "1s"]).ok();
    wait_until("it is rolled back", SOON, || host.lab("small")["generation"] == "4");
    let _ = host
        .ctl(&["get-lab", "small"])
        .code(0)
        .says("generation 4: rolled back by netlabd: nobody confirmed the change in time");
    let _ = host.ctl(&["confirm-lab", "small"]).code(1).complains("get-lab small");
}
