//! Metrics for Prometheus: what netlabd has done, and how its labs stand.
//!
//! ```text
//! whoever does something -> crate::meters (counted as it happens) \
//! labs, sessions, process (looked at when asked)                  -> Exporter -> http: GET /metrics
//! ```
//!
//! Off unless `[metrics]` in the configuration names an address, which must be a unix socket or on the
//! loopback of the host. Labels are few and known beforehand: no user, no node, and no lab unless
//! `per_lab` is on. docs/metrics.md lists all metrics; a test keeps that list whole.

mod exporter;
mod http;
mod labs;
mod process;

use std::{io, path::PathBuf, sync::Arc};

pub use exporter::Exporter;

use crate::{
    policy::{Address, Policy, config::MetricsConfig},
    reconcile::Manager,
};

/// Serves metrics where `config` says so, in the background, for as long as netlabd runs. Must be called
/// within a tokio runtime. Gives the socket's file, which goes with netlabd.
///
/// # Errors
/// The address cannot be had; nothing is served then.
pub fn start(config: &MetricsConfig, manager: Manager, policy: Policy) -> io::Result<Option<PathBuf>> {
    let Some(address) = config.listen.address() else { return Ok(None) };
    let listener = http::Listener::open(address, &config.group)?;
    let exporter = Exporter::new(manager, policy, config.per_lab);
    tracing::info!(%address, "serving metrics");
    tokio::spawn(http::serve(listener, Arc::new(exporter)));
    Ok(match address {
        Address::Unix(path) => Some(path.clone()),
        Address::Tcp(_) => None,
    })
}
