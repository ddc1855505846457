//! The helper's side: how a process learns that it is one, shuts itself off and does its task.
//!
//! User namespaces can only be entered by a process with one thread, and the daemon has many. So it
//! runs its own program again under the name [`NAME`] with the name of a [`Task`] as only argument.
//! Standard input is a [`Channel`] to the daemon.

use std::os::{
    fd::{BorrowedFd, OwnedFd},
    unix::ffi::OsStrExt,
};

use rustix::{
    io::Errno,
    process::{DumpableBehavior, Pid, Signal, set_dumpable_behavior, set_parent_process_death_signal},
};

use super::{
    channel::{Channel, Packet, Report},
    error::{Step, errno},
    fork_server, init, namespace,
};

/// `argv[0]` of a helper.
pub(super) const NAME: &str = "netlabd-sandbox";

/// Why a task failed.
pub(super) type Failure = (Step, Errno);

/// Lets `?` name the step that failed.
pub(super) trait At<T> {
    fn at(self, step: Step) -> Result<T, Failure>;
}

impl<T> At<T> for Result<T, Errno> {
    fn at(self, step: Step) -> Result<T, Failure> {
        self.map_err(|errno| (step, errno))
    }
}

impl<T> At<T> for std::io::Result<T> {
    fn at(self, step: Step) -> Result<T, Failure> {
        // Without a number it is a NUL in a string, which the standard library finds itself.
        self.map_err(|error| (step, Errno::from_io_error(&error).unwrap_or(Errno::INVAL)))
    }
}

/// What a helper can be asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    /// Create a user namespace.
    User,
    /// Create network namespaces.
    Networks,
    /// Start a lab's init.
    Init,
    /// Find the init of a process namespace.
    FindInit,
    /// Fork helpers that each run a command in a node and watch over it.
    Run,
}

impl Task {
    const ALL: [Self; 5] = [Self::User, Self::Networks, Self::Init, Self::FindInit, Self::Run];

    /// The argument that asks for it, which `ps` shows.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::User => "user-namespace",
            Self::Networks => "network-namespaces",
            Self::Init => "init",
            Self::FindInit => "find-init",
            Self::Run => "run",
        }
    }

    fn run(self, channel: &mut Channel) -> Result<(), Failure> {
        match self {
            Self::User => namespace::create(channel),
            Self::Networks => namespace::create_networks(channel),
            Self::Init => init::start(channel),
            Self::FindInit => init::find(channel),
            Self::Run => fork_server::serve(channel),
        }
    }
}

/// Does a helper's work and exits, if this process is one; returns at once otherwise. Must be the
/// first call in `main`, before any thread is started.
pub fn dispatch() {
    let mut args = std::env::args_os();
    if args.next().is_none_or(|name| name.as_bytes() != NAME.as_bytes()) {
        return;
    }
    // Started by a link, it would be called `exe` in lists of processes.
    rustix::thread::set_name(c"netlabd-sandbox").unwrap_or_default();
    let word = args.next().unwrap_or_default();
    let task = Task::ALL.into_iter().find(|task| word.as_bytes() == task.name().as_bytes());
    let code = match task.ok_or(Errno::INVAL).and_then(|task| Ok((task, become_helper(task)?))) {
        Ok((task, mut channel)) => {
            let result = task.run(&mut channel);
            finish(&channel, result)
        }
        Err(errno) => {
            eprintln!("{NAME}: this is a part of netlabd, not a command to run by hand: {errno}");
            2
        }
    };
    std::process::exit(code);
}

/// Reports a failure, and answers the exit code.
pub(super) fn finish(channel: &Channel, done: Result<(), Failure>) -> i32 {
    match done {
        Ok(()) => 0,
        Err((step, errno)) => {
            // Fails only when the daemon is gone, and then nobody wants to know.
            channel.report(Report::Failed(step, errno), &[]).ok();
            1
        }
    }
}

/// Shuts this process off: no lab process can read its memory or descriptors, and it holds nothing but
/// the channel and the log. All but the one that outlives the thread which started it, since commands run under it,
/// die with that thread.
fn become_helper(task: Task) -> Result<Channel, Errno> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    if task != Task::Run {
        set_parent_process_death_signal(Some(Signal::KILL))?;
    }
    close_range(3, 0)?;
    // A copy that commands cannot inherit, in place of descriptor 0.
    let channel = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    let null = std::fs::File::open("/dev/null").map_err(|_| Errno::NOENT)?;
    rustix::stdio::dup2_stdin(&null)?;
    Ok(Channel::from_fd(channel))
}

/// Closes every descriptor from `first` on, at once or (`CLOSE_RANGE_CLOEXEC`) at exec
/// (`close_range(2)`, Linux 5.11).
#[allow(unsafe_code, reason = "no safe wrapper exists")]
pub(super) fn close_range(first: u32, flags: libc::c_uint) -> Result<(), Errno> {
    // SAFETY: takes no pointers. Closing at once happens only before this process owns a descriptor.
    match unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, flags) } {
        0 => Ok(()),
        _ => Err(last_errno()),
    }
}

/// `fork(2)`: the child's id in the parent, `None` in the child.
#[allow(unsafe_code, reason = "no safe wrapper exists")]
pub(super) fn fork() -> Result<Option<Pid>, Errno> {
    // SAFETY: a helper has one thread, so the child may go on as if nothing happened.
    match unsafe { libc::fork() } {
        -1 => Err(last_errno()),
        pid => Ok(Pid::from_raw(pid)),
    }
}

/// Who reaps the children of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reaping {
    /// The kernel: a parent that ignores SIGCHLD has no zombies (`wait(2)`).
    ByTheKernel,
    /// This process, which wants to know how they ended.
    ByItself,
}

/// Chooses who reaps the children. A forked process goes on with its parent's choice.
#[allow(unsafe_code, reason = "no safe wrapper exists")]
pub(super) fn reap_children(reaping: Reaping) {
    let disposition = match reaping {
        Reaping::ByTheKernel => libc::SIG_IGN,
        Reaping::ByItself => libc::SIG_DFL,
    };
    // SAFETY: no handler is installed, only the disposition changes.
    unsafe { libc::signal(libc::SIGCHLD, disposition) };
}

/// Gives every signal its default action. One that is ignored stays so in all that is started, and a daemon
/// that a script has started in the background ignores Ctrl-C (POSIX shell, 2.11).
#[allow(unsafe_code, reason = "no safe wrapper exists")]
pub(super) fn default_signals() {
    for number in 1..=libc::SIGRTMAX() {
        // SAFETY: no handler is installed. SIGKILL, SIGSTOP and those of the C library are refused, as they should be.
        unsafe { libc::signal(number, libc::SIG_DFL) };
    }
}

/// The errno of the libc call that just failed.
pub(super) fn last_errno() -> Errno {
    errno(std::io::Error::last_os_error())
}

/// Reports that a stage is done.
pub(super) fn done(channel: &Channel, value: i32, fds: &[BorrowedFd<'_>]) -> Result<(), Failure> {
    channel.report(Report::Done(value), fds).at(Step::Talk)
}

/// Waits for a packet of the daemon with at least `N` descriptors.
pub(super) fn request<const N: usize>(channel: &Channel) -> Result<(Vec<u8>, [OwnedFd; N]), Failure> {
    let Packet { bytes, fds } = channel.receive().and_then(|got| got.ok_or(Errno::PIPE)).at(Step::Talk)?;
    Ok((bytes, fds.try_into().map_err(|_| (Step::Talk, Errno::INVAL))?))
}
