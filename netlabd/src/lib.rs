//! netlabd: makes network labs out of Linux network namespaces, links and nftables NAT, keeps them
//! true, and takes them away without a trace.
//!
//! Data flows one way:
//!
//! ```text
//! request -> api::convert -> model::Lab -> store -> reconcile: observe -> plan -> execute -> verify
//! ```
//!
//! - [`kernel`]: the only part that speaks with Linux.
//! - [`model`]: what a lab is, validated; what was observed.
//! - [`probe`]: ICMP echo from inside namespaces.

pub mod kernel;
pub mod model;
pub mod probe;
