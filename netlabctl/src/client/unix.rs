//! A daemon on this machine.

use std::io;

use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint};

use super::channel::over;
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
    let first = dial(&path).await?;
    let stranger = format!("what listens at {path} is not netlabd");
    over(endpoint, first, move || UnixStream::connect(path.clone()), stranger).await
}
