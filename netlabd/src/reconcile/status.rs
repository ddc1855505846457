//! What is known of a lab, in the API's words.
//!
//! - `drift`: what differs from the desired state.
//! - `surroundings`: what else keeps packets from passing.

mod drift;
mod surroundings;

use std::collections::BTreeSet;

use netlab_proto::v1 as proto;
use proto::Phase;

use crate::{clock, firewall::FirewallReport, model::Warning};
use surroundings::{FORWARDING, HOST};

/// Entries of [`proto::LabStatus::extras`], and of [`proto::LabStatus::differences`].
const EXTRAS: usize = 100;

/// Differences that a condition's message names.
const NAMED: usize = 10;

/// The condition that tells of what the kernel takes and what is hardly meant.
const PLAUSIBLE: &str = "Plausible";

/// The reason why a lab is not ready that differs from what is wanted.
const DRIFTED: &str = "Drifted";

/// What a look showed of a lab that is as wanted, or not.
#[derive(Debug)]
pub(super) struct Sight {
    /// What others added.
    pub(super) extras: BTreeSet<String>,
    /// How the host's firewall stands towards the lab; `None`: it does not matter.
    pub(super) verdict: Option<FirewallReport>,
    /// Ports that listen or learn; `None` where no bridge runs the Spanning Tree Protocol.
    pub(super) learning: Option<Vec<String>>,
}

/// What is known of a lab.
#[derive(Debug, Clone)]
pub(super) struct Status {
    phase: Phase,
    observed_generation: u64,
    conditions: Vec<proto::Condition>,
    progress: Option<proto::Progress>,
    last_error: Option<proto::Failure>,
    extras: Vec<String>,
    /// What the last look found to differ, until it is repaired.
    differences: Vec<String>,
    /// What of what is wanted is hardly meant.
    warnings: Vec<Warning>,
}

fn warning(warning: &Warning) -> proto::LabWarning {
    proto::LabWarning { field: warning.path.clone(), message: warning.message.clone() }
}

/// Differences in one line.
fn named(differences: &[String]) -> String {
    let named = differences.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join("; ");
    match differences.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named}; and {more} more"),
    }
}

impl Status {
    /// Nothing is known yet.
    pub(super) fn new() -> Self {
        let mut status = Self {
            phase: Phase::Pending,
            observed_generation: 0,
            conditions: Vec::new(),
            progress: None,
            last_error: None,
            extras: Vec::new(),
            differences: Vec::new(),
            warnings: Vec::new(),
        };
        status.stand(Phase::Pending, "Pending", "not observed yet");
        status
    }

    /// The phase, and the condition `Ready` that follows from it: nothing tells of the one without the other.
    fn stand(&mut self, phase: Phase, reason: &str, message: &str) {
        self.phase = phase;
        let ready = match phase {
            Phase::Ready => "True",
            Phase::Pending | Phase::Unspecified => "Unknown",
            Phase::Converging | Phase::Degraded | Phase::Failed | Phase::Deleting => "False",
        };
        self.set("Ready", ready, reason, message);
    }

    /// The phase.
    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    /// Work is under way.
    pub(super) fn working(&mut self, generation: u64, phase: Phase, done: usize, total: usize, step: &str) {
        self.observed_generation = generation;
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        self.progress =
            Some(proto::Progress { done: count(done), total: count(total), step: step.to_owned() });
        let message = format!("{done} of {total} operations done");
        self.set("Progressing", "True", "Working", &message);
        if phase != Phase::Degraded && !self.differences.is_empty() {
            // They differed from what was wanted before.
            self.differences.clear();
            self.set("Drifted", "Unknown", "Working", "the lab is being changed");
        }
        if self.differences.is_empty() {
            self.stand(phase, "Working", &message);
        } else {
            self.stand(phase, DRIFTED, &self.found_and_why());
        }
    }

    /// All is as asked for.
    pub(super) fn verified(&mut self, generation: u64, sight: &Sight) {
        self.observed_generation = generation;
        self.progress = None;
        self.extras = sight.extras.iter().take(EXTRAS).cloned().collect();
        self.surroundings(sight);
        self.stand(Phase::Ready, "Verified", "everything is as asked for");
        self.set("Progressing", "False", "Done", "nothing is under way");
        self.calm();
        if let Some(error) = &mut self.last_error {
            error.retrying = false;
        }
    }

    /// The last change failed, and is undone.
    pub(super) fn undone(&mut self, failure: proto::Failure) {
        self.last_error = Some(failure);
    }

    /// What the kernel takes of what is wanted and what is hardly meant.
    pub(super) fn plausible(&mut self, warnings: &[Warning]) {
        self.warnings = warnings.to_vec();
        if warnings.is_empty() {
            self.conditions.retain(|condition| condition.r#type != PLAUSIBLE);
            return;
        }
        let all: Vec<_> = warnings.iter().map(|it| format!("{}: {}", it.path, it.message)).collect();
        self.set(PLAUSIBLE, "False", "Doubtful", &named(&all));
    }

    /// What stands in the way of the lab's packets, or may: for who wonders why something does not work.
    pub(super) fn troubles(&self) -> Vec<String> {
        let matters = |condition: &&proto::Condition| {
            [HOST, FORWARDING, PLAUSIBLE].contains(&condition.r#type.as_str()) && condition.status != "True"
                || condition.r#type == "Drifted" && condition.status == "True"
        };
        self.conditions.iter().filter(matters).map(|condition| condition.message.clone()).collect()
    }

    /// Whether a generation is known to be as asked for, with just these additions of others.
    pub(super) fn is_verified(&self, generation: u64, sight: &Sight) -> bool {
        self.phase == Phase::Ready
            && self.observed_generation == generation
            && self.extras.iter().eq(sight.extras.iter().take(EXTRAS))
            && self.knows_surroundings(sight)
    }

    /// Something went wrong.
    pub(super) fn failed(&mut self, phase: Phase, generation: u64, failure: proto::Failure) {
        self.observed_generation = generation;
        self.progress = None;
        let message = format!("{}: {}", failure.object, failure.message);
        self.set("Progressing", if failure.retrying { "True" } else { "False" }, &failure.reason, &message);
        let reason = failure.reason.clone();
        self.last_error = Some(failure);
        if phase == Phase::Degraded && !self.differences.is_empty() {
            let found = named(&self.differences);
            self.stand(phase, DRIFTED, &format!("{found}; cannot be repaired: {message}"));
        } else {
            self.stand(phase, &reason, &message);
        }
    }

    /// Whether this failure is what is told of the lab.
    pub(super) fn tells(&self, phase: Phase, failure: &proto::Failure) -> bool {
        self.phase == phase && self.last_error.as_ref() == Some(failure)
    }

    /// The desired state changed: what went wrong with the one before no longer matters.
    pub(super) fn renewed(&mut self) {
        self.last_error = None;
        if self.phase != Phase::Ready {
            self.stand(Phase::Pending, "Pending", "the new desired state has not been observed yet");
        }
    }

    /// It is being taken away.
    pub(super) fn deleting(&mut self) {
        self.stand(Phase::Deleting, "Deleting", "the lab is being deleted");
    }

    /// Drift repair is stopped or started.
    pub(super) fn paused(&mut self, paused: bool) {
        if paused {
            self.set("Paused", "True", "PausedByUser", "drift is not repaired until the lab is resumed");
        } else {
            self.set("Paused", "False", "NotPaused", "drift is repaired");
        }
    }

    /// Drift repair was started again: what was seen of the lab before does not tell how it is now.
    pub(super) fn resumed(&mut self) {
        self.paused(false);
        if matches!(self.phase, Phase::Ready | Phase::Degraded) {
            self.progress = None;
            self.stand(Phase::Pending, "Resumed", "not observed since repairs were resumed");
        }
    }

    fn set(&mut self, kind: &str, status: &str, reason: &str, message: &str) {
        let known = self.conditions.iter().position(|condition| condition.r#type == kind);
        let since = known
            .filter(|at| self.conditions[*at].status == status)
            .and_then(|at| self.conditions[at].last_transition_time);
        let condition = proto::Condition {
            r#type: kind.to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            message: message.to_owned(),
            last_transition_time: Some(since.unwrap_or_else(clock::now)),
        };
        match known {
            Some(at) => self.conditions[at] = condition,
            None => self.conditions.push(condition),
        }
    }

    /// As the API has it.
    pub(super) fn message(&self, record: &crate::store::Record) -> proto::LabStatus {
        proto::LabStatus {
            // Filled in where they are asked for.
            commands: Vec::new(),
            nodes: Vec::new(),
            phase: self.phase.into(),
            observed_generation: self.observed_generation,
            conditions: self.conditions.clone(),
            progress: self.progress.clone(),
            last_error: self.last_error.clone(),
            drift_repaired: record.drift_repaired,
            repairs: record.repairs.clone(),
            extras: self.extras.clone(),
            differences: self.differences.clone(),
            warnings: self.warnings.iter().map(warning).collect(),
            paused: record.paused,
            rollback_time: (record.rollback_us != 0).then(|| clock::timestamp(record.rollback_us)),
        }
    }
}
