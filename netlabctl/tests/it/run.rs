//! Running netlabctl.

use std::{
    ffi::OsStr,
    io::Write as _,
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use tempfile::TempDir;

use crate::{
    daemon::{ALICE, Daemon},
    script,
};

/// Longest run of one command in seconds.
const LIMIT: &str = "20";

/// Longest test. One that hangs in a read ends the whole run, loudly.
const TEST_LIMIT: Duration = Duration::from_secs(60);

/// A daemon that answers, and a place for files.
pub(crate) struct Ground {
    dir: TempDir,
    daemon: Option<Daemon>,
    /// Dropped with the ground, which the watchdog hears.
    _alive: mpsc::Sender<()>,
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ground {
    /// Starts netlabd's services over a kernel in memory.
    pub(crate) fn new() -> Self {
        let mut ground = Self::bare();
        ground.daemon = Some(Daemon::start(ground.dir.path()));
        ground
    }

    /// Starts a daemon that answers by a script.
    pub(crate) fn scripted() -> Self {
        let ground = Self::bare();
        script::serve(&ground.socket());
        ground
    }

    fn bare() -> Self {
        let (alive, ended) = mpsc::channel();
        let test = thread::current().name().unwrap_or_default().to_owned();
        thread::spawn(move || {
            if ended.recv_timeout(TEST_LIMIT) == Err(mpsc::RecvTimeoutError::Timeout) {
                // Past the capture of test output.
                let _ = writeln!(std::io::stderr(), "{test} hangs");
                std::process::abort();
            }
        });
        Self { dir: tempfile::tempdir().unwrap(), daemon: None, _alive: alive }
    }

    /// The daemon that is no script.
    pub(crate) fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().unwrap()
    }

    /// Makes a lab, and answers its file.
    pub(crate) fn create(&self, name: &str) -> String {
        let file = self.file(&format!("{name}.yaml"), &lab(name));
        self.run(&["create-lab", &file]).wrote(&format!("lab {name} ready (generation 1)\n"));
        file
    }

    /// Runs netlabctl as a member who owns nothing yet.
    pub(crate) fn run_as_alice(&self, args: &[&str]) -> Ran {
        let host = format!("unix://{}", self.path(ALICE).display());
        self.run(&[&["--host", &host], args].concat())
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.path("netlabd.sock")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Writes a program for [`Self::command`]'s PATH.
    pub(crate) fn program(&self, name: &str, script: &str) {
        // By install(1): what a thread writes cannot be run while another one forks (ETXTBSY).
        let source = self.file(&format!("{name}.sh"), &format!("#!/bin/sh\n{script}\n"));
        let made = Command::new("install").args([&source, arg(&self.path(name))]).status();
        assert!(made.unwrap().success());
    }

    /// netlabctl with this daemon, and this ground's programs alone before the system's.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_netlabctl"));
        self.prepare(&mut command).args(args);
        command
    }

    fn prepare<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let path = format!("{}:/usr/bin:/bin", self.dir.path().display());
        command
            .env("NETLAB_HOST", format!("unix://{}", self.socket().display()))
            .env("PATH", path)
            .env_remove("TERM")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
    }

    /// Runs netlabctl to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        self.run_with(args, "")
    }

    /// Runs netlabctl with text on its standard input.
    pub(crate) fn run_with(&self, args: &[&str], stdin: &str) -> Ran {
        let mut command = Command::new("timeout");
        self.prepare(&mut command).args([LIMIT, env!("CARGO_BIN_EXE_netlabctl")]).args(args);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let mut pipe = child.stdin.take().unwrap();
        let text = stdin.to_owned();
        let writer = thread::spawn(move || pipe.write_all(text.as_bytes()));
        let ran = Ran::from(child.wait_with_output().unwrap());
        let _ = writer.join().unwrap();
        ran
    }
}

/// Waits until a program handles Ctrl-C itself: bit 1 of `SigCgt`, `proc_pid_status(5)`.
pub(crate) fn wait_for_handler(child: &Child) {
    let handles = |status: &str| {
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        u64::from_str_radix(mask.trim(), 16).unwrap() & 1 << 1 != 0
    };
    while !handles(&std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap()) {
        thread::sleep(Duration::from_millis(20));
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let signal = output.status.signal().map(|signal| -signal);
        Self {
            code: output.status.code().or(signal).unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// The run ended with this code and said this on stderr, word for word.
    #[track_caller]
    pub(crate) fn failed(&self, code: i32, err: &str) {
        assert_eq!((self.code, self.err.trim_end()), (code, err), "{self:?}");
    }

    /// The run ended well and wrote this, word for word.
    #[track_caller]
    pub(crate) fn wrote(&self, out: &str) {
        assert_eq!((self.code, self.out.as_str(), self.err.as_str()), (0, out, ""), "{self:?}");
    }

    /// The output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A lab file of two nodes and a cable.
pub(crate) fn lab(name: &str) -> String {
    format!(
        "name: {name}\nnodes:\n  ns1:\n    interfaces:\n      eth0:\n        addresses: [192.0.2.1/24]\n  \
         router:\n    interfaces:\n      eth0:\n        addresses: [192.0.2.2/24]\nlinks:\n  \
         - endpoints: [\"ns1:eth0\", \"router:eth0\"]\n"
    )
}

/// A lab with an address that the kernel refuses from now on.
pub(crate) fn broken(ground: &Ground, name: &str) -> String {
    ground.daemon().kernel.refuse(Some(("192.0.2.77", 95)));
    lab(name).replace("192.0.2.1/", "192.0.2.77/")
}

/// A path as an argument.
pub(crate) fn arg(path: &Path) -> &str {
    let path: &OsStr = path.as_ref();
    path.to_str().unwrap()
}
