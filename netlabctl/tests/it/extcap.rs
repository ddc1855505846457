//! Wireshark's questions, as it asks them.

use std::{
    fs::File,
    io::Read as _,
    os::unix::fs::symlink,
    process::{Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::run::{Ground, Ran, arg};

/// netlabctl under its name in Wireshark's folder.
fn extcap(ground: &Ground, args: &[&str]) -> Command {
    let link = ground.path("netlab-extcap");
    if !link.exists() {
        symlink(env!("CARGO_BIN_EXE_netlabctl"), &link).unwrap();
    }
    let mut command = Command::new(link);
    command.args(args).env("NETLAB_HOST", format!("unix://{}", ground.socket().display()));
    command.env("XDG_CONFIG_HOME", ground.path("config")).stdin(Stdio::null());
    command
}

fn run(ground: &Ground, args: &[&str]) -> Ran {
    Ran::from(extcap(ground, args).output().unwrap())
}

#[test]
fn interfaces_are_listed_of_all_daemons() {
    let (ground, other) = (Ground::new(), Ground::new());
    for one in [&ground, &other] {
        one.create("vxlan");
    }
    std::fs::create_dir_all(ground.path("config/netlab")).unwrap();
    let config = format!(
        "[contexts.box]\nhost = \"unix://{}\"\n[contexts.same]\nhost = \"unix://{}\"\n\
         [contexts.away]\nhost = \"unix:///nonexistent\"\n",
        other.socket().display(),
        ground.socket().display()
    );
    std::fs::write(ground.path("config/netlab/config.toml"), config).unwrap();
    let ran = run(&ground, &["--extcap-interfaces", "--extcap-version=4.0"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.starts_with("extcap {version=0.1.0}{display=netlab}\ninterface {"), "{ran:?}");
    for line in [
        "interface {value=netlab:vxlan:ns1:any}{display=netlab vxlan ns1:any}\n",
        "interface {value=netlab:box:vxlan:router:any}{display=netlab vxlan router:any on box}\n",
    ] {
        assert!(ran.out.contains(line), "{line}: {ran:?}");
    }
    assert!(!ran.out.contains(":same:") && !ran.out.contains(":away:"), "{ran:?}");
    assert!(ran.err.starts_with("netlabctl: context away: no netlabd reached"), "{ran:?}");
    assert_eq!(ran.err.lines().count(), 1, "{ran:?}");
    // As the program is called by hand, and of one daemon alone.
    let ran = ground.run(&[
        "--host",
        &format!("unix://{}", other.socket().display()),
        "extcap",
        "--extcap-interfaces",
    ]);
    assert!(ran.out.contains("value=netlab:vxlan:ns1:any") && !ran.out.contains("box"), "{ran:?}");
}

#[test]
fn an_interface_tells_what_it_is() {
    let ground = Ground::scripted();
    let at = ["--extcap-interface", "netlab:vxlan:ns1:eth0"];
    run(&ground, &[&["--extcap-dlts"][..], &at].concat())
        .wrote("dlt {number=1}{name=EN10MB}{display=Ethernet}\n");
    let ran = run(&ground, &[&["--extcap-config"][..], &at].concat());
    assert!(
        ran.out.contains("{call=--snapshot-length}") && ran.out.contains("{call=--no-promiscuous}"),
        "{ran:?}"
    );
    run(&ground, &[&at[..], &["--extcap-capture-filter", "icmp"]].concat()).wrote("");
    run(&ground, &[&at[..], &["--extcap-capture-filter", "nonsense"]].concat())
        .wrote("filter nonsense: syntax error\n");
    run(&ground, &["--extcap-dlts", "--extcap-interface", "eth0"])
        .failed(2, "netlabctl: eth0: expected netlab:[CONTEXT:]LAB:NODE:INTERFACE, see --extcap-interfaces");
    run(&ground, &at).failed(2, "netlabctl: nothing is asked of the interface; see extcap(4)");
    assert_eq!(run(&ground, &[]).code, 2);
    assert_eq!(run(&ground, &[&["--capture"][..], &at].concat()).code, 2);
}

#[test]
fn a_capture_goes_into_the_fifo() {
    let ground = Ground::scripted();
    let fifo = ground.path("fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    let begin = |lab: &str, more: &[&str]| {
        let name = format!("netlab:{lab}:ns1:eth0");
        let args = ["--capture", "--extcap-interface", &name, "--fifo", arg(&fifo)];
        let mut command = extcap(&ground, &[&args[..], more].concat());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let child = begin("vxlan", &["--extcap-capture-filter", "icmp", "--snapshot-length", "96"]);
    let mut text = String::new();
    File::open(&fifo).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "[\"ns1:eth0\"] \"icmp\" 0 promiscuous\n");
    Ran::from(child.wait_with_output().unwrap()).wrote("");
    // Wireshark's way to end it, also while it reads no more; and a Wireshark that is gone.
    let child = begin("endless", &[]);
    let mut reader = File::open(&fifo).unwrap();
    reader.read_exact(&mut [0; 16]).unwrap();
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    Ran::from(child.wait_with_output().unwrap()).wrote("");
    drop(reader);
    let child = begin("endless", &[]);
    drop(File::open(&fifo).unwrap());
    Ran::from(child.wait_with_output().unwrap()).wrote("");
    let ran = Ran::from(begin("vxlan", &["--extcap-capture-filter", "nonsense"]).wait_with_output().unwrap());
    ran.failed(2, "netlabctl: filter nonsense: syntax error");
}
