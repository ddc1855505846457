//! A channel over streams that we open ourselves.

use std::{io, sync::Arc};

use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, BufReader},
    sync::Mutex,
};
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

use crate::error::{Failure, NO_DAEMON};

/// What is read ahead to see who answers; the rest is the channel's affair.
const AHEAD: usize = 16 << 10;

/// The type of the frame that a server begins with (SETTINGS, RFC 9113, 6.5), and where it stands.
const SETTINGS: (usize, u8) = (3, 4);

/// What a server says first.
pub(super) enum Greeting<S> {
    /// A frame of HTTP/2, which is still to be read.
    Settings(BufReader<S>),
    /// Something else.
    Noise,
    /// Nothing: it has closed the connection.
    Closed,
}

/// Waits for the first word of a server, before anything is said to it.
///
/// # Errors
/// The stream's.
pub(super) async fn greeting<S: AsyncRead + Unpin>(stream: S) -> io::Result<Greeting<S>> {
    let mut stream = BufReader::with_capacity(AHEAD, stream);
    let first = stream.fill_buf().await?;
    // A piece of a frame may come alone.
    let settings = first.get(SETTINGS.0).is_none_or(|kind| *kind == SETTINGS.1);
    Ok(match (first.is_empty(), settings) {
        (true, _) => Greeting::Closed,
        (false, true) => Greeting::Settings(stream),
        (false, false) => Greeting::Noise,
    })
}

/// Connects a channel. The first stream was dialled before, for the caller's own errors; the channel dials
/// `again` by itself where the connection broke. `stranger` says who answered where it is no netlabd.
///
/// # Errors
/// Exit code 3 where it is none.
pub(super) async fn over<S, F>(
    endpoint: &Endpoint,
    first: S,
    again: impl Fn() -> F + Send + 'static,
    stranger: String,
) -> Result<Channel, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Future<Output = io::Result<S>> + Send + 'static,
{
    let first = Arc::new(Mutex::new(Some(first)));
    let connector = service_fn(move |_: Uri| {
        let (first, again) = (Arc::clone(&first), again());
        async move {
            let stream = match first.lock().await.take() {
                Some(stream) => stream,
                None => again.await?,
            };
            Ok::<_, io::Error>(TokioIo::new(stream))
        }
    });
    let channel = endpoint.connect_with_connector(connector).await;
    channel.map_err(|error| Failure::new(NO_DAEMON, format!("{stranger}: {error}")))
}
