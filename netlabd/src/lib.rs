//! netlabd: makes network labs out of Linux network namespaces, links and nftables NAT, keeps them
//! true, and takes them away without a trace.
//!
//! Data flows one way:
//!
//! ```text
//! request -> convert -> model::Lab -> store -> reconcile: observe -> plan -> execute -> verify
//! ```
//!
//! - [`api`]: the gRPC services.
//! - [`convert`]: lab files' messages into the model, with every fault found.
//! - [`model`]: what a lab is, validated; what was observed.
//! - [`link`]: kinds of interfaces, all that is said of each.
//! - [`input`]: what clients send, value by value, and what is wrong with it.
//! - [`feature`]: what of the kernel labs need.
//! - [`store`]: the durable desired state.
//! - [`reconcile`]: one actor a lab: observe, plan, execute, verify.
//! - [`plan`]: what is to be done, as pure functions.
//! - [`clock`]: points in time, as the API has them.
//! - [`daemon`]: the process, from its command line to its exit code.
//! - [`platform`]: what the reconciler asks of the kernel, as a trait.
//! - [`kernel`]: that trait on Linux.
//! - [`capture`]: packets at interfaces of nodes, as pcapng.
//! - [`firewall`]: which rules of others drop what a lab sends through the host.
//! - [`policy`]: who may do what, and how much of it.
//! - [`failpoint`]: where tests kill the daemon.
//! - [`meters`]: what is counted as it happens.
//! - [`metrics`]: what was done and how the labs stand, for Prometheus.
//! - `fuzzing`: what fuzzers call.
//! - `listen`: unix sockets that a group may connect to.
//! - [`log`]: where what is logged goes.
//! - `design`: random labs, for tests.
//! - `resolver`: the host's name servers.
//! - `shell`: words of commands that are printed to be run.
//! - `sys`: system calls that several parts need.
//! - `threads`: threads, also where the kernel has none to give just now.
//! - [`probe`]: ICMP echo from inside a node.
//! - [`sandbox`]: namespaces of labs, and commands run inside them without power over the host.

pub mod api;
pub mod capture;
pub mod clock;
pub mod convert;
pub mod daemon;
#[doc(hidden)]
pub mod design;
pub mod failpoint;
pub mod feature;
pub mod firewall;
#[doc(hidden)]
pub mod fuzzing;
pub mod input;
pub mod kernel;
pub mod link;
mod listen;
pub mod log;
pub mod meters;
pub mod metrics;
pub mod model;
pub mod plan;
pub mod platform;
pub mod policy;
pub mod probe;
pub mod reconcile;
mod resolver;
pub mod sandbox;
mod shell;
pub mod store;
mod sys;
mod threads;
