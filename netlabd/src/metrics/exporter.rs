//! All metrics as text.

use std::fmt;

use prometheus_client::{
    encoding::{prometheus_text, text},
    metrics::info::Info,
    registry::Registry,
};

use super::{labs::Labs, process::Process};
use crate::{meters::meters, policy::Policy, reconcile::Manager};

/// How metrics are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Prometheus' text format.
    Plain,
    /// `OpenMetrics` 1.0.
    OpenMetrics,
}

impl Format {
    /// The format that a request's `Accept` asks for.
    pub(super) fn accepted(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") { Self::OpenMetrics } else { Self::Plain }
    }

    /// Its `Content-Type`.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Plain => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Writes metrics.
#[derive(Debug)]
pub struct Exporter(Registry);

impl Exporter {
    /// Of the labs of `manager` and the sessions that `policy` counts; each lab by itself too if `per_lab`.
    pub fn new(manager: Manager, policy: Policy, per_lab: bool) -> Self {
        let mut registry = Registry::default();
        let own = registry.sub_registry_with_prefix("netlab");
        let build = Info::new([("version", env!("CARGO_PKG_VERSION")), ("api", "netlab.v1")]);
        own.register("build", "Version of netlabd and of its API", build);
        meters().register(own);
        registry.register_collector(Box::new(Labs { manager, policy, per_lab }));
        registry.register_collector(Box::new(Process));
        Self(registry)
    }

    /// All metrics as they are now. Looks at all labs, so it may block.
    pub(super) fn write(&self, format: Format) -> Result<String, fmt::Error> {
        let mut out = String::new();
        match format {
            Format::Plain => prometheus_text::encode(&mut out, &self.0)?,
            Format::OpenMetrics => text::encode(&mut out, &self.0)?,
        }
        Ok(out)
    }
}
