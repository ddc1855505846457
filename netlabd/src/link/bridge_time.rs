//! Times of bridges.

use std::{fmt, ops::RangeInclusive};

use crate::{
    input::{Path, Sink, quantity},
    model::name::NameError,
};

/// Nanoseconds in a hundredth of a second.
const HUNDREDTH: u64 = 10_000_000;

/// A time in hundredths of a second, as the kernel takes and shows it (`USER_HZ`); a whole number of tenths, which no
/// kernel's own clock rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BridgeTime(pub u32);

impl BridgeTime {
    /// Of whole seconds.
    pub(super) const fn seconds(seconds: u32) -> Self {
        Self(seconds * 100)
    }

    /// Reads a field; `default` where it is left out. `None`: it is at fault.
    pub(super) fn read(
        text: &str,
        default: Self,
        range: &RangeInclusive<Self>,
        path: &Path,
        sink: &mut Sink,
    ) -> Option<Self> {
        if text.is_empty() { Some(default) } else { sink.keep_text(path, text, Self::parse(text, range)) }
    }

    fn parse(text: &str, range: &RangeInclusive<Self>) -> Result<Self, NameError> {
        let bounds = || NameError(format!("is not between {} and {}", range.start(), range.end()));
        let nanoseconds =
            quantity::time(text).map_err(|NameError(message)| NameError(in_seconds(&message)))?;
        if nanoseconds % (10 * HUNDREDTH) != 0 {
            return Err(NameError("is finer than tenths of a second".into()));
        }
        let time = u32::try_from(nanoseconds / HUNDREDTH).map(Self).map_err(|_| bounds())?;
        if range.contains(&time) { Ok(time) } else { Err(bounds()) }
    }
}

/// A bare number was meant in seconds here.
fn in_seconds(message: &str) -> String {
    match message.strip_prefix("has no unit; write ").and_then(|near| near.strip_suffix("ms")) {
        Some(number) => format!("has no unit; write {number}s"),
        None => message.replace("20ms", "4s"),
    }
}

impl fmt::Display for BridgeTime {
    /// `4s`, `2.5s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, tenths) = (self.0 / 100, self.0 % 100 / 10);
        if tenths == 0 { write!(f, "{whole}s") } else { write!(f, "{whole}.{tenths}s") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_refused() {
        let range = BridgeTime::seconds(2)..=BridgeTime::seconds(30);
        for (text, expected) in [("4s", 400), ("2500ms", 250), ("2s", 200), ("30s", 3_000)] {
            assert_eq!(BridgeTime::parse(text, &range), Ok(BridgeTime(expected)), "{text}");
        }
        assert_eq!(BridgeTime(250).to_string(), "2.5s");
        for (text, expected) in [
            ("4", "has no unit; write 4s"),
            ("4h", "is not a time such as 4s: a number and ns, us, ms or s"),
            ("4 s", "is not a time such as 4s: a number and ns, us, ms or s; write 4s"),
            ("4.05s", "is finer than tenths of a second"),
            ("1s", "is not between 2s and 30s"),
            ("31s", "is not between 2s and 30s"),
            ("99999999999s", "is finer than a nanosecond, or absurdly long"),
            ("9999999999s", "is not between 2s and 30s"),
        ] {
            assert_eq!(BridgeTime::parse(text, &range), Err(NameError(expected.to_owned())), "{text}");
        }
    }
}
