//! Points in time, as the API has them.

use std::time::{SystemTime, UNIX_EPOCH};

use pbjson_types::Timestamp;

/// Microseconds since 1970.
pub fn now_us() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX)
}

/// Now.
pub fn now() -> Timestamp {
    timestamp(now_us())
}

/// A point in time given in microseconds since 1970.
pub fn timestamp(us: i64) -> Timestamp {
    let nanos = i32::try_from(us.rem_euclid(1_000_000) * 1_000).unwrap_or_default();
    Timestamp { seconds: us.div_euclid(1_000_000), nanos }
}
