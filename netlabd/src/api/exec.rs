//! `NodeService.Exec`: one command and its streams.
//!
//! Nothing is gathered: what the client does not take stays in the pipe, where the command waits.

use std::{io, sync::Arc, time::Duration};

use netlab_proto::v1 as proto;
use proto::exec_response::Message as Out;
use tokio::{net::unix::pipe, sync::mpsc};
use tonic::{Status, Streaming};

use super::{
    exec_input::{AHEAD, Control, Input, feed, window},
    exec_output::{Sender, answer, copy, copy_terminal},
    resolv_conf, status,
};
use crate::{
    platform::errno_of,
    sandbox::{self, Child, Command, Exit, Streams, Terminal},
};

/// After the command has ended, how long its children may keep its output open.
const LINGER: Duration = Duration::from_millis(200);
/// Most arguments, and most bytes of arguments and environment together (`execve(2)` allows 2 MiB).
const MAX_ARGS: (usize, usize) = (10_000, 1 << 20);

/// The command of a request. `node` names it, `hosts` is its `/etc/hosts`.
pub(super) fn command(start: proto::ExecStart, hosts: String) -> Result<Command, Status> {
    let nul = |text: &String| text.contains('\0');
    let bytes: usize = start.args.iter().map(String::len).sum::<usize>()
        + start.environment.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
    if start.args.len() > MAX_ARGS.0 || bytes > MAX_ARGS.1 {
        return Err(status::invalid("start.args", "are too many or too long"));
    }
    let wrong_name = |name: &String| name.is_empty() || name.contains('=') || nul(name);
    if start.args.iter().any(nul) || start.environment.values().any(nul) || nul(&start.working_directory) {
        return Err(status::invalid("start", "may not hold NUL"));
    }
    if start.environment.keys().any(wrong_name) {
        return Err(status::invalid("start.environment", "has a name that no variable can have"));
    }
    let shell =
        || if std::path::Path::new("/bin/bash").exists() { "/bin/bash" } else { "/bin/sh" }.to_owned();
    let streams = match (&start.terminal, start.detach) {
        (Some(_), true) => return Err(status::invalid("start.detach", "goes with no terminal")),
        (None, true) => Streams::Detached,
        (Some(size), false) => Streams::Terminal(window(*size)),
        (None, false) => Streams::Pipes,
    };
    Ok(Command {
        args: if start.args.is_empty() { vec![shell()] } else { start.args },
        environment: start.environment,
        working_directory: start.working_directory,
        streams,
        hostname: start.node,
        hosts,
        resolv_conf: resolv_conf::of_node(),
    })
}

/// Serves a command until it has ended or the client is gone; then what is left of it is ended.
pub(super) async fn serve(child: Child, input: Streaming<proto::ExecRequest>, sender: Sender) {
    // Whoever is not there any more needs no answer.
    if let Err(status) = run(child, input, &sender).await {
        let _ = sender.send(Err(status)).await;
    }
}

#[allow(clippy::needless_pass_by_value, reason = "fits map_err")]
fn broken(error: io::Error) -> Status {
    status::by_kernel(&error, errno_of(&error))
}

#[allow(clippy::needless_pass_by_value, reason = "fits map_err")]
fn lost(error: sandbox::Error) -> Status {
    status::by_kernel(&error, error.errno().map(rustix::io::Errno::raw_os_error))
}

async fn run(mut child: Child, input: Streaming<proto::ExecRequest>, sender: &Sender) -> Result<(), Status> {
    let started = proto::ExecStarted { pid: child.pid(), stdin_allowed: AHEAD };
    answer(sender, Out::Started(started)).await?;
    let terminal = child.terminal.take().map(Terminal::new).transpose().map_err(broken)?.map(Arc::new);
    let mut outputs = tokio::task::JoinSet::new();
    if let Some(terminal) = &terminal {
        outputs.spawn(copy_terminal(terminal.clone(), sender.clone()));
    }
    for (fd, wrap) in [(child.stdout.take(), Out::Stdout as fn(_) -> _), (child.stderr.take(), Out::Stderr)] {
        if let Some(fd) = fd {
            let pipe = pipe::Receiver::from_owned_fd(fd).map_err(broken)?;
            outputs.spawn(copy(pipe, sender.clone(), wrap));
        }
    }
    let stdin = child.stdin.take().map(pipe::Sender::from_owned_fd).transpose().map_err(broken)?;
    let (control, mut controls) = mpsc::channel(4);
    let to = match (terminal, stdin) {
        (Some(terminal), _) => Input::Terminal(terminal),
        (None, Some(pipe)) => Input::Pipe(pipe),
        (None, None) => Input::Nowhere,
    };
    let feeding = tokio::spawn(feed(input, to, control, sender.clone()));
    let exit = loop {
        tokio::select! {
            exit = child.wait() => break exit.map_err(lost)?,
            () = sender.closed() => {
                feeding.abort();
                return Ok(());
            }
            Some(message) = controls.recv() => match message {
                Control::Signal(number) => child.signal(number).map_err(lost)?,
                Control::Resize(size) => child.resize(size).map_err(lost)?,
                // Dropping the child ends it.
                Control::Gone => return Ok(()),
            },
        }
    };
    feeding.abort();
    let drained = async { while outputs.join_next().await.is_some() {} };
    // Children of the command may hold its output open for as long as they like.
    let quiet = tokio::time::timeout(LINGER, drained).await.is_ok();
    if !quiet {
        outputs.shutdown().await;
    }
    let Exit { code, message } = exit;
    answer(sender, Out::Exited(proto::ExecExited { code, message })).await
}
