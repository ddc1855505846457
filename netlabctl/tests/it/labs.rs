//! Commands about labs that answer at once.

use crate::run::{Ground, lab};

#[test]
fn refusals_have_their_exit_codes() {
    let ground = Ground::new();
    let create = |name: &str| ground.run_with(&["create-lab", "-"], &lab(name));
    create("exists").failed(5, "netlabctl: there is a lab exists already");
    create("taken").failed(5, "netlabctl: lab0 is taken");
    create("denied").failed(6, "netlabctl: not permitted: uid 7 may not");
    create("overlap").failed(5, "stdin:6:21: overlaps");
}

#[test]
fn faults_that_the_daemon_sees_are_told_by_lines() {
    let ground = Ground::new();
    let file = ground.file("lab.yaml", &lab("invalid"));
    let expected =
        format!("{file}:1:1: links[0]: no links here\n{file}:1:7: the second\n{file}:6:21: the first fault");
    for verb in ["create-lab", "apply-lab", "show-commands"] {
        ground.run(&[verb, &file]).failed(2, &expected);
    }
}

#[test]
fn a_file_at_fault_is_not_sent() {
    let ground = Ground::new();
    let nowhere = ["--host", "unix:///nonexistent/sock"];
    let file = ground.file("bad.yaml", "name: x\nnodse: {}\n");
    for verb in ["create-lab", "apply-lab", "show-commands", "graph"] {
        let ran = ground.run(&[nowhere[0], nowhere[1], verb, &file]);
        ran.failed(2, &format!("{file}:2:1: unknown field \"nodse\", did you mean \"nodes\"?"));
    }
    let ran = ground.run(&["create-lab", "/nonexistent.yaml"]);
    ran.failed(2, "netlabctl: /nonexistent.yaml: No such file or directory (os error 2)");
}

#[test]
fn list_labs_reads_every_page() {
    let ground = Ground::new();
    ground.run(&["list-labs"]).wrote(
        "NAME   PHASE   OWNER  NODES  GENERATION  AGE  REPAIRED  MESSAGE\n\
         fails  Failed  ada    2      2           -    3         ns1:vxlan0: Operation not supported; load the module vxlan\n\
         vxlan  Ready   ada    2      2           -    3\n",
    );
    let json = ground.run(&["list-labs", "-o", "json"]).json();
    let names: Vec<&str> =
        json["labs"].as_array().unwrap().iter().map(|lab| lab["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["fails", "vxlan"]);
    assert_eq!(json["next_page_token"], "");
    assert_eq!(json["labs"][0]["status"]["paused"], false, "{json}");
    assert_eq!(json["labs"][0]["status"]["repairs"], serde_json::json!([]), "{json}");
}

#[test]
fn names_alone_are_for_a_shell() {
    let ground = Ground::new();
    let names = ground.run(&["list-labs", "-o", "name"]).out;
    let json = ground.run(&["list-labs", "-o", "json"]).json();
    let all: Vec<_> =
        json["labs"].as_array().unwrap().iter().map(|lab| lab["name"].as_str().unwrap()).collect();
    assert_eq!(names.lines().collect::<Vec<_>>(), all);
    for verb in ["get-lab", "pause-lab", "resume-lab", "wait-lab"] {
        ground.run(&[verb, "ready", "-o", "name"]).wrote("ready\n");
    }
    let refused = "netlabctl: -o name is for commands that tell of labs; use table, json or yaml";
    for args in [&["doctor"][..], &["check-lab", "vxlan"], &["list-labs", "-w"]] {
        ground.run(&[args, &["-o", "name"]].concat()).failed(2, refused);
    }
    // A lab file it is, whatever is asked for people.
    ground.run(&["get-lab", "vxlan", "--revision", "2", "-o", "wide"]).wrote("name: vxlan\n");
}

#[test]
fn get_lab_shows_what_is_wrong() {
    let ground = Ground::new();
    let ran = ground.run(&["get-lab", "fails"]);
    for line in [
        "Name:        fails\n",
        "Phase:       Failed\n",
        "Nodes:       ns1 router\n",
        "Repaired:    3\n",
        "Last error:  ns1:vxlan0: Operation not supported; load the module vxlan (-)\n",
        "Ready      False   Verified  -    looked at by the test\n",
        "  ns1: address 192.0.2.77/24 on eth0\n",
    ] {
        assert!(ran.out.contains(line), "{line:?} is not in\n{}", ran.out);
    }
    let newest = "Changes, newest first:\n  - generation 7: applied by ada\n    nodes.ns1.interfaces.eth0.mtu: 1500 -> 1400\n";
    assert!(ran.out.contains(newest), "{}", ran.out);
    assert!(!ran.out.contains("generation 2:"), "the newest five only:\n{}", ran.out);
    ground.run(&["get-lab", "vxlan", "--revision", "2"]).wrote("name: vxlan\n");
    ground
        .run(&["get-lab", "vxlan", "--revision", "9"])
        .failed(4, "netlabctl: generation 9 of lab vxlan is not kept; see get-lab vxlan");
    let yaml = ground.run(&["get-lab", "vxlan", "-o", "yaml"]);
    assert!(yaml.out.starts_with("name: vxlan\nuid: \"2f1e\"\ngeneration: \"2\"\n"), "{}", yaml.out);
    ground.run(&["get-lab", "vxlam"]).failed(4, "netlabctl: there is no lab vxlam; did you mean \"vxlan\"?");
    ground.run(&["get-lab", "nope"]).failed(4, "netlabctl: there is no lab nope");
}

#[test]
fn get_lab_shows_what_is_inside() {
    let ground = Ground::new();
    let ran = ground.run(&["get-lab", "vxlan"]);
    let table = "NODE  INTERFACE  KIND  PEER      ADDRESSES     STATE\n\
                 ns1   eth0       veth  sw:p1     192.0.2.1/24  up\n\
                 sw    p1         veth  ns1:eth0  -             learning in br0\n\
                 sw    p2         -     -         -             missing\n";
    assert!(ran.out.contains(table), "{}", ran.out);
    let wide = ground.run(&["get-lab", "vxlan", "-o", "wide"]);
    for text in ["02:00:00:00:00:01  1500", "192.0.2.1/24 fe80::1/64\n", "RX-PACKETS"] {
        assert!(wide.out.contains(text), "{text} is not in\n{}", wide.out);
    }
    let json = ground.run(&["get-lab", "vxlan", "-o", "json"]).json();
    assert_eq!(json["status"]["nodes"][1]["interfaces"][0]["port_state"], "PORT_STATE_LEARNING");
    ground.run(&["get-lab", "alices"]).wrote(
        "Name:        alices\nPhase:       Ready\nOwner:       alice (uid 0)\n\
         It is another user's: no more of it is shown.\n",
    );
}

#[test]
fn list_labs_goes_on_with_what_changes() {
    let ground = Ground::new();
    let ran = ground.run(&["list-labs", "--watch"]);
    // The connection breaks once, and it goes on where it was.
    ran.failed(6, "netlabctl: not permitted: enough");
    let lines: Vec<Vec<&str>> =
        ran.out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).collect();
    let starts: Vec<&[&str]> = lines.iter().map(|line| &line[..2]).collect();
    assert_eq!(
        starts,
        [
            ["NAME", "PHASE"],
            ["one", "Ready"],
            ["two", "Ready"],
            ["one", "Failed"],
            ["new", "Ready"],
            ["two", "Deleted"]
        ],
        "{}",
        ran.out
    );
    let json = ground.run(&["list-labs", "-w", "-o", "json"]).out;
    let tokens: Vec<String> = json
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["resume_token"].to_string())
        .collect();
    assert_eq!(tokens.len(), 8, "{json}");
    assert_eq!(tokens.last().unwrap(), "\"t4\"");
}

#[test]
fn a_name_of_another_user_is_no_dead_end() {
    let ground = Ground::new();
    ground.run_with(&["create-lab", "-"], &lab("alices")).failed(
        5,
        "netlabctl: lab alices is alice's; give yours another name: netlabctl create-lab --name NAME FILE",
    );
    ground
        .run_with(&["create-lab", "-", "--name", "mine"], &lab("alices"))
        .wrote("lab mine ready (generation 2)\n");
    ground
        .run_with(&["apply-lab", "--name=mine", "-"], &lab("alices"))
        .wrote("lab mine ready (generation 2)\n");
    // What is wrong with a name that was given is on no line of the file.
    let ran = ground.run_with(&["create-lab", "-", "--name", "invalid"], &lab("x"));
    ran.failed(
        2,
        "netlabctl: --name: the second\nstdin:1:1: links[0]: no links here\nstdin:6:21: the first fault",
    );
}

#[test]
fn a_dry_run_tells_fields_and_what_is_interrupted_first() {
    let ground = Ground::new();
    let ran = ground.run_with(&["apply-lab", "--dry-run", "-"], &lab("fields"));
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (
            8,
            "nodes.ns1.interfaces.vx0.vxlan.port: 4789 -> 4790 (vx0 is made anew: its traffic stops for a moment)\n\
             nodes.ns1.interfaces.eth0.mtu: 1500 -> 1400\n\
             ns2:vx0 is made anew: its traffic stops for a moment\n\
             \n\
             + make ns1\n\
             - remove eth9 of ns1\n\
             2 changes\n"
        )
    );
    let json = ground.run_with(&["apply-lab", "--dry-run", "-", "-o", "json"], &lab("fields")).json();
    assert_eq!(json["fields"][1]["path"], "nodes.ns1.interfaces.eth0.mtu");
    assert_eq!(json["interruptions"][0]["object"], "ns1:vx0");
}

#[test]
fn colours_are_for_terminals_unless_asked_for() {
    let ground = Ground::new();
    let plain = ground.run(&["list-labs"]).out;
    assert!(!plain.contains('\u{1b}'), "{plain}");
    let coloured = ground.run(&["--color", "always", "list-labs"]).out;
    assert!(coloured.contains("\u{1b}[31mFailed\u{1b}[0m  ada"), "{coloured:?}");
    assert!(
        coloured.contains("\u{1b}[32mReady\u{1b}[0m   ada"),
        "columns line up all the same: {coloured:?}"
    );
    let never = ground.run(&["list-labs", "--color", "never"]).out;
    assert_eq!(never, plain);
    let applied = ground.run_with(&["--color=always", "apply-lab", "--dry-run", "-"], &lab("x"));
    assert!(applied.out.contains("\u{1b}[32m+ make ns1\u{1b}[0m"), "{applied:?}");
}

#[test]
fn watch_lab_prints_until_the_lab_is_deleted() {
    let ground = Ground::new();
    ground.run(&["watch-lab", "vxlan"]).wrote("8     - Deleting\n9     - deleted\n");
    let json = ground.run(&["watch-lab", "vxlan", "-o", "json"]);
    let lines: Vec<serde_json::Value> =
        json.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1]["sequence"], "9");
    ground
        .run(&["watch-lab", "vxlam"])
        .failed(4, "netlabctl: there is no lab vxlam; did you mean \"vxlan\"?");
}

#[test]
fn a_failed_check_is_exit_code_7() {
    let ground = Ground::new();
    ground.run(&["check-lab", "vxlan"]).wrote(
        "RESULT  FROM  TO               EXPECTED   SEEN                   DETAIL\n\
         pass    ns1   ns2 (192.0.2.2)  reachable  reachable in 1.042 ms\n\
         1 of 1 passed\n",
    );
    let ran = ground.run(&["check-lab", "fails"]);
    assert_eq!(ran.code, 7);
    let failed = "FAIL    ns1   192.0.2.3        unreachable  reachable in 0.070 ms\n1 of 2 passed\n";
    assert!(ran.out.ends_with(failed), "{}", ran.out);
    let junit = ground.run(&["check-lab", "fails", "-o", "junit"]);
    assert_eq!(junit.code, 7);
    assert!(junit.out.contains(r#"<testsuite name="fails" tests="2" failures="1">"#), "{}", junit.out);
    let json = ground.run(&["check-lab", "fails", "-o", "json"]).json();
    let passed: Vec<_> =
        json["results"].as_array().unwrap().iter().map(|one| one["passed"].clone()).collect();
    assert_eq!(passed, [true, false], "what failed says so: {json}");
    let yaml = ground.run(&["check-lab", "fails", "-o", "yaml"]);
    assert!(yaml.out.contains("\n    passed: false\n"), "{}", yaml.out);
    ground
        .run(&["list-labs", "-o", "junit"])
        .failed(2, "netlabctl: -o junit is for check-lab; use table, json or yaml");
}

#[test]
fn graph_draws_a_file_without_a_daemon_and_a_lab_with_one() {
    let ground = Ground::new();
    let file = ground.file("lab.yaml", &lab("x"));
    let nowhere = ["--host", "unix:///nonexistent/sock", "graph"];
    ground
        .run(&[&nowhere[..], &[&file]].concat())
        .wrote("graph LR\n  n0[\"<b>ns1</b><br/>eth0 192.0.2.1/24\"]\n");
    ground.run(&["graph", "vxlan"]).wrote("graph LR\n  n0[\"<b>ns1</b>\"]\n  n1[\"<b>router</b>\"]\n");
    for (format, start) in [("dot", "graph \"x\" {"), ("svg", "<svg "), ("html", "<!DOCTYPE html>")] {
        let ran = ground.run(&["graph", &file, "-f", format]);
        assert!(ran.code == 0 && ran.out.starts_with(start), "{ran:?}");
    }
    ground.run(&["graph", "vxlam"]).failed(4, "netlabctl: there is no lab vxlam; did you mean \"vxlan\"?");
}

#[test]
fn show_commands_prints_lines_for_a_shell() {
    let ground = Ground::new();
    ground
        .run_with(&["show-commands", "-"], &lab("x"))
        .wrote("ip netns add lab.ns1\nip -n lab.ns1 link delete eth9\n");
    let typed = "# Namespaces for nodes\nip netns add typed.ns1\nip netns add typed.ns2\n\n# host: more\n";
    ground.run_with(&["show-commands", "-"], &lab("typed")).wrote(typed);
    ground.run_with(&["show-commands", "-", "--plain"], &lab("typed")).wrote(typed);
    ground
        .run_with(&["show-commands", "-", "--exact"], &lab("typed"))
        .wrote("ip netns add lab.ns1\nip -n lab.ns1 link delete eth9\n");
    assert_eq!(ground.run(&["show-commands", "--exact", "--plain", "-"]).code, 2);
}

#[test]
fn pause_resume_and_doctor() {
    let ground = Ground::new();
    ground.run(&["pause-lab", "vxlan"]).wrote("lab vxlan paused: drift is not repaired (generation 2)\n");
    ground.run(&["resume-lab", "ready"]).wrote("lab ready resumed and ready (generation 2)\n");
    let no_wait = ground.run(&["resume-lab", "vxlan", "--no-wait"]);
    no_wait.wrote("lab vxlan resumed: drift is repaired (generation 2)\n");
    for verb in ["pause-lab", "resume-lab", "check-lab"] {
        ground.run(&[verb, "vxlam"]).failed(4, "netlabctl: there is no lab vxlam; did you mean \"vxlan\"?");
    }
    let ran = ground.run(&["doctor"]);
    let (own, revision) = (env!("CARGO_PKG_VERSION"), netlab_proto::REVISION);
    let expected = format!(
        "netlabd 9.9.9 (API revision {revision}), Linux 6.1.0; netlabctl {own} (API revision {revision})\n\
        STATUS  AREA     NAME            MESSAGE\n\
        ok      feature  CONFIG_VETH     works\n\
        error   feature  CONFIG_USER_NS  missing; boot another kernel\n"
    );
    assert_eq!((ran.code, ran.out), (1, expected));
}
