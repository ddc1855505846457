//! Errors as gRPC statuses with `google.rpc` details.

use std::collections::HashMap;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

use super::convert::Faults;
use crate::{
    policy::Denied,
    reconcile::{Error, Reason, Refusal},
    store,
};

/// Domain of every `google.rpc.ErrorInfo`.
const DOMAIN: &str = "netlab";

/// A status with an `ErrorInfo`.
pub(super) fn status(code: Code, reason: &str, message: impl std::fmt::Display) -> Status {
    let details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
    Status::with_error_details(code, message.to_string(), details)
}

/// An argument that is wrong.
pub(super) fn invalid(path: &str, message: impl std::fmt::Display) -> Status {
    let message = format!("{path}: {message}");
    let mut details = ErrorDetails::with_bad_request(vec![FieldViolation::new(path, &message)]);
    details.set_error_info("INVALID_ARGUMENT", DOMAIN, HashMap::new());
    Status::with_error_details(Code::InvalidArgument, message, details)
}

/// Most bytes of details: clients refuse long headers (gRPC's default is 8 KiB for all of them).
const ROOM: usize = 4_096;

/// As many violations as have room in a header, the last one counting the rest.
fn violations<'a>(all: impl ExactSizeIterator<Item = (&'a str, &'a str)>) -> Vec<FieldViolation> {
    let total = all.len();
    let (mut kept, mut used) = (Vec::new(), 0);
    for (path, message) in all {
        used += path.len() + message.len() + 8;
        if used > ROOM && !kept.is_empty() {
            kept.push(FieldViolation::new("", format!("and {} more faults", total - kept.len())));
            break;
        }
        kept.push(FieldViolation::new(path, message));
    }
    kept
}

impl From<Faults> for Status {
    fn from(faults: Faults) -> Self {
        let all = faults.0.iter().map(|fault| (fault.path.as_str(), fault.message.as_str()));
        let message = match faults.0.as_slice() {
            [] => "the lab is not valid".to_owned(),
            [only] => only.to_string(),
            [first, rest @ ..] => format!("{first} (and {} more)", rest.len()),
        };
        let mut details = ErrorDetails::with_bad_request(violations(all));
        details.set_error_info("INVALID_LAB", DOMAIN, HashMap::new());
        Self::with_error_details(Code::InvalidArgument, message, details)
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let (code, reason) = match &error {
            Error::Refused(refusals) => return refused(refusals, &error),
            Error::Denied(denied) => return denied.into(),
            Error::NotFound(_) => (Code::NotFound, "LAB_NOT_FOUND"),
            Error::Unreadable(_) => (Code::DataLoss, "LAB_UNREADABLE"),
            Error::Exists(_) => (Code::AlreadyExists, "LAB_EXISTS"),
            Error::Deleting(_) => (Code::Aborted, "LAB_DELETING"),
            Error::Stale { .. } => (Code::Aborted, "STALE_GENERATION"),
            Error::NothingToConfirm(_) => (Code::FailedPrecondition, "NOTHING_TO_CONFIRM"),
            Error::NotReady(..) => (Code::FailedPrecondition, "LAB_NOT_READY"),
            Error::Store(store::Error::Full { .. }) => (Code::ResourceExhausted, "STORE_FULL"),
            Error::Store(_) => (Code::Internal, "STORE_FAILED"),
            Error::Kernel(_) => (Code::Internal, "KERNEL_REFUSED"),
            Error::Stopping => (Code::Unavailable, "STOPPING"),
        };
        status(code, reason, error)
    }
}

impl From<Denied> for Status {
    fn from(denied: Denied) -> Self {
        (&denied).into()
    }
}

impl From<&Denied> for Status {
    fn from(denied: &Denied) -> Self {
        let (code, reason) = match denied {
            Denied::Outsider { .. } | Denied::Unknown { .. } => (Code::PermissionDenied, "NOT_A_MEMBER"),
            Denied::Ping { .. } => (Code::PermissionDenied, "HOST_POLICY"),
            Denied::NotOwner { .. } => (Code::PermissionDenied, "NOT_OWNER"),
            Denied::Quota { .. } => (Code::ResourceExhausted, "QUOTA_EXCEEDED"),
            Denied::Host(found) => {
                let all = found.iter().map(|found| (found.path.as_str(), found.message.as_str()));
                let mut details = ErrorDetails::with_bad_request(violations(all));
                details.set_error_info("HOST_POLICY", DOMAIN, HashMap::new());
                return Self::with_error_details(Code::PermissionDenied, denied.to_string(), details);
            }
        };
        status(code, reason, denied)
    }
}

/// The first refusal gives code and reason, all of them are listed.
fn refused(refusals: &[Refusal], error: &Error) -> Status {
    let first = refusals.first().map(|refusal| refusal.reason);
    let code = match first {
        Some(Reason::NamespaceTaken) => Code::AlreadyExists,
        _ => Code::FailedPrecondition,
    };
    let all = refusals.iter().map(|refusal| (refusal.path.as_str(), refusal.message.as_str()));
    let mut details = ErrorDetails::with_bad_request(violations(all));
    details.set_error_info(first.map_or("REFUSED", Reason::as_str), DOMAIN, HashMap::new());
    Status::with_error_details(code, error.to_string(), details)
}
