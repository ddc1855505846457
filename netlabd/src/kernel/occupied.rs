//! What the host uses already and no interface shows: its nameservers and its sockets.

use std::{
    fs, io,
    io::BufRead,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use crate::{model::Protocol, platform::HostSocket, resolver};

/// The host's nameservers, each with the file that says so; loopback addresses are left out.
pub(super) fn nameservers() -> Vec<(IpAddr, &'static str)> {
    let read = |file: &'static str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        of_resolver(&text).into_iter().map(move |address| (address, file))
    };
    let mut all: Vec<(IpAddr, &str)> = resolver::FILES.into_iter().flat_map(read).collect();
    all.dedup_by_key(|(address, _)| *address);
    all
}

fn of_resolver(text: &str) -> Vec<IpAddr> {
    let server = |line: &str| {
        let address: IpAddr = resolver::server(line)?.split('%').next()?.parse().ok()?;
        (!address.is_loopback()).then_some(address)
    };
    text.lines().filter_map(server).collect()
}

/// The sockets of the calling thread's network namespace that wait for whoever comes or are connected; those
/// on and to the loopback are left out.
pub(super) fn sockets() -> io::Result<Vec<HostSocket>> {
    let mut all = Vec::new();
    for (file, protocol) in
        [("tcp", Protocol::Tcp), ("tcp6", Protocol::Tcp), ("udp", Protocol::Udp), ("udp6", Protocol::Udp)]
    {
        let opened = match fs::File::open(format!("/proc/thread-self/net/{file}")) {
            // A kernel without IPv6.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            opened => opened?,
        };
        for line in io::BufReader::new(opened).lines().skip(1) {
            all.extend(socket(&line?, protocol));
        }
    }
    Ok(all)
}

/// A line of /proc/net/{tcp,tcp6,udp,udp6}: number, local end, other end, state, ...
fn socket(line: &str, protocol: Protocol) -> Option<HostSocket> {
    /// `include/net/tcp_states.h`.
    const TIME_WAIT: u8 = 6;
    const CLOSE: u8 = 7;
    const LISTEN: u8 = 10;
    let mut words = line.split_whitespace().skip(1);
    let (local, other) = (end(words.next()?)?, end(words.next()?)?);
    let state = u8::from_str_radix(words.next()?, 16).ok()?;
    let waits = match protocol {
        Protocol::Tcp => state == LISTEN,
        Protocol::Udp => state == CLOSE,
    };
    let over = matches!(state, TIME_WAIT | CLOSE) && !waits;
    let peer = (!waits).then_some(other);
    let near = local.ip().is_loopback() || peer.is_some_and(|peer| peer.ip().is_loopback());
    (!over && !near && local.port() != 0).then_some(HostSocket { protocol, local, peer })
}

/// `0100007F:0016`: words of 32 bits in the host's order, and the port.
fn end(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut bytes = Vec::with_capacity(16);
    for at in (0..address.len()).step_by(8) {
        bytes.extend(u32::from_str_radix(address.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    }
    let address: IpAddr = match bytes.len() {
        4 => Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).into(),
        16 => Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).to_canonical(),
        _ => return None,
    };
    Some(SocketAddr::new(address, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolvers() {
        let text = "# nameserver 192.0.2.1\nnameserver 10.9.9.9\nsearch lan\n nameserver fe80::1%eth0\nnameserver\n\
                    nameserver 127.0.0.53\nnameserver x\nnameserver ::1\nnameserver 2001:db8::53 ; trailing\n";
        let found = of_resolver(text).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(found, ["10.9.9.9", "fe80::1", "2001:db8::53"]);
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn lines_of_proc() {
        let tcp = |line: &str| socket(line, Protocol::Tcp);
        let listens =
            tcp("   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 0 0 0 1 1").unwrap();
        assert_eq!((listens.local.to_string().as_str(), listens.peer), ("0.0.0.0:8080", None));
        let talks =
            tcp(" 1: 0201A8C0:9C40 0909090A:0035 01 00000000:00000000 00:00000000 0 0 0 1 1").unwrap();
        assert_eq!(talks.peer.unwrap().to_string(), "10.9.9.9:53");
        let six = " 2: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0";
        assert_eq!(tcp(six).unwrap().local.to_string(), "[::]:80");
        let mapped =
            " 2: 0000000000000000FFFF00000201A8C0:0050 0000000000000000FFFF00000909090A:1000 01 0:0 0:0 0";
        assert_eq!(tcp(mapped).unwrap().peer.unwrap().to_string(), "10.9.9.9:4096");
        for over in [
            "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000",
            " 1: 0201A8C0:9C40 0909090A:0035 06 00000000:00000000",
            " 1: 0201A8C0:9C40 0909090A:0035 07 00000000:00000000",
            "",
            " 1: 0201A8:9C40 0909090A:0035 01",
            " 1: nonsense",
        ] {
            assert_eq!(tcp(over), None, "{over}");
        }
        let udp = |line: &str| socket(line, Protocol::Udp);
        assert_eq!(udp(" 5: 00000000:0035 00000000:0000 07 0:0").unwrap().peer, None);
        assert!(udp(" 5: 0201A8C0:0035 0909090A:0035 01 0:0").unwrap().peer.is_some());
    }
}
