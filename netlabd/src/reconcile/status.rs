//! What is known of a lab, in the API's words.

use std::collections::BTreeSet;

use netlab_proto::v1 as proto;
use proto::Phase;

use crate::{clock, firewall::Standing};

/// Entries of [`proto::LabStatus::extras`].
const EXTRAS: usize = 100;

/// The condition that tells of the host.
const HOST: &str = "HostReady";

/// The reason of a lab that is damaged again and again.
const STORM: &str = "DamagedAgainAndAgain";

/// Status, reason and message of [`HOST`].
fn of_host(standing: &Standing) -> (&'static str, &'static str, &str) {
    match standing {
        Standing::Open => ("True", "NothingInTheWay", "no firewall rule of others drops the lab's traffic"),
        Standing::Drops(message) => ("False", "FirewallDrops", message),
        Standing::Unknown(message) => ("Unknown", "FirewallUnclear", message),
    }
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
        };
        status.set("Ready", "Unknown", "Pending", "not looked at yet");
        status
    }

    /// The phase.
    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    /// Work is under way.
    pub(super) fn working(&mut self, generation: u64, phase: Phase, done: usize, total: usize, step: &str) {
        self.phase = phase;
        self.observed_generation = generation;
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        self.progress =
            Some(proto::Progress { done: count(done), total: count(total), step: step.to_owned() });
        let message = format!("{done} of {total} operations done");
        self.set("Progressing", "True", "Working", &message);
        if phase != Phase::Degraded {
            self.set("Ready", "False", "Working", &message);
        }
    }

    /// All is as asked for.
    pub(super) fn verified(&mut self, generation: u64, extras: &BTreeSet<String>) {
        self.phase = Phase::Ready;
        self.observed_generation = generation;
        self.progress = None;
        self.extras = extras.iter().take(EXTRAS).cloned().collect();
        self.set("Ready", "True", "Verified", "everything is as asked for");
        self.set("Progressing", "False", "Done", "nothing is under way");
        self.calm();
        if let Some(error) = &mut self.last_error {
            error.retrying = false;
        }
    }

    /// How the host's firewall stands towards the lab; `None`: it does not matter.
    pub(super) fn host(&mut self, standing: Option<&Standing>) {
        match standing {
            None => self.conditions.retain(|condition| condition.r#type != HOST),
            Some(standing) => {
                let (status, reason, message) = of_host(standing);
                self.set(HOST, status, reason, message);
            }
        }
    }

    /// Whether that is what is told of the host already.
    pub(super) fn knows_host(&self, standing: Option<&Standing>) -> bool {
        let told = self.conditions.iter().find(|condition| condition.r#type == HOST);
        let told = told.map(|told| (told.status.as_str(), told.reason.as_str(), told.message.as_str()));
        told == standing.map(of_host)
    }

    /// What stands in the lab's way on the host, or may: for who wonders why something does not work.
    pub(super) fn host_trouble(&self) -> Option<String> {
        let of_host = |condition: &&proto::Condition| condition.r#type == HOST && condition.status != "True";
        self.conditions.iter().find(of_host).map(|condition| condition.message.clone())
    }

    /// Whether a generation is known to be as asked for, with just these additions of others.
    pub(super) fn is_verified(&self, generation: u64, extras: &BTreeSet<String>) -> bool {
        self.phase == Phase::Ready
            && self.observed_generation == generation
            && self.extras.iter().eq(extras.iter().take(EXTRAS))
    }

    /// It is damaged faster than repairing it makes sense.
    pub(super) fn stormy(&mut self, seconds: u64) {
        let message =
            format!("damaged again and again; the next look is in {seconds} s (pause-lab stops repairs)");
        self.set("Drifted", "True", STORM, &message);
    }

    /// Whether that is what is told of it.
    pub(super) fn is_stormy(&self) -> bool {
        self.conditions.iter().any(|condition| condition.reason == STORM)
    }

    /// It is not damaged any more.
    pub(super) fn calm(&mut self) {
        self.set("Drifted", "False", "AsWanted", "nothing differs from what is wanted");
    }

    /// Something differs that nobody asked to differ.
    pub(super) fn drifted(&mut self, found: &[String]) {
        self.phase = Phase::Degraded;
        self.set("Drifted", "True", "Damaged", &found.join("; "));
    }

    /// Something went wrong.
    pub(super) fn failed(&mut self, phase: Phase, generation: u64, failure: proto::Failure) {
        self.phase = phase;
        self.observed_generation = generation;
        self.progress = None;
        let message = format!("{}: {}", failure.object, failure.message);
        self.set("Ready", "False", &failure.reason, &message);
        self.set("Progressing", if failure.retrying { "True" } else { "False" }, &failure.reason, &message);
        self.last_error = Some(failure);
    }

    /// The desired state changed: what went wrong with the one before no longer matters.
    pub(super) fn renewed(&mut self) {
        self.last_error = None;
        if self.phase != Phase::Ready {
            self.phase = Phase::Pending;
        }
    }

    /// It is being taken away.
    pub(super) fn deleting(&mut self) {
        self.phase = Phase::Deleting;
        self.set("Ready", "False", "Deleting", "the lab is being taken away");
    }

    /// Drift repair is stopped or started.
    pub(super) fn paused(&mut self, paused: bool) {
        if paused {
            self.set("Paused", "True", "PausedByUser", "drift is not repaired until resume-lab");
        } else {
            self.set("Paused", "False", "NotPaused", "drift is repaired");
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
            phase: self.phase.into(),
            observed_generation: self.observed_generation,
            conditions: self.conditions.clone(),
            progress: self.progress.clone(),
            last_error: self.last_error.clone(),
            drift_repaired: record.drift_repaired,
            repairs: record.repairs.clone(),
            extras: self.extras.clone(),
            paused: record.paused,
            rollback_time: (record.rollback_us != 0).then(|| clock::timestamp(record.rollback_us)),
        }
    }
}
