//! `NodeService.Exec`: one command and its streams.
//!
//! Nothing is gathered: what the client does not take stays in the pipe, where the command waits.

use std::{sync::Arc, time::Duration};

use netlab_proto::v1 as proto;
use proto::{exec_request::Message as In, exec_response::Message as Out};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::unix::pipe,
    sync::mpsc,
};
use tonic::{Code, Status, Streaming};

use super::status;
use crate::sandbox::{Child, Command, Exit, Streams, Terminal, WindowSize};

/// Most bytes of one message.
const CHUNK: usize = 32 << 10;
/// After the command has ended, how long its children may keep its output open.
const LINGER: Duration = Duration::from_millis(200);
/// Most arguments, and most bytes of arguments and environment together (`execve(2)` allows 2 MiB).
const MAX_ARGS: (usize, usize) = (10_000, 1 << 20);

type Sender = mpsc::Sender<Result<proto::ExecResponse, Status>>;

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
        resolv_conf: resolv_conf(),
    })
}

fn window(size: proto::WindowSize) -> WindowSize {
    let count = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
    WindowSize { rows: count(size.rows), columns: count(size.columns) }
}

/// The host's resolvers that a node may reach: one on the host's loopback is out of reach.
fn resolv_conf() -> String {
    let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let reachable = |line: &&str| !line.contains("127.0.0.") && !line.contains("::1");
    text.lines().filter(reachable).flat_map(|line| [line, "\n"]).collect()
}

/// Serves a command until it has ended or the client is gone; then what is left of it is ended.
pub(super) async fn serve(child: Child, input: Streaming<proto::ExecRequest>, sender: Sender) {
    // Whoever is not there any more needs no answer.
    if let Err(status) = run(child, input, &sender).await {
        let _ = sender.send(Err(status)).await;
    }
}

fn broken(error: impl std::fmt::Display) -> Status {
    status::status(Code::Internal, "KERNEL_REFUSED", error)
}

async fn run(mut child: Child, input: Streaming<proto::ExecRequest>, sender: &Sender) -> Result<(), Status> {
    let started = proto::ExecStarted { pid: child.pid() };
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
    let feeding = tokio::spawn(feed(input, stdin, terminal, control));
    let exit = loop {
        tokio::select! {
            exit = child.wait() => break exit.map_err(broken)?,
            () = sender.closed() => {
                feeding.abort();
                return Ok(());
            }
            Some(message) = controls.recv() => match message {
                Control::Signal(number) => child.signal(number).map_err(broken)?,
                Control::Resize(size) => child.resize(size).map_err(broken)?,
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

async fn answer(sender: &Sender, message: Out) -> Result<(), Status> {
    let sent = sender.send(Ok(proto::ExecResponse { message: Some(message) })).await;
    sent.map_err(|_| Status::cancelled("the client is gone"))
}

async fn copy(mut from: pipe::Receiver, sender: Sender, wrap: fn(Vec<u8>) -> Out) {
    let mut buffer = vec![0; CHUNK];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if answer(&sender, wrap(buffer[..length].to_vec())).await.is_err() {
            return;
        }
    }
}

async fn copy_terminal(from: Arc<Terminal>, sender: Sender) {
    let mut buffer = vec![0; CHUNK];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if answer(&sender, Out::Stdout(buffer[..length].to_vec())).await.is_err() {
            return;
        }
    }
}

/// What the client wants of the command besides input.
enum Control {
    Signal(i32),
    Resize(WindowSize),
    Gone,
}

/// Takes the client's messages, input as fast as the command reads it.
async fn feed(
    mut input: Streaming<proto::ExecRequest>,
    mut stdin: Option<pipe::Sender>,
    terminal: Option<Arc<Terminal>>,
    control: mpsc::Sender<Control>,
) {
    loop {
        let message = match input.message().await {
            Ok(Some(message)) => message.message,
            // The client has said all it has to say; its side of the stream is closed.
            Ok(None) => return,
            Err(_) => {
                let _ = control.send(Control::Gone).await;
                return;
            }
        };
        let sent = match message {
            Some(In::Stdin(bytes)) => {
                // A command that reads no more is no error of the stream.
                match (&mut stdin, &terminal) {
                    (_, Some(terminal)) => drop(terminal.write(&bytes).await),
                    (Some(pipe), None) => drop(pipe.write_all(&bytes).await),
                    (None, None) => {}
                }
                Ok(())
            }
            Some(In::StdinClosed(_)) => {
                stdin = None;
                if let Some(terminal) = &terminal {
                    // Ctrl-D, the end of file of a terminal in canonical mode.
                    drop(terminal.write(&[4]).await);
                }
                Ok(())
            }
            Some(In::Signal(number)) => control.send(Control::Signal(number)).await,
            Some(In::WindowSize(size)) => control.send(Control::Resize(window(size))).await,
            Some(In::Start(_)) | None => Ok(()),
        };
        if sent.is_err() {
            return;
        }
    }
}
