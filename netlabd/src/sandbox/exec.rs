//! Commands in nodes, as the daemon sees them.

use std::{
    collections::BTreeMap,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use rustix::io::Errno;
use tokio::io::{Interest, unix::AsyncFd};

use super::{
    cgroup::Cgroup,
    channel::Report,
    error::{Error, Result, Step, errno},
    fork_client::fork_helper,
    helper::Helper,
    init::LabInit,
    namespace::{IdRange, UserNamespace},
    spec::Spec,
    streams::{self, Streams, WindowSize},
};

/// Where programs are looked for, as in `login.defs(5)` for root.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The exit code of what SIGKILL ended.
const KILLED: u32 = 128 + 9;

/// A command to run in a node.
#[derive(Debug, Clone)]
pub struct Command {
    /// Program, looked up in PATH, and arguments.
    pub args: Vec<String>,
    /// Variables on top of PATH, HOME (`/tmp`, as the lab's root has no other place to write), LANG
    /// and, on a terminal, TERM.
    pub environment: BTreeMap<String, String>,
    /// Where it starts; empty for `/`.
    pub working_directory: String,
    /// Its standard streams.
    pub streams: Streams,
    /// Host name that it sees, normally the node's name.
    pub hostname: String,
    /// Content of its /etc/hosts.
    pub hosts: String,
    /// Content of its /etc/resolv.conf.
    pub resolv_conf: String,
}

/// Where a command runs.
#[derive(Debug, Clone, Copy)]
pub struct LabContext<'a> {
    /// The lab's user namespace.
    pub user: &'a UserNamespace,
    /// The ids that it maps.
    pub ids: IdRange,
    /// The lab's init.
    pub init: &'a LabInit,
    /// The node's network namespace.
    pub network: BorrowedFd<'a>,
    /// The node's `/run`, a copy of a mount for this command alone; see [`runtime_directory`](super::runtime_directory).
    pub run: BorrowedFd<'a>,
    /// The lab's cgroup, where there is one.
    pub cgroup: Option<&'a Cgroup>,
    /// Most processes of one user id in the lab.
    pub processes: u32,
    /// Whether the command may make tun and tap interfaces, by the host's /dev/net/tun.
    pub tun: bool,
    /// The file whose locks are the lab's budget of packet rings, opened for this command alone.
    pub rings: BorrowedFd<'a>,
    /// That budget in MiB.
    pub ring_limit: u32,
    /// Mount points that hold pins (`--netns-dir`, `<runtime-dir>/labs`): the command's mount namespace
    /// lets go of them, or a shell in one lab would keep the nodes of another alive.
    pub pins: &'a [&'a Path],
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// Its exit code; 126 not executable, 127 not found, 128 + N ended by signal N.
    pub code: u32,
    /// Why it could not be executed; empty where it ran.
    pub message: String,
}

/// A running command. Dropping it ends the command's process group (SIGHUP, SIGTERM and, after 2 s,
/// SIGKILL) in the background, unless it is detached.
#[derive(Debug)]
pub struct Child {
    helper: Helper,
    pid: u32,
    failure: Option<Error>,
    exit: Option<Exit>,
    window: Option<OwnedFd>,
    /// Write end of its standard input. With a terminal, absent.
    pub stdin: Option<OwnedFd>,
    /// Read end of its standard output. With a terminal, absent.
    pub stdout: Option<OwnedFd>,
    /// Read end of its standard error. With a terminal, absent.
    pub stderr: Option<OwnedFd>,
    /// The terminal's other side (pty master), for both directions. A read after the command and all
    /// its children ended answers EIO.
    pub terminal: Option<OwnedFd>,
}

/// Runs a command in a node. Blocks until it is about to be executed, a few milliseconds.
pub fn spawn(lab: &LabContext<'_>, command: Command) -> Result<Child> {
    let kind = command.streams;
    let spec = spec(lab, command).store().map_err(|errno| Step::StartHelper.errno(errno))?;
    let procs = lab.cgroup.map(Cgroup::procs).transpose()?;
    let mut helper = fork_helper(lab.pins, lab.tun)?;
    let mut fds = vec![spec.as_fd(), lab.user.as_fd(), lab.init.namespace(), lab.network, lab.rings, lab.run];
    fds.extend(procs.as_ref().map(AsFd::as_fd));
    helper.send(b"run", &fds)?;
    let (pid, fds) = helper.done()?;
    let mut fds = fds.into_iter();
    let (terminal, [stdin, stdout, stderr]) = match kind {
        Streams::Terminal(_) => (fds.next(), [None, None, None]),
        Streams::Pipes | Streams::Detached => (None, [fds.next(), fds.next(), fds.next()]),
    };
    let window = terminal.as_ref().map(OwnedFd::try_clone).transpose();
    let window = window.map_err(|_| Step::Streams.errno(Errno::MFILE))?;
    let pid = pid.unsigned_abs();
    Ok(Child { helper, pid, failure: None, exit: None, window, stdin, stdout, stderr, terminal })
}

/// What the helper is told.
fn spec(lab: &LabContext<'_>, command: Command) -> Spec {
    let window = match command.streams {
        Streams::Terminal(size) => Some(size),
        Streams::Pipes | Streams::Detached => None,
    };
    let mut environment: BTreeMap<String, String> =
        [("PATH", PATH), ("HOME", "/tmp"), ("LANG", "C.UTF-8")].map(|(k, v)| (k.into(), v.into())).into();
    if window.is_some() {
        environment.insert("TERM".into(), "xterm-256color".into());
    }
    environment.extend(command.environment);
    let working_directory = match command.working_directory {
        path if path.is_empty() => "/".into(),
        path => path,
    };
    Spec {
        args: command.args,
        environment: environment.iter().map(|(name, value)| format!("{name}={value}")).collect(),
        working_directory,
        hostname: command.hostname,
        hosts: command.hosts,
        resolv_conf: command.resolv_conf,
        terminal: window.is_some(),
        rows: window.map_or(0, |size| size.rows.into()),
        columns: window.map_or(0, |size| size.columns.into()),
        detached: command.streams == Streams::Detached,
        root: lab.ids.base,
        processes: lab.processes,
        rings: lab.ring_limit,
    }
}

/// Lets tokio tell when a packet is there.
#[expect(unsafe_code, reason = "tokio asks the caller to vouch for the descriptor")]
fn watch(socket: OwnedFd) -> std::io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` always answers the one descriptor that it keeps open.
    Ok(unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }?)
}

impl Child {
    /// Its process id in the lab's process namespace.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The process that watches over it, as the daemon's process namespace numbers it. It ends with the last process of the command.
    pub fn monitor(&self) -> u32 {
        self.helper.pid()
    }

    /// Sends a signal (`signal(7)`) to the command's process group. Ended already: nothing happens.
    pub fn signal(&self, number: i32) -> Result<()> {
        match self.helper.send(&number.to_le_bytes(), &[]) {
            Err(error) if error.errno() == Some(Errno::PIPE) => Ok(()),
            sent => sent,
        }
    }

    /// Changes the terminal's size, and tells the command (SIGWINCH), also after `terminal` was taken.
    /// Without a terminal, does nothing.
    pub fn resize(&self, size: WindowSize) -> Result<()> {
        let Some(terminal) = &self.window else { return Ok(()) };
        streams::resize(terminal, size).map_err(|errno| Step::Streams.errno(errno))
    }

    /// Waits until the command has ended. May be cancelled and called again. Needs a tokio runtime.
    pub async fn wait(&mut self) -> Result<Exit> {
        let failed = |error| Step::Wait.errno(errno(error));
        let socket = self.helper.as_fd().try_clone_to_owned().map_err(failed)?;
        let socket = watch(socket).map_err(failed)?;
        loop {
            if let Some(exit) = &self.exit {
                return Ok(exit.clone());
            }
            let mut ready = socket.readable().await.map_err(failed)?;
            match self.helper.poll_report() {
                Ok(None) => ready.clear_ready(),
                Ok(Some(report)) => self.note(report)?,
                // What watched was killed, and so the kernel killed the command: with its lab, or for want of memory.
                Err(Error::HelperEnded(_)) => self.exit = Some(Exit { code: KILLED, message: String::new() }),
                Err(error) => return Err(error),
            }
        }
    }

    fn note(&mut self, report: Report) -> Result<()> {
        let code = match report {
            Report::Failed(step, errno) => {
                self.failure = Some(step.errno(errno));
                return Ok(());
            }
            Report::Exited(code) => code.unsigned_abs(),
            Report::Signaled(signal) => 128 + signal.unsigned_abs(),
            Report::Done(_) => return Err(Error::HelperEnded("spoke out of turn".into())),
        };
        let message = self.failure.as_ref().map(ToString::to_string).unwrap_or_default();
        self.exit = Some(Exit { code, message });
        Ok(())
    }
}
