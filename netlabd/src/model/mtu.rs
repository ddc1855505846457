//! Sizes of packets.

/// MTU of an Ethernet interface where nobody asks for another (`ETH_DATA_LEN`).
pub const ETHERNET_MTU: u32 = 1500;

/// The least that IPv6 needs of a link, RFC 8200 section 5.
pub const IPV6_MIN_MTU: u32 = 1280;
