//! The log: text on standard error, or the journal's own protocol where standard error is the journal.

mod journal;

use std::io::IsTerminal as _;

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use journal::Journal;

/// Sets the log up; call once. What is logged is chosen by the variable `RUST_LOG`; by default `info`.
pub fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let registry = tracing_subscriber::registry().with(filter);
    if let Some(journal) = Journal::of_standard_error() {
        registry.with(journal).init();
    } else {
        let colours = std::io::stderr().is_terminal();
        let text = fmt::layer().with_writer(std::io::stderr).with_ansi(colours).with_target(false);
        registry.with(text).init();
    }
}
