//! A test host: network, mount and process namespaces of the test's own.
#![allow(dead_code, reason = "each test file uses a part")]

use std::{path::PathBuf, process::Command};

use netlabd::sandbox::{IdRange, UserNamespace};

/// Ids that no user of a test machine has.
pub(crate) const IDS: IdRange = IdRange { base: 1_900_000_000, count: 65_536 };

/// Whether this process is the test inside its test host. Otherwise it runs the test `name` there,
/// fails if that fails, and answers false. Only root can make a test host.
pub(crate) fn inside(name: &str) -> bool {
    const MARK: &str = "NETLAB_TEST_HOST";
    if std::env::var_os(MARK).is_some() {
        netlabd::sandbox::set_helper_program(env!("CARGO_BIN_EXE_netlabd"));
        std::fs::create_dir_all("/run/netns").unwrap();
        run("mount -t tmpfs -o size=8m netlab-test /run/netns");
        run("ip link set lo up");
        return true;
    }
    if !rustix::process::geteuid().is_root() {
        eprintln!("{name} is not run: it needs root to make a test host");
        return false;
    }
    let status = Command::new("timeout")
        .args(["-k", "5", "180", "unshare", "--net", "--mount", "--pid", "--fork", "--kill-child"])
        .args(["--mount-proc", "--propagation", "private"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads", "1"])
        .env(MARK, "1")
        .status()
        .unwrap();
    assert!(status.success(), "{name} failed in its test host: {status}");
    false
}

/// Runs a command line that must succeed, and answers its output.
pub(crate) fn run(line: &str) -> String {
    let output = Command::new("sh").args(["-c", line]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{line}: {}{text}", String::from_utf8_lossy(&output.stderr));
    text
}

/// A fresh directory on a file system of the test's own, gone with the test host.
pub(crate) fn scratch() -> PathBuf {
    let path = PathBuf::from("/run/netns/scratch");
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// A lab's user namespace.
pub(crate) fn user_namespace() -> UserNamespace {
    UserNamespace::create(IDS).unwrap()
}
