//! What went wrong, as one line a fault and an exit code.

use std::{error::Error, io, sync::OnceLock};

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::version;

/// The daemon refused or failed.
pub(crate) const FAILED: u8 = 1;
/// Wrong use of the program, or an invalid lab file.
pub(crate) const USAGE: u8 = 2;
/// No daemon reached.
pub(crate) const NO_DAEMON: u8 = 3;
/// No such lab, node or interface.
pub(crate) const NOT_FOUND: u8 = 4;
/// It exists already, or conflicts with what exists.
pub(crate) const CONFLICT: u8 = 5;
/// Not permitted.
pub(crate) const NOT_PERMITTED: u8 = 6;
/// A check of the lab failed.
pub(crate) const CHECK_FAILED: u8 = 7;
/// A dry run found changes.
pub(crate) const CHANGES: u8 = 8;
/// `exec`: netlabctl itself failed, as in env(1).
pub(crate) const EXEC_FAILED: u8 = 125;
/// Stopped by Ctrl-C, 128 + SIGINT.
pub(crate) const INTERRUPTED: u8 = 130;
/// Nobody reads the output any more, 128 + SIGPIPE.
const BROKEN_PIPE: u8 = 141;

/// The daemon on another machine that this run of the program speaks with, for messages.
static PLACE: OnceLock<String> = OnceLock::new();

/// Says which daemon messages speak of: one run of the program speaks with one.
pub(crate) fn set_place(url: String) {
    // It is set once.
    let _ = PLACE.set(url);
}

/// The end of a command that did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Exit code.
    pub(crate) code: u8,
    /// Lines for the standard error, as they are printed.
    pub(crate) lines: Vec<String>,
}

impl Failure {
    /// One line: what is wrong, and what to do.
    pub(crate) fn new(code: u8, message: impl AsRef<str>) -> Self {
        let line = message.as_ref().split_whitespace().collect::<Vec<_>>().join(" ");
        Self { code, lines: vec![format!("netlabctl: {line}")] }
    }

    /// Faults of a file; each line names the place already.
    pub(crate) fn file(code: u8, lines: &[String]) -> Self {
        Self { code, lines: lines.iter().map(|line| line.replace(['\n', '\r'], " ")).collect() }
    }

    /// A connection that was there and broke.
    pub(crate) fn lost(cause: &str) -> Self {
        let message = match PLACE.get() {
            Some(place) => format!(
                "lost netlabd at {place}: {cause}; is it running, and is the network well? what was asked for may \
                 go on there"
            ),
            None => format!("lost netlabd: {cause}; is it running? try: systemctl status netlabd"),
        };
        Self::new(NO_DAEMON, message)
    }

    /// The message without the program's name.
    pub(crate) fn text(&self) -> String {
        let text = self.lines.join(" ");
        text.strip_prefix("netlabctl: ").map_or_else(|| text.clone(), str::to_owned)
    }

    /// Whether all that is wrong is that nobody reads the output any more.
    pub(crate) fn nobody_reads(&self) -> bool {
        self.code == BROKEN_PIPE
    }

    /// An exit code alone: the output says it all.
    pub(crate) fn quiet(code: u8) -> Self {
        Self { code, lines: Vec::new() }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::quiet(BROKEN_PIPE),
            _ => Self::new(FAILED, error.to_string()),
        }
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        let code = exit_code(&status);
        let message = &(status.message().to_owned() + &advice(&status));
        if let Some(cause) = broken(&status) {
            return Self::lost(&cause);
        }
        match status.code() {
            Code::Unavailable => Self::new(code, format!("netlabd is not available: {message}; try again")),
            Code::PermissionDenied => Self::new(code, format!("not permitted: {message}")),
            Code::Unimplemented => Self::new(code, version::too_old(status.metadata())),
            _ if message.is_empty() => Self::new(code, format!("netlabd answered {:?}", status.code())),
            _ => Self::new(code, message),
        }
    }
}

/// What to do about a status, in this program's words: the API has none for it.
fn advice(status: &Status) -> String {
    let Some(info) = status.get_details_error_info() else { return String::new() };
    let Some(lab) = info.metadata.get("lab") else { return String::new() };
    match info.reason.as_str() {
        "LAB_EXISTS" if info.metadata.get("own").is_some_and(|own| own == "false") => {
            ": netlabctl create-lab --name NAME FILE".to_owned()
        }
        "LAB_EXISTS" => format!(": netlabctl apply-lab FILE, or netlabctl delete-lab {lab}"),
        "LAB_UNREADABLE" => format!(": netlabctl delete-lab {lab}"),
        "NOTHING_TO_CONFIRM" => format!("; see netlabctl get-lab {lab}"),
        "LAB_NOT_READY" => format!(": netlabctl wait-lab {lab}"),
        _ => String::new(),
    }
}

/// The exit code that a status of the daemon stands for.
pub(crate) fn exit_code(status: &Status) -> u8 {
    if broken(status).is_some() {
        return NO_DAEMON;
    }
    match status.code() {
        Code::InvalidArgument => USAGE,
        Code::Unavailable => NO_DAEMON,
        Code::NotFound => NOT_FOUND,
        Code::AlreadyExists | Code::Aborted => CONFLICT,
        Code::PermissionDenied | Code::Unauthenticated => NOT_PERMITTED,
        Code::FailedPrecondition => match reason(status).as_str() {
            "HOST_INTERFACE_TAKEN" | "HOST_ADDRESS_OVERLAP" | "HOST_PORT_TAKEN" | "PARENT_TAKEN" => CONFLICT,
            _ => FAILED,
        },
        _ => FAILED,
    }
}

/// Why the connection broke, if that is what the status is about: its innermost cause. A status that
/// the daemon sent wraps nothing; one that was made on this side wraps what went wrong below it.
fn broken(status: &Status) -> Option<String> {
    status.source().map(root_cause)
}

/// What lies below all that an error wraps.
pub(crate) fn root_cause(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// The machine-readable reason of a status; empty without one.
pub(crate) fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn each_status_has_its_exit_code() {
        let expected = [
            (Code::InvalidArgument, 2),
            (Code::Unavailable, 3),
            (Code::NotFound, 4),
            (Code::AlreadyExists, 5),
            (Code::Aborted, 5),
            (Code::PermissionDenied, 6),
            (Code::FailedPrecondition, 1),
            (Code::ResourceExhausted, 1),
            (Code::Internal, 1),
            (Code::DeadlineExceeded, 1),
        ];
        for (code, exit) in expected {
            assert_eq!(exit_code(&Status::new(code, "x")), exit, "{code:?}");
        }
    }

    #[test]
    fn a_conflict_with_the_host_is_a_conflict() {
        let with = |reason| {
            let details = ErrorDetails::with_error_info(reason, "netlab", std::collections::HashMap::new());
            exit_code(&Status::with_error_details(Code::FailedPrecondition, "x", details))
        };
        assert_eq!(with("HOST_INTERFACE_TAKEN"), 5);
        assert_eq!(with("HOST_ADDRESS_OVERLAP"), 5);
        assert_eq!(with("HOST_PORT_TAKEN"), 5);
        assert_eq!(with("FEATURE_MISSING"), 1);
        assert_eq!(with("LAB_NOT_READY"), 1);
    }

    #[test]
    fn an_error_is_one_line() {
        assert_eq!(Failure::new(1, "a\n  b").lines, ["netlabctl: a b"]);
    }

    #[test]
    fn a_broken_pipe_says_nothing() {
        let failure = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!((failure.code, failure.lines.len()), (141, 0));
    }
}
