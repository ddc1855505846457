//! Connections: who is at the other end, and not too many of them.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use rustix::net::RecvFlags;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, UnixListener, UnixStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::Sleep,
};
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::transport::server::Connected;

use super::tls::{self, Doors, Guest, Listed, Remote};
use crate::{
    meters::meters,
    policy::{Caller, Counters, Held, Owner, Role, config::Limits},
};

/// How long to wait after an accept that failed, for example for want of descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// How long a client may take to begin to speak HTTP/2, as long as a TLS handshake.
const SILENT: Duration = Duration::from_secs(10);
/// Bytes of HTTP/2's connection preface (RFC 9113, 3.4).
const PREFACE: usize = 24;

/// What bytes come and go through.
trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A client's connection.
pub(super) struct Connection {
    stream: Box<dyn Duplex>,
    caller: Caller,
    /// What is left of its preface, and until when it may be.
    preface: Option<(usize, Pin<Box<Sleep>>)>,
    /// Its place among the remote ones.
    _listed: Option<Listed>,
    /// Its share of all connections.
    _permit: OwnedSemaphorePermit,
    /// Its share of its user's connections.
    _held: Option<Held<Owner>>,
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

/// Accepts connections within the limits. Those at the unix socket beyond the limit of all wait in the
/// socket's queue, remote ones and those beyond a user's own limit are closed.
pub(super) fn accept(
    listener: UnixListener,
    remote: Option<(Remote, Vec<TcpListener>)>,
    limits: &Limits,
) -> impl Stream<Item = io::Result<Connection>> + use<> {
    let (sender, receiver) = mpsc::channel(1);
    let entrance = Entrance {
        all: Arc::new(Semaphore::new(limits.max_connections.get() as usize)),
        users: Counters::default(),
        each: limits.max_connections_per_user.get(),
        sender,
    };
    if let Some((remote, listeners)) = remote {
        let doors = Doors::default();
        for listener in listeners {
            let guests = tls::run(listener, remote.clone(), doors.clone(), entrance.clone().guests());
            entrance.clone().spawn(guests);
        }
    }
    entrance.clone().spawn(run(listener, entrance));
    ReceiverStream::new(receiver)
}

/// Where connections get in. Clones share what they count.
#[derive(Clone)]
struct Entrance {
    all: Arc<Semaphore>,
    users: Counters<Owner>,
    /// Connections of one user.
    each: u32,
    sender: mpsc::Sender<io::Result<Connection>>,
}

impl Entrance {
    /// Runs until nobody takes connections any more.
    fn spawn(self, accepting: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(async move {
            tokio::select! {
                () = accepting => {}
                () = self.sender.closed() => {}
            }
        });
    }

    /// What becomes of remote clients that have proven who they are.
    fn guests(self) -> impl Fn(Guest) -> BoxFuture + Clone + Send + 'static {
        move |guest| {
            let entrance = self.clone();
            Box::pin(async move {
                let Ok(permit) = entrance.all.clone().try_acquire_owned() else {
                    meters().connections_refused.inc();
                    tracing::warn!(caller = %guest.caller, "too many connections");
                    return;
                };
                entrance.admit(Box::new(guest.stream), guest.caller, Some(guest.listed), permit).await;
            })
        }
    }

    async fn admit(
        &self,
        stream: Box<dyn Duplex>,
        caller: Caller,
        listed: Option<Listed>,
        permit: OwnedSemaphorePermit,
    ) {
        let held =
            if caller.role == Role::Admin { None } else { self.users.take(caller.owner.clone(), self.each) };
        if held.is_none() && caller.role != Role::Admin {
            meters().connections_refused.inc();
            tracing::debug!(%caller, limit = self.each, "a user has too many connections");
            return;
        }
        let connection = Connection {
            stream,
            caller,
            preface: Some((PREFACE, Box::pin(tokio::time::sleep(SILENT)))),
            _listed: listed,
            _permit: permit,
            _held: held,
            _open: Open::new(),
        };
        // Nobody takes it where the daemon stops.
        let _ = self.sender.send(Ok(connection)).await;
    }
}

type BoxFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

async fn run(listener: UnixListener, entrance: Entrance) {
    // The semaphore is never closed.
    while let Ok(permit) = entrance.all.clone().acquire_owned().await {
        let accepted = listener.accept().await.and_then(|(stream, _)| {
            let caller = if has_left(&stream) { None } else { Some(Caller::of(&stream)?) };
            Ok((caller, stream))
        });
        match accepted {
            Ok((Some(caller), stream)) => entrance.admit(Box::new(stream), caller, None, permit).await,
            Ok((None, _)) => {}
            Err(error) => {
                tracing::warn!(%error, "a connection cannot be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Whether the client closed its connection without a word. The socket's queue holds thousands of such: each
/// would be looked up and given a turn before those who wait behind it.
fn has_left(stream: &UnixStream) -> bool {
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    matches!(rustix::net::recv(stream, &mut [0; 1], flags), Ok((0, _)))
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
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if let Some((left, deadline)) = &mut self.preface {
            *left = left.saturating_sub(buffer.filled().len() - before);
            if *left == 0 {
                self.preface = None;
            } else if read.is_pending() && deadline.as_mut().poll(context).is_ready() {
                let silent = io::Error::new(io::ErrorKind::TimedOut, "the client does not speak");
                return Poll::Ready(Err(silent));
            }
        }
        read
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

#[cfg(test)]
mod tests {
    use std::{io::Write, net::Shutdown};

    use super::*;

    #[tokio::test]
    async fn who_left_without_a_word_is_known() {
        let pair = || {
            let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
            ours.set_nonblocking(true).unwrap();
            (UnixStream::from_std(ours).unwrap(), theirs)
        };
        let (silent, _there) = pair();
        assert!(!has_left(&silent));
        let (spoke, mut gone) = pair();
        gone.write_all(b"P").unwrap();
        drop(gone);
        assert!(!has_left(&spoke));
        spoke.readable().await.unwrap();
        let mut byte = [0; 2];
        assert_eq!(spoke.try_read(&mut byte).unwrap(), 1, "the word is still there to be read");
        let (left, there) = pair();
        there.shutdown(Shutdown::Write).unwrap();
        assert!(has_left(&left));
        drop(there);
        assert!(has_left(&left));
    }
}
