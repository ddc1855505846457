//! Ranges of ports.

use std::{fmt, str::FromStr};

use super::{NameError, address};

/// Ports from the first to the last, both included, none of them 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    first: u16,
    last: u16,
}

impl PortRange {
    /// The ports that are not reserved for services of the system (RFC 6335, section 6).
    pub const UNPRIVILEGED: Self = Self { first: 1024, last: u16::MAX };

    /// One port.
    pub const fn one(port: u16) -> Self {
        Self { first: port, last: port }
    }

    /// The first port.
    pub const fn first(self) -> u16 {
        self.first
    }

    /// The last port.
    pub const fn last(self) -> u16 {
        self.last
    }

    /// Whether it holds more than one port.
    pub const fn is_several(self) -> bool {
        self.first != self.last
    }

    /// Whether all ports of another range are in this one.
    pub const fn contains(self, other: Self) -> bool {
        self.first <= other.first && other.last <= self.last
    }

    /// Whether both have a port in common.
    pub const fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

impl FromStr for PortRange {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (port(first)?, port(last)?);
        if first > last {
            return Err(NameError(format!("ends before it begins; write {last}-{first}")));
        }
        Ok(Self { first, last })
    }
}

fn port(text: &str) -> Result<u16, NameError> {
    let port = address::number(text).filter(|port| *port != 0);
    port.ok_or_else(|| NameError("is no port (1 to 65535) and no range of ports such as 8000-8010".into()))
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.fmt(f)?;
        if self.is_several() {
            write!(f, "-{}", self.last)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_ranges() {
        for text in ["1", "80", "65535", "8000-8010", "1-65535"] {
            assert_eq!(text.parse::<PortRange>().unwrap().to_string(), text);
        }
        assert_eq!("80-80".parse::<PortRange>().unwrap().to_string(), "80");
        for bad in ["", "0", "65536", "-1", "+1", "080", "1-", "-", "1-2-3", "1 - 2", "http", "0-9", "9-0"] {
            assert!(bad.parse::<PortRange>().is_err(), "{bad}");
        }
        let turned = "8010-8000".parse::<PortRange>().unwrap_err();
        assert_eq!(turned.0, "ends before it begins; write 8000-8010");
    }

    #[test]
    fn what_a_range_holds() {
        let range = |text: &str| text.parse::<PortRange>().unwrap();
        assert!(range("1-9").contains(range("3-9")) && !range("1-9").contains(range("9-10")));
        assert!(range("1-9").overlaps(range("9-10")) && !range("1-9").overlaps(range("10")));
    }
}
