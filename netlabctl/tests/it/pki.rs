//! `pki` and `context`: files on this machine.

use std::{fs, os::unix::fs::PermissionsExt as _};

use crate::run::{Ground, Ran, arg};

fn pki(ground: &Ground, args: &[&str]) -> Ran {
    let dir = ground.path("pki");
    ground.run(&[&["pki", "--dir", arg(&dir)], args].concat())
}

#[test]
fn an_authority_is_made_once() {
    let ground = Ground::new();
    let missing = pki(&ground, &["list"]);
    assert!(missing.code == 4 && missing.err.contains("make one: netlabctl pki init"), "{missing:?}");
    assert_eq!(pki(&ground, &["init", "--days", "30"]).code, 0);
    let mode = |name: &str| fs::metadata(ground.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("pki"), mode("pki/ca.key"), mode("pki/ca.crt")), (0o700, 0o600, 0o644));
    let key = fs::read(ground.path("pki/ca.key")).unwrap();
    let again = pki(&ground, &["init"]);
    assert!(again.code == 5 && again.err.contains("ca.key: exists already"), "{again:?}");
    assert_eq!(fs::read(ground.path("pki/ca.key")).unwrap(), key);
    // Half of an authority is none that may be made anew.
    fs::remove_file(ground.path("pki/ca.crt")).unwrap();
    assert_eq!(pki(&ground, &["init"]).code, 5);
}

#[test]
fn nothing_is_overwritten_and_renewal_keeps_the_role() {
    let ground = Ground::new();
    assert_eq!(pki(&ground, &["init", "--days", "30"]).code, 0);
    assert_eq!(pki(&ground, &["issue", "client", "alice", "--role", "admin"]).code, 0);
    let first = fs::read(ground.path("pki/clients/alice.crt")).unwrap();
    let again = pki(&ground, &["issue", "client", "alice"]);
    assert!(again.code == 5 && again.err.contains("--renew issues a new one"), "{again:?}");
    assert_eq!(fs::read(ground.path("pki/clients/alice.crt")).unwrap(), first);
    let renewed = pki(&ground, &["issue", "client", "alice", "--renew", "-o", "json"]).json();
    assert_eq!((&renewed["name"], &renewed["role"]), (&"alice".into(), &"admin".into()));
    let all = pki(&ground, &["list", "-o", "json"]).json();
    let all = all["certificates"].as_array().unwrap();
    assert_eq!(all.len(), 2);
    let old = all.iter().find(|one| one["serial"] != renewed["serial"]).unwrap();
    let kept = format!("pki/clients/alice-{}.crt", old["serial"].as_str().unwrap());
    assert_eq!(fs::read(ground.path(&kept)).unwrap(), first);
    // A year was asked for; the authority ends before.
    let crt = pki(&ground, &["list"]).out;
    let end = all[0]["not_after"].as_str().unwrap();
    assert_eq!(crt.matches(end).count(), 2, "{crt}");
}

#[test]
fn what_is_revoked_stays_revoked() {
    let ground = Ground::new();
    assert_eq!(pki(&ground, &["init"]).code, 0);
    for name in ["alice", "bob"] {
        assert_eq!(pki(&ground, &["issue", "client", name]).code, 0);
    }
    assert_eq!(pki(&ground, &["issue", "server", "lab1.example.org", "198.18.0.1"]).code, 0);
    assert!(pki(&ground, &["revoke", "alice"]).out.starts_with("revoked "));
    assert!(pki(&ground, &["revoke", "alice"]).out.contains("were revoked before"));
    assert!(pki(&ground, &["revoke", "lab1.example.org"]).out.starts_with("revoked "));
    let states = pki(&ground, &["list", "-o", "json"]).json();
    let state = |name: &str| {
        let all = states["certificates"].as_array().unwrap();
        all.iter().find(|one| one["name"] == name).unwrap()["state"].clone()
    };
    assert_eq!(
        (state("alice"), state("bob"), state("lab1.example.org")),
        ("revoked".into(), "valid".into(), "revoked".into())
    );
    let wrong = pki(&ground, &["revoke", "alise"]);
    assert!(wrong.code == 4 && wrong.err.contains("did you mean \"alice\"?"), "{wrong:?}");
}

#[test]
fn wrong_names_and_files_are_refused() {
    let ground = Ground::new();
    assert_eq!(pki(&ground, &["init"]).code, 0);
    for args in [
        &["issue", "client", "../alice"][..],
        &["issue", "client", ""],
        &["issue", "client", "a b"],
        &["issue", "server", "a/b"],
        &["issue", "server"],
        &["issue", "client", "alice", "--days", "0"],
        &["issue", "client", "alice", "--role", "king"],
    ] {
        assert_eq!(pki(&ground, args).code, 2, "{args:?}");
    }
    fs::set_permissions(ground.path("pki/ca.key"), fs::Permissions::from_mode(0o640)).unwrap();
    let open = pki(&ground, &["issue", "client", "alice"]);
    assert!(open.code == 2 && open.err.contains("others may read this key (mode 0640)"), "{open:?}");
    fs::set_permissions(ground.path("pki/ca.key"), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(pki(&ground, &["issue", "client", "alice"]).code, 0);
    fs::copy(ground.path("pki/clients/alice.key"), ground.path("pki/ca.key")).unwrap();
    let mixed = pki(&ground, &["issue", "client", "bob"]);
    assert!(mixed.code == 1 && mixed.err.contains("does not go with"), "{mixed:?}");
}

#[test]
fn contexts_say_where_the_daemon_is() {
    let ground = Ground::new();
    let dir = ground.path("netlab");
    ground.create("vxlan");
    let url = format!("unix://{}", ground.socket().display());
    let run = |args: &[&str], variables: &[(&str, &str)]| {
        let mut command = ground.command(args);
        command.env("XDG_CONFIG_HOME", ground.path("")).env_remove("NETLAB_HOST");
        Ran::from(command.envs(variables.iter().copied()).output().unwrap())
    };
    let nowhere = run(&["pause-lab", "vxlan"], &[]);
    assert!(nowhere.code == 3 && nowhere.err.contains("/run/netlabd/netlabd.sock"), "{nowhere:?}");
    assert_eq!(run(&["context", "set", "here", "--host", &url], &[]).code, 0);
    assert_eq!(run(&["context", "set", "gone", "--host", "unix:///gone"], &[]).code, 0);
    let goes = |args: &[&str], variables: &[(&str, &str)]| {
        let ran = run(&[args, &["pause-lab", "vxlan"]].concat(), variables);
        if ran.code == 0 { "here".to_owned() } else { ran.err }
    };
    // The option, then the environment, then the current one.
    assert_eq!(goes(&["--context", "here"], &[("NETLAB_HOST", "unix:///gone")]), "here");
    assert_eq!(goes(&["--host", &url], &[("NETLAB_CONTEXT", "gone")]), "here");
    assert_eq!(goes(&[], &[("NETLAB_HOST", &url), ("NETLAB_CONTEXT", "gone")]), "here");
    assert_eq!(goes(&[], &[("NETLAB_CONTEXT", "here")]), "here");
    assert_eq!(run(&["context", "use", "here"], &[]).code, 0);
    assert_eq!(goes(&[], &[]), "here");
    assert!(goes(&[], &[("NETLAB_CONTEXT", "gone")]).contains("/gone"));
    assert!(goes(&[], &[("NETLAB_CONTEXT", "default")]).contains("/run/netlabd/netlabd.sock"));
    assert!(goes(&["--host", &url, "--context", "here"], &[]).contains("use one of them"));
    let wrong = run(&["--context", "hare", "list-labs"], &[]);
    wrong.failed(4, "netlabctl: --context: there is no context \"hare\"; did you mean \"here\"?");
    let list = run(&["context", "list", "-o", "json"], &[]).json();
    assert_eq!(list["contexts"][2]["current"], true, "{list}");
    assert_eq!(run(&["context", "remove", "here"], &[]).code, 0);
    assert!(goes(&[], &[]).contains("/run/netlabd/netlabd.sock"));
    for args in [&["set", "x"][..], &["set", "default", "--host", &url], &["set", "x", "--host", "ftp://x"]] {
        assert_eq!(run(&[&["context"], args].concat(), &[]).code, 2, "{args:?}");
    }
    assert_eq!(run(&["context", "use", "x"], &[]).code, 4);
    // A broken file is told with its place, and harms no command that needs none of it.
    fs::write(dir.join("config.toml"), "[contexts.a]\nhots = \"x\"\n").unwrap();
    let broken = run(&["list-labs"], &[]);
    assert!(broken.code == 2 && broken.err.contains("config.toml:2:1: unknown field `hots`"), "{broken:?}");
    assert_eq!(goes(&["--host", &url], &[]), "here");
    assert_eq!(run(&["completions", "bash"], &[]).code, 0);
}
