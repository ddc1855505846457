//! Ranges of the numbers in a lab file, as their fields in `lab.proto` say them: what netlabd takes, and what the JSON
//! Schema of lab files says.

use std::ops::RangeInclusive;

/// The range of each field, `MESSAGE_FIELD`.
pub mod fields {
    use std::ops::RangeInclusive;

    include!(concat!(env!("OUT_DIR"), "/ranges.rs"));
}

/// An MTU in bytes: the least that IPv4 asks for (RFC 791), and the most that an interface can have.
pub const MTU: RangeInclusive<u32> = fields::INTERFACE_MTU;

/// An 802.1Q VLAN identifier; IEEE 802.1Q reserves 0 and 4095.
pub const VLAN: RangeInclusive<u32> = fields::VLAN_ID;

/// The identifier of a VXLAN or GENEVE network: 24 bits (RFC 7348 section 5, RFC 8926 section 3.4).
pub const VNI: RangeInclusive<u32> = fields::VXLAN_VNI;

/// The time to live, or hop limit, of a packet (RFC 791, RFC 8200).
pub const TTL: RangeInclusive<u32> = fields::GENEVE_TTL;

/// The key of a GRE tunnel: 32 bits (RFC 2890 section 2.1).
pub const GRE_KEY: RangeInclusive<u32> = fields::GRE_KEY;

/// A TCP or UDP port.
pub const PORT: RangeInclusive<u32> = fields::PORT_FORWARD_PORT;

/// The metric of a route.
pub const METRIC: RangeInclusive<u32> = fields::ROUTE_METRIC;

/// The priority of a bridge (IEEE 802.1D-2004 section 17.14; the kernel takes any of 16 bits).
pub const BRIDGE_PRIORITY: RangeInclusive<u32> = fields::BRIDGE_PRIORITY;

/// What a spanning tree counts for a port (`BR_MIN_PATH_COST`, `BR_MAX_PATH_COST` in net/bridge/br_private_stp.h).
pub const PORT_COST: RangeInclusive<u32> = fields::PORT_COST;

/// The priority of a port of a bridge (`BR_MAX_PORT_PRIORITY` in net/bridge/br_private_stp.h).
pub const PORT_PRIORITY: RangeInclusive<u32> = fields::PORT_PRIORITY;

/// The MTU of a route: the kernel keeps no more (`ip_metrics_convert` in net/ipv4/metrics.c).
pub const ROUTE_MTU: RangeInclusive<u32> = fields::ROUTE_MTU;

/// The weight of a next hop (`rtnh_hops` of linux/rtnetlink.h is one less, in a byte).
pub const WEIGHT: RangeInclusive<u32> = fields::NEXT_HOP_WEIGHT;

/// An MPLS label; those below are reserved (RFC 3032 section 2.1, RFC 7274).
pub const LABEL: RangeInclusive<u32> = fields::ENCAP_MPLS;

/// A routing table; those of [`KERNEL_TABLES`] are the kernel's own.
pub const TABLE: RangeInclusive<u32> = fields::ROUTE_TABLE;

/// The priority of a rule of policy routing.
pub const PRIORITY: RangeInclusive<u32> = fields::RULE_PRIORITY;

/// A mark of packets, `SO_MARK` of socket(7).
pub const FWMARK: RangeInclusive<u32> = fields::RULE_FWMARK;

/// The bits of a mark that are compared.
pub const FWMASK: RangeInclusive<u32> = fields::RULE_FWMASK;

/// The tables default, main and local (linux/rtnetlink.h).
pub const KERNEL_TABLES: RangeInclusive<u32> = 253..=255;

/// How many packets are lost at a time.
pub const LOSS_BURST: RangeInclusive<u32> = fields::IMPAIR_LOSS_BURST;

/// How many members of a bond must work; more than anybody bundles.
pub const MIN_LINKS: RangeInclusive<u32> = fields::BOND_MIN_LINKS;

/// How many packets may wait at an interface.
pub const TXQUEUELEN: RangeInclusive<u32> = fields::INTERFACE_TXQUEUELEN;

/// How many packets may wait for a rate.
pub const QUEUE: RangeInclusive<u32> = fields::IMPAIR_QUEUE;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_netlabd_reads_alike_have_one_range() {
        for range in [fields::PORT_ACCESS, fields::PORT_TRUNK, fields::PORT_NATIVE] {
            assert_eq!(range, VLAN);
        }
        assert_eq!(fields::GENEVE_VNI, VNI);
        for range in [fields::RULE_TABLE, fields::VRF_TABLE] {
            assert_eq!(range, TABLE);
        }
        for range in [fields::GRE_TTL, fields::IP_TUNNEL_TTL] {
            assert_eq!(range, TTL);
        }
        for range in [fields::VXLAN_PORT, fields::GENEVE_PORT] {
            assert_eq!(range, PORT);
        }
    }
}
