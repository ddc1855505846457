//! ICMP echo from inside a network namespace: what a ping of a lab and its checks are made of.
//!
//! A raw socket is opened inside the namespace by a thread that ends at once; from then on it is used from
//! the daemon's own threads, for a socket stays in the namespace that it was opened in.

mod once;
mod packet;
mod ping;
mod socket;
mod tally;

use std::net::{IpAddr, SocketAddr, SocketAddrV6};

pub use once::{ProbeResult, probe_once};
pub use ping::{Options, ping};
pub use socket::EchoSocket;
pub use tally::{Event, Reply, SendError, Summary};

/// The version of IP, and with it of ICMP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// ICMP (RFC 792).
    V4,
    /// `ICMPv6` (RFC 4443).
    V6,
}

impl From<IpAddr> for Family {
    fn from(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }
}

/// Who is to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScopedAddress {
    /// The address.
    pub address: IpAddr,
    /// The index of the interface to send through, in the sender's namespace: needed for link-local IPv6
    /// addresses, 0 for all others.
    pub scope_id: u32,
}

impl From<IpAddr> for ScopedAddress {
    fn from(address: IpAddr) -> Self {
        Self { address, scope_id: 0 }
    }
}

impl ScopedAddress {
    /// The socket address of `address` in the scope of this target.
    fn socket_address(self, address: IpAddr) -> SocketAddr {
        match address {
            IpAddr::V4(address) => SocketAddr::new(address.into(), 0),
            IpAddr::V6(address) => SocketAddrV6::new(address, 0, 0, self.scope_id).into(),
        }
    }
}

/// Reads bytes as what a raw IPv4 socket hands out: for fuzzers.
pub fn read_datagram(bytes: &[u8]) {
    let _ = packet::decode(Family::V4, bytes);
}

/// Reads bytes as what a raw IPv6 socket hands out: for fuzzers.
pub fn read_datagram_v6(bytes: &[u8]) {
    let _ = packet::decode(Family::V6, bytes);
}
