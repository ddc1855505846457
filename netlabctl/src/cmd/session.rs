//! A session with a command in a node: its streams, its signals, and how it ends.

use std::{
    convert::Infallible,
    io::{self, Read as _},
    thread,
};

use netlab_proto::v1::{
    ExecExited, ExecRequest, ExecResponse, ExecStart, exec_request::Message as Request,
    exec_response::Message as Response,
};
use tokio::{
    io::AsyncWriteExt as _,
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc::{self, Sender},
};
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};
use tonic::Streaming;

use super::{
    DONE,
    terminal::{Raw, size},
};
use crate::{
    client::Client,
    error::{EXEC_FAILED, Failure},
    hint, output,
};

/// Bytes of standard input that are sent in one message.
const CHUNK: usize = 32 << 10;

/// The exit code for a failure of netlabctl's own: below 125 the codes are the command's.
pub(crate) fn own_failure(code: u8) -> u8 {
    code.max(EXEC_FAILED)
}

/// One command in one node, with its streams and signals, until it has ended; its exit code.
pub(super) async fn session(client: &Client, start: ExecStart, with_stdin: bool) -> Result<u8, Failure> {
    let (lab, node) = (start.lab.clone(), start.node.clone());
    let (tty, detach) = (start.terminal.is_some(), start.detach);
    // Signals have a way of their own: they must pass where nobody reads the standard input.
    let (control, controls) = mpsc::channel(16);
    let (stdin, input) = mpsc::channel(4);
    let mut signals = Signals::listen()?;
    let first = tokio_stream::once(request(Request::Start(start)));
    let requests = first.chain(ReceiverStream::new(controls).merge(ReceiverStream::new(input)));
    let answers = match client.nodes().exec(requests).await {
        Ok(answer) => answer.into_inner(),
        Err(status) => return Err(hint::explain(client, status, &lab, &[&node]).await),
    };
    let raw = if tty { Raw::enter()? } else { None };
    let (room, allowed) = std::sync::mpsc::channel();
    if with_stdin {
        thread::spawn(move || feed(&stdin, &allowed));
    } else {
        let _ = stdin.try_send(request(Request::StdinClosed(true)));
    }
    let ended = tokio::select! {
        ended = follow(answers, detach, &room) => ended,
        never = signals.forward(&control, tty) => match never {},
    };
    drop(raw);
    match ended? {
        End::Detached(pid) => output::line(&pid.to_string()).map(|()| DONE),
        End::Exited(ExecExited { code, message }) => {
            let code = u8::try_from(code & 0xff).unwrap_or(EXEC_FAILED);
            if message.is_empty() { Ok(code) } else { Err(Failure::new(code, message)) }
        }
        End::Refused(status) => Err(hint::explain(client, status, &lab, &[&node]).await),
    }
}

/// How a session ended.
enum End {
    Detached(u32),
    Exited(ExecExited),
    Refused(tonic::Status),
}

/// Writes what the command writes, until it ends. Tells `room` how many bytes of input may have been sent.
async fn follow(
    mut answers: Streaming<ExecResponse>,
    detach: bool,
    room: &std::sync::mpsc::Sender<u64>,
) -> Result<End, Failure> {
    let (mut stdout, mut stderr) = (tokio::io::stdout(), tokio::io::stderr());
    loop {
        let answer = match answers.message().await {
            Ok(Some(answer)) => answer,
            Ok(None) => {
                return Err(Failure::new(EXEC_FAILED, "the answer ended before the command did; try again"));
            }
            Err(status) => return Ok(End::Refused(status)),
        };
        match answer.message {
            Some(Response::Started(started)) if detach => return Ok(End::Detached(started.pid)),
            Some(Response::Stdout(bytes)) => {
                stdout.write_all(&bytes).await?;
                stdout.flush().await?;
            }
            Some(Response::Stderr(bytes)) => {
                stderr.write_all(&bytes).await?;
                stderr.flush().await?;
            }
            Some(Response::Exited(exited)) => return Ok(End::Exited(exited)),
            // Nobody asks where no input is sent, or all of it has been.
            Some(Response::Started(started)) => {
                let _ = room.send(if started.stdin_allowed == 0 { u64::MAX } else { started.stdin_allowed });
            }
            Some(Response::StdinAllowed(bytes)) => {
                let _ = room.send(bytes);
            }
            None => {}
        }
    }
}

/// Sends the standard input, as fast as it is read at the other end and never more than is allowed: what
/// lies unread in the stream holds up signals.
fn feed(sender: &Sender<ExecRequest>, room: &std::sync::mpsc::Receiver<u64>) {
    let (mut sent, mut allowed) = (0, 0);
    let mut stdin = io::stdin().lock();
    let mut buffer = vec![0; CHUNK];
    loop {
        match stdin.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => {
                sent += read as u64;
                while sent > allowed {
                    let Ok(more) = room.recv() else { return };
                    allowed = more;
                }
                if sender.blocking_send(request(Request::Stdin(buffer[..read].to_vec()))).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    let _ = sender.blocking_send(request(Request::StdinClosed(true)));
}

fn request(message: Request) -> ExecRequest {
    ExecRequest { message: Some(message) }
}

/// The signals that are passed on. Their default actions are off, so that the command decides.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    quit: Signal,
    window: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            quit: signal(SignalKind::quit())?,
            window: signal(SignalKind::window_change())?,
        })
    }

    /// Passes signals on for as long as it is polled.
    async fn forward(&mut self, control: &Sender<ExecRequest>, tty: bool) -> Infallible {
        loop {
            let kind = tokio::select! {
                _ = self.interrupt.recv() => SignalKind::interrupt(),
                _ = self.terminate.recv() => SignalKind::terminate(),
                _ = self.hangup.recv() => SignalKind::hangup(),
                _ = self.quit.recv() => SignalKind::quit(),
                _ = self.window.recv() => SignalKind::window_change(),
            };
            let message = if kind != SignalKind::window_change() {
                Request::Signal(kind.as_raw_value())
            } else if tty {
                Request::WindowSize(size())
            } else {
                continue;
            };
            // Nobody takes it where the command has ended, which `follow` is about to tell.
            let _ = control.send(request(message)).await;
        }
    }
}
