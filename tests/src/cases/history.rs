//! What a lab was, what happened to it, and watches that go on where they stopped.

use std::{
    fs::File,
    process::{Child, Stdio},
    time::Duration,
};

use serde_json::Value;

use super::Test;
use crate::{command::wait_until, host::TestHost};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("history::revisions", revisions),
    Test::new("history::watch_after", watch_after),
    Test::new("history::watch_through_kills", watch_through_kills),
];

const SOON: Duration = Duration::from_secs(30);

/// A lab of one node whose interface has this MTU.
fn lab(mtu: u32) -> String {
    format!(
        "name: h
nodes:
  ns1: {{ interfaces: {{ eth0: {{ addresses: [192.0.2.1/24], mtu: {mtu} }} }} }}
  ns2: {{ interfaces: {{ eth0: {{ addresses: [192.0.2.2/24], mtu: {mtu} }} }} }}
links:
  - endpoints: [\"ns1:eth0\", \"ns2:eth0\"]
"
    )
}

fn apply(host: &TestHost, mtu: u32) {
    let file = host.file("h.yaml", lab(mtu));
    host.ctl(&["apply-lab", &file]).ok();
}

fn revisions() {
    let host = TestHost::started();
    apply(&host, 1500);
    apply(&host, 1400);
    let text = host.ctl(&["get-lab", "h"]).ok();
    for line in [
        "generation 2: applied by root",
        "nodes.ns1.interfaces.eth0.mtu: 1500 -> 1400",
        "generation 1: created by root",
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
    // A change that nobody confirms is put back, by netlabd.
    let file = host.file("h.yaml", lab(1300));
    host.ctl(&["apply-lab", &file, "--rollback-after", "1s"]).ok();
    wait_until("the change is rolled back", SOON, || host.lab("h")["generation"] == "4");
    let text = host.ctl(&["get-lab", "h"]).ok();
    assert!(
        text.contains("generation 4: rolled back by netlabd: nobody confirmed the change in time"),
        "{text}"
    );
    assert!(text.contains("nodes.ns1.interfaces.eth0.mtu: 1300 -> 1400"), "{text}");
    // What it was once can be had again.
    let first = host.ctl(&["get-lab", "h", "--revision", "1"]).ok();
    let file = host.file("first.yaml", first);
    host.ctl(&["apply-lab", &file]).ok();
    assert!(host.sh("ip -n h.ns1 link show eth0").contains("mtu 1500"));
    // They are bounded, and survive.
    for n in 0..20 {
        apply(&host, 1400 + n);
    }
    let mut host = host;
    host.kill();
    host.start();
    let _ = host.ctl(&["get-lab", "h", "--revision", "5"]).code(4);
    let _ = host.ctl(&["get-lab", "h", "--revision", "25"]).says("mtu: 1419");
    // A new lab of that name has a history of its own.
    host.ctl(&["delete-lab", "h"]).ok();
    apply(&host, 1500);
    let text = host.ctl(&["get-lab", "h"]).ok();
    assert!(text.contains("generation 1: created by root") && !text.contains("generation 2"), "{text}");
}

/// A watch that writes JSON lines to a file.
fn watch(host: &TestHost, file: &str, args: &[&str]) -> Child {
    let out = File::create(host.scratch(file)).expect("making a file");
    let mut command = host.ctl_command(&[&["watch-lab", "h", "-o", "json"], args].concat());
    command.stdin(Stdio::null()).stdout(out).spawn().expect("starting netlabctl")
}

/// The events that a watch has written.
fn events(host: &TestHost, file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(host.scratch(file)).expect("reading events");
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

fn number(event: &Value) -> u64 {
    event["sequence"].as_str().and_then(|text| text.parse().ok()).expect("a sequence number")
}

fn generations(events: &[Value]) -> Vec<u64> {
    let generation = |event: &Value| event["spec_changed"]["generation"].as_str()?.parse().ok();
    events.iter().filter_map(generation).collect()
}

fn rises(events: &[Value]) {
    let numbers: Vec<u64> = events.iter().map(number).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "no event comes twice, and in order: {numbers:?}");
}

fn watch_after() {
    let host = TestHost::started();
    apply(&host, 1500);
    let mut first = watch(&host, "first", &[]);
    wait_until("the watch begins", SOON, || !events(&host, "first").is_empty());
    apply(&host, 1400);
    wait_until("the change is heard of", SOON, || generations(&events(&host, "first")) == [2]);
    first.kill().expect("stopping the watch");
    first.wait().expect("stopping the watch");
    let seen = events(&host, "first").iter().map(number).max().expect("some");
    // Meanwhile nobody watches.
    apply(&host, 1300);
    host.sh("ip -n h.ns1 link set eth0 mtu 1234");
    wait_until("it is repaired", SOON, || host.lab("h")["status"]["drift_repaired"] == "1");
    apply(&host, 1200);
    let mut second = watch(&host, "second", &["--after", &seen.to_string()]);
    host.ctl(&["delete-lab", "h"]).ok();
    assert!(second.wait().expect("the watch ends").success());
    let events = events(&host, "second");
    rises(&events);
    assert_eq!(number(&events[0]), seen + 1, "it goes on with the very next one");
    assert_eq!(generations(&events), [3, 4]);
    assert_eq!(events.iter().filter(|event| !event["drift_repaired"].is_null()).count(), 1);
    assert!(!events.last().expect("some")["deleted"].is_null());
    // A position that never was.
    apply(&host, 1500);
    let _ = host.ctl(&["watch-lab", "h", "--after", "999999"]).code(1);
}

/// netlabd is killed while changes are made and repairs happen; a watch over all of it hears of each that
/// was answered, once.
fn watch_through_kills() {
    let mut host = TestHost::started();
    apply(&host, 1500);
    let mut child = watch(&host, "events", &[]);
    wait_until("the watch begins", SOON, || !events(&host, "events").is_empty());
    for round in 0..6 {
        let file = host.file("h.yaml", lab(1400 - round));
        host.ctl(&["apply-lab", &file, "--no-wait"]).ok();
        if round % 2 == 1 {
            host.wait_ready("h");
            let repairs = host.lab("h")["status"]["drift_repaired"].clone();
            host.sh("ip -n h.ns1 link set eth0 mtu 1234");
            wait_until("it is repaired", SOON, || host.lab("h")["status"]["drift_repaired"] != repairs);
        }
        host.kill();
        host.start();
    }
    // The watch is back before the lab goes.
    apply(&host, 1500);
    wait_until("the watch is back", SOON, || generations(&events(&host, "events")).last() == Some(&8));
    let repaired = host.lab("h")["status"]["drift_repaired"].clone();
    host.ctl(&["delete-lab", "h"]).ok();
    assert!(child.wait().expect("the watch ends").success());
    let events = events(&host, "events");
    rises(&events);
    assert_eq!(generations(&events), [2, 3, 4, 5, 6, 7, 8]);
    let repairs = events.iter().filter(|event| !event["drift_repaired"].is_null()).count();
    assert_eq!(Value::from(repairs.to_string()), repaired);
    assert!(!events.last().expect("some")["deleted"].is_null());
}
