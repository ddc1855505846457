//! Probabilities, exactly as the kernel has them.

use std::fmt;

/// How likely something is, in the kernel's unit: 2^32 - 1 stands for certain (`get_crandom` in `net/sched/sch_netem.c`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Probability(u32);

/// Billionths of a percent in the whole.
const WHOLE: u64 = 100 * 1_000_000_000;

impl Probability {
    /// Never.
    pub const NEVER: Self = Self(0);
    /// Always.
    pub const ALWAYS: Self = Self(u32::MAX);

    /// In the kernel's unit.
    pub const fn from_kernel(share: u32) -> Self {
        Self(share)
    }

    /// In the kernel's unit.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Of a percentage in billionths of a percent; `None` above 100 percent.
    pub fn from_percentage(billionths: u64) -> Option<Self> {
        let share =
            (u128::from(billionths) * u128::from(u32::MAX) * 2 + u128::from(WHOLE)) / u128::from(2 * WHOLE);
        u32::try_from(share).ok().filter(|_| billionths <= WHOLE).map(Self)
    }

    /// The share that is `part` of `whole`, at most all.
    pub fn ratio(part: u128, whole: u128) -> Self {
        let twice = (2 * part * u128::from(u32::MAX)).checked_div(whole).unwrap_or(0);
        Self(u32::try_from(twice.div_ceil(2)).unwrap_or(u32::MAX))
    }
}

impl fmt::Display for Probability {
    /// The shortest percentage that is it, such as `0.5%`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = u128::from(self.0) * u128::from(WHOLE);
        for digits in 0..=9_u32 {
            let unit = 10_u128.pow(9 - digits);
            let rounded = (exact * 2 / (u128::from(u32::MAX) * unit)).div_ceil(2) * unit;
            let billionths = u64::try_from(rounded).unwrap_or(WHOLE);
            if digits == 9 || Self::from_percentage(billionths) == Some(*self) {
                let (whole, rest) = (billionths / 1_000_000_000, billionths % 1_000_000_000);
                let rest = format!("{rest:09}");
                let rest = rest.trim_end_matches('0');
                let dot = if rest.is_empty() { "" } else { "." };
                return write!(f, "{whole}{dot}{rest}%");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn percentages_are_those_of_the_kernel() {
        // As tc(8) 6.1 sends them.
        for (billionths, share, text) in [
            (0, 0, "0%"),
            (500_000_000, 21_474_836, "0.5%"),
            (1_000_000_000, 42_949_673, "1%"),
            (25_000_000_000, 1_073_741_824, "25%"),
            (33_300_000_000, 1_430_224_109, "33.3%"),
            (100_000_000_000, u32::MAX, "100%"),
            (1, 0, "0%"),
        ] {
            let read = Probability::from_percentage(billionths).unwrap();
            assert_eq!((read.get(), read.to_string().as_str()), (share, text), "{billionths}");
        }
        assert_eq!(Probability::from_percentage(WHOLE + 1), None);
    }

    proptest! {
        #[test]
        fn what_is_shown_is_what_it_is(share in any::<u32>()) {
            let text = Probability::from_kernel(share).to_string();
            let (whole, rest) = text.strip_suffix('%').unwrap().split_once('.').unwrap_or((text.trim_end_matches('%'), ""));
            let billionths = whole.parse::<u64>().unwrap() * 1_000_000_000 + format!("{rest:0<9}").parse::<u64>().unwrap();
            prop_assert_eq!(Probability::from_percentage(billionths), Some(Probability(share)));
        }
    }
}
