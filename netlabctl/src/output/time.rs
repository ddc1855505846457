//! Points in time and ages.

use std::time::{SystemTime, UNIX_EPOCH};

use pbjson_types::Timestamp;
use time::OffsetDateTime;

const DAY: i64 = 86_400;

/// RFC 3339 in UTC with milliseconds, for example `2026-01-31T09:30:00.125Z`; `-` for none, and for one beyond the year 9999.
pub(crate) fn rfc3339(time: Option<&Timestamp>) -> String {
    let Some(time) = time else { return "-".to_owned() };
    let Ok(utc) = OffsetDateTime::from_unix_timestamp(time.seconds) else { return "-".to_owned() };
    let (date, millis) = (utc.date(), time.nanos / 1_000_000);
    let (hour, minute, second) = utc.to_hms();
    format!("{date}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// How long ago, in the largest unit that fits, for example `5m`; `-` for no time.
pub(crate) fn age(time: Option<&Timestamp>) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    time.map_or_else(|| "-".to_owned(), |time| span(now.saturating_sub(time.seconds).max(0)))
}

/// How long until then, in the largest unit that fits; `0s` for what is past.
pub(crate) fn left(time: &Timestamp) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    span(time.seconds.saturating_sub(now).max(0))
}

fn span(seconds: i64) -> String {
    match seconds {
        0..=119 => format!("{seconds}s"),
        120..=7199 => format!("{}m", seconds / 60),
        7200..=172_799 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / DAY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_rfc3339() {
        let cases = [
            (0, "1970-01-01T00:00:00.500Z"),
            (951_782_400, "2000-02-29T00:00:00.500Z"),
            (1_767_225_599, "2025-12-31T23:59:59.500Z"),
            (-1, "1969-12-31T23:59:59.500Z"),
        ];
        for (seconds, text) in cases {
            assert_eq!(rfc3339(Some(&Timestamp { seconds, nanos: 500_000_000 })), text);
        }
        assert_eq!(rfc3339(None), "-");
    }

    #[test]
    fn ages_keep_one_unit() {
        assert_eq!([0, 119, 120, 7200, 172_800].map(span), ["0s", "119s", "2m", "2h", "2d"]);
    }
}
