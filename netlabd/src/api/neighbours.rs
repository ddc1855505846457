//! The kernel's tables of neighbours, `arp(7)`: one for IPv4 and one for IPv6 for all network namespaces together, so
//! that labs and the host share them. `sysctl.conf` of the package gives them room.

use std::fs;

use netlab_proto::v1::finding::Severity;

/// How many neighbours a node of a lab is expected to know at most.
const EACH_NODE: u64 = 16;

/// A table.
struct Table {
    /// The family's folder in `/proc/sys/net`.
    family: &'static str,
    /// Its line in `/proc/net/stat`.
    statistics: &'static str,
}

const TABLES: [Table; 2] = [
    Table { family: "ipv4", statistics: "/proc/net/stat/arp_cache" },
    Table { family: "ipv6", statistics: "/proc/net/stat/ndisc_cache" },
];

/// What is to be said of each table, by its sysctl, where one member may have so many nodes. Only the first network
/// namespace shows the sysctls; elsewhere nothing is said.
pub(super) fn findings(nodes: u32) -> Vec<(String, Severity, String)> {
    TABLES.iter().filter_map(|table| finding(table, nodes)).collect()
}

fn finding(table: &Table, nodes: u32) -> Option<(String, Severity, String)> {
    let name = format!("net.{}.neigh.default.gc_thresh3", table.family);
    let room: u64 =
        fs::read_to_string(format!("/proc/sys/{}", name.replace('.', "/"))).ok()?.trim().parse().ok()?;
    let used = entries(&fs::read_to_string(table.statistics).unwrap_or_default()).unwrap_or_default();
    let (severity, message) = judge(room, used, nodes);
    Some((name, severity, message))
}

fn judge(room: u64, used: u64, nodes: u32) -> (Severity, String) {
    let wanted = u64::from(nodes) * EACH_NODE;
    if used >= room / 4 * 3 {
        let message = format!(
            "{used} of {room} neighbours are known, by the host and all labs together: beyond that nobody reaches new \
             ones; raise gc_thresh1, 2 and 3 (sysctl.d(5)), or delete the lab that has them (ip netns exec LAB.NODE ip neigh)"
        );
        return (Severity::Warning, message);
    }
    if room < wanted {
        let message = format!(
            "room for {room} neighbours of the host and all labs together; one member's {nodes} nodes may have {wanted}: \
             raise gc_thresh1, 2 and 3, as 60-netlab.conf of the package does (sysctl.d(5))"
        );
        return (Severity::Warning, message);
    }
    (Severity::Ok, format!("{used} of {room} neighbours are known"))
}

/// The number of entries, in the first column of each processor's line, in hexadecimal.
fn entries(text: &str) -> Option<u64> {
    u64::from_str_radix(text.lines().nth(1)?.split_whitespace().next()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_table_and_a_full_one_are_told() {
        let severity = |room, used| judge(room, used, 500).0;
        assert_eq!(severity(65_536, 10), Severity::Ok);
        assert_eq!(severity(1_024, 10), Severity::Warning);
        assert_eq!(severity(65_536, 60_000), Severity::Warning);
        assert_eq!(entries("entries  allocs\n0000001f  00000027\n0000001f 00000000\n"), Some(31));
        assert_eq!(entries(""), None);
    }
}
