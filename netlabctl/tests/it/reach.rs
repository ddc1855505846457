//! Finding the daemon, and what needs none.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
};

use crate::run::{Ground, Ran, arg};

#[test]
fn no_daemon_is_exit_code_3() {
    let ground = Ground::new();
    let ran = ground.run(&["--host", "unix:///nonexistent/sock", "list-labs"]);
    ran.failed(
        3,
        "netlabctl: no netlabd reached at /nonexistent/sock: No such file or directory (os error 2); \
         is it running? try: systemctl status netlabd",
    );
    // A socket that nobody listens at any more.
    let socket = ground.path("dead.sock");
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let ran = ground.run(&["--host", &format!("unix://{}", socket.display()), "list-labs"]);
    assert!(ran.code == 3 && ran.err.contains("Connection refused"), "{ran:?}");
}

#[test]
fn a_forbidden_socket_is_exit_code_6() {
    let ground = Ground::new();
    fs::set_permissions(ground.path(""), Permissions::from_mode(0o711)).unwrap();
    fs::set_permissions(ground.socket(), Permissions::from_mode(0o600)).unwrap();
    // Root is refused nothing, so the program runs as nobody there, from where nobody can read it.
    let root = rustix::process::getuid().is_root();
    let ran = if root {
        let program = ground.path("netlabctl");
        // By a program: what a thread writes cannot be run while another one forks (ETXTBSY).
        let copied =
            std::process::Command::new("cp").args([env!("CARGO_BIN_EXE_netlabctl"), arg(&program)]).status();
        assert!(copied.unwrap().success());
        let mut command = std::process::Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--", arg(&program), "list-labs"]);
        let host = format!("unix://{}", ground.socket().display());
        Ran::from(command.env("NETLAB_HOST", host).output().unwrap())
    } else {
        fs::set_permissions(ground.socket(), Permissions::from_mode(0o000)).unwrap();
        ground.run(&["list-labs"])
    };
    assert_eq!(ran.code, 6, "{ran:?}");
    assert!(ran.err.contains("Permission denied") && ran.err.contains("group"), "{ran:?}");
}

#[test]
fn ssh_runs_the_users_own_ssh() {
    let ground = Ground::new();
    let script = format!(
        "echo \"$@\" > {0}/args; while [ \"$1\" != -- ]; do shift; done; shift 2; shift; \
         NETLAB_HOST=unix://{0}/netlabd.sock exec {1} \"$@\"",
        ground.path("").display().to_string().trim_end_matches('/'),
        env!("CARGO_BIN_EXE_netlabctl"),
    );
    ground.create("vxlan");
    ground.program("ssh", &script);
    ground
        .run(&["--host", "ssh://me@box:2222", "pause-lab", "vxlan"])
        .wrote("lab vxlan paused: drift is not repaired (generation 1)\n");
    let args = fs::read_to_string(ground.path("args")).unwrap();
    let args = args.replace("-o BatchMode=yes ", "");
    assert_eq!(args, "-T -p 2222 -- me@box netlabctl dial-stdio\n");
    ground.program("ssh", "echo 'ssh: connect to host box port 22: No route to host' >&2; exit 255");
    let ran = ground.run(&["--host", "ssh://box", "list-labs"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    let (ssh, ours) = ran.err.split_once('\n').unwrap();
    assert_eq!(ssh, "ssh: connect to host box port 22: No route to host");
    assert_eq!(ours.trim_end(), "netlabctl: ssh cannot reach box, or has lost it (exit code 255)");
    for (script, code, says) in [
        ("exit 127", 3, "netlabctl cannot be run on box: install it there"),
        ("exit 2", 3, "upgrade it"),
        ("exit 3", 3, "no netlabd reached on box"),
        ("exit 6", 6, "join its group netlab there"),
        ("kill -9 $$", 3, "was ended by signal 9"),
        ("echo Welcome to this machine", 3, "writes to ssh's output"),
        ("exec sleep 100 >&-", 3, "was closed"),
    ] {
        ground.program("ssh", script);
        let ran = ground.run(&["--host", "ssh://box", "list-labs"]);
        assert!(
            ran.code == code && ran.err.contains(says) && ran.err.lines().count() == 1,
            "{script}: {ran:?}"
        );
    }
    let mut command = ground.command(&["--host", "ssh://box", "list-labs"]);
    let ran = Ran::from(command.env("PATH", "/nonexistent").output().unwrap());
    ran.failed(
        3,
        "netlabctl: cannot run ssh: No such file or directory (os error 2); install the OpenSSH client",
    );
}

#[test]
fn wrong_use_is_exit_code_2() {
    let ground = Ground::new();
    for args in [
        &["--host", "tcp://x:1", "list-labs"][..],
        &["--host", "https://", "list-labs"],
        &["--host", "https://x:1", "list-labs"],
        &["--host", "ssh://-oProxyCommand=x", "list-labs"],
        &["no-such-verb"],
        &["get-lab"],
        &["delete-lab"],
        &["ping", "vxlan", "ns1", "ns2", "-c", "0"],
        &["create-lab", "x", "--timeout", "5 fortnights"],
        &[],
    ] {
        let ran = ground.run(args);
        assert!(ran.code == 2 && !ran.err.is_empty(), "{args:?}: {ran:?}");
        assert!(!ran.err.contains("panicked"), "{ran:?}");
    }
}

#[test]
fn completions_and_the_schema_need_no_daemon() {
    let ground = Ground::new();
    let nowhere = |args: &[&str]| ground.run(&[&["--host", "unix:///nonexistent"], args].concat());
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = nowhere(&["completions", shell]);
        assert!(ran.code == 0 && ran.out.contains("NETLABCTL_COMPLETE"), "{shell}");
    }
    let schema = nowhere(&["schema"]).json();
    assert_eq!(schema["$defs"]["Vlan"]["properties"]["id"]["maximum"], 4094);
}
