//! Sizes of packets.

/// MTU of an Ethernet interface where nobody asks for another (`ETH_DATA_LEN`).
pub const ETHERNET_MTU: u32 = 1500;
