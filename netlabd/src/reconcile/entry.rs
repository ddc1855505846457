//! One lab in memory: what is kept, what follows from it, what is known.
//!
//! - `record`: changes of what is kept.
//! - `resource`: the lab as the API has it.
//! - `why`: why its desired state changes.

mod record;
mod resource;
mod why;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use netlab_proto::v1 as proto;
use proto::lab_event::Body;
use tokio::sync::Notify;

use super::{
    feed::{Feed, LabRef},
    history::History,
    specification::Specification,
    status::Status,
};
use crate::{
    clock,
    convert::Faults,
    model::{Host, KeySeed, Lab, LabName, observed::Observed},
    plan::{Plan, Settled, Target, diff_since},
    policy::Owner,
    store::{Record, Store},
};
pub(super) use why::Why;

/// `Failure.reason` of a lab that is held.
pub(super) const NOT_VALID: &str = "NotValid";

/// One lab.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: LabName,
    pub(super) uid: String,
    /// From which keys are derived that the lab does not say.
    pub(super) key_seed: KeySeed,
    pub(super) history: History,
    /// Wakes the lab's actor: something else is wanted.
    pub(super) command: Notify,
    /// Wakes the lab's actor: something may have changed in the kernel.
    pub(super) event: Notify,
    state: Mutex<State>,
}

/// A lab as it shall be from now on.
#[derive(Debug)]
pub(super) struct Desired {
    pub(super) specification: Specification,
    /// The same, spelt out.
    pub(super) target: Arc<Target>,
}

impl Desired {
    /// Spells out the lab of an entry anew.
    pub(super) fn new(specification: Specification, entry: &Entry) -> Self {
        let target = entry.target(&specification.lab);
        Self { specification, target }
    }
}

/// What changes of a lab.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) record: Record,
    pub(super) lab: Arc<Lab>,
    pub(super) target: Arc<Target>,
    pub(super) status: Status,
    /// Why this version of netlabd refuses what is kept, which an earlier one took: what runs is left alone then.
    pub(super) held: Option<proto::Failure>,
    /// The last look at which nothing differed from what was wanted then.
    settled: Option<Arc<Settled>>,
    /// Whether the record is gone from the disk.
    forgotten: bool,
}

impl Entry {
    /// A lab as kept; `lab` and `target` are the record's specification, converted.
    pub(super) fn new(
        store: &Store,
        key_seed: &KeySeed,
        record: Record,
        lab: Arc<Lab>,
        mut target: Arc<Target>,
    ) -> Self {
        remember(&mut target, &record);
        let mut status = Status::new();
        if let Some(failure) = record.failure.clone() {
            status.failed(proto::Phase::Failed, record.generation, failure);
        }
        status.paused(record.paused);
        status.plausible(&lab.warnings);
        if record.deleting {
            status.deleting();
        }
        Self {
            name: lab.name.clone(),
            uid: record.uid.clone(),
            key_seed: key_seed.clone(),
            history: History::load(store, &record.uid),
            command: Notify::new(),
            event: Notify::new(),
            state: Mutex::new(State {
                target,
                lab,
                record,
                status,
                held: None,
                settled: None,
                forgotten: false,
            }),
        }
    }

    /// A lab as kept that is not valid any more: its owner sees it, and can change or delete it.
    pub(super) fn held(
        store: &Store,
        key_seed: &KeySeed,
        record: Record,
        name: LabName,
        faults: &Faults,
    ) -> Self {
        let lab = Lab {
            name,
            nodes: BTreeMap::new(),
            host: Host::default(),
            cables: Vec::new(),
            checks: Vec::new(),
            warnings: Vec::new(),
        };
        let message = format!(
            "this version of netlabd refuses what is kept of the lab, which an earlier one took: {}; what runs of it is \
             left alone and not repaired: apply the lab without these faults, or delete it",
            faults.to_string().replace('\n', "; ")
        );
        let failure = proto::Failure {
            reason: NOT_VALID.to_owned(),
            object: lab.name.to_string(),
            message,
            time: Some(clock::now()),
            retrying: false,
        };
        let entry = Self::new(store, key_seed, record, lab.into(), Arc::default());
        {
            let mut state = entry.state();
            let generation = state.record.generation;
            if !state.record.deleting && state.record.failure.is_none() {
                state.status.failed(proto::Phase::Degraded, generation, failure.clone());
            }
            state.held = Some(failure);
        }
        entry
    }

    /// The state, locked. Never held while the kernel or the disk is waited for, save to keep a
    /// changed record.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes back the wake of events that came until now. Only right before looking at the kernel: the
    /// look sees all that these events told of, our own changes among them; a later event wakes again.
    pub(super) fn forget_events(&self) {
        // Takes the permit if there is one; if not, dropping it hands on what has come meanwhile.
        std::pin::pin!(self.event.notified()).as_mut().enable();
    }

    /// Changes what is known, and tells the watchers.
    pub(super) fn report(&self, store: &Store, change: impl FnOnce(&mut Status)) {
        self.report_while(store, |_| true, change);
    }

    /// The same, if the record still is as `still` wants it; returns whether it was.
    pub(super) fn report_while(
        &self,
        store: &Store,
        still: impl FnOnce(&Record) -> bool,
        change: impl FnOnce(&mut Status),
    ) -> bool {
        let message = {
            let mut state = self.state();
            if !still(&state.record) {
                return false;
            }
            change(&mut state.status);
            // Work that was under way when the delete was accepted may just have ended.
            if state.record.deleting && state.status.phase() != proto::Phase::Deleting {
                state.status.deleting();
            }
            state.status.message(&state.record)
        };
        self.history.add(store, Body::StatusChanged(message));
        true
    }

    /// The lab spelt out, if it is not what is wanted already.
    pub(super) fn target(&self, lab: &Arc<Lab>) -> Arc<Target> {
        let state = self.state();
        if Arc::ptr_eq(&state.lab, lab) {
            return state.target.clone();
        }
        let mut target = Arc::new(Target::with_keys(lab, &self.uid, &self.key_seed));
        remember(&mut target, &state.record);
        // What is wanted already is found as it was seen.
        Arc::new(Arc::unwrap_or_clone(target).sharing(&state.target))
    }

    /// Plans how to get from `observed` to `target`, by what has changed since nothing differed.
    pub(super) fn plan(&self, target: &Target, observed: &Observed) -> Plan {
        let settled = self.state().settled.clone();
        diff_since(target, observed, settled.as_deref())
    }

    /// Takes note of a plan that is empty.
    pub(super) fn settle(&self, target: &Arc<Target>, observed: &Arc<Observed>, plan: &Plan) {
        self.state().settled = Settled::of(target, observed, plan).map(Arc::new);
    }

    /// Who watches all labs hears of this one from now on; with `so_far` also of what happened until now.
    pub(super) fn join(&self, feed: &Arc<Feed>, so_far: bool) {
        let subject = LabRef { name: self.name.clone(), uid: self.uid.clone(), owner: self.owner() };
        self.history.join(feed.clone(), subject, so_far);
    }

    /// The lab's owner.
    pub(super) fn owner(&self) -> Owner {
        owner(&self.state().record)
    }
}

/// Tells a lab that is spelt out what its sysctls were before.
fn remember(target: &mut Arc<Target>, record: &Record) {
    let knows =
        |target: &Target| target.places().map(|(_, place)| place).any(|place| !place.before.is_empty());
    if !record.sysctls_before.is_empty() || knows(target) {
        Arc::make_mut(target).remember(&super::before::of(record));
    }
}

fn owner(record: &Record) -> Owner {
    Owner::kept(record.owner_uid, &record.owner_remote)
}
