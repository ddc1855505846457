//! netlabd: makes network labs out of Linux network namespaces, links and nftables NAT, keeps them
//! true, and takes them away without a trace.
//!
//! Data flows one way:
//!
//! ```text
//! request -> api::convert -> model::Lab -> store -> reconcile: observe -> plan -> execute -> verify
//! ```
//!
//! - [`model`]: what a lab is, validated; what was observed.
//! - [`sandbox`]: namespaces of labs, and commands run inside them without power over the host.

pub mod model;
pub mod sandbox;
