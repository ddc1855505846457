//! Connections: who is at the other end, and not too many of them.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{UnixListener, UnixStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
};
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::transport::server::Connected;

use crate::{
    metrics::meters,
    policy::{Caller, Counters, Held, Role, config::Limits},
};

/// How long to wait after an accept that failed, for example for want of descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// A client's connection.
pub(super) struct Connection {
    stream: UnixStream,
    caller: Caller,
    /// Its share of all connections.
    _permit: OwnedSemaphorePermit,
    /// Its share of its user's connections.
    _held: Option<Held<u32>>,
    _open: Open,
}

/// Counts a connection for as long as it is open.
struct Open;

impl Open {
    fn new() -> Self {
        meters().connections.inc();
        meters().connections_open.inc();
        Self
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        meters().connections_open.dec();
    }
}

/// Accepts connections within the limits. Those beyond the limit of all wait in the socket's queue,
/// those beyond a user's own are closed.
pub(super) fn accept(
    listener: UnixListener,
    limits: &Limits,
) -> impl Stream<Item = io::Result<Connection>> + use<> {
    let (sender, receiver) = mpsc::channel(1);
    let all = Arc::new(Semaphore::new(limits.max_connections.get() as usize));
    let each = limits.max_connections_per_user.get();
    tokio::spawn(async move {
        let users = Counters::default();
        tokio::select! {
            () = run(&listener, all, &users, each, &sender) => {}
            () = sender.closed() => {}
        }
    });
    ReceiverStream::new(receiver)
}

async fn run(
    listener: &UnixListener,
    all: Arc<Semaphore>,
    users: &Counters<u32>,
    each: u32,
    sender: &mpsc::Sender<io::Result<Connection>>,
) {
    // The semaphore is never closed.
    while let Ok(permit) = all.clone().acquire_owned().await {
        let accepted = listener.accept().await.and_then(|(stream, _)| Ok((Caller::of(&stream)?, stream)));
        let (caller, stream) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection cannot be accepted");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let held = if caller.role == Role::Admin { None } else { users.take(caller.uid, each) };
        if held.is_none() && caller.role != Role::Admin {
            meters().connections_refused.inc();
            tracing::debug!(uid = caller.uid, limit = each, "a user has too many connections");
            continue;
        }
        let connection = Connection { stream, caller, _permit: permit, _held: held, _open: Open::new() };
        if sender.send(Ok(connection)).await.is_err() {
            return;
        }
    }
}

impl Connected for Connection {
    type ConnectInfo = Caller;

    fn connect_info(&self) -> Caller {
        self.caller.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
