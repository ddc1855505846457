//! Addresses and numbers as texts: one text, one reading.
//!
//! Some programs take a number that begins with 0 for octal (`inet_aton(3)`, and so ip(8)), others for decimal.
//! Whatever could be read in two ways is refused, the same everywhere.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

/// What is wrong with a text that could be read in two ways; follows the text.
pub const AMBIGUOUS: &str =
    "has a number that begins with 0, which some programs read as octal; write it without";

/// Reads `ADDRESS/LENGTH`; `None` if it is none.
pub fn network(text: &str) -> Option<IpNet> {
    let (address, length) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    IpNet::new(address, number(length)?).ok()
}

/// Reads `IPV4:PORT` or `[IPV6]:PORT`; `None` if it is none.
pub fn service(text: &str) -> Option<SocketAddr> {
    let (_, port) = text.rsplit_once(':')?;
    let _: u16 = number(port)?;
    text.parse().ok()
}

/// Reads `IPV4:PORT` or `[IPV6]:PORT` for whoever configures netlabd.
///
/// # Errors
/// What is wrong with it.
pub fn to_listen_at(text: &str) -> Result<SocketAddr, String> {
    service(text).ok_or_else(|| {
        if is_ambiguous(text) {
            format!("{text:?} {AMBIGUOUS}")
        } else {
            format!("{text:?} is no address and port such as 192.0.2.1:7443 or [::]:7443")
        }
    })
}

/// Whether a text would be an address, a network or a service, were it not for zeros before numbers.
pub fn is_ambiguous(text: &str) -> bool {
    let (rest, length) = text.split_once('/').map_or((text, None), |(rest, length)| (rest, Some(length)));
    let (address, port) = match rest.rsplit_once(':') {
        Some((before, port)) if before.ends_with(']') || !before.contains(':') => (before, Some(port)),
        _ => (rest, None),
    };
    let address = address.trim_start_matches('[').trim_end_matches(']');
    let (before, v4) = address.rsplit_once(':').map_or(("", address), |(before, v4)| (before, v4));
    let octets: Vec<&str> = if v4.contains('.') { v4.split('.').map(plain).collect() } else { Vec::new() };
    let numbers = length.into_iter().chain(port);
    let zeros = numbers.clone().chain(v4.split('.').filter(|_| v4.contains('.'))).any(|n| n != plain(n));
    let whole = match (octets.is_empty(), before) {
        (true, _) => address.to_owned(),
        (false, "") => octets.join("."),
        (false, before) => format!("{before}:{}", octets.join(".")),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    zeros && whole.parse::<IpAddr>().is_ok() && numbers.clone().all(digits)
}

/// Reads a decimal number without anything before it; `None` if it is none, or too large.
pub(super) fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    (digits && text == plain(text)).then(|| text.parse().ok()).flatten()
}

/// A number without the zeros before it.
fn plain(digits: &str) -> &str {
    match digits.trim_start_matches('0') {
        "" if !digits.is_empty() => "0",
        rest => rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_has_one_reading() {
        for good in ["192.0.2.1/24", "0.0.0.0/0", "2001:0db8::01/64", "::/0", "::ffff:192.0.2.1/128"] {
            assert!(network(good).is_some() && !is_ambiguous(good), "{good}");
        }
        for bad in
            ["192.0.2.010/24", "192.0.2.1/024", "2001:db8::1/064", "00.0.0.0/0", "::ffff:192.0.2.01/128"]
        {
            assert!(network(bad).is_none() && is_ambiguous(bad), "{bad}");
        }
        for bad in
            ["", "/", "192.0.2.1", "192.0.2.1/", "192.0.2.1/33", "192.0.2.1/+4", "x/24", "192.0.2.1/24/24"]
        {
            assert!(network(bad).is_none() && !is_ambiguous(bad), "{bad}");
        }
        for good in ["192.0.2.1:80", "[2001:db8::1]:80", "192.0.2.1:0"] {
            assert!(service(good).is_some() && !is_ambiguous(good), "{good}");
        }
        for bad in ["192.0.2.1:080", "[2001:db8::1]:080", "192.0.2.01:80"] {
            assert!(service(bad).is_none() && is_ambiguous(bad), "{bad}");
        }
        for bad in ["192.0.2.1", "2001:db8::1:80", "192.0.2.1:", "a:80", "ns1:eth0", "n01:eth0", "a:080"] {
            assert!(service(bad).is_none() && !is_ambiguous(bad), "{bad}");
        }
        assert!(is_ambiguous("192.0.2.010") && !is_ambiguous("192.0.2.1") && !is_ambiguous("0.0.0.0"));
    }
}
