//! NAT and firewalls by nftables on the real kernel. Needs root.
//!
//! Each test runs in a thread with a network namespace of its own, so that tests cannot meet. What nft(8)
//! and ip(8) say is the yardstick.

mod firewall;
mod host;
mod names;
mod packets;
mod rules;
#[path = "../support/mod.rs"]
mod support;
