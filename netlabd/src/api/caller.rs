//! What the caller of a request may do, and the record of what was done.

use tonic::{Code, Request, Status};

use super::status;
use crate::policy::{Access, Caller, Owner, Policy};

/// What the caller of a request may do, by the kernel's word when the connection was made.
///
/// # Errors
/// `PERMISSION_DENIED` for outsiders.
pub(super) fn access<T>(policy: &Policy, request: &Request<T>) -> Result<Access, Status> {
    let caller = request.extensions().get::<Caller>().cloned().ok_or_else(|| {
        status::status(Code::PermissionDenied, "UNKNOWN_CALLER", "the kernel does not say who calls")
    })?;
    policy.access(caller.clone()).map_err(|denied| {
        let Who { uid, user, pid, certificate, from } = who(&caller);
        tracing::warn!(uid, user, pid, certificate, from, outcome = "denied", "an outsider calls");
        denied.into()
    })
}

/// A caller as fields of the log.
struct Who<'a> {
    uid: Option<u32>,
    user: Option<&'a str>,
    pid: Option<i32>,
    certificate: Option<&'a str>,
    from: Option<String>,
}

fn who(caller: &Caller) -> Who<'_> {
    let Caller { owner, pid, user, remote, .. } = caller;
    Who {
        uid: if let Owner::Local(uid) = owner { Some(*uid) } else { None },
        user: user.as_deref(),
        pid: *pid,
        certificate: remote.as_ref().map(|remote| &*remote.name),
        from: remote.as_ref().map(|remote| remote.address.to_string()),
    }
}

/// Logs a privileged act and how it ended; gives the outcome back.
pub(super) fn audit<T>(
    access: &Access,
    act: &'static str,
    lab: impl std::fmt::Display,
    outcome: Result<T, Status>,
) -> Result<T, Status> {
    let Who { uid, user, pid, certificate, from } = who(access.caller());
    match &outcome {
        Ok(_) => tracing::info!(uid, user, pid, certificate, from, %lab, act, outcome = "ok", "{act}"),
        Err(status) if status.code() == Code::PermissionDenied => {
            tracing::warn!(uid, user, pid, certificate, from, %lab, act, outcome = "denied", why = status.message(), "{act}");
        }
        Err(status) => {
            let code = status.code();
            tracing::info!(uid, user, pid, certificate, from, %lab, act, outcome = ?code, why = status.message(), "{act}");
        }
    }
    outcome
}
