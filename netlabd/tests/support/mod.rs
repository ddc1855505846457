//! A namespace for each test, and the commands that look at it.

use std::process::Command;

/// Runs a test in a thread with a new network namespace and a mount namespace whose `/run/netns` is its own.
pub(crate) fn isolated(test: impl FnOnce() + Send + 'static) {
    let run = || {
        assert!(
            rustix::process::geteuid().is_root(),
            "these tests make network namespaces: run them as root"
        );
        enter_new_namespaces();
        sh(
            "mount --make-rprivate / && mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns && ip link set lo up",
        );
        test();
    };
    let ended = std::thread::spawn(run).join();
    if let Err(panic) = ended {
        std::panic::resume_unwind(panic);
    }
}

#[expect(unsafe_code, reason = "rustix marks it unsafe for CLONE_FILES")]
fn enter_new_namespaces() {
    use rustix::thread::{UnshareFlags, unshare_unsafe};
    // SAFETY: the thread is new and shares no file table or root directory that another one relies on; FS is
    // what a mount namespace of a single thread needs.
    unsafe { unshare_unsafe(UnshareFlags::FS | UnshareFlags::NEWNS | UnshareFlags::NEWNET) }.unwrap();
}

/// Runs shell commands, which must succeed within ten seconds, and gives what they print.
pub(crate) fn sh(script: &str) -> String {
    let output = Command::new("timeout").args(["10", "sh", "-ec", script]).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {}: {error}", output.status);
    String::from_utf8(output.stdout).unwrap()
}
