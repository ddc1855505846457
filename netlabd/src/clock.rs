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

/// Microseconds since this boot began, suspended or not: a clock that nobody sets (`CLOCK_BOOTTIME`).
pub fn boottime_us() -> i64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    time.tv_sec * 1_000_000 + time.tv_nsec / 1_000
}

/// Which boot this is; [`boottime_us`] of another one means nothing. Empty if the kernel does not say.
pub fn boot_id() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}
