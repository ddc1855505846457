//! The readers of what comes from outside other than by gRPC, for fuzzers: whatever the bytes are, none
//! may panic.

use crate::{kernel, policy::config::Config, probe, sandbox};

/// A reader of bytes.
pub type Reader = fn(&[u8]);

/// All readers by name.
pub const ALL: [(&str, Reader); 6] = [
    ("rtnetlink events", kernel::read_route_events),
    ("nf_tables messages", kernel::nft::read_messages),
    ("ICMP", probe::read_datagram),
    ("ICMPv6", probe::read_datagram_v6),
    ("reports of helpers", sandbox::read_report),
    ("configuration", read_config),
];

fn read_config(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let _ = Config::parse(&text, "config.toml".as_ref()).map_err(|error| error.to_string());
}
