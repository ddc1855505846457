//! The gRPC side of the daemon: one service a file, errors into statuses. [`crate::convert`] makes the
//! model of what they are sent.

mod activation;
mod caller;
mod check;
mod connection;
mod exec;
mod exec_input;
mod exec_output;
mod fields;
mod host_service;
mod lab_service;
mod limits;
mod meter;
mod neighbours;
mod node_service;
mod page;
mod ping;
pub mod plan;
mod resolv_conf;
pub mod server;
mod status;
pub mod tls;
mod version_headers;
mod wait;
mod watch_lab;
mod watch_labs;
