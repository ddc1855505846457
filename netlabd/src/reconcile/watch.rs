//! The events of a lab, for whoever watches it.

use std::sync::Arc;

use netlab_proto::v1 as proto;

use super::{History, entry::Entry};

/// The events of one lab.
pub struct LabWatch(pub(super) Arc<Entry>);

impl std::ops::Deref for LabWatch {
    type Target = History;

    fn deref(&self) -> &History {
        &self.0.history
    }
}

impl LabWatch {
    /// The lab as it is now.
    pub fn resource(&self) -> proto::LabResource {
        self.0.resource()
    }

    /// The same without what is wanted of it, which takes long to read.
    pub fn summary(&self) -> proto::LabResource {
        self.0.summary()
    }
}
