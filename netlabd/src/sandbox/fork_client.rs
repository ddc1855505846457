//! How the daemon has helpers forked: by the [`fork_server`](super::fork_server), which is there already.

use std::{
    os::{fd::AsFd, unix::ffi::OsStrExt},
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use prost::Message;

use super::{
    channel::Channel,
    error::{Error, Result, Step},
    helper::{Helper, SILENCE},
    task::Task,
};

/// Longest silence of the server, which only has to fork. One that hangs or was stopped is replaced then.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the server may take to end by itself.
const END: Duration = Duration::from_secs(2);

/// Begins each request for a command.
pub(super) const WORD: &[u8] = b"fork";
/// Begins a request for another task, whose name follows.
pub(super) const MAKE: &[u8] = b"make ";

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

/// Ends the server and its forker, so that nothing of netlabd is left when netlabd has ended; commands that run go on.
pub fn end_preparations() {
    if let Some(server) = SERVER.lock().unwrap_or_else(PoisonError::into_inner).take() {
        server.end(END);
    }
}

fn start() -> Result<Helper> {
    let mut server = Helper::start(Task::Run)?;
    server.limit_wait(PATIENCE)?;
    Ok(server)
}

/// Forks a helper that runs one command, in a view without the mounts of pins, and with `/dev/net/tun` only for labs that
/// may open it; a server that has ended, or does not answer, is replaced.
pub(super) fn fork_helper(pins: &[&Path], tun: bool) -> Result<Helper> {
    let view =
        ViewSpec { hidden: pins.iter().map(|path| path.as_os_str().as_bytes().to_vec()).collect(), tun };
    // Never empty, which would be the end of the channel.
    fork_for(&[WORD, &view.encode_to_vec()].concat())
}

/// Forks a helper that makes namespaces, by such a server.
pub(super) fn fork_maker(task: Task) -> Result<Helper> {
    fork_for(&[MAKE, task.name().as_bytes()].concat())
}

fn fork_for(wanted: &[u8]) -> Result<Helper> {
    let mut server = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(running) = server.as_mut() {
        match ask(running, wanted) {
            Err(Error::HelperEnded(_) | Error::Step { step: Step::Talk, .. }) => {}
            Err(Error::HelperTimeout(_)) => retire(server.take()),
            answer => return answer,
        }
    }
    ask(server.insert(start()?), wanted)
}

/// Kills a server that does not answer. What it forks nevertheless finds its channel closed, and ends. One that hangs
/// in the kernel cannot be reaped yet, and nobody shall wait for it.
fn retire(server: Option<Helper>) {
    tracing::warn!("the process that starts commands in nodes does not answer; another one takes its place");
    // Without a thread, it is waited for here.
    std::thread::Builder::new().name("retire".into()).spawn(move || drop(server)).ok();
}

fn ask(server: &mut Helper, wanted: &[u8]) -> Result<Helper> {
    let start = |errno| Step::StartHelper.errno(errno);
    let (channel, theirs) = Channel::pair().map_err(start)?;
    channel.limit_wait(SILENCE).map_err(start)?;
    server.send(wanted, &[theirs.as_fd()])?;
    let (process, _) = server.done()?;
    Ok(Helper::forked(channel, process.unsigned_abs()))
}

/// What a command is to see of the host.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ViewSpec {
    /// Mount points that it does without.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub(super) hidden: Vec<Vec<u8>>,
    /// Whether it has `/dev/net/tun`.
    #[prost(bool, tag = "2")]
    pub(super) tun: bool,
}
