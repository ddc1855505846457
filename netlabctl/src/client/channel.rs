//! A channel over streams that we open ourselves.

use std::{io, sync::Arc};

use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Mutex,
};
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

use crate::error::{Failure, NO_DAEMON};

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
