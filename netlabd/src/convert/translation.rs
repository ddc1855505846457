//! What an address becomes, as text: an address or a range of them, with ports where there are any.

use std::net::IpAddr;

use crate::model::{AddressRange, NameError, PortRange};

use crate::input::address;

/// Reads `ADDRESS` or `ADDRESS-ADDRESS`, hosts that packets can be sent to.
pub(super) fn addresses(text: &str) -> Result<AddressRange, NameError> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let named =
        |NameError(wrong)| if first == last { wrong } else { format!("begins or ends with what {wrong}") };
    let read = |text| host(text).map_err(named).map_err(NameError);
    let (first, last) = (read(first)?, read(last)?);
    if first.is_ipv4() != last.is_ipv4() {
        return Err(NameError("mixes IPv4 and IPv6; make it two rules".into()));
    }
    AddressRange::new(first, last)
        .ok_or_else(|| NameError(format!("ends before it begins; write {last}-{first}")))
}

/// Reads the same, with `:PORT` or `:PORT-PORT` after it or without; addresses of IPv6 are then in brackets.
pub(super) fn service(text: &str) -> Result<(AddressRange, Option<PortRange>), NameError> {
    let (addresses, ports) = match text.rsplit_once(']') {
        Some((before, "")) => (unbracketed(before)?, None),
        Some((before, after)) => {
            (unbracketed(before)?, Some(after.strip_prefix(':').ok_or_else(unreadable)?))
        }
        None if text.matches(':').count() > 1 => (text.to_owned(), None),
        None => match text.split_once(':') {
            Some((address, ports)) => (address.to_owned(), Some(ports)),
            None => (text.to_owned(), None),
        },
    };
    let ports = ports.map(|text| {
        text.parse().map_err(|NameError(wrong)| NameError(format!("ends with {text:?}, which {wrong}")))
    });
    Ok((self::addresses(&addresses)?, ports.transpose()?))
}

/// `[A` or `[A]-[B` without its brackets.
fn unbracketed(text: &str) -> Result<String, NameError> {
    let inner: Option<Vec<&str>> = text.split("]-").map(|part| part.strip_prefix('[')).collect();
    let inner = inner.filter(|parts| parts.iter().all(|part| part.contains(':') && !part.contains('[')));
    inner.map(|parts| parts.join("-")).ok_or_else(unreadable)
}

fn unreadable() -> NameError {
    NameError("is not [address]:port or [address]-[address]:port such as [2001:db8::5]:80".into())
}

fn host(text: &str) -> Result<IpAddr, NameError> {
    let address = address::host(text)?;
    forwardable(address)?;
    Ok(address)
}

/// Refuses a host that nothing can be forwarded to.
pub(super) fn forwardable(address: IpAddr) -> Result<(), NameError> {
    if address.is_loopback() {
        return Err(NameError("is a loopback address; the kernel drops packets that are led there".into()));
    }
    if address::is_link_local(address) {
        return Err(NameError("is a link-local address, which nothing is forwarded to".into()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read() {
        for (text, shown) in [
            ("192.0.2.5", "192.0.2.5"),
            ("192.0.2.5:80", "192.0.2.5 80"),
            ("192.0.2.5-192.0.2.9", "192.0.2.5-192.0.2.9"),
            ("192.0.2.5-192.0.2.9:8000-8010", "192.0.2.5-192.0.2.9 8000-8010"),
            ("2001:db8::5", "2001:db8::5"),
            ("[2001:db8::5]", "2001:db8::5"),
            ("[2001:db8::5]:80", "2001:db8::5 80"),
            ("2001:db8::5-2001:db8::9", "2001:db8::5-2001:db8::9"),
            ("[2001:db8::5]-[2001:db8::9]:80-90", "2001:db8::5-2001:db8::9 80-90"),
        ] {
            let (addresses, ports) = service(text).unwrap();
            let ports = ports.map(|ports| format!(" {ports}")).unwrap_or_default();
            assert_eq!(format!("{addresses}{ports}"), shown);
        }
    }

    #[test]
    fn what_is_not() {
        for (text, wrong) in [
            ("", "is not an IP address"),
            ("web:80", "is not an IP address"),
            ("192.0.2.0/24", "must be an address without prefix length; write 192.0.2.0"),
            ("192.0.2.9-192.0.2.5", "ends before it begins; write 192.0.2.5-192.0.2.9"),
            ("192.0.2.9-2001:db8::5", "mixes IPv4 and IPv6; make it two rules"),
            ("192.0.2.5-", "begins or ends with what is not an IP address"),
            (
                "192.0.2.5:0",
                "ends with \"0\", which is no port (1 to 65535) and no range of ports such as 8000-8010",
            ),
            (
                "192.0.2.5:",
                "ends with \"\", which is no port (1 to 65535) and no range of ports such as 8000-8010",
            ),
            ("192.0.2.5:90-80", "ends with \"90-80\", which ends before it begins; write 80-90"),
            ("[2001:db8::5]80", "is not [address]:port"),
            ("[192.0.2.5]:80", "is not [address]:port"),
            ("[2001:db8::5-[2001:db8::9]:80", "is not [address]:port"),
            ("127.0.0.1:80", "is a loopback address"),
            ("fe80::1", "is a link-local address"),
            ("224.0.0.1", ""),
            ("0.0.0.0", ""),
        ] {
            let NameError(said) = service(text).unwrap_err();
            assert!(said.starts_with(wrong), "{text:?} {said}");
        }
    }
}
