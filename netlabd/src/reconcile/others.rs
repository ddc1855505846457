//! The other labs of the host, with which a new one has to get along.

use crate::{model::LabName, plan::Target};

/// Another lab and what it wants.
pub(super) struct Other<'a> {
    pub(super) name: &'a LabName,
    pub(super) target: &'a Target,
    /// Whose it is, for the caller: `yours`, `of alice`.
    pub(super) whose: String,
}
