//! Completion on the command line, as the shells' scripts ask for it.

use std::process::Stdio;

use crate::run::{Ground, Ran};

/// What is proposed for the last word of a line.
fn proposed(ground: &Ground, line: &[&str]) -> Vec<String> {
    let mut command = ground.command(&["--", "netlabctl"]);
    command.args(line).env("NETLABCTL_COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", line.len().to_string());
    let ran = Ran::from(command.stdin(Stdio::null()).output().unwrap());
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.out.split('\n').filter(|word| !word.is_empty() && !word.starts_with('-')).map(str::to_owned).collect()
}

#[test]
fn labs_nodes_and_interfaces_are_proposed() {
    let ground = Ground::new();
    assert_eq!(proposed(&ground, &["get-lab", ""]), ["fails", "vxlan"]);
    assert_eq!(proposed(&ground, &["get-lab", "v"]), ["vxlan"]);
    assert_eq!(proposed(&ground, &["delete-lab", "fails", "v"]), ["vxlan"]);
    assert_eq!(proposed(&ground, &["exec", "vxlan", ""]), ["ns1", "router"]);
    assert_eq!(proposed(&ground, &["-o", "json", "ping", "vxlan", "ns1", "r"]), ["router"]);
    assert!(proposed(&ground, &["wat"]).contains(&"watch-lab".to_owned()));
    // Nothing, and no noise, where there is nothing to be had.
    let nowhere = ["--host", "unix:///nonexistent", "get-lab", "v"];
    assert_eq!(proposed(&ground, &nowhere), [""; 0]);
    assert_eq!(proposed(&ground, &["exec", "nope", ""]), [""; 0]);
}

#[test]
fn bash_completes_by_the_script() {
    let ground = Ground::new();
    let program = env!("CARGO_BIN_EXE_netlabctl");
    ground.program("netlabctl", &format!("exec {program} \"$@\""));
    let script = "eval \"$(netlabctl completions bash)\"; COMP_WORDS=(netlabctl get-lab vx); COMP_CWORD=2; \
                  COMP_TYPE=9; _clap_complete_netlabctl netlabctl vx get-lab; echo \"${COMPREPLY[@]}\"";
    let mut bash = std::process::Command::new("bash");
    bash.args(["-c", script]).env("PATH", format!("{}:/usr/bin:/bin", ground.path("").display()));
    bash.env("NETLAB_HOST", format!("unix://{}", ground.socket().display())).stdin(Stdio::null());
    let ran = Ran::from(bash.output().unwrap());
    assert_eq!((ran.code, ran.out.as_str()), (0, "vxlan\n"), "{ran:?}");
}
