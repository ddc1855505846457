//! A desired state as somebody asks for it: read once and encoded once, however often it is compared and kept.

use std::sync::Arc;

use netlab_proto::v1 as proto;
use prost::bytes::Bytes;

use crate::model::Lab;

/// A desired state that is valid.
#[derive(Debug, Clone)]
pub struct Specification {
    pub(super) spec: proto::Lab,
    /// The same as it is kept.
    pub(super) kept: Bytes,
    /// The same, validated.
    pub(super) lab: Arc<Lab>,
}

impl Specification {
    /// The lab that it describes.
    pub fn lab(&self) -> &Arc<Lab> {
        &self.lab
    }
}
