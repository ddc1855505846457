//! What helpers can be asked to do, and what their tasks share: the failure they report, the channel's
//! two turns, and system calls that are safe in a process with one thread only.

use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::{io::Errno, process::Pid};

use super::{
    channel::{Channel, Packet, Report},
    error::{Step, errno},
};

/// `argv[0]` of a helper.
pub(super) const NAME: &str = "netlabd-sandbox";

/// Why a task failed.
pub(super) type TaskError = (Step, Errno);

/// Lets `?` name the step that failed.
pub(super) trait At<T> {
    fn at(self, step: Step) -> Result<T, TaskError>;
}

impl<T> At<T> for Result<T, Errno> {
    fn at(self, step: Step) -> Result<T, TaskError> {
        self.map_err(|errno| (step, errno))
    }
}

impl<T> At<T> for std::io::Result<T> {
    fn at(self, step: Step) -> Result<T, TaskError> {
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

    /// The task of a name.
    pub(super) fn named(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|task| task.name().as_bytes() == name)
    }

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
}

/// Reports a failure, and answers the exit code.
pub(super) fn finish(channel: &Channel, done: Result<(), TaskError>) -> i32 {
    match done {
        Ok(()) => 0,
        Err((step, errno)) => {
            // Fails only when the daemon is gone, and then nobody wants to know.
            channel.report(Report::Failed(step, errno), &[]).ok();
            1
        }
    }
}

/// Closes every descriptor from `first` on, at once or (`CLOSE_RANGE_CLOEXEC`) at exec
/// (`close_range(2)`, Linux 5.11).
#[expect(unsafe_code, reason = "no safe wrapper exists")]
pub(super) fn close_range(first: u32, flags: libc::c_uint) -> Result<(), Errno> {
    // SAFETY: takes no pointers. Closing at once happens only before this process owns a descriptor.
    match unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, flags) } {
        0 => Ok(()),
        _ => Err(last_errno()),
    }
}

/// `fork(2)`: the child's id in the parent, `None` in the child.
#[expect(unsafe_code, reason = "no safe wrapper exists")]
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
#[expect(unsafe_code, reason = "no safe wrapper exists")]
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
#[expect(unsafe_code, reason = "no safe wrapper exists")]
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
pub(super) fn done(channel: &Channel, value: i32, fds: &[BorrowedFd<'_>]) -> Result<(), TaskError> {
    channel.report(Report::Done(value), fds).at(Step::Talk)
}

/// Waits for a packet of the daemon with at least `N` descriptors.
pub(super) fn request<const N: usize>(channel: &Channel) -> Result<(Vec<u8>, [OwnedFd; N]), TaskError> {
    let Packet { bytes, fds } = channel.receive().and_then(|got| got.ok_or(Errno::PIPE)).at(Step::Talk)?;
    Ok((bytes, fds.try_into().map_err(|_| (Step::Talk, Errno::INVAL))?))
}
