//! Values of the configuration that are more than numbers.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Deserialize;

/// An address range that labs may use on the host.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Pool(IpNet);

impl Pool {
    /// Whether a whole range lies within it.
    pub fn contains(&self, range: &IpNet) -> bool {
        self.0.contains(&range.trunc())
    }
}

impl std::fmt::Display for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<String> for Pool {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let net = crate::model::address::network(&text).ok_or_else(|| {
            let ambiguous = crate::model::address::is_ambiguous(&text);
            let wrong = if ambiguous {
                crate::model::address::AMBIGUOUS
            } else {
                "is not an address range such as 10.0.0.0/8"
            };
            format!("{text:?} {wrong}")
        })?;
        if net != net.trunc() {
            return Err(format!("{text:?} has bits beyond its prefix; the range is {}", net.trunc()));
        }
        // An IPv4 range in IPv6 notation would never match anything.
        match net.addr() {
            IpAddr::V6(address) if address.to_ipv4_mapped().is_some() => {
                Err(format!("{text:?} is IPv4 in IPv6 notation; write it as IPv4"))
            }
            _ => Ok(Self(net)),
        }
    }
}

/// A prefix length in bits, 1 to `MOST`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "i64")]
pub struct Prefix<const MOST: u8>(u8);

impl<const MOST: u8> Prefix<MOST> {
    /// This length, or the nearest that there is.
    pub(super) fn at_least(length: u8) -> Self {
        Self(length.clamp(1, MOST))
    }

    /// The length.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl<const MOST: u8> TryFrom<i64> for Prefix<MOST> {
    type Error = String;

    fn try_from(length: i64) -> Result<Self, String> {
        let known = u8::try_from(length).ok().filter(|length| (1..=MOST).contains(length));
        known.map(Self).ok_or_else(|| format!("{length} is no prefix length; write one from 1 to {MOST}"))
    }
}

/// An interface name, or a pattern of names with `*` (any text) and `?` (any one character).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct NamePattern(String);

impl std::fmt::Display for NamePattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl NamePattern {
    /// Whether a name fits.
    pub fn matches(&self, name: &str) -> bool {
        fits(self.0.as_bytes(), name.as_bytes())
    }
}

/// Patterns and names are at most 15 bytes long, so trying all is cheap.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern, name) {
        ([b'*', rest @ ..], _) => (0..=name.len()).any(|from| fits(rest, &name[from..])),
        ([b'?', rest @ ..], [_, tail @ ..]) => fits(rest, tail),
        ([first, rest @ ..], [head, tail @ ..]) if first == head => fits(rest, tail),
        ([], []) => true,
        _ => false,
    }
}

impl TryFrom<String> for NamePattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let legal = |b: u8| b.is_ascii_graphic() && b != b'/' && b != b':';
        if !(1..=15).contains(&text.len()) || !text.bytes().all(legal) {
            return Err(format!(
                "{text:?} is neither an interface name (1 to 15 characters) nor a pattern of one such as eth*"
            ));
        }
        Ok(Self(text))
    }
}

/// A number of bytes, written `512M`, `2G` (powers of 1,024) or without a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Bytes(pub u64);

impl TryFrom<String> for Bytes {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (digits, shift) = match text.as_bytes().last() {
            Some(b'K') => (&text[..text.len() - 1], 10),
            Some(b'M') => (&text[..text.len() - 1], 20),
            Some(b'G') => (&text[..text.len() - 1], 30),
            _ => (text.as_str(), 0),
        };
        let plain = digits.bytes().all(|b| b.is_ascii_digit());
        let number = digits.parse::<u64>().ok().filter(|number| plain && *number > 0);
        let bytes = number.and_then(|number| number.checked_mul(1 << shift));
        bytes.map(Self).ok_or_else(|| format!("{text:?} is not a number of bytes such as 512M or 2G"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let matches = |pattern: &str, name| NamePattern::try_from(pattern.to_owned()).unwrap().matches(name);
        assert!(matches("eth0", "eth0") && !matches("eth0", "eth01") && !matches("eth0", "eth"));
        assert!(matches("eth*", "eth") && matches("eth*", "eth0") && !matches("eth*", "xeth0"));
        assert!(matches("*", "anything") && matches("e?h*0", "eth10") && !matches("?", ""));
        assert!(matches("*a*b*", "xaxbx") && !matches("*a*b*", "xbxax"));
        for bad in ["", "a b", "a/b", "abcdefghijklmnop"] {
            assert!(NamePattern::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn pools() {
        let pool = Pool::try_from("10.0.0.0/8".to_owned()).unwrap();
        assert!(pool.contains(&"10.1.2.3/24".parse().unwrap()));
        assert!(pool.contains(&"10.1.2.3/8".parse().unwrap()));
        assert!(!pool.contains(&"10.1.2.3/7".parse().unwrap()), "the range is larger than the pool");
        assert!(!pool.contains(&"11.0.0.1/24".parse().unwrap()));
        assert!(!pool.contains(&"::a00:1/128".parse().unwrap()));
        for bad in ["10.0.0.1/8", "10.0.0.0", "", "::ffff:10.0.0.0/104"] {
            assert!(Pool::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn bytes() {
        let bytes = |text: &str| Bytes::try_from(text.to_owned()).map(|bytes| bytes.0);
        assert_eq!(bytes("4096"), Ok(4096));
        assert_eq!(bytes("2G"), Ok(2 << 30));
        for bad in ["", "M", "-1", "+1", "0", "1T", "1.5G", "99999999999G"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
    }
}
