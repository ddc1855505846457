//! The gRPC side of the daemon.

pub mod convert;
