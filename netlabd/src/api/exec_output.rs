//! What a command's client is sent: its output, in pieces as they come.

use std::sync::Arc;

use netlab_proto::v1 as proto;
use proto::exec_response::Message as Out;
use tokio::{io::AsyncReadExt, net::unix::pipe, sync::mpsc};
use tonic::Status;

use crate::sandbox::Terminal;

/// Most bytes of one message.
const CHUNK: usize = 32 << 10;

/// Where answers go.
pub(super) type Sender = mpsc::Sender<Result<proto::ExecResponse, Status>>;

/// Sends one message; an error if the client is gone.
pub(super) async fn answer(sender: &Sender, message: Out) -> Result<(), Status> {
    let sent = sender.send(Ok(proto::ExecResponse { message: Some(message) })).await;
    sent.map_err(|_| Status::cancelled("the client is gone"))
}

/// Sends what a pipe holds, until its end or the client's.
pub(super) async fn copy(mut from: pipe::Receiver, sender: Sender, wrap: fn(Vec<u8>) -> Out) {
    let mut buffer = vec![0; CHUNK];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if answer(&sender, wrap(buffer[..length].to_vec())).await.is_err() {
            return;
        }
    }
}

/// Sends what a terminal shows, until its end or the client's.
pub(super) async fn copy_terminal(from: Arc<Terminal>, sender: Sender) {
    let mut buffer = vec![0; CHUNK];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if answer(&sender, Out::Stdout(buffer[..length].to_vec())).await.is_err() {
            return;
        }
    }
}
