//! The gRPC side of the daemon: one service a file, requests converted into the model, errors into
//! statuses.

mod activation;
mod caller;
mod check;
mod connection;
pub mod convert;
mod exec;
mod exec_input;
mod gate;
mod host_service;
mod lab_service;
mod meter;
mod neighbours;
mod node_service;
mod page;
mod ping;
pub mod plan;
pub mod server;
mod stamp;
mod status;
pub mod tls;
mod wait;
mod watch_labs;
