//! Who may do what: outsiders, owners, administrators, the host's protection, quotas.

use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

use serde_json::Value;

use super::{Test, apply::SMALL};
use crate::{
    command::{run, wait_until},
    daemon::{KEPT, capabilities, program},
    host::TestHost,
    users::{self, ALICE, BOB, CAROL, MALLORY},
};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("permissions::outsiders_are_refused", outsiders),
    Test::new("permissions::a_group_that_is_missing", no_group),
    Test::new("permissions::labs_of_others", others),
    Test::new("permissions::administrators", administrators),
    Test::new("permissions::the_host_is_protected", host_policy),
    Test::new("permissions::quotas", quotas),
    Test::new("permissions::bad_starts", bad_starts),
    Test::new("permissions::what_is_kept_of_roots_power", kept),
    Test::new("permissions::every_act_is_logged_once", audit),
];

/// A host with users, netlabd with this configuration, and its file.
fn with_users(config: &str) -> (TestHost, String) {
    let mut host = TestHost::here();
    users::move_in(&host);
    let file = host.file("config.toml", config);
    host.start_with(&["--config", &file]);
    (host, file)
}

fn outsiders() {
    let (host, _) = with_users("");
    let file = host.file("small.yaml", SMALL);
    let _ = MALLORY.ctl(&host, &["list-labs"]).code(6).complains("netlab");
    // Even with the socket open to all.
    fs::set_permissions(host.folders().socket(), fs::Permissions::from_mode(0o666))
        .expect("opening the socket");
    for args in [&["list-labs"][..], &["create-lab", &file], &["get-lab", "small"], &["doctor"]] {
        let _ = MALLORY.ctl(&host, args).code(6).complains("join group netlab");
    }
    let _ = host.ctl(&["get-lab", "small"]).code(4);
    assert!(host.log().contains("4004"), "the refusal is logged: {}", host.log());
}

/// On a machine where nobody made the group, all sides say so.
fn no_group() {
    let mut host = TestHost::here();
    users::move_in(&host);
    let groups = fs::read_to_string("/etc/group").expect("the groups of the private host");
    let without = groups
        .lines()
        .filter(|line| !line.starts_with("netlab"))
        .fold(String::new(), |all, line| all + line + "\n");
    fs::write("/etc/group", &without).expect("taking the groups away");
    host.start();
    assert!(host.log().contains("groupadd --system netlab"), "{}", host.log());
    let _ = ALICE.ctl(&host, &["list-labs"]).code(6).complains("sudo groupadd --system netlab");
    fs::write("/etc/group", &groups).expect("making the groups");
    let _ = ALICE.ctl(&host, &["list-labs"]).code(6).complains("restart it");
    host.stop();
    host.start();
    ALICE.ctl(&host, &["list-labs"]).ok();
}

fn others() {
    let (host, _) = with_users("");
    let file = host.file("small.yaml", SMALL);
    ALICE.ctl(&host, &["create-lab", &file]).ok();
    let seen: Value = serde_json::from_str(&BOB.ctl(&host, &["get-lab", "small", "-o", "json"]).ok())
        .expect("get-lab speaks JSON");
    assert_eq!((&seen["name"], &seen["owner_uid"]), (&"small".into(), &4001.into()));
    assert_eq!(seen["status"]["phase"], "PHASE_READY");
    assert!(seen["spec"].is_null() && !seen.to_string().contains("192.0.2"), "no more than that: {seen}");
    let _ = BOB.ctl(&host, &["list-labs"]).code(0).says("small");
    let before = host.inventory();
    for args in [
        &["delete-lab", "small"][..],
        &["apply-lab", &file],
        &["apply-lab", "--dry-run", &file],
        &["pause-lab", "small"],
        &["resume-lab", "small"],
        &["check-lab", "small"],
        &["watch-lab", "small"],
        &["ping", "small", "ns1", "ns2"],
        &["capture", "small", "ns1:eth0", "-c", "1"],
    ] {
        let _ = BOB.ctl(&host, args).code(6).complains("belongs to alice (uid 4001)");
    }
    let _ = BOB.ctl(&host, &["exec", "small", "ns1", "--", "true"]).code(125).complains("belongs to alice");
    let _ = BOB.ctl(&host, &["create-lab", &file]).code(5);
    before.assert_unchanged();
    let forged = host.file("forged.yaml", format!("owner_uid: 0\n{SMALL}"));
    let _ = BOB.ctl(&host, &["create-lab", &forged]).code(2).complains("owner_uid");
    ALICE.ctl(&host, &["check-lab", "small"]).ok();
    ALICE.ctl(&host, &["delete-lab", "small"]).ok();
}

fn administrators() {
    let (host, _) = with_users("");
    let file = host.file("small.yaml", SMALL);
    ALICE.ctl(&host, &["create-lab", &file]).ok();
    let _ = CAROL.ctl(&host, &["get-lab", "small", "-o", "json"]).code(0).says("192.0.2.1/24");
    let changed = host.file("changed.yaml", SMALL.replace("203.0.113.1/24", "203.0.113.9/24"));
    CAROL.ctl(&host, &["apply-lab", &changed]).ok();
    assert_eq!(host.lab("small")["owner_uid"], 4001, "the owner stays");
    CAROL.ctl(&host, &["delete-lab", "small"]).ok();
    let log = host.log();
    for part in ["4003", "carol", "delete"] {
        assert!(log.contains(part), "the log says who did what: {part}");
    }
}

/// A lab with a cable to the host.
fn uplink(address: &str, more: &str) -> String {
    format!(
        "name: up\nnodes:\n  n: {{ interfaces: {{ eth0: {{}} }} }}\nhost:\n  interfaces: \
         {{ lab0: {{ addresses: [{address}] }} }}\n{more}links:\n  - endpoints: [\"n:eth0\", \"host:lab0\"]\n"
    )
}

fn host_policy() {
    let (host, config) = with_users("");
    let before = host.inventory();
    let forward = "  forwarding: true\n  nat: { port_forwards: [ { protocol: tcp, port: 80, to: \"192.0.2.2:80\" } ] }\n";
    let wide = "  forwarding: true\n  nat: { masquerade: [ { source: 192.0.0.0/8 } ] }\n";
    let public = uplink("8.8.8.1/24", "");
    let port = |bridge: &str| {
        uplink("192.0.2.1/24", "")
            .replace("addresses: [192.0.2.1/24]", &format!("port: {{ bridge: {bridge} }}"))
    };
    let vlan =
        uplink("192.0.2.1/24", "").replace("lab0: {", "eth9.5: { vlan: { parent: eth9, id: 5 } }, lab0: {");
    for (lab, says) in [
        (&public, "8.8.8.1/24 on the host needs an administrator"),
        (&uplink("192.0.2.1/24", forward), "tcp port 80 needs an administrator"),
        (&uplink("192.0.2.1/24", wide), "masquerading on the host"),
        (
            &SMALL.replace(
                "ns2:\n    interfaces:\n",
                "ns2:\n    interfaces:\n      mv: { macvlan: { parent: lo9 } }\n",
            ),
            "macvlan on the host's lo9 needs an administrator",
        ),
        (
            &port("br-office"),
            "a port of the host's br-office needs an administrator, or br-office in host_bridges",
        ),
        (&vlan, "VLAN eth9.5 of the host needs an administrator, or eth9.5 in host_vlans"),
    ] {
        let file = host.file("lab.yaml", lab);
        let _ = ALICE.ctl(&host, &["create-lab", &file]).code(6).complains(says);
    }
    before.assert_unchanged();
    let file = host.file("lab.yaml", &public);
    let reload = |text: &str, logged: &str| {
        fs::write(&config, text).expect("writing the configuration");
        host.reload();
        wait_until(logged, Duration::from_secs(30), || host.log().contains(logged));
    };
    reload("[policy\n", "stays as it was");
    let _ = ALICE.ctl(&host, &["create-lab", &file]).code(6);
    host.sh("ip link add br-office type bridge && ip link set br-office up");
    reload("[policy]\nhost_addresses = [\"8.8.8.0/24\"]\nhost_bridges = [\"br-off*\"]\n", "was read again");
    ALICE.ctl(&host, &["create-lab", &file]).ok();
    ALICE.ctl(&host, &["delete-lab", "up"]).ok();
    ALICE.ctl(&host, &["create-lab", &host.file("port.yaml", port("br-office"))]).ok();
    assert!(host.sh("ip link show lab0").contains("master br-office"));
    ALICE.ctl(&host, &["delete-lab", "up"]).ok();
    host.sh("ip link delete br-office");
    before.assert_unchanged();
}

fn quotas() {
    let (host, _) = with_users("[quotas]\nlabs = 2\nnodes = 6\n");
    let named = |name: &str| host.file(&format!("{name}.yaml"), SMALL.replace("small", name));
    ALICE.ctl(&host, &["create-lab", &named("a1")]).ok();
    ALICE.ctl(&host, &["create-lab", &named("a2")]).ok();
    let _ = ALICE.ctl(&host, &["create-lab", &named("a3")]).code(1).complains("quota labs: 2 of 2");
    let text = SMALL.replace("small", "a2").replace("links:\n", "  ns3: {}\nlinks:\n");
    let larger = host.file("larger.yaml", text);
    let _ = ALICE.ctl(&host, &["apply-lab", &larger]).code(1).complains("quota nodes: 6 of 6");
    BOB.ctl(&host, &["create-lab", &named("b1")]).ok();
    host.ctl(&["create-lab", &named("root1")]).ok();
    ALICE.ctl(&host, &["delete-lab", "a1"]).ok();
    ALICE.ctl(&host, &["apply-lab", &larger]).ok();
}

fn bad_starts() {
    let host = TestHost::here();
    let bad = host.file("bad.toml", "[quotas]\nlabs = 3\nnods = 4\n");
    for (args, says) in [
        (["--config", &bad], "bad.toml:3:1: unknown field `nods`"),
        (["--config", "/nonexistent/c.toml"], "/nonexistent/c.toml: No such file"),
        (["--listen", "127.0.0.1:7000"], "needs TLS"),
    ] {
        // EX_CONFIG: systemd does not try again.
        let _ = run(host.folders().command().args(args)).code(78).complains(says);
    }
}

fn kept() {
    let (host, _) = with_users("");
    let (effective, bounding) = capabilities(host.daemon_pid());
    println!("netlabd holds {effective:#x}, {bounding:#x} at most");
    // A test host may lack some from the beginning.
    let own = capabilities(std::process::id()).0;
    assert_eq!((effective, bounding), (KEPT & own, KEPT & own));
    // Without what it needs it says so.
    let line = format!(
        "setpriv --bounding-set -net_broadcast {} --state-dir /run/test/other",
        program("netlabd").display()
    );
    let _ = host.run("sh", &["-c", &line]).code(1).complains("lacks CAP_NET_BROADCAST");
}

/// Every act leaves one line with the caller and the outcome, whatever became of it, and no secret.
fn audit() {
    fn exec<'a>(args: &[&'a str]) -> Vec<&'a str> {
        [&["exec", "-T", "-n"], args].concat()
    }
    let (host, _) = with_users("[quotas]\nexec_sessions = 1\n");
    let file = host.file("small.yaml", SMALL);
    let argument = "x".repeat(10_000);
    let alice = r#"uid=4001 user="alice" pid="#;
    let (ran, secret) = (r#"lab="small" node="ns1" command="\"true\"" "#, ["-e", "PASSWORD=s3cret"]);
    let hold = ["exec", "--detach", "small", "ns1", "--", "sleep", "60"];
    for (args, who, says) in [
        (vec!["create-lab", &file], alice, r#"role="member" lab="small" act="create" outcome="ok""#),
        (vec!["apply-lab", &file], alice, r#"lab="small" act="apply" outcome="ok""#),
        (vec!["apply-lab", "--dry-run", &file], alice, r#"lab="small" act="plan" outcome="ok""#),
        (vec!["pause-lab", "small"], alice, r#"lab="small" act="pause" outcome="ok""#),
        (vec!["resume-lab", "small"], alice, r#"lab="small" act="resume" outcome="ok""#),
        (vec!["confirm-lab", "small"], alice, r#"lab="small" act="confirm" outcome="#),
        (vec!["check-lab", "small"], alice, r#"lab="small" act="check" outcome="ok""#),
        (vec!["ping", "small", "ns1", "ns2", "-c", "1"], alice, r#"node="ns1" act="ping" outcome="ok""#),
        (exec(&[&secret[..], &["small", "ns1", "--", "true"]].concat()), alice, ran),
        (
            exec(&["small", "ns9", "--", "true"]),
            alice,
            r#"node="ns9" command="\"true\"" act="exec" outcome="NotFound""#,
        ),
        (exec(&["small", "ns1", "--", "true", &argument]), alice, r#"act="exec" outcome="ok""#),
        (exec(&["-w", "/nowhere", "small", "ns1", "--", "true"]), alice, r#"act="exec" outcome="#),
        (
            vec!["capture", "small", "ns1:eth9", "-f", "icmp", "-c", "1", "-w", "/dev/null"],
            alice,
            r#"interfaces="ns1:eth9" filter="icmp" act="capture" outcome="NotFound""#,
        ),
        (hold.to_vec(), "uid=4002 pid=", r#"role="member" lab="small" node="ns1""#),
        (vec!["delete-lab", "small"], "uid=4002 pid=", r#"act="delete" outcome="denied""#),
        (vec!["delete-lab", "small"], alice, r#"lab="small" act="delete" outcome="ok""#),
        // Before it makes the lab it looks whether there is one.
        (vec!["apply-lab", &file], alice, r#"lab="small" act="apply" outcome="ok""#),
    ] {
        let before = host.log().lines().count();
        let caller = if who == alice { ALICE } else { BOB };
        let output = caller.ctl(&host, &args);
        let log = host.log();
        let lines_seen: Vec<_> = log.lines().skip(before).filter(|line| line.contains(" act=")).collect();
        assert_eq!(lines_seen.len(), 1, "{output}\n{lines_seen:#?}");
        assert!(lines_seen[0].contains(who) && lines_seen[0].contains(says), "{says}\n{lines_seen:#?}");
        assert!(lines_seen[0].len() < 6_000, "a line of {} bytes", lines_seen[0].len());
    }
    assert!(!host.log().contains("s3cret"), "a secret is logged");
}
