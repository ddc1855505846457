//! Helpers for commands, forked by a small process that is there already: to start a program as large as the
//! daemon takes longer than all the rest of a command's start.
//!
//! The server is a helper itself. It is started with the daemon, knows nothing of any command, and ends with the
//! daemon. For each command it is sent one end of a new channel, and forks a helper that listens there.

use std::{
    os::fd::AsFd,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::{
    channel::{Channel, Report},
    error::{Error, Result, Step},
    helper::{Helper, SILENCE},
    monitor,
    task::{Failure, Reaping, Task, done, fork, reap_children, request},
};

/// Longest silence of the server, which only has to fork. One that hangs or was stopped is replaced then.
const PATIENCE: Duration = Duration::from_secs(10);

static SERVER: Mutex<Option<Helper>> = Mutex::new(None);

/// Starts the server, so that the first command need not wait for it.
///
/// # Errors
/// When the process cannot be started; the first command then tries again.
pub fn prepare_commands() -> Result<()> {
    let mut server = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
    if server.is_none() {
        *server = Some(start()?);
    }
    Ok(())
}

/// Ends the server, so that nothing of netlabd is left when netlabd has ended; commands that run go on.
pub fn end_preparations() {
    SERVER.lock().unwrap_or_else(PoisonError::into_inner).take();
}

fn start() -> Result<Helper> {
    let mut server = Helper::start(Task::Run)?;
    server.limit_wait(PATIENCE)?;
    Ok(server)
}

/// Forks a helper that runs one command; a server that has ended, or does not answer, is replaced.
pub(super) fn fork_helper() -> Result<Helper> {
    let mut server = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(running) = server.as_mut() {
        match ask(running) {
            Err(Error::HelperEnded(_) | Error::Step { step: Step::Talk, .. }) => {}
            Err(Error::HelperTimeout(_)) => retire(server.take()),
            answer => return answer,
        }
    }
    ask(server.insert(start()?))
}

/// Kills a server that does not answer. What it forks nevertheless finds its channel closed, and ends. One that hangs
/// in the kernel cannot be reaped yet, and nobody shall wait for it.
fn retire(server: Option<Helper>) {
    tracing::warn!("the process that starts commands in nodes does not answer; another one takes its place");
    // Without a thread, it is waited for here.
    std::thread::Builder::new().name("retire".into()).spawn(move || drop(server)).ok();
}

fn ask(server: &mut Helper) -> Result<Helper> {
    let start = |errno| Step::StartHelper.errno(errno);
    let (channel, theirs) = Channel::pair().map_err(start)?;
    channel.limit_wait(SILENCE).map_err(start)?;
    server.send(b"fork", &[theirs.as_fd()])?;
    let (process, _) = server.done()?;
    Ok(Helper::forked(channel, process.unsigned_abs()))
}

/// Helper's task: fork helpers until the daemon has gone. In a forked one, runs a command and watches over it; its
/// channel takes the place of the server's.
pub(super) fn serve(channel: &mut Channel) -> Result<(), Failure> {
    reap_children(Reaping::ByTheKernel);
    while let Ok((_, [theirs])) = request::<1>(channel) {
        match fork() {
            Ok(None) => {
                reap_children(Reaping::ByItself);
                *channel = Channel::from_fd(theirs);
                return monitor::run(channel);
            }
            Ok(Some(child)) => done(channel, child.as_raw_nonzero().get(), &[])?,
            // Too many processes now may be fewer later.
            Err(errno) => channel.report(Report::Failed(Step::Fork, errno), &[]).unwrap_or_default(),
        }
    }
    Ok(())
}
