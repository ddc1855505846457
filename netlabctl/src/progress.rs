//! The progress bar: on the standard error, and only where that is a terminal.

use indicatif::{ProgressBar, ProgressStyle};
use netlab_proto::v1::LabStatus;

use crate::output::table::clean;

/// A bar that follows a lab's status. It is gone when it is dropped.
pub(crate) struct Bar(ProgressBar);

impl Bar {
    /// A bar for a lab; invisible where the standard error is no terminal.
    pub(crate) fn new(lab: &str) -> Self {
        let bar = ProgressBar::new(0).with_prefix(clean(lab));
        let style = ProgressStyle::with_template("{prefix} [{bar:30}] {pos}/{len} {msg}");
        Self(bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())))
    }

    /// Shows how far the work has come.
    pub(crate) fn show(&self, status: &LabStatus) {
        if let Some(progress) = &status.progress {
            self.0.set_length(progress.total.into());
            self.0.set_position(progress.done.into());
            self.0.set_message(clean(&progress.step));
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
