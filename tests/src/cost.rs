//! What an abuse costs netlabd: each is a line of the table in docs/abuse.md.

use std::fs;

use crate::{
    command::{Output, wait_until},
    daemon::{LIMIT, memory},
    host::TestHost,
};

/// How much netlabd may grow, in KiB, whatever is done to it.
const GROWTH: u64 = 96 << 10;

/// An abuse under way.
#[derive(Debug)]
pub struct Cost<'a> {
    host: &'a TestHost,
    case: &'static str,
    before: u64,
}

impl<'a> Cost<'a> {
    /// Looks at netlabd before the abuse `case`.
    pub fn begin(host: &'a TestHost, case: &'static str) -> Self {
        // The highest mark of its memory is that of now (proc_pid_clear_refs(5)), where the kernel can.
        let _ = fs::write(format!("/proc/{}/clear_refs", host.daemon_pid()), "5");
        Self { host, case, before: memory(host.daemon_pid(), "VmRSS") }
    }

    /// Looks again when it is over, and prints the line. Fails the test where netlabd has grown too much, has
    /// panicked or answers no more.
    pub fn end(self, answer: &str) {
        let Self { host, case, before } = self;
        wait_until("netlabd answers", LIMIT, || host.ctl(&["list-labs"]).code == 0);
        let pid = host.daemon_pid();
        let (most, after) = (memory(pid, "VmHWM"), memory(pid, "VmRSS"));
        let mib = |kib: u64| format!("{}.{}", kib >> 10, ((kib & 1023) * 10) >> 10);
        println!("| {case} | {answer} | {} | {} | {} |", mib(before), mib(most), mib(after));
        assert!(most.saturating_sub(before) < GROWTH, "{case}: netlabd grew from {before} to {most} KiB");
        assert!(!host.log().contains("panicked"), "{case}: {}", host.log());
    }

    /// The same, where a command's refusal is the answer.
    pub fn refused(self, output: &Output) {
        let line = output.stderr.lines().next().unwrap_or_default().replace('|', "\\|");
        self.end(&format!("`{line}`, exit code {}", output.code));
    }
}
