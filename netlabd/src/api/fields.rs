//! Fields that requests of several services have, or that need more than a line to read.

use std::time::Duration;

use tonic::Status;

use super::status;
use crate::model::LabName;

/// How long a check waits: default and most.
const CHECK_TIMEOUT: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(60));

/// A name in a request.
pub(super) fn lab_name(name: &str) -> Result<LabName, Status> {
    name.parse().map_err(|error| status::invalid("name", format!("{name:?} {error}")))
}

/// What a request is called by who sends it.
pub(super) fn request_id(id: String) -> Result<String, Status> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if id.len() <= 64 && id.bytes().all(plain) {
        return Ok(id);
    }
    Err(status::invalid("request_id", "may hold at most 64 letters, digits and hyphens, as a UUID does"))
}

/// How long a change waits to be confirmed.
pub(super) fn rollback_after(asked: pbjson_types::Duration) -> Result<Duration, Status> {
    const RANGE: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);
    let asked = Duration::try_from(asked).ok().filter(|asked| RANGE.contains(asked));
    asked.ok_or_else(|| status::invalid("rollback_after", "must be from 1 s to 24 h"))
}

/// How long a check waits for its answer.
pub(super) fn check_timeout(asked: Option<pbjson_types::Duration>) -> Result<Duration, Status> {
    let Some(asked) = asked else { return Ok(CHECK_TIMEOUT.0) };
    let asked = Duration::try_from(asked).ok().filter(|asked| *asked <= CHECK_TIMEOUT.1);
    asked.ok_or_else(|| status::invalid("timeout", "must be from 0 to 60 s"))
}
