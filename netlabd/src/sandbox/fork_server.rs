//! Helpers for commands and namespaces, forked by a small process that is there already: to start a program as large
//! as the daemon takes longer than all the rest of a command's start, or than making a few namespaces.
//!
//! The server is a helper itself. It is started with the daemon, knows nothing of any command, and ends with the
//! daemon. For each command it is sent one end of a new channel. It hands that on to a child of its own, the forker, which
//! is in a [`view`] of the host's files for commands, and forks a helper that listens there. When the host mounts or
//! unmounts something, the forker ends and lets go of what the host no longer has; the next command gets another. Helpers
//! that make namespaces see the host's files as the daemon does: the server forks them itself.

use std::os::fd::{AsFd, OwnedFd};

use prost::Message;
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
    process::{
        Pid, Signal, WaitOptions, getpid, set_child_subreaper, set_parent_process_death_signal, waitpid,
    },
};

use super::{
    channel::{Channel, Report},
    devices,
    error::Step,
    fork_client::{MAKE, ViewSpec, WORD},
    monitor, seccomp,
    task::{At, Reaping, Task, TaskError, done, fork, reap_children, request},
    view::{self, Changes},
};

/// A child of the server that forks helpers.
struct Forker {
    process: Pid,
    requests: Channel,
    view: ViewSpec,
}

/// Helper's task: have helpers forked until the daemon has gone. In a forked one, runs a command and watches over it; its
/// channel takes the place of the server's. `make` does other tasks.
pub(super) fn serve(
    channel: &mut Channel,
    make: impl FnOnce(Task, &mut Channel) -> Result<(), TaskError>,
) -> Result<(), TaskError> {
    reap_children(Reaping::ByTheKernel);
    // Of helpers that outlive their forker too: the host's init may be one that does not reap.
    set_child_subreaper(Some(getpid())).at(Step::Prepare)?;
    seccomp::prepare()?;
    let changes = Changes::watch().at(Step::SeparateMounts)?;
    let mut forker: Option<Forker> = None;
    loop {
        if mounts_change(channel, &changes, forker.is_some())? {
            forker = None;
            continue;
        }
        let Ok((wanted, [theirs])) = request::<1>(channel) else {
            end(forker);
            return Ok(());
        };
        if let Some(task) = wanted.strip_prefix(MAKE) {
            let task = Task::named(task).ok_or((Step::Talk, Errno::BADMSG))?;
            if fork_helper(channel, theirs)? {
                drop((forker, changes));
                return make(task, channel);
            }
            continue;
        }
        let view = wanted.strip_prefix(WORD).and_then(|view| ViewSpec::decode(view).ok());
        let mut view = view.ok_or((Step::Talk, Errno::BADMSG))?;
        // It comes with its module, which the host may load at any time.
        view.tun &= devices::has_tun();
        if let Some(running) = forker.take().filter(|forker| forker.view == view)
            && running.requests.send(WORD, &[theirs.as_fd()]).is_ok()
        {
            forker = Some(running);
            continue;
        }
        changes.forget().at(Step::SeparateMounts)?;
        let (requests, end) = Channel::pair().at(Step::Talk)?;
        match fork() {
            Ok(None) => {
                drop((requests, changes, theirs));
                return fork_helpers(channel, Channel::from_fd(end), &view);
            }
            Ok(Some(process)) => {
                drop(end);
                forker = first_request(Forker { process, requests, view }, &theirs);
            }
            Err(errno) => cannot_fork(channel, errno),
        }
    }
}

/// Waits for the daemon; answers whether the mounts of the host have changed before, for who has a forker.
fn mounts_change(channel: &Channel, changes: &Changes, has_forker: bool) -> Result<bool, TaskError> {
    let mut fds = vec![PollFd::from_borrowed_fd(channel.as_fd(), PollFlags::IN)];
    fds.extend(has_forker.then(|| changes.source()));
    rustix::io::retry_on_intr(|| poll(&mut fds, None)).at(Step::Talk)?;
    Ok(fds.get(1).is_some_and(|changes| !changes.revents().is_empty()))
}

/// Waits until a forker is ready, and sends it its first request. One that fails has told the daemon why.
fn first_request(forker: Forker, theirs: &OwnedFd) -> Option<Forker> {
    forker.requests.receive().ok().flatten()?;
    forker.requests.send(WORD, &[theirs.as_fd()]).ok()?;
    Some(forker)
}

/// The daemon has gone: the forker goes first, so that it does not outlive the server.
fn end(forker: Option<Forker>) {
    let Some(Forker { process, requests, .. }) = forker else { return };
    drop(requests);
    // ECHILD: it has ended, and the kernel has reaped it.
    waitpid(Some(process), WaitOptions::empty()).map(drop).unwrap_or_default();
}

/// Forks helpers, in a view of the host's files of its own, until the server has enough of it. Answers the daemon
/// itself.
fn fork_helpers(channel: &mut Channel, requests: Channel, view: &ViewSpec) -> Result<(), TaskError> {
    set_parent_process_death_signal(Some(Signal::KILL)).at(Step::Prepare)?;
    view::separate(view.hidden.iter().map(Vec::as_slice), view.tun)?;
    done(&requests, 0, &[])?;
    while let Ok((_, [theirs])) = request::<1>(&requests) {
        if fork_helper(channel, theirs)? {
            drop(requests);
            return monitor::run(channel);
        }
    }
    Ok(())
}

/// Forks a helper and tells the daemon of it, or why there is none: too many processes now may be fewer later. Answers
/// whether this is the helper; its channel is the one that it was given.
fn fork_helper(channel: &mut Channel, theirs: OwnedFd) -> Result<bool, TaskError> {
    match fork() {
        Ok(None) => {
            reap_children(Reaping::ByItself);
            *channel = Channel::from_fd(theirs);
            return Ok(true);
        }
        Ok(Some(child)) => done(channel, child.as_raw_nonzero().get(), &[])?,
        Err(errno) => cannot_fork(channel, errno),
    }
    Ok(false)
}

fn cannot_fork(channel: &Channel, errno: Errno) {
    channel.report(Report::Failed(Step::Fork, errno), &[]).unwrap_or_default();
}
