//! Generic netlink: protocols whose numbers the kernel gives out when they register (linux/genetlink.h).
//!
//! - `socket`: requests and dumps of one protocol.
//! - `attributes`: what messages hold, on the way out.
//! - `wireguard`: WireGuard devices.

mod attributes;
mod socket;
mod wireguard;

pub(super) use socket::{Answer, GenericSocket};
pub(super) use wireguard::{FAMILY as WIREGUARD, device, set};
