//! What becomes of a lab that cannot be made what is wanted, or of a change that nobody confirms.

use netlab_proto::v1 as proto;
use prost::bytes::Bytes;
use proto::{Phase, lab_event::Body};

use super::{
    super::{
        Error,
        entry::{Desired, Why},
        rollback,
        specification::Specification,
    },
    Actor, Next, Snapshot,
};
use crate::{
    clock, convert,
    meters::{FailureKind, meters},
    platform::Failure,
    store::{self, Record},
};

impl Actor {
    /// Decides what a failure means: the lab is taken away again, put back to what it was, or tried again.
    pub(super) fn fail(&self, wanted: &Snapshot, failure: &Failure) -> Next {
        if self.is_outdated(wanted) {
            return Next::Again;
        }
        tracing::warn!(lab = %self.entry.name, object = failure.object, "{}", failure.message);
        if failure.starved {
            return self.wait_for_room(wanted, failure);
        }
        let (never_up, previous) = {
            let record = &self.entry.state().record;
            (record.verified_generation == 0, record.previous_spec.clone())
        };
        match previous {
            _ if never_up => self.undo_create(wanted, failure),
            Some(previous) => self.revert(wanted, failure, &previous),
            None => {
                meters().failed(FailureKind::Repair);
                let message = message(failure, true);
                self.entry.report(&self.shared.store, |s| {
                    s.failed(Phase::Degraded, wanted.generation, message.clone());
                });
                self.entry.history.add(&self.shared.store, Body::Failed(message));
                Next::Retry
            }
        }
    }

    /// The host has no thread or process to give: nothing is wrong with the lab, and the work goes on when there
    /// is one.
    fn wait_for_room(&self, wanted: &Snapshot, failure: &Failure) -> Next {
        let phase = if wanted.verified { Phase::Degraded } else { Phase::Converging };
        let message = message(failure, true);
        self.entry.report(&self.shared.store, |status| status.failed(phase, wanted.generation, message));
        Next::Retry
    }

    /// A lab that never was ready: what was made of it is taken away again.
    fn undo_create(&self, wanted: &Snapshot, failure: &Failure) -> Next {
        let mut message = message(failure, false);
        message.message += "; what had been made was removed again";
        let mut outdated = false;
        let kept = self.entry.change(&self.shared.store, |record| {
            outdated = record.deleting || record.generation != wanted.generation;
            if !outdated {
                record.failure = Some(message.clone());
            }
        });
        if outdated {
            return Next::Again;
        }
        if kept.is_err() {
            return Next::Retry;
        }
        meters().failed(FailureKind::Create);
        let removed = self.take_away();
        if self.is_outdated(wanted) {
            return Next::Again;
        }
        self.entry
            .report(&self.shared.store, |s| s.failed(Phase::Failed, wanted.generation, message.clone()));
        self.entry.history.add(&self.shared.store, Body::Failed(message));
        if removed.is_err() { Next::Retry } else { Next::Rest }
    }

    /// A change that failed: the desired state before it comes back.
    fn revert(&self, wanted: &Snapshot, failure: &Failure, previous: &Bytes) -> Next {
        let Some(desired) = self.desired(previous) else { return Next::Retry };
        let store = &self.shared.store;
        let undoing = message(failure, false);
        let mut message = undoing.clone();
        message.message += "; the lab is being rolled back to what it was before the change";
        let why = Why::reverted(proto::ChangeCause::PutBackFailed, Some(message.clone()));
        let kept = self.entry.respecify(store, desired, why, |record: &mut Record| {
            let (name, expected, found) = (&self.entry.name, wanted.generation, record.generation);
            // An apply or delete that was accepted meanwhile counts.
            if record.deleting {
                return Err(Error::Deleting(name.clone()));
            }
            if found != expected {
                return Err(Error::Stale { lab: name.clone(), expected, found });
            }
            rollback::revert(record);
            record.undoing = Some(undoing);
            Ok(())
        });
        match kept {
            Ok(_) => {}
            Err(Error::Deleting(_) | Error::Stale { .. }) => return Next::Again,
            Err(_) => return Next::Retry,
        }
        meters().failed(FailureKind::Change);
        self.entry.report(store, |status| status.failed(Phase::Degraded, wanted.generation, message));
        Next::Again
    }

    /// A change that nobody confirmed in time: the desired state before it comes back.
    pub(super) fn roll_back(&self) -> Next {
        let spec = self.entry.state().record.rollback_spec.clone().unwrap_or_default();
        let store = &self.shared.store;
        let Some(desired) = self.desired(&spec) else { return Next::Retry };
        let why = Why::reverted(proto::ChangeCause::PutBackUnconfirmed, None);
        let kept = self.entry.respecify(store, desired, why, |record: &mut Record| {
            // A confirmation, or another change, may have come meanwhile.
            if record.deleting || !rollback::is_due(record) || record.rollback_spec.as_ref() != Some(&spec) {
                return Err(Error::NothingToConfirm(self.entry.name.clone()));
            }
            rollback::revert(record);
            Ok(())
        });
        match kept {
            Ok(_) => {}
            Err(Error::NothingToConfirm(_)) => return Next::Again,
            Err(_) => return Next::Retry,
        }
        meters().rollbacks.inc();
        Next::Again
    }

    /// A desired state that was kept, to be wanted again.
    fn desired(&self, kept: &Bytes) -> Option<Desired> {
        let spec = store::decode(kept).ok()?;
        let lab = convert::lab(&spec).ok()?;
        let specification = Specification { spec, kept: kept.clone(), lab: lab.into() };
        Some(Desired::new(specification, &self.entry))
    }
}

/// What is told once a change that failed is undone, and not before.
pub(super) fn undone(undoing: proto::Failure) -> proto::Failure {
    let message = format!("{}; the lab was rolled back to what it was before the change", undoing.message);
    proto::Failure { message, time: Some(clock::now()), ..undoing }
}

/// A failure as the API has it.
pub(super) fn message(failure: &Failure, retrying: bool) -> proto::Failure {
    let reason = match failure.errno {
        Some(_) if failure.is_shortage() => "HostExhausted",
        Some(_) => "KernelRefused",
        None => "Failed",
    };
    proto::Failure {
        reason: reason.to_owned(),
        object: failure.object.clone(),
        message: failure.message.clone(),
        time: Some(clock::now()),
        retrying,
    }
}
