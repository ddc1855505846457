//! Errors as gRPC statuses with `google.rpc` details.

use std::collections::HashMap;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

use crate::convert::Faults;
use crate::{
    platform::is_shortage,
    policy::Denied,
    reconcile::{Error, Reason, Refusal},
    store,
};

/// Domain of every `google.rpc.ErrorInfo`.
const DOMAIN: &str = "netlab";

/// Most bytes of a message: clients refuse long headers, and then report that in place of the status.
const MESSAGE: usize = 1_024;

/// A text cut to [`MESSAGE`]: it may repeat what a client sent.
fn cut(text: &str) -> String {
    if text.len() <= MESSAGE {
        return text.to_owned();
    }
    let end = (0..=MESSAGE - '…'.len_utf8()).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}…", &text[..end])
}

/// A status of one text and details.
fn told(code: Code, message: &str, details: ErrorDetails) -> Status {
    Status::with_error_details(code, cut(message), details)
}

/// A status with an `ErrorInfo`.
pub(super) fn status(code: Code, reason: &str, message: impl std::fmt::Display) -> Status {
    let details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
    told(code, &message.to_string(), details)
}

/// The same with what the message names, for programs.
pub(super) fn with_metadata<const N: usize>(
    code: Code,
    reason: &str,
    metadata: [(&str, String); N],
    message: impl std::fmt::Display,
) -> Status {
    let metadata: HashMap<String, String> =
        metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    let details = ErrorDetails::with_error_info(reason, DOMAIN, metadata);
    told(code, &message.to_string(), details)
}

/// What the kernel refused, with its number where there is one: a shortage is told apart by that alone.
pub(super) fn by_kernel(message: impl std::fmt::Display, errno: Option<i32>) -> Status {
    let (code, reason) = refusal_of(errno);
    let metadata: HashMap<_, _> =
        errno.map(|errno| ("errno".to_owned(), errno.to_string())).into_iter().collect();
    told(code, &message.to_string(), ErrorDetails::with_error_info(reason, DOMAIN, metadata))
}

fn refusal_of(errno: Option<i32>) -> (Code, &'static str) {
    if errno.is_some_and(is_shortage) {
        (Code::ResourceExhausted, "HOST_EXHAUSTED")
    } else {
        (Code::Internal, "KERNEL_REFUSED")
    }
}

/// An argument that is wrong.
pub(super) fn invalid(path: &str, message: impl std::fmt::Display) -> Status {
    let message = cut(&format!("{path}: {message}"));
    let mut details = ErrorDetails::with_bad_request(vec![FieldViolation::new(cut(path), &message)]);
    details.set_error_info("INVALID_ARGUMENT", DOMAIN, HashMap::new());
    told(Code::InvalidArgument, &message, details)
}

/// Most bytes of details: clients refuse long headers (gRPC's default is 8 KiB for all of them).
const ROOM: usize = 4_096;

/// As many violations as have room in a header, the last one counting the rest.
fn violations<'a>(all: impl ExactSizeIterator<Item = (&'a str, &'a str)>) -> Vec<FieldViolation> {
    let total = all.len();
    let (mut kept, mut used) = (Vec::new(), 0);
    for (path, message) in all {
        let (path, message) = (cut(path), cut(message));
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
        told(Code::InvalidArgument, &message, details)
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let metadata = metadata(&error);
        let (code, reason) = match &error {
            Error::Refused(refusals) => return refused(refusals, &error),
            Error::Denied(denied) => return denied.into(),
            Error::NotFound(_) => (Code::NotFound, "LAB_NOT_FOUND"),
            Error::Unreadable(_) => (Code::DataLoss, "LAB_UNREADABLE"),
            Error::Exists { .. } => (Code::AlreadyExists, "LAB_EXISTS"),
            Error::Deleting(_) => (Code::Aborted, "LAB_DELETING"),
            Error::Stale { .. } => (Code::Aborted, "STALE_GENERATION"),
            Error::Other { .. } => (Code::Aborted, "OTHER_LAB"),
            Error::NothingToConfirm(_) => (Code::FailedPrecondition, "NOTHING_TO_CONFIRM"),
            Error::NotReady(..) => (Code::FailedPrecondition, "LAB_NOT_READY"),
            Error::Store(store::Error::Full { .. }) => (Code::ResourceExhausted, "STORE_FULL"),
            Error::Store(_) => (Code::Internal, "STORE_FAILED"),
            Error::Kernel(failure) => refusal_of(failure.errno),
            Error::Stopping => (Code::Unavailable, "STOPPING"),
        };
        let details = ErrorDetails::with_error_info(reason, DOMAIN, metadata);
        told(code, &error.to_string(), details)
    }
}

/// What an error names, for programs.
fn metadata(error: &Error) -> HashMap<String, String> {
    let pairs: Vec<(&str, String)> = match error {
        Error::NotFound(lab)
        | Error::Unreadable(lab)
        | Error::Deleting(lab)
        | Error::NothingToConfirm(lab)
        | Error::NotReady(lab, _) => vec![("lab", lab.to_string())],
        Error::Exists { lab, owner, own } => {
            vec![("lab", lab.to_string()), ("owner", owner.clone()), ("own", own.to_string())]
        }
        Error::Stale { lab, expected, found } => vec![
            ("lab", lab.to_string()),
            ("generation", found.to_string()),
            ("expected_generation", expected.to_string()),
        ],
        Error::Other { lab, found, .. } => vec![("lab", lab.to_string()), ("uid", found.clone())],
        Error::Kernel(failure) => {
            failure.errno.map(|errno| ("errno", errno.to_string())).into_iter().collect()
        }
        Error::Refused(_) | Error::Denied(_) | Error::Store(_) | Error::Stopping => Vec::new(),
    };
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// What a refusal of the policy names, for programs.
fn metadata_of(denied: &Denied) -> HashMap<String, String> {
    let pairs: Vec<(&str, String)> = match denied {
        Denied::NotOwner { lab, owner } => vec![("lab", lab.to_string()), ("owner", owner.clone())],
        Denied::Quota { quota, used, asked, limit } => vec![
            ("quota", (*quota).to_owned()),
            ("used", used.to_string()),
            ("asked", asked.to_string()),
            ("limit", limit.to_string()),
        ],
        _ => Vec::new(),
    };
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
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
                return told(Code::PermissionDenied, &denied.to_string(), details);
            }
        };
        let details = ErrorDetails::with_error_info(reason, DOMAIN, metadata_of(denied));
        told(code, &denied.to_string(), details)
    }
}

/// The first refusal gives code and reason, all of them are listed.
fn refused(refusals: &[Refusal], error: &Error) -> Status {
    let first = refusals.first().map(|refusal| refusal.reason);
    let missing = |refusal: &Refusal| match refusal.reason {
        Reason::FeatureMissing(feature) => Some(feature.config()),
        _ => None,
    };
    let missing: Vec<_> = refusals.iter().filter_map(missing).collect();
    let missing = (!missing.is_empty()).then(|| ("options".to_owned(), missing.join(" ")));
    let code = match first {
        Some(Reason::NamespaceTaken) => Code::AlreadyExists,
        Some(Reason::Exhausted) => Code::ResourceExhausted,
        _ => Code::FailedPrecondition,
    };
    let all = refusals.iter().map(|refusal| (refusal.path.as_str(), refusal.message.as_str()));
    let mut details = ErrorDetails::with_bad_request(violations(all));
    let reason = first.map_or("REFUSED", Reason::as_str);
    details.set_error_info(reason, DOMAIN, missing.into_iter().collect::<HashMap<_, _>>());
    told(code, &error.to_string(), details)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feature::Feature;

    #[test]
    fn what_is_told_fits_into_headers() {
        let long = "ü".repeat(100_000);
        for status in [invalid("name", &long), invalid(&long, "x"), status(Code::NotFound, "X", &long)] {
            assert!(status.message().len() <= MESSAGE && status.message().ends_with('…'), "{status:?}");
            assert!(status.details().len() < ROOM, "{}", status.details().len());
        }
        assert_eq!(invalid("name", "is empty").message(), "name: is empty");
        let all = vec![(long.as_str(), long.as_str()); 50];
        let kept = violations(all.into_iter());
        let bytes: usize = kept.iter().map(|one| one.field.len() + one.description.len()).sum();
        assert!(bytes < ROOM + 64 && kept.last().unwrap().description.ends_with("more faults"), "{kept:?}");
    }

    #[test]
    fn a_shortage_is_told_from_a_refusal_by_its_number() {
        let code = |errno| {
            let failure = crate::platform::Failure {
                errno,
                ..crate::platform::Failure::new("host", "No space left on device")
            };
            Status::from(Error::Kernel(failure)).code()
        };
        for errno in [libc::ENOSPC, libc::EMFILE, libc::EAGAIN, libc::ENOMEM] {
            assert_eq!(code(Some(errno)), Code::ResourceExhausted, "{errno}");
        }
        // Words alone tell nothing.
        assert_eq!((code(None), code(Some(libc::EINVAL))), (Code::Internal, Code::Internal));
        let refusal = |reason| Refusal { reason, path: String::new(), message: String::new() };
        let status = |reason| Status::from(Error::Refused(vec![refusal(reason)])).code();
        assert_eq!(status(Reason::Exhausted), Code::ResourceExhausted);
        assert_eq!(
            status(Reason::FeatureMissing(Feature::of("CONFIG_VLAN_8021Q"))),
            Code::FailedPrecondition
        );
    }

    #[test]
    fn what_the_kernel_lacks_and_how_it_refused_is_told_to_programs() {
        let refusal = |reason| Refusal { reason, path: "nodes.a".to_owned(), message: "no".to_owned() };
        let missing = [Feature::of("CONFIG_VLAN_8021Q"), Feature::of("CONFIG_BRIDGE_VLAN_FILTERING")]
            .map(|it| refusal(Reason::FeatureMissing(it)));
        let info = |status: &Status| {
            let info = status.get_details_error_info().unwrap();
            (info.reason, info.metadata.into_iter().collect::<Vec<_>>())
        };
        let pair = |key: &str, value: &str| vec![(key.to_owned(), value.to_owned())];
        assert_eq!(
            info(&Status::from(Error::Refused(missing.to_vec()))),
            ("FEATURE_MISSING".to_owned(), pair("options", "CONFIG_VLAN_8021Q CONFIG_BRIDGE_VLAN_FILTERING"))
        );
        for (errno, code, reason) in [
            (libc::EPERM, Code::Internal, "KERNEL_REFUSED"),
            (libc::EMFILE, Code::ResourceExhausted, "HOST_EXHAUSTED"),
        ] {
            let status = by_kernel("ns1: no", Some(errno));
            assert_eq!(status.code(), code);
            assert_eq!(info(&status), (reason.to_owned(), pair("errno", &errno.to_string())));
            let error = std::io::Error::from_raw_os_error(errno);
            let same = Status::from(Error::Kernel(crate::platform::Failure::os("ns1", "looking", &error)));
            assert_eq!(info(&same), info(&status));
        }
        assert_eq!(info(&by_kernel("no", None)).1, []);
    }
}
