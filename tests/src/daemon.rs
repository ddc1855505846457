//! netlabd under test.

use std::{
    fs::{self, File},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::{
    net::sockopt::socket_peercred,
    process::{Pid, Signal, kill_process},
};

use crate::command::{exit_code, wait_until};

/// How long netlabd may take to open its socket, or to stop.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// A running netlabd. Dropping it leaves it to the end of the private host.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
}

/// Where one netlabd keeps its things.
#[derive(Debug, Clone)]
pub struct Folders {
    /// `--runtime-dir`.
    pub runtime: PathBuf,
    /// `--state-dir`.
    pub state: PathBuf,
    /// `--netns-dir`.
    pub netns: PathBuf,
    /// The log of all daemons started here.
    pub log: PathBuf,
}

impl Folders {
    /// The daemon's socket.
    pub fn socket(&self) -> PathBuf {
        self.runtime.join("netlabd.sock")
    }

    /// netlabd with these folders, ready to be started.
    pub fn command(&self) -> Command {
        let mut command = Command::new(program("netlabd"));
        command.arg("--runtime-dir").arg(&self.runtime);
        command.arg("--state-dir").arg(&self.state);
        command.arg("--netns-dir").arg(&self.netns);
        command
    }
}

impl Daemon {
    /// Starts a netlabd that kills itself at a step of its work (`netlabd/src/failpoint.rs`); it may never
    /// answer.
    pub fn start_to_die(folders: &Folders, step: u32) -> Self {
        let log = File::options().create(true).append(true).open(&folders.log).expect("opening the log");
        let mut command = folders.command();
        command.env("NETLABD_KILL_AT", step.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let mut daemon = Self { child: command.spawn().expect("starting netlabd") };
        wait_until("netlabd answers on its socket or dies", LIMIT, || {
            !daemon.runs() || daemon.answers(folders)
        });
        daemon
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().expect("waiting for netlabd").is_none()
    }

    /// Whether it is this one that listens: a child of a daemon that was killed may do so a little longer.
    fn answers(&self, folders: &Folders) -> bool {
        let peer = UnixStream::connect(folders.socket()).map(socket_peercred);
        peer.is_ok_and(|peer| peer.is_ok_and(|peer| peer.pid == Pid::from_child(&self.child)))
    }

    /// Starts netlabd and waits until its socket answers.
    pub fn start(folders: &Folders) -> Self {
        Self::start_with(folders, &[])
    }

    /// The same with more arguments.
    pub fn start_with(folders: &Folders, args: &[&str]) -> Self {
        Self::spawn(folders, folders.command().args(args))
    }

    /// The same by another command, which takes netlabd as its arguments and becomes it.
    pub fn start_under(folders: &Folders, command: &[&str]) -> Self {
        let netlabd = folders.command();
        let mut under = Command::new(command[0]);
        Self::spawn(folders, under.args(&command[1..]).arg(netlabd.get_program()).args(netlabd.get_args()))
    }

    fn spawn(folders: &Folders, command: &mut Command) -> Self {
        let log = File::options().create(true).append(true).open(&folders.log).expect("opening the log");
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("cloning a descriptor"))
            .stderr(log)
            .spawn()
            .expect("starting netlabd");
        let mut daemon = Self { child };
        wait_until("netlabd answers on its socket", LIMIT, || {
            if let Some(status) = daemon.child.try_wait().expect("waiting for netlabd") {
                let log = fs::read_to_string(&folders.log).unwrap_or_default();
                panic!("netlabd ended at its start with {}:\n{log}", exit_code(status));
            }
            daemon.answers(folders)
        });
        // So that nothing that any test does needs more than this.
        wait_until("netlabd gives up what it does not need", LIMIT, || {
            let (effective, bounding) = capabilities(daemon.pid());
            (effective | bounding) & !KEPT == 0
        });
        daemon
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to stop (SIGTERM) and fails the test unless it ends with 0.
    pub fn stop(mut self) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).expect("netlabd is there to be stopped");
        let mut code = None;
        wait_until("netlabd stops", LIMIT, || {
            code = self.child.try_wait().expect("waiting for netlabd").map(exit_code);
            code.is_some()
        });
        assert_eq!(code, Some(0), "netlabd's exit code after SIGTERM");
    }

    /// Kills it (SIGKILL).
    pub fn kill(mut self) {
        self.child.kill().expect("netlabd is there to be killed");
        self.child.wait().expect("waiting for netlabd");
    }
}

/// What netlabd keeps of root's power, bits of `linux/capability.h`: `dac_override`, setgid, setuid,
/// `net_bind_service`, `net_broadcast`, `net_admin`, `net_raw`, `sys_admin`.
pub const KEPT: u64 = 1 << 1 | 1 << 6 | 1 << 7 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 21;

/// The effective capabilities and the bounding set of a process (`proc_pid_status(5)`).
pub fn capabilities(pid: u32) -> (u64, u64) {
    let set = |name| u64::from_str_radix(&status(pid, name), 16).expect("a hexadecimal number");
    (set("CapEff"), set("CapBnd"))
}

/// A field of memory of a process in KiB, such as `VmRSS` (`proc_pid_status(5)`).
pub fn memory(pid: u32, field: &str) -> u64 {
    status(pid, field).trim_end_matches(" kB").parse().expect("a number of KiB")
}

/// The text of a field of `/proc/PID/status`.
fn status(pid: u32, field: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let fields = status.lines().filter_map(|line| line.split_once(':'));
    let text = fields.filter(|(name, _)| *name == field).map(|(_, text)| text.trim().to_owned()).next();
    text.unwrap_or_else(|| panic!("process {pid} has no {field}"))
}

/// A program of the workspace: it stands beside this one.
pub fn program(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("the path of this program");
    own.parent().unwrap_or(Path::new(".")).join(name)
}
