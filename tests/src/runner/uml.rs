//! Running tests under User-mode Linux, several kernels side by side: one has one processor.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Mutex,
    thread,
};

use super::{Ground, Part};
use crate::host::repository;

/// How long a kernel may run, in seconds.
const LIMIT: &str = "2400";

/// Parts of the tests for each kernel that runs at a time: who is done early takes another.
const PARTS: usize = 4;

/// Runs `count` tests in kernels, `at_once` of them at a time; gives the reports' paths. `elsewhere` is the report of
/// another kernel, in `dir`.
pub fn run(
    dir: &Path,
    at_once: usize,
    count: usize,
    elsewhere: Option<&Path>,
    filters: &[String],
) -> Vec<PathBuf> {
    let Some(kernel) = kernel() else { return Vec::new() };
    let parts = count.min(at_once * PARTS);
    let report = |index: usize| dir.join(format!("{}-{index}", Ground::Uml));
    let queue = Mutex::new(0..parts);
    thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                // The lock is let go before the kernel starts.
                let next = || queue.lock().expect("no thread panics with the queue").next();
                while let Some(index) = next() {
                    let part = Part { index, of: parts };
                    let mut command = command(&kernel, dir, part, &report(index));
                    if let Some(elsewhere) = elsewhere {
                        command.arg("--elsewhere").arg(elsewhere);
                    }
                    finish(command.args(filters).spawn());
                }
            });
        }
    });
    (0..parts).map(report).collect()
}

/// The kernel's path; builds it first where it is not cached.
fn kernel() -> Option<String> {
    let script = repository().join("tests/uml/kernel");
    match Command::new(&script).stderr(Stdio::inherit()).output() {
        Ok(output) if output.status.success() => {
            Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        }
        Ok(output) => {
            eprintln!("netlab-tests: {} ended with {}", script.display(), output.status);
            None
        }
        Err(error) => {
            eprintln!("netlab-tests: cannot run {}: {error}", script.display());
            None
        }
    }
}

fn command(kernel: &str, dir: &Path, part: Part, report: &Path) -> Command {
    let own = std::env::current_exe().expect("a running program has a path");
    let mut command = Command::new(repository().join("tests/uml/run"));
    command.args(["-k", kernel, "-t", LIMIT, "-w"]).arg(dir).arg("--").arg(own);
    command.args(["--here", &Ground::Uml.to_string(), "--part", &part.to_string(), "--report"]).arg(report);
    command.stdin(Stdio::null());
    command
}

fn finish(child: std::io::Result<Child>) {
    match child.and_then(|mut child| child.wait()) {
        Ok(status) => match status.code() {
            Some(0 | 1) => {}
            Some(124) => eprintln!("netlab-tests: a kernel ran longer than {LIMIT} s and was ended"),
            _ => eprintln!("netlab-tests: a kernel died ({status})"),
        },
        Err(error) => eprintln!("netlab-tests: cannot run tests/uml/run: {error}"),
    }
}
