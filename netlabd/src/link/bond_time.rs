//! Times of bonds, and how they watch the carriers of their members.

use std::{fmt, ops::RangeInclusive};

use netlab_proto::v1 as proto;
use netlink_packet_route::link::InfoBond;

use crate::{
    input::{Path, Sink, quantity},
    model::name::NameError,
};

/// Nanoseconds in a millisecond.
const MILLISECOND: u64 = 1_000_000;

/// A time in milliseconds, as the kernel takes and shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BondTime(pub u32);

impl BondTime {
    /// Reads a field; `usual` where it is left out. `None`: it is at fault.
    fn read(
        text: &str,
        usual: Self,
        range: &RangeInclusive<Self>,
        path: &Path,
        sink: &mut Sink,
    ) -> Option<Self> {
        if text.is_empty() { Some(usual) } else { sink.keep_text(path, text, Self::parse(text, range)) }
    }

    fn parse(text: &str, range: &RangeInclusive<Self>) -> Result<Self, NameError> {
        let bounds = || NameError(format!("is not between {} and {}", range.start(), range.end()));
        let nanoseconds = quantity::time(text)?;
        if nanoseconds % MILLISECOND != 0 {
            return Err(NameError("is finer than milliseconds".into()));
        }
        let time = u32::try_from(nanoseconds / MILLISECOND).map(Self).map_err(|_| bounds())?;
        if range.contains(&time) { Ok(time) } else { Err(bounds()) }
    }
}

impl fmt::Display for BondTime {
    /// `100ms`, `2s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            whole if whole > 0 && whole % 1_000 == 0 => write!(f, "{}s", whole / 1_000),
            milliseconds => write!(f, "{milliseconds}ms"),
        }
    }
}

/// How carriers of members are watched. The kernel keeps the delays as counts of looks: they change with `miimon`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watch {
    /// How often.
    pub miimon: BondTime,
    /// How long one has to be there.
    pub updelay: BondTime,
    /// How long one has to be gone.
    pub downdelay: BondTime,
}

impl Default for Watch {
    fn default() -> Self {
        let none = BondTime(0);
        Self { miimon: BondTime(100), updelay: none, downdelay: none }
    }
}

/// How often carriers can be looked at.
const MIIMON: RangeInclusive<BondTime> = BondTime(1)..=BondTime(10_000);
/// How long a member can wait.
const DELAY: RangeInclusive<BondTime> = BondTime(0)..=BondTime(600_000);
impl Watch {
    /// Reads the fields; `path` is that of the bond.
    pub(super) fn read(message: &proto::Bond, path: &Path, sink: &mut Sink) -> Option<Self> {
        let usual = Self::default();
        let miimon = BondTime::read(&message.miimon, usual.miimon, &MIIMON, &path.field("miimon"), sink);
        let mut delay = |field: &str, text: &str| {
            let at = path.field(field);
            let delay = BondTime::read(text, BondTime(0), &DELAY, &at, sink)?;
            let Some(every) = miimon.filter(|every| delay.0 % every.0 != 0) else { return Some(delay) };
            let (less, more) = (delay.0 - delay.0 % every.0, delay.0 - delay.0 % every.0 + every.0);
            let message = format!(
                "{delay} is no multiple of miimon, {every}, at which carriers are looked at; write {} or {}",
                BondTime(less),
                BondTime(more)
            );
            sink.add(&at, message);
            None
        };
        let (updelay, downdelay) =
            (delay("updelay", &message.updelay), delay("downdelay", &message.downdelay));
        Some(Self { miimon: miimon?, updelay: updelay?, downdelay: downdelay? })
    }

    /// Whether carriers that come or go are waited for.
    pub(super) fn waits(self) -> bool {
        self.updelay.0 > 0 || self.downdelay.0 > 0
    }

    /// In words: what is not as usual, or all of it if `whole`.
    pub(super) fn words(self, whole: bool, show: fn(BondTime) -> String) -> String {
        let usual = Self::default();
        let all = [
            ("miimon", self.miimon, true),
            ("updelay", self.updelay, whole || self.updelay != usual.updelay),
            ("downdelay", self.downdelay, whole || self.downdelay != usual.downdelay),
        ];
        let said = all.into_iter().filter(|(.., said)| *said);
        said.map(|(name, time, _)| format!("{name} {}", show(time))).collect::<Vec<_>>().join(" ")
    }

    /// The same for the kernel.
    pub(super) fn options(self) -> [InfoBond; 3] {
        [
            InfoBond::MiiMon(self.miimon.0),
            InfoBond::UpDelay(self.updelay.0),
            InfoBond::DownDelay(self.downdelay.0),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_refused() {
        let range = BondTime(1)..=BondTime(10_000);
        for (text, expected, shown) in [("100ms", 100, "100ms"), ("0.05s", 50, "50ms"), ("2s", 2_000, "2s")] {
            assert_eq!(BondTime::parse(text, &range), Ok(BondTime(expected)), "{text}");
            assert_eq!(BondTime(expected).to_string(), shown);
        }
        for (text, expected) in [
            ("100", "has no unit; write 100ms"),
            ("0.5ms", "is finer than milliseconds"),
            ("0ms", "is not between 1ms and 10s"),
            ("11s", "is not between 1ms and 10s"),
            ("9999999999s", "is not between 1ms and 10s"),
        ] {
            assert_eq!(BondTime::parse(text, &range), Err(NameError(expected.to_owned())), "{text}");
        }
    }
}
