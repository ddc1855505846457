//! Addresses and address ranges as texts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::model::{address, name::NameError};

/// Reads the address of an interface, with its prefix length.
///
/// Refused is what names no single host: the network's own address (in IPv6 the subnet-router
/// anycast address, RFC 4291 2.6.1) and the broadcast address, save in a /31 (RFC 3021), /32, /127
/// (RFC 6164) and /128.
pub(crate) fn interface(text: &str, loopback: bool) -> Result<IpNet, NameError> {
    let net = with_prefix(text, |address| if address.is_ipv4() { 24 } else { 64 })?;
    let address = net.addr();
    if net.prefix_len() == 0 {
        return Err(NameError("spans all addresses; give it the prefix length of its link".into()));
    }
    unicast(address)?;
    if address.is_loopback() && !loopback {
        return Err(NameError("is a loopback address; it can only stand on \"lo\"".into()));
    }
    if [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)].contains(&address) {
        return Err(NameError("is on \"lo\" of every node; leave it out".into()));
    }
    let inner = net.prefix_len() + 1 < net.max_prefix_len();
    let first = || {
        let host = net.trunc().hosts().find(|host| *host != net.network());
        host.map_or_else(String::new, |host| format!("; the first host is {host}/{}", net.prefix_len()))
    };
    if inner && address == net.network() {
        return Err(NameError(format!("is the network's own address, not a host's{}", first())));
    }
    if inner && address.is_ipv4() && address == net.broadcast() {
        return Err(NameError(format!("is the network's broadcast address, not a host's{}", first())));
    }
    Ok(net)
}

/// Reads an address range in canonical form.
pub(crate) fn range(text: &str) -> Result<IpNet, NameError> {
    let net = with_prefix(text, |address| if address.is_ipv4() { 32 } else { 128 })?;
    mapped(net.addr())?;
    if net != net.trunc() {
        return Err(NameError(format!("has bits set after its prefix; write {}", net.trunc())));
    }
    Ok(net)
}

/// Reads the address of a host.
pub(crate) fn host(text: &str) -> Result<IpAddr, NameError> {
    let address = plain(text)?;
    unicast(address)?;
    Ok(address)
}

/// Reads an address of any kind.
pub(crate) fn plain(text: &str) -> Result<IpAddr, NameError> {
    let address = text.parse().map_err(|_| match address::network(text) {
        Some(net) => NameError(format!("must be an address without prefix length; write {}", net.addr())),
        None if address::is_ambiguous(text) => NameError(address::AMBIGUOUS.into()),
        None => NameError("is not an IP address".into()),
    })?;
    mapped(address)?;
    Ok(address)
}

/// Whether it is link-local, and so means nothing without an interface: RFC 4291 2.5.6.
pub(crate) fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

fn with_prefix(text: &str, usual: fn(IpAddr) -> u8) -> Result<IpNet, NameError> {
    address::network(text).ok_or_else(|| match text.parse::<IpAddr>() {
        Ok(address) => NameError(format!("has no prefix length; write {address}/{}", usual(address))),
        Err(_) => wrong_range(text),
    })
}

fn wrong_range(text: &str) -> NameError {
    if address::is_ambiguous(text) {
        return NameError(address::AMBIGUOUS.into());
    }
    let address = text.split_once('/').and_then(|(address, _)| address.parse::<IpAddr>().ok());
    NameError(match address {
        Some(IpAddr::V4(_)) => "has no valid prefix length: 0 to 32".into(),
        Some(IpAddr::V6(_)) => "has no valid prefix length: 0 to 128".into(),
        None => "is not an IP address with prefix length such as 192.0.2.1/24".into(),
    })
}

fn unicast(address: IpAddr) -> Result<(), NameError> {
    mapped(address)?;
    let wrong = if address.is_unspecified() {
        "is the unspecified address"
    } else if address.is_multicast() {
        "is a multicast address"
    } else if address == IpAddr::V4(Ipv4Addr::BROADCAST) {
        "is the broadcast address"
    } else {
        return Ok(());
    };
    Err(NameError(format!("{wrong}, not a host's")))
}

fn mapped(address: IpAddr) -> Result<(), NameError> {
    match address {
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => Err(NameError(format!("is an IPv4-mapped address; write {v4}"))),
            None => Ok(()),
        },
        IpAddr::V4(_) => Ok(()),
    }
}
