//! How labs stand, for metrics.

use netlab_proto::v1::Phase;

use super::{Manager, WORKERS};
use crate::{model::LabName, policy::Usage};

/// How one lab stands.
#[derive(Debug, Clone)]
pub struct LabSummary {
    /// Its name.
    pub name: LabName,
    /// Its phase.
    pub phase: Phase,
    /// Whether drift repair is stopped.
    pub paused: bool,
    /// Whether the last look found it to differ from what is wanted, and nothing has repaired that.
    pub drifted: bool,
    /// What it consists of.
    pub usage: Usage,
    /// Repairs of drift since it was created.
    pub drift_repaired: u64,
}

impl Manager {
    /// How all labs stand, by name. Does not wait for the kernel, but for a write to the disk under way.
    pub fn summaries(&self) -> Vec<LabSummary> {
        let entries: Vec<_> = self.0.labs().values().cloned().collect();
        let summary = |entry: std::sync::Arc<super::Entry>| {
            let state = entry.state();
            LabSummary {
                name: entry.name.clone(),
                phase: state.status.phase(),
                paused: state.record.paused,
                drifted: state.status.is_drifted(),
                usage: Usage::of(&state.lab),
                drift_repaired: state.record.drift_repaired,
            }
        };
        entries.into_iter().map(summary).collect()
    }

    /// How many labs are looked at or worked on now, and how many can be at once.
    pub fn workers(&self) -> (usize, usize) {
        (WORKERS - self.0.workers.available_permits(), WORKERS)
    }
}
