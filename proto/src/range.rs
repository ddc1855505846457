//! Ranges of the numbers in a lab file: what netlabd takes, and what the JSON Schema of lab files says.

use std::ops::RangeInclusive;

/// An MTU in bytes: the least that IPv4 asks for (RFC 791), and the most that an interface can have.
pub const MTU: RangeInclusive<u32> = 68..=65_535;

/// An 802.1Q VLAN identifier; IEEE 802.1Q reserves 0 and 4095.
pub const VLAN: RangeInclusive<u32> = 1..=4094;

/// The identifier of a VXLAN or GENEVE network: 24 bits (RFC 7348 section 5, RFC 8926 section 3.4).
pub const VNI: RangeInclusive<u32> = 0..=0x00ff_ffff;

/// The time to live, or hop limit, of a packet (RFC 791, RFC 8200).
pub const TTL: RangeInclusive<u32> = 1..=255;

/// The key of a GRE tunnel: 32 bits (RFC 2890 section 2.1).
pub const GRE_KEY: RangeInclusive<u32> = 0..=u32::MAX;

/// A TCP or UDP port.
pub const PORT: RangeInclusive<u32> = 1..=65_535;

/// The metric of a route.
pub const METRIC: RangeInclusive<u32> = 0..=u32::MAX;

/// The MTU of a route: the kernel keeps no more (`ip_metrics_convert` in net/ipv4/metrics.c).
pub const ROUTE_MTU: RangeInclusive<u32> = 68..=65_520;

/// The weight of a next hop (`rtnh_hops` of linux/rtnetlink.h is one less, in a byte).
pub const WEIGHT: RangeInclusive<u32> = 1..=256;

/// A routing table; those of [`KERNEL_TABLES`] are the kernel's own.
pub const TABLE: RangeInclusive<u32> = 1..=u32::MAX;

/// The priority of a rule of policy routing.
pub const PRIORITY: RangeInclusive<u32> = 1..=u32::MAX;

/// A mark of packets, `SO_MARK` of socket(7).
pub const FWMARK: RangeInclusive<u32> = 0..=u32::MAX;

/// The bits of a mark that are compared.
pub const FWMASK: RangeInclusive<u32> = 1..=u32::MAX;

/// The tables default, main and local (linux/rtnetlink.h).
pub const KERNEL_TABLES: RangeInclusive<u32> = 253..=255;

/// How many packets are lost at a time.
pub const LOSS_BURST: RangeInclusive<u32> = 2..=1000;

/// How many packets may wait for a rate.
pub const QUEUE: RangeInclusive<u32> = 1..=1_000_000;
