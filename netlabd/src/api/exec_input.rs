//! What a client sends to its command: input, which waits until the command reads it, and signals and
//! window sizes, which do not.
//!
//! All of it comes in one stream, so signals pass only if the input before them is taken out of the stream
//! although the command does not read it. How much of that may wait here is bounded, and the client is told
//! how much it may send; one that sends more has back-pressure for its signals too.

use std::sync::Arc;

use netlab_proto::v1 as proto;
use proto::{exec_request::Message as In, exec_response::Message as Out};
use tokio::{
    io::AsyncWriteExt,
    net::unix::pipe,
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
};
use tonic::Streaming;

use super::exec_output::{Sender, answer};
use crate::sandbox::{Terminal, WindowSize};

/// Bytes of input that a client may send ahead of what the command has read.
pub(super) const AHEAD: u64 = 128 << 10;

/// Most bytes of input that wait for the command, of whatever client, and one message beyond.
const WAITING: u32 = 256 << 10;

/// What the client wants of the command besides input.
pub(super) enum Control {
    /// A signal for its process group.
    Signal(i32),
    /// Another size of its terminal.
    Resize(WindowSize),
    /// Its end, since the client is gone.
    Gone,
}

/// Where input goes.
pub(super) enum Input {
    /// To the command's standard input.
    Pipe(pipe::Sender),
    /// To its terminal.
    Terminal(Arc<Terminal>),
    /// The command reads none.
    Nowhere,
}

/// Input that waits for the command, with its share of what may wait; or its end.
enum Waiting {
    Bytes(Vec<u8>, OwnedSemaphorePermit),
    Closed,
}

/// Takes the client's messages, until it has said all or is gone.
pub(super) async fn feed(
    input: Streaming<proto::ExecRequest>,
    to: Input,
    control: mpsc::Sender<Control>,
    answers: Sender,
) {
    // The semaphore is what bounds it.
    let (queue, waiting) = mpsc::unbounded_channel();
    tokio::join!(sort(input, queue, control), pour(waiting, to, answers));
}

/// Tells input from the rest.
async fn sort(
    mut input: Streaming<proto::ExecRequest>,
    queue: mpsc::UnboundedSender<Waiting>,
    control: mpsc::Sender<Control>,
) {
    let room = Arc::new(Semaphore::new(WAITING as usize));
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
        let gone = match message {
            Some(In::Stdin(bytes)) => {
                let share = u32::try_from(bytes.len()).unwrap_or(WAITING).min(WAITING);
                // Never closed.
                let Ok(permit) = room.clone().acquire_many_owned(share).await else { return };
                // A command that reads no more is no error of the stream.
                drop(queue.send(Waiting::Bytes(bytes, permit)));
                false
            }
            Some(In::StdinClosed(_)) => {
                drop(queue.send(Waiting::Closed));
                false
            }
            Some(In::Signal(number)) => control.send(Control::Signal(number)).await.is_err(),
            Some(In::WindowSize(size)) => control.send(Control::Resize(window(size))).await.is_err(),
            Some(In::Start(_)) | None => false,
        };
        if gone {
            return;
        }
    }
}

/// Gives the command its input as fast as it reads it, and tells the client how far it has come.
async fn pour(mut waiting: mpsc::UnboundedReceiver<Waiting>, mut to: Input, answers: Sender) {
    let mut taken = 0;
    while let Some(next) = waiting.recv().await {
        match (next, &mut to) {
            (Waiting::Bytes(bytes, permit), to) => {
                // A command that reads no more is no error: what it does not take goes nowhere.
                match to {
                    Input::Pipe(pipe) => drop(pipe.write_all(&bytes).await),
                    Input::Terminal(terminal) => drop(terminal.write(&bytes).await),
                    Input::Nowhere => {}
                }
                drop(permit);
                taken += bytes.len() as u64;
                if answer(&answers, Out::StdinAllowed(taken + AHEAD)).await.is_err() {
                    return;
                }
            }
            // Ctrl-D, the end of file of a terminal in canonical mode.
            (Waiting::Closed, Input::Terminal(terminal)) => drop(terminal.write(&[4]).await),
            (Waiting::Closed, to) => *to = Input::Nowhere,
        }
    }
}

/// A terminal's size, as the kernel counts it.
pub(super) fn window(size: proto::WindowSize) -> WindowSize {
    let count = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
    WindowSize { rows: count(size.rows), columns: count(size.columns) }
}
