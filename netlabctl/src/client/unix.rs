//! A daemon on this machine.

use std::{io, sync::Arc};

use hyper_util::rt::TokioIo;
use tokio::{net::UnixStream, sync::Mutex};
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

use crate::error::{Failure, NO_DAEMON, NOT_PERMITTED};

/// Opens the socket.
pub(super) async fn dial(path: &str) -> Result<UnixStream, Failure> {
    UnixStream::connect(path).await.map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => Failure::new(
            NOT_PERMITTED,
            format!(
                "{path}: {error}; join the group netlab: sudo usermod -aG netlab $USER, then log in again"
            ),
        ),
        _ => Failure::new(
            NO_DAEMON,
            format!("no netlabd reached at {path}: {error}; is it running? try: systemctl status netlabd"),
        ),
    })
}

/// Connects a channel. The first dial is ours, for its error; the channel dials again by itself
/// where the daemon was restarted.
pub(super) async fn connect(endpoint: &Endpoint, path: String) -> Result<Channel, Failure> {
    let first = Arc::new(Mutex::new(Some(dial(&path).await?)));
    let shown = path.clone();
    let connector = service_fn(move |_: Uri| {
        let (first, path) = (Arc::clone(&first), path.clone());
        async move {
            let stream = match first.lock().await.take() {
                Some(stream) => stream,
                None => UnixStream::connect(path).await?,
            };
            Ok::<_, io::Error>(TokioIo::new(stream))
        }
    });
    endpoint
        .connect_with_connector(connector)
        .await
        .map_err(|error| Failure::new(NO_DAEMON, format!("what listens at {shown} is not netlabd: {error}")))
}
