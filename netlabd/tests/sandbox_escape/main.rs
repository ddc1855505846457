//! Escape suite: what a lab's root must not be able to do.
//!
//! Every probe tries one thing. It must succeed as host root after a plain `setns(net)`, which is what
//! `ip netns exec` gives, or the probe itself is broken; and it must be refused inside a lab. All of it
//! happens in a test host, against decoys that the suite made: a second lab, files, a process.
//!
//! The program runs itself again for each probe, with one thread and without the test harness.
#![allow(unsafe_code, reason = "probes make system calls that no safe wrapper offers")]

#[path = "../sandbox_common/mod.rs"]
mod sandbox_common;

mod decoy;
mod files;
mod namespaces;
mod network;
mod processes;
mod sockets;
mod system;

use std::{io, process::Command};

use decoy::Decoys;

/// A name and an attempt. `Ok` means that the attempt succeeded.
type Probe = (&'static str, fn() -> io::Result<()>);

/// Fewest probes that must be shown to work for the suite to mean something.
const FEWEST: usize = 46;

fn probes() -> Vec<Probe> {
    [network::PROBES, namespaces::PROBES, files::PROBES, processes::PROBES, sockets::PROBES, system::PROBES]
        .concat()
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [word, name] = args.as_slice()
        && word == "probe"
    {
        std::process::exit(attempt(name));
    }
    if args.iter().any(|arg| arg == "--list") {
        println!("sandbox_escape: test");
    } else if args.iter().any(|arg| is_filter(arg) && !"sandbox_escape".contains(arg.as_str())) {
        println!("sandbox_escape: filtered out");
    } else if sandbox_common::is_test_host() {
        suite();
    } else if rustix::process::geteuid().is_root() {
        let status = sandbox_common::test_host().status().unwrap();
        assert!(status.success(), "the suite failed in its test host: {status}");
    } else {
        eprintln!("sandbox_escape is not run: it needs root to make a test host");
    }
}

/// Whether an argument of `cargo test` is neither an option nor the value of one.
fn is_filter(arg: &str) -> bool {
    !arg.starts_with('-') && arg.parse::<u32>().is_err()
}

/// Makes one attempt: 0 it succeeded, 1 it was refused, 2 there is no such probe.
fn attempt(name: &str) -> i32 {
    // Alive, and able to do what is allowed: without this, a lab that can do nothing would pass.
    let probe = match name {
        "nothing" => Some((|| Ok(())) as fn() -> io::Result<()>),
        "refused" => Some((|| Err(io::ErrorKind::PermissionDenied.into())) as fn() -> io::Result<()>),
        "ring" => Some(sockets::some_ring as fn() -> io::Result<()>),
        "terminals" => Some(sockets::some_terminals as fn() -> io::Result<()>),
        _ => probes().into_iter().find(|probe| probe.0 == name).map(|probe| probe.1),
    };
    match probe.map(|probe| probe()) {
        Some(Ok(())) => 0,
        Some(Err(error)) => {
            println!("{}", error.to_string().lines().next().unwrap_or_default());
            1
        }
        None => 2,
    }
}

fn suite() {
    let decoys = Decoys::new();
    assert_eq!(decoys.in_lab("nothing").0, 0, "the lab can run a probe");
    assert_eq!(decoys.in_lab("refused").0, 1, "the lab can report a refusal");
    assert_eq!(decoys.in_lab("ring").0, 0, "the lab can make a packet ring");
    assert_eq!(decoys.in_lab("terminals").0, 0, "the lab can open a few terminals");
    assert_eq!(decoys.in_lab("unknown").0, 2);
    println!("{:<44} {:<12} {:<12}", "probe", "host root", "lab root");
    let (mut shown, mut escaped, mut broken) = (0, Vec::new(), Vec::new());
    // All in the lab first: the control run's traces cannot be what refuses one, and what the lab did
    // can be told.
    let in_lab: Vec<_> = probes().into_iter().map(|(name, _)| (name, decoys.in_lab(name))).collect();
    decoys.unharmed();
    for (name, (lab, refusal)) in in_lab {
        let (host, why) = decoys.as_host_root(name);
        let word = |code| if code == 0 { "succeeds" } else { "refused" };
        println!("{name:<44} {:<12} {:<12} {}", word(host), word(lab), if host == 0 { refusal } else { why });
        shown += usize::from(host == 0);
        if lab == 0 {
            escaped.push(name);
        }
        if lab > 1 || host > 1 {
            broken.push(name);
        }
    }
    println!("{shown} probes succeed as host root, {} in a lab", escaped.len());
    assert!(broken.is_empty(), "broken probes: {broken:?}");
    assert!(escaped.is_empty(), "escapes: {escaped:?}");
    assert!(shown >= FEWEST, "only {shown} probes are shown to work");
}

/// The answer of a raw system call.
fn check(answer: libc::c_long) -> io::Result<libc::c_long> {
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer) }
}

/// Runs a shell command line as attempt.
fn shell(line: &str) -> io::Result<()> {
    let output = Command::new("sh").args(["-c", line]).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()))
}

/// The decoy process, as both sides name it.
fn decoy_pid() -> i32 {
    std::env::var("DECOY_PID").unwrap().parse().unwrap()
}
