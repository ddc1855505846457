//! The events of a lab, for whoever watches it.

use std::sync::Arc;

use netlab_proto::v1 as proto;

use super::{History, entry::Entry};

/// The events of one lab.
pub struct HistoryOf(pub(super) Arc<Entry>);

impl std::ops::Deref for HistoryOf {
    type Target = History;

    fn deref(&self) -> &History {
        &self.0.history
    }
}

impl HistoryOf {
    /// The lab as it is now.
    pub fn resource(&self) -> proto::LabResource {
        self.0.resource()
    }
}
