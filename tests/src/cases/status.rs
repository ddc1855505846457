//! What netlabd tells of a lab is what is there: while it differs, while it is paused, and everywhere alike.

use std::{process::Stdio, time::Duration};

use serde_json::Value;

use super::{Test, drift::LAB};
use crate::{
    command::wait_until,
    feature::Feature,
    host::TestHost,
    scrape::{CONFIG, scrape},
};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("status::a_paused_lab_tells_what_differs", paused),
    Test::new("status::drift_that_cannot_be_repaired", lasting).needs(&[Feature::Nat]),
    Test::new("status::watchers_hear_why", why),
    Test::new("status::a_pair_on_the_host", pair_on_the_host),
];

/// How long something may take to be noticed or told.
const SOON: Duration = Duration::from_secs(20);

fn condition<'a>(lab: &'a Value, kind: &str) -> &'a Value {
    let conditions = lab["status"]["conditions"].as_array().map_or(&[][..], Vec::as_slice);
    conditions.iter().find(|condition| condition["type"] == kind).unwrap_or(&Value::Null)
}

fn is_drifted(host: &TestHost, name: &str, what: &str) -> bool {
    let lab = host.lab(name);
    let (ready, drifted) = (condition(&lab, "Ready"), condition(&lab, "Drifted"));
    let told = ready["status"] == "False" && ready["reason"] == "Drifted" && drifted["status"] == "True";
    told && lab["status"]["phase"] == "PHASE_DEGRADED"
        && drifted["message"].as_str().is_some_and(|message| message.contains(what))
}

fn paused() {
    let host = TestHost::started();
    let file = host.file("d.yaml", LAB);
    host.ctl(&["create-lab", &file]).ok();
    host.ctl(&["pause-lab", "d"]).ok();
    host.sh("ip -n d.ns1 address del 192.0.2.1/24 dev eth0; ip -n d.router link del eth1");
    let missing = "ns1:eth0: address 192.0.2.1/24 is missing";
    wait_until("the damage is told", SOON, || {
        is_drifted(&host, "d", missing)
            && is_drifted(&host, "d", "the link ns2:eth0 -- router:eth1 is missing")
    });
    let _ = host
        .ctl(&["get-lab", "d"])
        .code(0)
        .says("Degraded (paused)")
        .says(missing)
        .says("left so until: netlabctl resume-lab d");
    let _ = host.ctl(&["list-labs"]).code(0).says(missing);
    assert_eq!(
        host.lab("d")["status"]["differences"].as_array().map(Vec::len),
        Some(3),
        "two causes and a route"
    );
    // Nothing repairs it, and who waits for it is told so at once.
    let _ = host.ctl(&["apply-lab", &file]).code(1).complains("resume-lab d");
    host.sh("! ip -n d.ns1 address show dev eth0 | grep -q 192.0.2.1/24");
    // What is mended by hand is seen too.
    host.sh("ip -n d.ns1 address add 192.0.2.1/24 dev eth0; ip -n d.ns1 route add default via 192.0.2.254");
    wait_until("one thing less differs", SOON, || {
        !condition(&host.lab("d"), "Drifted").to_string().contains("ns1:")
    });
    // A restart changes nothing of that.
    let mut host = host;
    host.kill();
    host.start();
    wait_until("it is told again", SOON, || {
        is_drifted(&host, "d", "the link ns2:eth0 -- router:eth1 is missing")
    });
    let _ = host.ctl(&["resume-lab", "d"]).code(0).says("lab d resumed and ready");
    let _ = host.ctl(&["check-lab", "d"]).code(0);
    let lab = host.lab("d");
    assert_eq!(lab["status"]["phase"], "PHASE_READY", "a resumed lab is repaired when resume-lab returns");
    assert_eq!(condition(&lab, "Drifted")["status"], "False");
    // Without waiting it is not told to be ready before it was looked at.
    host.ctl(&["pause-lab", "d"]).ok();
    host.sh("ip -n d.ns2 address flush dev eth0");
    host.ctl(&["resume-lab", "d", "--no-wait"]).ok();
    host.wait_ready("d");
    let _ = host.ctl(&["check-lab", "d"]).code(0);
    host.ctl(&["delete-lab", "d"]).ok();
}

/// Somebody else has taken the name on the host.
fn lasting() {
    let mut host = TestHost::here();
    let config = host.file("config.toml", CONFIG);
    host.start_with(&["--config", &config]);
    host.ctl(&["create-lab", "labs/internet.yaml"]).ok();
    assert!((scrape()["netlab_labs_drifted"]).abs() < 0.5);
    host.ctl(&["pause-lab", "internet"]).ok();
    host.sh("ip link del lab0; ip link add lab0 type veth peer name other");
    let _ = host.ctl(&["resume-lab", "internet", "--timeout", "1s"]).code(1).complains("lab0");
    let taken = "the host already has an interface lab0 that is not the lab's";
    for _ in 0..5 {
        assert!(is_drifted(&host, "internet", taken), "{:#}", host.lab("internet"));
        std::thread::sleep(Duration::from_millis(200));
    }
    let _ = host.ctl(&["list-labs"]).code(0).says("Degraded").says(taken);
    let text = host.ctl(&["get-lab", "internet"]).code(0).says("cannot be repaired").stdout;
    println!("{text}");
    let seen = scrape();
    let is = |name: &str, value: f64| assert!((seen[name] - value).abs() < 0.5, "{name}: {seen:#?}");
    is("netlab_labs_drifted", 1.0);
    is("netlab_labs{phase=\"ready\"}", 0.0);
    is("netlab_labs{phase=\"degraded\"}", 1.0);
    is("netlab_lab_ready{lab=\"internet\"}", 0.0);
    host.sh("ip link del lab0");
    host.wait_ready("internet");
    let _ = host.ctl(&["check-lab", "internet"]);
    host.sh("ip addr show lab0 | grep -q 192.0.2.254/24");
    host.ctl(&["delete-lab", "internet"]).ok();
}

fn why() {
    let host = TestHost::started();
    let file = host.file("d.yaml", LAB);
    host.ctl(&["create-lab", &file]).ok();
    let watch = |format: &str| {
        let mut command = host.ctl_command(&["watch-lab", "d", "-o", format]);
        command.stdout(Stdio::piped()).spawn().expect("netlabctl")
    };
    let (table, json) = (watch("table"), watch("json"));
    let repairs = || host.lab("d")["status"]["drift_repaired"].clone();
    let start = repairs();
    std::thread::sleep(Duration::from_millis(500));
    host.sh("ip -n d.ns1 address del 192.0.2.1/24 dev eth0");
    wait_until("it is repaired", SOON, || repairs() != start);
    host.wait_ready("d");
    host.ctl(&["delete-lab", "d"]).ok();
    let text = |watch: std::process::Child| {
        let output = watch.wait_with_output().expect("watch-lab ends");
        String::from_utf8(output.stdout).expect("text")
    };
    let table = text(table);
    assert!(table.contains(" Degraded: ns1:eth0: address 192.0.2.1/24 is missing"), "{table}");
    let mut drifts = 0;
    for line in text(json).lines() {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let lab = serde_json::json!({ "status": event["status_changed"] });
        let (ready, drifted) = (&condition(&lab, "Ready")["status"], &condition(&lab, "Drifted")["status"]);
        let is_ready = event["status_changed"]["phase"] == "PHASE_READY";
        assert!(ready.is_null() || is_ready == (ready == "True"), "{line}");
        assert!(!(ready == "True" && drifted == "True"), "{line}");
        drifts += usize::from(drifted == "True");
    }
    assert!(drifts > 0, "no event told of drift");
}

/// The seam between a bridge of the lab and an address, both on the host.
fn pair_on_the_host() {
    const PAIR: &str = "\
name: seam
nodes:
  n: { interfaces: { eth0: { addresses: [192.0.2.2/24] } } }
host:
  interfaces:
    labbr: { bridge: {} }
    lab0: { addresses: [192.0.2.1/24] }
    lab1: { port: { bridge: labbr } }
    lab2: { port: { bridge: labbr } }
links:
  - endpoints: [\"host:lab0\", \"host:lab1\"]
  - endpoints: [\"n:eth0\", \"host:lab2\"]
checks: [ { from: n, to: 192.0.2.1 } ]
";
    let host = TestHost::started();
    let file = host.file("seam.yaml", PAIR);
    let before = host.inventory();
    host.ctl(&["create-lab", &file]).ok();
    let _ = host.ctl(&["check-lab", "seam"]).code(0);
    for damage in ["ip link del lab1", "ip link del lab0", "ip link set lab1 nomaster", "ip link del labbr"] {
        host.sh(damage);
        wait_until(&format!("`{damage}` is repaired"), SOON, || {
            host.lab("seam")["status"]["phase"] == "PHASE_READY" && host.ctl(&["check-lab", "seam"]).code == 0
        });
    }
    let _ = host.ctl(&["apply-lab", "--dry-run", &file]).code(0);
    host.ctl(&["delete-lab", "seam"]).ok();
    before.assert_soon_unchanged();
    // The same by hand.
    let script = host.file("by-hand.sh", host.ctl(&["show-commands", &file]).ok());
    host.sh(&format!("sh -e {script}"));
    assert!(host.pings("seam.n", "192.0.2.1"));
}
