//! Texts with units: `20ms`, `0.5%`, `10mbit`. A bare number is refused, and told what to write.

use crate::model::{name::NameError, probability::Probability};

/// Decimals that are read: down to a billionth.
const DECIMALS: usize = 9;
const BILLION: u64 = 1_000_000_000;

/// Nanoseconds in the units of time.
const TIMES: [(&str, u64); 4] = [("ns", 1), ("us", 1_000), ("ms", 1_000_000), ("s", BILLION)];
/// Bits a second in the units of rates, which are tc(8)'s.
const RATES: [(&str, u64); 4] = [("bit", 1), ("kbit", 1_000), ("mbit", 1_000_000), ("gbit", BILLION)];

/// Reads a time; gives nanoseconds.
pub(crate) fn time(text: &str) -> Result<u64, NameError> {
    let (number, unit) = split(text).ok_or_else(|| no_time(text))?;
    if unit.is_empty() {
        return Err(NameError(format!("has no unit; write {number}ms")));
    }
    let (_, scale) = TIMES.iter().find(|(name, _)| *name == unit).ok_or_else(|| no_time(text))?;
    scaled(number, *scale).ok_or_else(|| NameError("is finer than a nanosecond, or absurdly long".into()))
}

/// Reads a share; at most 100%.
pub(crate) fn probability(text: &str) -> Result<Probability, NameError> {
    let no_percentage = || {
        let plain = text.trim().trim_end_matches('%').trim_end();
        let near =
            split(plain).filter(|(_, unit)| unit.is_empty()).map(|(number, _)| format!("; write {number}%"));
        NameError(format!("is not a percentage such as 0.5%{}", near.unwrap_or_default()))
    };
    let (number, unit) = split(text).ok_or_else(no_percentage)?;
    match unit {
        "" => return Err(NameError(format!("has no unit; write {number}%"))),
        "%" => {}
        _ => return Err(no_percentage()),
    }
    let billionths =
        scaled(number, BILLION).ok_or_else(|| NameError("has more decimals than matter".into()))?;
    Probability::from_percentage(billionths).ok_or_else(|| NameError("is above 100%".into()))
}

/// Reads a rate; gives bytes a second, to the nearest.
pub(crate) fn rate(text: &str) -> Result<u64, NameError> {
    let (number, unit) = split(text).ok_or_else(|| no_rate(text))?;
    if unit.is_empty() {
        return Err(NameError(format!("has no unit; write {number}mbit")));
    }
    let (_, scale) = RATES.iter().find(|(name, _)| *name == unit).ok_or_else(|| no_rate(text))?;
    let bits =
        scaled(number, *scale).ok_or_else(|| NameError("is finer than a bit, or absurdly much".into()))?;
    Ok(bits.saturating_add(4) / 8)
}

fn no_time(text: &str) -> NameError {
    let near = near(text, |unit| match unit {
        "n" | "nsec" | "nsecs" => Some("ns"),
        "u" | "usec" | "usecs" | "µs" => Some("us"),
        "m" | "msec" | "msecs" => Some("ms"),
        "sec" | "secs" => Some("s"),
        unit => TIMES.iter().map(|(name, _)| *name).find(|name| *name == unit),
    });
    NameError(format!("is not a time such as 20ms: a number and ns, us, ms or s{near}"))
}

fn no_rate(text: &str) -> NameError {
    let near = near(text, |unit| match unit.trim_end_matches("/s").trim_end_matches("ps") {
        "k" | "kb" | "kbits" => Some("kbit"),
        "m" | "mb" | "mbits" => Some("mbit"),
        "g" | "gb" | "gbits" => Some("gbit"),
        unit => RATES.iter().map(|(name, _)| *name).find(|name| *name == unit),
    });
    NameError(format!("is not a rate such as 10mbit: a number and bit, kbit, mbit or gbit a second{near}"))
}

/// `; write 20ms` for what others write for it.
fn near(text: &str, unit: impl FnOnce(&str) -> Option<&'static str>) -> String {
    let plain: String = text.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect();
    let found = split(&plain).and_then(|(number, given)| Some((number, unit(given)?)));
    found.map(|(number, unit)| format!("; write {number}{unit}")).unwrap_or_default()
}

/// A number as decimals are written, and the unit behind it; no zeros before it, which could be read as octal.
fn split(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_plain = whole == "0" || !whole.is_empty() && !whole.starts_with('0');
    let digits = !fraction.is_empty() && fraction.bytes().all(|c| c.is_ascii_digit());
    (is_plain && digits).then_some((number, unit))
}

/// A number times `scale`; `None` if that is not whole, or too large.
fn scaled(number: &str, scale: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > DECIMALS {
        return None;
    }
    let billionths: u64 = format!("{fraction:0<DECIMALS$}").parse().ok()?;
    let part = u128::from(billionths) * u128::from(scale);
    if part % u128::from(BILLION) != 0 {
        return None;
    }
    let whole = whole.parse::<u64>().ok()?.checked_mul(scale)?;
    whole.checked_add(u64::try_from(part / u128::from(BILLION)).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_right_is_read_exactly() {
        for (text, expected) in [
            ("20ms", 20_000_000),
            ("0s", 0),
            ("1.5ms", 1_500_000),
            ("250us", 250_000),
            ("0.000000001s", 1),
            ("3600s", 3_600 * BILLION),
        ] {
            assert_eq!(time(text), Ok(expected), "{text}");
        }
        for (text, expected) in [
            ("10mbit", 1_250_000),
            ("64kbit", 8_000),
            ("1.5mbit", 187_500),
            ("9bit", 1),
            ("12bit", 2),
            ("100gbit", 12_500_000_000),
        ] {
            assert_eq!(rate(text), Ok(expected), "{text}");
        }
        assert_eq!(probability("0.5%").unwrap().get(), 21_474_836);
        assert_eq!(probability("100%"), Ok(Probability::ALWAYS));
        assert_eq!(probability("100.0%"), Ok(Probability::ALWAYS));
    }

    #[test]
    fn what_is_wrong_is_told_what_to_write() {
        let no_time = "is not a time such as 20ms: a number and ns, us, ms or s";
        let no_rate = "is not a rate such as 10mbit: a number and bit, kbit, mbit or gbit a second";
        let no_share = "is not a percentage such as 0.5%";
        let wrong = |read: fn(&str) -> Result<(), NameError>, text: &str, expected: String| {
            assert_eq!(read(text), Err(NameError(expected)), "{text:?}");
        };
        let t: fn(&str) -> Result<(), NameError> = |text| time(text).map(drop);
        let r: fn(&str) -> Result<(), NameError> = |text| rate(text).map(drop);
        let p: fn(&str) -> Result<(), NameError> = |text| probability(text).map(drop);
        wrong(t, "20", "has no unit; write 20ms".into());
        wrong(t, "20 ms", format!("{no_time}; write 20ms"));
        wrong(t, "20m", format!("{no_time}; write 20ms"));
        wrong(t, "2h", no_time.into());
        wrong(t, "-5ms", no_time.into());
        wrong(t, "010ms", no_time.into());
        wrong(t, "", no_time.into());
        wrong(t, ".5ms", no_time.into());
        wrong(t, "1.ms", no_time.into());
        wrong(t, "0.5ns", "is finer than a nanosecond, or absurdly long".into());
        wrong(t, "99999999999999999999s", "is finer than a nanosecond, or absurdly long".into());
        wrong(r, "10", "has no unit; write 10mbit".into());
        wrong(r, "10Mbps", format!("{no_rate}; write 10mbit"));
        wrong(r, "1.5 Gbit/s", format!("{no_rate}; write 1.5gbit"));
        wrong(r, "10M", format!("{no_rate}; write 10mbit"));
        wrong(r, "fast", no_rate.into());
        wrong(p, "1", "has no unit; write 1%".into());
        wrong(p, "1 %", format!("{no_share}; write 1%"));
        wrong(p, "101%", "is above 100%".into());
        wrong(p, "1%%", format!("{no_share}; write 1%"));
        wrong(p, "half", no_share.into());
        wrong(p, "0.1234567891%", "has more decimals than matter".into());
    }
}
