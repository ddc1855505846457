//! A lab's init: the first process of the lab's process namespace.
//!
//! It holds nothing, may do nothing and does nothing but reap. When it ends, the kernel ends every
//! process of the namespace (`pid_namespaces(7)`), however these handle signals. It outlives the
//! daemon; the pinned namespace leads back to it.

use std::{
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    path::Path,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{
        Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal,
        set_parent_process_death_signal, waitid,
    },
    thread::{LinkNameSpaceType, Uid, UnshareFlags},
};

use super::{
    cgroup::Cgroup,
    channel::Channel,
    confine,
    error::{Error, Result, Step},
    helper::Helper,
    namespace::{UserNamespace, enter, open_own, unshare},
    owner::as_owner,
    pin, seccomp,
    task::{At, Reaping, Task, TaskError, close_range, done, finish, fork, reap_children, request},
};

/// A lab's init and its process namespace.
#[derive(Debug)]
pub struct LabInit {
    namespace: OwnedFd,
    process: OwnedFd,
}

impl LabInit {
    /// The init whose process namespace is pinned at `path`, or a new one pinned there. Blocks for
    /// about 3 ms. One caller at a time per path.
    pub fn ensure(path: &Path, user: &UserNamespace, cgroup: Option<&Cgroup>) -> Result<Self> {
        if let Some(found) = Self::open(path)? {
            return Ok(found);
        }
        // What is there is a dead namespace or half a pin.
        pin::unpin(path)?;
        let mut helper = Helper::start(Task::Init)?;
        let procs = cgroup.map(Cgroup::procs).transpose()?;
        let fds: Vec<_> = std::iter::once(user.as_fd()).chain(procs.as_ref().map(AsFd::as_fd)).collect();
        helper.send(b"start", &fds)?;
        // From the helper and from init itself, in any order.
        let mut fds = helper.done()?.1;
        fds.extend(helper.done()?.1);
        let [namespace, process] = <[OwnedFd; 2]>::try_from(fds)
            .map_err(|_| Error::HelperEnded("sent no process namespace".into()))?;
        // Init waits for the last word, and ends without it: a crash here leaves no stray process.
        pin::pin(namespace.as_fd(), path)?;
        helper.send(b"stay", &[])?;
        helper.done()?;
        Ok(Self { namespace, process })
    }

    /// The init of the process namespace pinned at `path`; `None` where none runs.
    pub fn open(path: &Path) -> Result<Option<Self>> {
        let Some(namespace) = pin::open_pin(path)? else { return Ok(None) };
        let mut helper = Helper::start(Task::FindInit)?;
        helper.send(b"find", &[namespace.as_fd()])?;
        match helper.done() {
            Ok((_, fds)) => {
                helper.finish()?;
                Ok(fds.into_iter().next().map(|process| Self { namespace, process }))
            }
            // Nothing can be started in a namespace whose init has ended.
            Err(Error::Step { errno: Errno::NOMEM | Errno::SRCH | Errno::INVAL, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The process namespace.
    pub fn namespace(&self) -> BorrowedFd<'_> {
        self.namespace.as_fd()
    }

    /// Whether it still runs.
    pub fn runs(&self) -> bool {
        matches!(wait_end(self.process.as_fd(), Duration::ZERO), Ok(false))
    }

    /// The lab's root, as the host numbers it; `None` where init has ended.
    fn root(&self) -> Option<Uid> {
        let field = |text: &str, name: &str, nth: usize| -> Option<u32> {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().nth(nth)?.parse().ok()
        };
        let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", self.process.as_raw_fd())).ok()?;
        let status = std::fs::read_to_string(format!("/proc/{}/status", field(&info, "Pid:", 0)?)).ok()?;
        // The number may be another process's by now: then this one has ended.
        let root = field(&status, "Uid:", 1).map(Uid::from_raw);
        root.filter(|_| self.runs())
    }

    /// Ends every process of the lab and waits until they are gone, for `limit` at most. What ignores
    /// SIGTERM gets no choice: this is SIGKILL by the kernel's own hand.
    pub fn end(&self, limit: Duration) -> Result<()> {
        let failed = |errno| Step::EndInit.errno(errno);
        // It runs as the lab's root, and netlabd may not signal whom it likes.
        let kill = || pidfd_send_signal(&self.process, Signal::KILL);
        match self.root().map(|root| as_owner(root, kill)) {
            // It has ended.
            None | Some(Ok(()) | Err(Errno::SRCH)) => {}
            Some(Err(Errno::AGAIN)) => return Err(Step::StartHelper.errno(Errno::AGAIN)),
            Some(Err(errno)) => return Err(failed(errno)),
        }
        if !wait_end(self.process.as_fd(), limit).map_err(failed)? {
            return Err(failed(Errno::TIMEDOUT));
        }
        // Where the daemon is the system's init (a container), the orphan has become its child.
        waitid(WaitId::PidFd(self.process.as_fd()), WaitIdOptions::EXITED | WaitIdOptions::NOHANG).ok();
        Ok(())
    }
}

/// Ends every process of a lab whose init is pinned at `path`, for `limit` at most, and removes the
/// pin and the cgroup. With nothing there, nothing happens.
pub fn end_all(path: &Path, cgroup: Option<&Cgroup>, limit: Duration) -> Result<()> {
    if let Some(cgroup) = cgroup {
        cgroup.kill();
    }
    if let Some(init) = LabInit::open(path)? {
        init.end(limit)?;
    }
    pin::unpin(path)?;
    cgroup.map_or(Ok(()), |cgroup| cgroup.remove(limit))
}

/// Waits until a process has ended, and for the init of a namespace this means all of them.
pub(super) fn wait_end(process: BorrowedFd<'_>, limit: Duration) -> Result<bool, Errno> {
    let deadline = Instant::now() + limit;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(|_| Errno::INVAL)?;
        match poll(&mut [PollFd::from_borrowed_fd(process, PollFlags::IN)], Some(&left)) {
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Helper's task: fork the init of a new process namespace and hand out both.
pub(super) fn start(channel: &Channel) -> Result<(), TaskError> {
    let packet = channel.receive().and_then(|packet| packet.ok_or(Errno::PIPE)).at(Step::Talk)?;
    let mut fds = packet.fds.into_iter();
    let (Some(user), procs) = (fds.next(), fds.next()) else { return Err((Step::Talk, Errno::INVAL)) };
    unshare(UnshareFlags::NEWPID).at(Step::ProcessNamespace)?;
    let Some(child) = fork().at(Step::Fork)? else {
        let code = finish(channel, be_init(channel, &user, procs.as_ref()));
        std::process::exit(code);
    };
    let process = pidfd_open(child, PidfdFlags::empty()).at(Step::FindInit)?;
    let namespace = open_own("pid_for_children")?;
    done(channel, 0, &[namespace.as_fd(), process.as_fd()])
}

/// What the init does, until it is killed.
fn be_init(channel: &Channel, user: &OwnedFd, procs: Option<&OwnedFd>) -> Result<(), TaskError> {
    if let Some(procs) = procs {
        rustix::io::write(procs, b"0").at(Step::JoinCgroup)?;
    }
    rustix::process::setsid().at(Step::Session)?;
    rustix::process::chdir("/").at(Step::WorkingDirectory)?;
    enter(user, LinkNameSpaceType::User).at(Step::EnterUserNamespace)?;
    // So that nothing in the lab's process namespace leads to the host's network.
    unshare(UnshareFlags::NEWNET | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS).at(Step::Unshare)?;
    confine::become_lab_root()?;
    set_parent_process_death_signal(None).at(Step::Identity)?;
    confine::drop_all_capabilities()?;
    seccomp::install()?;
    reap_children(Reaping::ByTheKernel);
    let term = hold_sigterm();
    done(channel, 0, &[])?;
    request::<0>(channel)?;
    done(channel, 0, &[])?;
    let null = std::fs::File::open("/dev/null").at(Step::Streams)?;
    rustix::stdio::dup2_stderr(&null).at(Step::Streams)?;
    close_all();
    await_shutdown(&term);
    // The kernel kills what is left in the namespace.
    std::process::exit(0);
}

/// Closes every descriptor but the three standard ones. The caller must not return.
fn close_all() {
    // Marked close-on-exec they would stay open. Fails on no kernel that came this far.
    close_range(3, 0).ok();
}

/// Blocks SIGTERM, so that it is kept for [`await_shutdown`]: to the first process of a namespace it would mean
/// nothing (`pid_namespaces(7)`), and a shutdown of the host would wait a minute and a half for it.
#[expect(unsafe_code, reason = "no safe wrapper exists")]
fn hold_sigterm() -> libc::sigset_t {
    // SAFETY: plain data, which sigemptyset(3) fills; no handler is installed.
    unsafe {
        let mut term = std::mem::zeroed();
        libc::sigemptyset(&raw mut term);
        libc::sigaddset(&raw mut term, libc::SIGTERM);
        libc::sigprocmask(libc::SIG_BLOCK, &raw const term, std::ptr::null_mut());
        term
    }
}

/// Sleeps until the host's own SIGTERM comes. The lab's root sends it in vain: within the namespace the sender
/// has a number, and `SI_USER` cannot be forged (`rt_sigqueueinfo(2)`).
#[expect(unsafe_code, reason = "no safe wrapper exists")]
fn await_shutdown(term: &libc::sigset_t) {
    loop {
        // SAFETY: both are plain data of ours; the sender is there for a signal that kill(2) sent.
        let outside = unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            libc::sigwaitinfo(term, &raw mut info) == libc::SIGTERM
                && info.si_code == libc::SI_USER
                && info.si_pid() == 0
        };
        if outside {
            return;
        }
    }
}

/// Helper's task: find the first process of the namespace it is given. Its number is 1 only within,
/// so a child goes inside and asks.
pub(super) fn find(channel: &Channel) -> Result<(), TaskError> {
    let (_, [namespace]) = request(channel)?;
    enter(&namespace, LinkNameSpaceType::ProcessID).at(Step::EnterProcessNamespace)?;
    // The child's id must not lead the lab's processes to the host's network; see `monitor::run`.
    unshare(UnshareFlags::NEWNET).at(Step::NetworkNamespace)?;
    let Some(child) = fork().at(Step::Fork)? else {
        let found = pidfd_open(Pid::INIT, PidfdFlags::empty())
            .at(Step::FindInit)
            .and_then(|process| done(channel, 0, &[process.as_fd()]));
        std::process::exit(finish(channel, found));
    };
    waitid(WaitId::Pid(child), WaitIdOptions::EXITED).at(Step::Wait)?;
    Ok(())
}
