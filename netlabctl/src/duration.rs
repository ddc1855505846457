//! Times on the command line: `60s`, `500ms`, `1.5m`; a plain number is seconds.

use std::time::Duration;

/// Longest time that is taken, a week.
const LONGEST: f64 = 7.0 * 86_400.0;

/// Parses a time of at most a week.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let seconds = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err("use ms, s, m or h, for example 90s".to_owned()),
    };
    let time = number.parse::<f64>().map_err(|_| "expected a time such as 90s".to_owned())? * seconds;
    if !(0.0..=LONGEST).contains(&time) {
        return Err("expected a time from 0 to a week".to_owned());
    }
    Ok(Duration::from_secs_f64(time))
}

/// Writes a time for people, for example `60s` or `0.5s`.
pub(crate) fn show(time: Duration) -> String {
    format!("{}s", time.as_secs_f64())
}

/// A time as the API's message.
pub(crate) fn message(time: Duration) -> pbjson_types::Duration {
    pbjson_types::Duration {
        seconds: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(time.subsec_nanos()).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_units() {
        for (text, millis) in [("60s", 60_000), ("500ms", 500), ("1.5m", 90_000), ("2", 2000), ("0.2", 200)] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for bad in ["", "s", "5d", "-1s", "nan", "inf", "1e9h", "1 s"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
