//! Running commands, bounded in time.

use std::{
    io::Read,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{Pid, PidfdFlags, pidfd_open},
};

/// How long a command may take before it counts as hung. Generous: a loaded machine must not fail a test. Longer than
/// netlabctl itself waits for anything (60 seconds unless told), so that it can still say what it waited for.
pub const LIMIT: Duration = Duration::from_secs(120);

/// What a command did.
#[derive(Debug)]
pub struct Output {
    /// The command as a line.
    pub command: String,
    /// Exit code; 128 + N if signal N ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// Fails the test unless the command ended with 0; gives its standard output.
    pub fn ok(self) -> String {
        self.code(0).stdout
    }

    /// Fails the test unless the command ended with `code`.
    #[must_use]
    pub fn code(self, code: i32) -> Self {
        assert!(self.code == code, "expected exit code {code} of {self}");
        self
    }

    /// Fails the test unless standard error has `text` in it.
    #[must_use]
    pub fn complains(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "expected {text:?} on standard error of {self}");
        self
    }

    /// Fails the test unless standard output has `text` in it.
    #[must_use]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "expected {text:?} on standard output of {self}");
        self
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { command, code, stdout, stderr } = self;
        write!(f, "`{command}`\nexit code: {code}\nstdout:\n{stdout}\nstderr:\n{stderr}")
    }
}

/// Runs a command to its end, at most [`LIMIT`].
pub fn run(command: &mut Command) -> Output {
    run_within(command, LIMIT)
}

/// Runs a command to its end; fails the test if that takes longer than `limit`.
pub fn run_within(command: &mut Command, limit: Duration) -> Output {
    let line = line(command);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start `{line}`: {error}"));
    let stdout = read_all(child.stdout.take());
    let stderr = read_all(child.stderr.take());
    if !ends_within(&child, limit) {
        let _ = child.kill();
        panic!("`{line}` did not end within {limit:?}");
    }
    let status = child.wait().expect("waiting for a child of ours");
    Output {
        command: line,
        code: exit_code(status),
        stdout: stdout.join().expect("reading standard output"),
        stderr: stderr.join().expect("reading standard error"),
    }
}

/// Sleeps until a child has ended; false if that takes longer than `limit`. Many of these at once must cost
/// nothing: looking again and again, they kept a busy machine from the very work that they waited for.
fn ends_within(child: &Child, limit: Duration) -> bool {
    let ended = pidfd_open(Pid::from_child(child), PidfdFlags::empty()).expect("watching a child of ours");
    let until = Instant::now() + limit;
    loop {
        let left = Timespec::try_from(until.saturating_duration_since(Instant::now())).expect("a short time");
        match poll(&mut [PollFd::new(&ended, PollFlags::IN)], Some(&left)) {
            Ok(ready) => return ready > 0,
            Err(Errno::INTR) => {}
            Err(error) => panic!("waiting for a child of ours: {error}"),
        }
    }
}

/// Waits until `done` says true; fails the test, saying `what`, if that takes longer than `limit`.
pub fn wait_until(what: &str, limit: Duration, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < limit, "waited {limit:?} in vain: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The exit code as a shell tells it: 128 + N for signal N.
pub fn exit_code(status: std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

fn read_all(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // A read error leaves what has been read, which is what a failure report can use.
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
