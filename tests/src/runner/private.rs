//! A test's own namespaces: how they are made, their first process, and the test itself.

use std::{panic, process::Command, time::Duration};

use rustix::process::{WaitOptions, wait};

use crate::{cases, feature::Feature, host, rng, soak::Soak};

/// Labs under random work.
const SOAK_LABS: usize = 8;

/// This program in new network, mount and process namespaces; ending `unshare` ends all in them.
pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"]);
    command.arg(std::env::current_exe().expect("the path of this program")).args(args);
    command.env_remove("NETLAB_HOST").env("LC_ALL", "C.UTF-8").env("RUST_BACKTRACE", "0");
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/local/sbin:/usr/sbin:/sbin"));
    command
}

/// The first process of the namespaces: starts this program again with `body` and buries what others leave behind, so that a
/// test sees no dead processes. True if it passed.
#[expect(clippy::zombie_processes, reason = "the loop waits for every child, this one among them")]
pub fn init(body: &[&str]) -> bool {
    host::prepare();
    let own = std::env::current_exe().expect("the path of this program");
    let body = Command::new(own).args(body).spawn().expect("starting the test");
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == rustix::process::Pid::from_child(&body) => {
                return status.exit_status() == Some(0);
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => panic!("waiting for the test: {error}"),
        }
    }
}

/// The test. True if it passed; otherwise prints what netlabd has logged.
pub fn body(name: &str) -> bool {
    let test = cases::all().into_iter().find(|test| test.name == name).expect("a test of this name");
    let passed = panic::catch_unwind(test.run).is_ok();
    if !passed {
        eprintln!("netlabd's log:\n{}", host::TestHost::here().log());
    }
    passed
}

/// Random work in namespaces of its own. True if all went well.
pub fn soak(seconds: u64) -> bool {
    let status = command(&["--soak-inside", &seconds.to_string()]).status().expect("starting unshare");
    status.success()
}

/// The random work, in the namespaces it was started in.
pub fn soak_body(seconds: u64) -> bool {
    let work = || Soak::new(SOAK_LABS, rng::new_seed()).run_for(Duration::from_secs(seconds));
    let Ok(results) = panic::catch_unwind(work) else {
        eprintln!("netlabd's log:\n{}", host::TestHost::here().log());
        return false;
    };
    println!("{results}");
    results.tell(&format!("random work for {seconds} s, with random kills for the first half"));
    true
}

/// Prints the features of this kernel, one a line.
pub fn print_features() {
    host::prepare();
    let host = host::TestHost::here();
    for feature in Feature::all().into_iter().filter(|feature| feature.works(&host)) {
        println!("{feature:?}");
    }
}
