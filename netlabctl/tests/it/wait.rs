//! create-lab, apply-lab and delete-lab: what is waited for.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::run::{Ground, Ran, broken, lab, wait_for_handler};

/// What a lab's failure begins with whose address the kernel refuses.
const BROKEN: &str = "ns1:eth0: add address 192.0.2.77/24 to ns1:eth0: Operation not supported; ";

#[test]
fn create_waits_until_ready() {
    let ground = Ground::new();
    ground.create("one");
    ground.run_with(&["create-lab", "-"], &lab("two")).wrote("lab two ready (generation 1)\n");
    ground
        .run_with(&["create-lab", "-", "--no-wait"], &lab("three"))
        .wrote("lab three accepted (generation 1)\n");
    let json = ground.run_with(&["create-lab", "-", "-o", "json"], &lab("four")).json();
    assert_eq!(json["status"]["phase"], "PHASE_READY");
}

#[test]
fn a_lab_that_fails_says_why() {
    let ground = Ground::new();
    let text = broken(&ground, "fails");
    let ran = ground.run_with(&["create-lab", "-"], &text);
    let expected = format!("netlabctl: lab fails failed: {BROKEN}");
    assert!(ran.code == 1 && ran.err.starts_with(&expected), "{ran:?}");
    let ran = ground.run(&["wait-lab", "fails"]);
    assert!(ran.code == 1 && ran.err.starts_with(&expected), "{ran:?}");
}

#[test]
fn a_lost_watch_goes_on_where_it_was() {
    let ground = Ground::scripted();
    let ran = ground.run_with(&["create-lab", "-"], &lab("vanishes"));
    ran.failed(1, "netlabctl: lab vanishes was deleted meanwhile");
    ground.run_with(&["create-lab", "-"], &lab("flaky")).wrote("lab flaky ready (generation 2)\n");
}

#[test]
fn an_apply_that_was_rolled_back_is_a_failure() {
    let ground = Ground::new();
    ground.create("vxlan");
    let text = broken(&ground, "vxlan");
    let ran = ground.run_with(&["apply-lab", "-"], &text);
    let expected = format!("netlabctl: lab vxlan could not be changed: {BROKEN}");
    assert!(ran.code == 1 && ran.err.starts_with(&expected), "{ran:?}");
}

#[test]
fn apply_creates_a_lab_that_is_not_there() {
    let ground = Ground::new();
    ground.run_with(&["apply-lab", "-"], &lab("ready")).wrote("lab ready ready (generation 1)\n");
}

#[test]
fn a_wait_ends_in_time_and_the_lab_goes_on() {
    let ground = Ground::new();
    ground.create("stuck");
    ground.daemon().kernel.hold(true);
    let began = Instant::now();
    let ran = ground.run_with(&["create-lab", "-", "--timeout", "500ms"], &lab("slow"));
    ran.failed(
        1,
        "netlabctl: lab slow: still converging after 0.5s; it goes on converging: netlabctl watch-lab slow",
    );
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let ran = ground.run(&["delete-lab", "stuck", "--timeout", "300ms"]);
    ran.failed(
        1,
        "netlabctl: lab stuck: still deleting after 0.3s; it goes on being deleted: netlabctl watch-lab stuck",
    );
    assert_eq!(ground.run(&["wait-lab", "stuck", "--for", "deleted", "--timeout", "300ms"]).code, 1);
    ground.daemon().kernel.hold(false);
    ground.run(&["wait-lab", "slow"]).wrote("lab slow ready (generation 1)\n");
    ground.run(&["wait-lab", "stuck", "--for", "deleted"]).wrote("lab stuck deleted\n");
}

#[test]
fn ctrl_c_stops_the_waiting_only() {
    let ground = Ground::new();
    ground.daemon().kernel.hold(true);
    let file = ground.file("lab.yaml", &lab("slow"));
    let child = ground.command(&["create-lab", &file]).stderr(Stdio::piped()).spawn().unwrap();
    wait_for_handler(&child);
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let ran = Ran::from(child.wait_with_output().unwrap());
    ran.failed(130, "netlabctl: interrupted: lab slow: it goes on converging; follow it by netlabctl watch-lab slow, or end it by netlabctl delete-lab slow");
}

#[test]
fn delete_waits_for_each_and_goes_on_past_errors() {
    let ground = Ground::new();
    let make = |names: &[&str]| names.iter().map(|name| ground.create(name)).collect::<Vec<_>>();
    make(&["vxlan", "other"]);
    ground.run(&["delete-lab", "vxlan", "other", "vxlan"]).wrote("lab other deleted\nlab vxlan deleted\n");
    let files = make(&["vxlan"]);
    ground.run(&["delete-lab", "-f", &files[0]]).wrote("lab vxlan deleted\n");
    let files = make(&["vxlan", "other"]);
    ground.run(&["delete-lab", "other", "-f", &files[0], "-o", "name"]).wrote("other\nvxlan\n");
    assert_eq!(ground.run(&["delete-lab", "-f", "nowhere.yaml"]).code, 2);
    make(&["vxlan", "dummy"]);
    let ran = ground.run(&["delete-lab", "dummy", "nope", "vxlam"]);
    ran.failed(
        4,
        "netlabctl: there is no lab nope\nnetlabctl: there is no lab vxlam; did you mean \"vxlan\"?",
    );
    assert_eq!(ran.out, "lab dummy deleted\n");
}

#[test]
fn several_files_are_as_many_labs() {
    let ground = Ground::new();
    let [one, two] = ["one", "two"].map(|name| ground.file(&format!("{name}.yaml"), &lab(name)));
    ground
        .run(&["create-lab", &one, &two])
        .wrote("lab one ready (generation 1)\nlab two ready (generation 1)\n");
    ground.run(&["apply", "-f", &one, "-f", &two, "-o", "name"]).wrote("one\ntwo\n");
    let yaml = ground.run(&["apply-lab", "--no-wait", &one, &two, "-o", "yaml"]).out;
    assert!(yaml.starts_with("---\nname: one\n") && yaml.contains("\n---\nname: two\n"), "{yaml}");
    let dry = ground.run(&["apply-lab", "--dry-run", &one, &ground.file("new.yaml", &lab("new"))]);
    assert_eq!(dry.code, 8, "one of them has changes");
    assert!(dry.out.starts_with("lab one:\nno changes\nlab new:\n"), "{}", dry.out);
    // All faults of all files, and nothing is sent.
    let [bad, worse] = ["bad", "worse"].map(|name| ground.file(&format!("{name}.yaml"), "nodez: {}\n"));
    let ran = ground.run(&["create-lab", &one, &bad, &worse]);
    assert!(ran.code == 2 && ran.out.is_empty(), "{ran:?}");
    assert!(ran.err.contains("bad.yaml:1:1") && ran.err.contains("worse.yaml:1:1"), "{}", ran.err);
    let named = ground.run(&["create-lab", "--name", "x", &one, &two]);
    named.failed(2, "netlabctl: --name gives one lab its name; name one file");
    let expected = ground.run(&["apply-lab", "--expected-generation", "2", &one, &two]);
    expected.failed(2, "netlabctl: --expected-generation is that of one lab; name one file");
}

#[test]
fn a_dry_run_prints_the_plan() {
    let ground = Ground::new();
    let ran = ground.run_with(&["apply-lab", "-", "--dry-run"], &lab("new"));
    assert_eq!(ran.code, 8, "{ran:?}");
    assert!(ran.out.contains("+ make node ns1\n") && ran.out.ends_with(" changes\n"), "{}", ran.out);
    let json = ground.run_with(&["apply-lab", "-", "--dry-run", "-o", "json"], &lab("new"));
    assert_eq!((json.code, &json.json()["changes"][0]["action"]), (8, &"ACTION_CREATE".into()));
    ground.create("same");
    ground.run_with(&["apply-lab", "-", "--dry-run"], &lab("same")).wrote("no changes\n");
}

#[test]
fn a_stale_generation_is_a_conflict() {
    let ground = Ground::new();
    let file = ground.create("ready");
    let ran = ground.run(&["apply-lab", &file, "--expected-generation", "99"]);
    assert!(ran.code == 5 && ran.err.contains("generation 1, not 99"), "{ran:?}");
}

#[test]
fn wait_lab_waits_for_ready_or_gone() {
    let ground = Ground::new();
    ground.create("ready");
    ground.run(&["wait-lab", "ready"]).wrote("lab ready ready (generation 1)\n");
    assert_eq!(ground.run(&["wait-lab", "ready", "-o", "json"]).json()["status"]["phase"], "PHASE_READY");
    // What is gone already is what was waited for; what is not there will not be ready.
    ground.run(&["wait-lab", "gone", "--for", "deleted"]).wrote("lab gone deleted\n");
    ground.run(&["wait-lab", "gone"]).failed(4, "netlabctl: there is no lab gone");
}
