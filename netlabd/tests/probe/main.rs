//! ICMP echo in real network namespaces, compared with what ping(8) says in the same situation. Needs root.

mod once;
mod ping;
#[path = "../support/mod.rs"]
mod support;
