//! Commands about labs that answer at once.

use std::io::{BufRead as _, BufReader};

use crate::run::{Ground, lab};

/// A lab whose only node is joined to the host.
fn on_host(name: &str, interface: &str, address: &str) -> String {
    format!(
        "name: {name}\nnodes: {{ ns1: {{}} }}\nhost:\n  interfaces:\n    {interface}: {{ addresses: [{address}] }}\n\
         links: [ {{ endpoints: [\"ns1:eth0\", \"host:{interface}\"] }} ]\n"
    )
}

#[test]
fn refusals_have_their_exit_codes() {
    let ground = Ground::new();
    let file = ground.create("vxlan");
    let exists = "netlabctl: there is a lab vxlan already; change it, or delete it first: netlabctl apply-lab FILE, or \
                  netlabctl delete-lab vxlan";
    ground.run(&["create-lab", &file]).failed(5, exists);
    let create = |text: &str| ground.run_with(&["create-lab", "-"], text);
    create(&on_host("one", "lab0", "203.0.113.1/24")).wrote("lab one ready (generation 1)\n");
    let taken = "stdin:5:5: lab one (yours) has an interface lab0 already; choose another name for the lab's";
    create(&on_host("two", "lab0", "198.51.100.1/24")).failed(5, taken);
    let overlaps = "stdin:5:25: 203.0.113.7/24 overlaps 203.0.113.1/24 on lab0 of lab one (yours): delete it first, or \
                    choose another range";
    create(&on_host("two", "lab1", "203.0.113.7/24")).failed(5, overlaps);
    let denied = "netlabctl: not permitted: lab vxlan belongs to root (uid 0); ask them or a member of group \
                  netlab-admin, or use a lab of your own";
    ground.run_as_alice(&["delete-lab", "vxlan"]).failed(6, denied);
}

#[test]
fn faults_that_the_daemon_sees_are_told_by_lines() {
    let ground = Ground::new();
    let text = lab("-x").replace("192.0.2.1/24", "192.0.2.0/33").replace("router:eth0", "ruoter:eth0");
    let file = ground.file("lab.yaml", &text);
    for verb in ["create-lab", "apply-lab", "show-commands"] {
        let ran = ground.run(&[verb, &file]);
        let lines: Vec<_> = ran.err.lines().map(|line| line.replace(&file, "lab")).collect();
        let starts = [
            "lab:1:7: \"-x\"",
            "lab:6:21: \"192.0.2.0/33\"",
            "lab:9:7: router:eth0",
            "lab:12:29: the lab has no node \"ruoter\"",
        ];
        assert_eq!((ran.code, lines.len()), (2, starts.len()), "{}", ran.err);
        for (line, start) in lines.iter().zip(starts) {
            assert!(line.starts_with(start), "{line}");
        }
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
fn what_is_short_is_written_out_for_the_daemon() {
    let ground = Ground::new();
    let text = "name: many\nparameters: { last: { type: number, default: 5 } }\nnodes:\n  \
                leaf[4-{last}]: { interfaces: { d0: { dummy:, addresses: [\"10.0.0.25{1}/24\"] } } }\n";
    let file = ground.file("many.yaml", text);
    let nowhere = ["--host", "unix:///nonexistent/sock"];
    let flat = ground.run(&[nowhere[0], nowhere[1], "expand", &file]);
    let comment = format!("  # leaf[4-5] ({file}:4)\n");
    assert!(flat.code == 0 && flat.out.contains(&comment), "{} {}", flat.out, flat.err);
    let json = ground.run(&["expand", "-o", "json", &file]).json();
    assert_eq!(json["nodes"]["leaf5"]["interfaces"]["d0"]["addresses"][0], "10.0.0.255/24");
    // What only netlabd sees.
    let ran = ground.run(&["create-lab", "--set", "last=6", &file]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    let told = format!("{file}:4:61: leaf[4-6], leaf6: \"10.0.0.256/24\"");
    assert!(ran.err.lines().any(|line| line.starts_with(&told)), "{}", ran.err);
    let ran = ground.run(&["expand", "--set", "lats=6", &file]);
    ran.failed(
        2,
        &format!("{file}:2:13: --set lats: the file has no parameter of this name, did you mean \"last\"?"),
    );
}

#[test]
fn list_labs_reads_every_page() {
    let ground = Ground::scripted();
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
    ground.create("vxlan");
    ground.create("other");
    ground.run(&["list-labs", "-o", "name"]).wrote("other\nvxlan\n");
    for verb in ["get-lab", "pause-lab", "resume-lab", "wait-lab"] {
        ground.run(&[verb, "vxlan", "-o", "name"]).wrote("vxlan\n");
    }
    let refused = "netlabctl: -o name is for commands that show labs; use table, json or yaml";
    for args in [&["doctor"][..], &["check-lab", "vxlan"], &["list-labs", "-w"]] {
        ground.run(&[args, &["-o", "name"]].concat()).failed(2, refused);
    }
    // A lab file it is, whatever is asked for people.
    let file = ground.run(&["get-lab", "vxlan", "--revision", "1", "-o", "wide"]);
    assert!(file.out.starts_with("name: vxlan\nnodes:\n"), "{file:?}");
}

#[test]
fn list_labs_goes_on_with_what_changes() {
    let ground = Ground::scripted();
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
    let file = ground.create("roots");
    ground.run_as_alice(&["create-lab", &file]).failed(
        5,
        "netlabctl: lab roots is root's; give yours another name: netlabctl create-lab --name NAME FILE",
    );
    ground.run_as_alice(&["create-lab", &file, "--name", "mine"]).wrote("lab mine ready (generation 1)\n");
    ground.run_as_alice(&["apply-lab", "--name=mine", &file]).wrote("lab mine ready (generation 1)\n");
    // What is wrong with a name that was given is on no line of the file.
    let ran = ground.run(&["create-lab", &file, "--name=-x"]);
    assert!(ran.code == 2 && ran.err.starts_with("netlabctl: --name: \"-x\""), "{ran:?}");
}

#[test]
fn a_dry_run_tells_fields_and_what_is_interrupted_first() {
    let ground = Ground::new();
    let vxlan = |id: u32, mtu: u32| {
        let more = format!(
            "        mtu: {mtu}\n      vx0: {{ vxlan: {{ vni: {id}, remote: 192.0.2.2, dev: eth0 }} }}\n"
        );
        lab("fields").replacen("[192.0.2.1/24]\n", &format!("[192.0.2.1/24]\n{more}"), 1)
    };
    ground.run_with(&["create-lab", "-"], &vxlan(7, 1500)).wrote("lab fields ready (generation 1)\n");
    let ran = ground.run_with(&["apply-lab", "--dry-run", "-"], &vxlan(8, 1500));
    assert_eq!(ran.code, 8, "{ran:?}");
    let anew =
        "nodes.ns1.interfaces.vx0.vxlan.vni: 7 -> 8 (vx0 is recreated: its traffic stops for a moment)\n\n";
    assert!(ran.out.starts_with(anew), "{}", ran.out);
    assert!(
        ran.out.contains("\n- ") && ran.out.contains("\n+ ") && ran.out.ends_with(" changes\n"),
        "{}",
        ran.out
    );
    let json = ground.run_with(&["apply-lab", "--dry-run", "-", "-o", "json"], &vxlan(8, 1500)).json();
    assert_eq!(json["fields"][0]["path"], "nodes.ns1.interfaces.vx0.vxlan.vni");
    assert_eq!(json["interruptions"][0]["object"], "ns1:vx0");
}

#[test]
fn colours_are_for_terminals_unless_asked_for() {
    let ground = Ground::scripted();
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
    let ground = Ground::new();
    let applied = ground.run_with(&["--color=always", "apply-lab", "--dry-run", "-"], &lab("x"));
    assert!(applied.out.contains("\u{1b}[32m+ make node ns1\u{1b}[0m"), "{applied:?}");
}

#[test]
fn watch_lab_prints_until_the_lab_is_deleted() {
    let ground = Ground::new();
    ground.create("vxlan");
    let mut watch = ground.command(&["watch-lab", "vxlan", "-o", "json"]).spawn().unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    ground.run(&["delete-lab", "vxlan"]).wrote("lab vxlan deleted\n");
    let last = lines.last().unwrap().unwrap();
    let [first, last] = [first, last].map(|line| serde_json::from_str::<serde_json::Value>(&line).unwrap());
    assert!(first["status_changed"].is_object() && last["deleted"].is_object(), "{first} {last}");
    assert!(watch.wait().unwrap().success());
    ground.create("vxlan");
    ground
        .run(&["watch-lab", "vxlam"])
        .failed(4, "netlabctl: there is no lab vxlam; did you mean \"vxlan\"?");
}

#[test]
fn a_failed_check_is_exit_code_7() {
    let ground = Ground::scripted();
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
    let file = ground.create("vxlan");
    let drawn = "graph LR\n  n0[\"<b>ns1</b><br/>eth0 192.0.2.1/24\"]\n  n1[\"<b>router</b><br/>eth0 192.0.2.2/24\"]\n  \
                 n0 ---|\"eth0 - eth0\"| n1\n";
    ground.run(&["--host", "unix:///nonexistent/sock", "graph", &file]).wrote(drawn);
    ground.run(&["graph", "vxlan"]).wrote(drawn);
    for (format, start) in [("dot", "graph \"vxlan\" {"), ("svg", "<svg "), ("html", "<!DOCTYPE html>")] {
        let ran = ground.run(&["graph", &file, "-f", format]);
        assert!(ran.code == 0 && ran.out.starts_with(start), "{ran:?}");
    }
    ground.run(&["graph", "vxlam"]).failed(4, "netlabctl: there is no lab vxlam; did you mean \"vxlan\"?");
}

#[test]
fn show_commands_prints_lines_for_a_shell() {
    let ground = Ground::new();
    let typed = ground.run_with(&["show-commands", "-"], &lab("x"));
    typed.wrote(
        "# A network namespace for each node\nip netns add x.ns1\nip netns add x.router\n\n\
         # Links: a pair of veth interfaces each, with both ends in place\n\
         ip link add eth0 netns x.ns1 type veth peer name eth0 netns x.router\n\n\
         # ns1: interfaces up\nip -n x.ns1 link set eth0 up\nip -n x.ns1 link set lo up\n\n\
         # ns1: addresses\nip -n x.ns1 address add 192.0.2.1/24 dev eth0\n\n\
         # router: interfaces up\nip -n x.router link set eth0 up\nip -n x.router link set lo up\n\n\
         # router: addresses\nip -n x.router address add 192.0.2.2/24 dev eth0\n",
    );
    ground.run_with(&["show-commands", "-", "--plain"], &lab("x")).wrote(&typed.out);
    let exact = ground.run_with(&["show-commands", "-", "--exact"], &lab("x"));
    assert!(exact.code == 0 && exact.out.starts_with("ip netns add x.ns1\n"), "{exact:?}");
    assert!(!exact.out.contains('#') && exact.out.contains(" group "), "{}", exact.out);
    assert_eq!(ground.run(&["show-commands", "--exact", "--plain", "-"]).code, 2);
}

#[test]
fn pause_and_resume() {
    let ground = Ground::new();
    ground.create("vxlan");
    ground.run(&["pause-lab", "vxlan"]).wrote("lab vxlan paused: drift is not repaired (generation 1)\n");
    ground.run(&["resume-lab", "vxlan"]).wrote("lab vxlan resumed and ready (generation 1)\n");
    let no_wait = ground.run(&["resume-lab", "vxlan", "--no-wait"]);
    no_wait.wrote("lab vxlan resumed: drift is repaired (generation 1)\n");
    for verb in ["pause-lab", "resume-lab", "check-lab"] {
        ground.run(&[verb, "vxlam"]).failed(4, "netlabctl: there is no lab vxlam; did you mean \"vxlan\"?");
    }
}

#[test]
fn doctor_tells_what_is_missing() {
    let ground = Ground::scripted();
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
