//! Who calls: the peer of the unix socket, as the kernel vouches for it.

use tonic::{Code, Request, Status, transport::server::UdsConnectInfo};

use super::status;

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Caller {
    /// User id (`SO_PEERCRED`, unix(7)).
    pub(super) uid: u32,
}

impl Caller {
    /// The peer of a request's connection.
    pub(super) fn of<T>(request: &Request<T>) -> Result<Self, Status> {
        let peer = request.extensions().get::<UdsConnectInfo>().and_then(|info| info.peer_cred);
        let refused =
            || status::status(Code::PermissionDenied, "UNKNOWN_CALLER", "the kernel does not say who calls");
        Ok(Self { uid: peer.ok_or_else(refused)?.uid() })
    }
}
