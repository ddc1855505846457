//! What the caller of a request may do, and the record of what was done.

use tonic::{Code, Request, Status};

use super::status;
use crate::policy::{Access, Caller, Policy};

/// What the caller of a request may do, by the kernel's word when the connection was made.
///
/// # Errors
/// `PERMISSION_DENIED` for outsiders.
pub(super) fn access<T>(policy: &Policy, request: &Request<T>) -> Result<Access, Status> {
    let caller = request.extensions().get::<Caller>().cloned().ok_or_else(|| {
        status::status(Code::PermissionDenied, "UNKNOWN_CALLER", "the kernel does not say who calls")
    })?;
    policy.access(caller.clone()).map_err(|denied| {
        let Caller { uid, pid, user, .. } = &caller;
        tracing::warn!(uid, user = user.as_deref(), pid, outcome = "denied", "an outsider calls");
        denied.into()
    })
}

/// Logs a privileged act and how it ended; gives the outcome back.
pub(super) fn audit<T>(
    access: &Access,
    act: &'static str,
    lab: impl std::fmt::Display,
    outcome: Result<T, Status>,
) -> Result<T, Status> {
    let Caller { uid, pid, user, .. } = access.caller();
    let user = user.as_deref();
    match &outcome {
        Ok(_) => tracing::info!(uid, user, pid, %lab, act, outcome = "ok", "{act}"),
        Err(status) if status.code() == Code::PermissionDenied => {
            tracing::warn!(uid, user, pid, %lab, act, outcome = "denied", why = status.message(), "{act}");
        }
        Err(status) => {
            let code = status.code();
            tracing::info!(uid, user, pid, %lab, act, outcome = ?code, why = status.message(), "{act}");
        }
    }
    outcome
}
