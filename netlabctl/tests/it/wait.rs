//! create-lab, apply-lab and delete-lab: what is waited for.

use std::{
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use crate::run::{Ground, Ran, lab};

const BROKEN: &str = "ns1:vxlan0: Operation not supported; load the module vxlan";

#[test]
fn create_waits_until_ready() {
    let ground = Ground::new();
    let file = ground.file("lab.yaml", &lab("ready"));
    ground.run(&["create-lab", &file]).wrote("lab ready ready (generation 2)\n");
    ground.run_with(&["create-lab", "-"], &lab("ready")).wrote("lab ready ready (generation 2)\n");
    ground.run(&["create-lab", &file, "--no-wait"]).wrote("lab ready accepted (generation 2)\n");
    assert_eq!(ground.run(&["create-lab", &file, "-o", "json"]).json()["status"]["phase"], "PHASE_READY");
}

#[test]
fn a_lab_that_fails_says_why() {
    let ground = Ground::new();
    let ran = ground.run_with(&["create-lab", "-"], &lab("fails"));
    ran.failed(1, &format!("netlabctl: lab fails failed: {BROKEN}"));
}

#[test]
fn a_lost_watch_goes_on_where_it_was() {
    let ground = Ground::new();
    let ran = ground.run_with(&["create-lab", "-"], &lab("vanishes"));
    ran.failed(1, "netlabctl: lab vanishes was deleted meanwhile");
    ground.run_with(&["create-lab", "-"], &lab("flaky")).wrote("lab flaky ready (generation 2)\n");
}

#[test]
fn an_apply_that_was_put_back_is_a_failure() {
    let ground = Ground::new();
    let ran = ground.run_with(&["apply-lab", "-"], &lab("putback"));
    ran.failed(1, &format!("netlabctl: lab putback could not be changed: {BROKEN}"));
}

#[test]
fn apply_creates_a_lab_that_is_not_there() {
    let ground = Ground::new();
    ground.run_with(&["apply-lab", "-"], &lab("ready")).wrote("lab ready ready (generation 2)\n");
    // The watch of `gone` is refused before and after.
    ground.run_with(&["apply-lab", "-"], &lab("gone")).failed(4, "netlabctl: there is no lab gone");
}

#[test]
fn a_wait_ends_in_time_and_the_lab_goes_on() {
    let ground = Ground::new();
    let began = Instant::now();
    let ran = ground.run_with(&["create-lab", "-", "--timeout", "500ms"], &lab("slow"));
    ran.failed(
        1,
        "netlabctl: lab slow: still converging after 0.5s; it goes on converging: netlabctl watch-lab slow",
    );
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let ran = ground.run(&["delete-lab", "stuck", "--timeout", "300ms"]);
    ran.failed(
        1,
        "netlabctl: lab stuck: still deleting after 0.3s; it goes on being deleted: netlabctl watch-lab stuck",
    );
}

#[test]
fn ctrl_c_stops_the_waiting_only() {
    let ground = Ground::new();
    let file = ground.file("lab.yaml", &lab("slow"));
    let child = ground.command(&["create-lab", &file]).stderr(Stdio::piped()).spawn().unwrap();
    sleep(Duration::from_millis(700));
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let ran = Ran::from(child.wait_with_output().unwrap());
    ran.failed(130, "netlabctl: interrupted: lab slow: it goes on converging; follow it by netlabctl watch-lab slow, or end it by netlabctl delete-lab slow");
}

#[test]
fn delete_waits_for_each_and_goes_on_past_errors() {
    let ground = Ground::new();
    ground.run(&["delete-lab", "vxlan", "other", "vxlan"]).wrote("lab other deleted\nlab vxlan deleted\n");
    ground.run(&["delete-lab", "gone"]).wrote("lab gone deleted\n");
    let file = ground.file("lab.yaml", &lab("vxlan"));
    ground.run(&["delete-lab", "-f", &file]).wrote("lab vxlan deleted\n");
    ground.run(&["delete-lab", "other", "-f", &file, "-o", "name"]).wrote("other\nvxlan\n");
    assert_eq!(ground.run(&["delete-lab", "-f", "nowhere.yaml"]).code, 2);
    let ran = ground.run(&["delete-lab", "vxlan", "nope", "vxlam"]);
    ran.failed(
        4,
        "netlabctl: there is no lab nope\nnetlabctl: there is no lab vxlam; did you mean \"vxlan\"?",
    );
    assert_eq!(ran.out, "lab vxlan deleted\n");
}

#[test]
fn several_files_are_as_many_labs() {
    let ground = Ground::new();
    let [one, two] = ["one", "two"].map(|name| ground.file(&format!("{name}.yaml"), &lab(name)));
    ground
        .run(&["create-lab", &one, &two])
        .wrote("lab one ready (generation 2)\nlab two ready (generation 2)\n");
    ground.run(&["apply", "-f", &one, "-f", &two, "-o", "name"]).wrote("one\ntwo\n");
    let yaml = ground.run(&["apply-lab", "--no-wait", &one, &two, "-o", "yaml"]).out;
    assert!(yaml.starts_with("---\nname: one\n") && yaml.contains("\n---\nname: two\n"), "{yaml}");
    let dry = ground.run(&["apply-lab", "--dry-run", &ground.file("same.yaml", &lab("same")), &one]);
    assert_eq!(dry.code, 8, "one of them has changes");
    assert!(dry.out.starts_with("lab same:\nno changes\nlab one:\n+ make"), "{}", dry.out);
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
    let ran = ground.run_with(&["apply-lab", "-", "--dry-run"], &lab("ready"));
    assert_eq!((ran.code, ran.out.as_str()), (8, "+ make ns1\n- remove eth9 of ns1\n2 changes\n"));
    ground.run_with(&["apply-lab", "-", "--dry-run"], &lab("same")).wrote("no changes\n");
    let ran = ground.run_with(&["apply-lab", "-", "--dry-run", "-o", "json"], &lab("ready"));
    assert_eq!((ran.code, &ran.json()["changes"][0]["action"]), (8, &"ACTION_CREATE".into()));
}

#[test]
fn a_stale_generation_is_a_conflict() {
    let ground = Ground::new();
    let ran = ground.run_with(&["apply-lab", "-", "--expected-generation", "99"], &lab("ready"));
    ran.failed(5, "netlabctl: the lab is of generation 2, not 99");
}

#[test]
fn wait_lab_waits_for_ready_or_gone() {
    let ground = Ground::new();
    ground.run(&["wait-lab", "ready"]).wrote("lab ready ready (generation 2)\n");
    assert_eq!(ground.run(&["wait-lab", "ready", "-o", "json"]).json()["status"]["phase"], "PHASE_READY");
    ground.run(&["wait-lab", "vxlan", "--for", "deleted"]).wrote("lab vxlan deleted\n");
    // What is gone already is what was waited for; what is not there will not be ready.
    ground.run(&["wait-lab", "gone", "--for", "deleted"]).wrote("lab gone deleted\n");
    ground.run(&["wait-lab", "gone"]).failed(4, "netlabctl: there is no lab gone");
    ground.run(&["wait-lab", "fails"]).failed(1, &format!("netlabctl: lab fails failed: {BROKEN}"));
    let ran = ground.run(&["wait-lab", "stuck", "--for", "deleted", "--timeout", "300ms"]);
    assert_eq!(ran.code, 1, "{ran:?}");
}
