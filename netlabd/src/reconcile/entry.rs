//! One lab in memory: what is kept, what follows from it, what is known.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use netlab_proto::v1 as proto;
use proto::lab_event::Body;
use tokio::sync::Notify;

use super::{
    changes,
    error::{Error, Expected},
    feed::{Feed, LabRef},
    history::History,
    specification::Specification,
    status::Status,
};
use crate::{
    clock,
    convert::Faults,
    model::{Host, Lab, LabName},
    plan::{Before, Target},
    policy::{Access, Owner},
    store::{self, News, Record, Revision, Store},
};

/// `Failure.reason` of a lab that is held.
pub(super) const NOT_VALID: &str = "NotValid";

/// One lab.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: LabName,
    pub(super) uid: String,
    pub(super) history: History,
    /// Wakes the lab's actor: something else is wanted.
    pub(super) command: Notify,
    /// Wakes the lab's actor: something may have changed in the kernel.
    pub(super) event: Notify,
    state: Mutex<State>,
}

/// Why a lab's desired state changes.
#[derive(Debug)]
pub(super) struct Why {
    /// Who changes it.
    pub(super) who: String,
    /// For programs.
    cause: proto::ChangeCause,
    /// Whether an earlier state comes back: that hardly fails where the disk is full.
    by_itself: bool,
    /// What had gone wrong before.
    pub(super) failure: Option<proto::Failure>,
}

impl Why {
    /// Somebody has asked for it.
    pub(super) fn asked(access: &Access, cause: proto::ChangeCause) -> Self {
        Self { who: access.caller().shown(), cause, by_itself: false, failure: None }
    }

    /// netlabd puts it back by itself.
    pub(super) fn reverted(cause: proto::ChangeCause, failure: Option<proto::Failure>) -> Self {
        Self { who: "netlabd".to_owned(), cause, by_itself: true, failure }
    }

    /// For people.
    fn reason(&self) -> &'static str {
        match self.cause {
            proto::ChangeCause::Unspecified => "changed",
            proto::ChangeCause::Created => "created",
            proto::ChangeCause::Applied => "applied",
            proto::ChangeCause::PutBackFailed => "put back after a failure",
            proto::ChangeCause::PutBackUnconfirmed => "put back: nobody confirmed the change in time",
        }
    }
}

/// A lab as it shall be from now on.
#[derive(Debug)]
pub(super) struct Desired {
    pub(super) specification: Specification,
    /// The same, spelt out.
    pub(super) target: Arc<Target>,
}

impl Desired {
    /// Spells out a lab that is `uid`.
    pub(super) fn new(specification: Specification, uid: &str) -> Self {
        Self { target: Arc::new(Target::new(&specification.lab, uid)), specification }
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
    /// Whether the record is gone from the disk.
    forgotten: bool,
}

impl Entry {
    /// A lab as kept; `lab` and `target` are the record's specification, converted.
    pub(super) fn new(store: &Store, record: Record, lab: Arc<Lab>, mut target: Arc<Target>) -> Self {
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
            history: History::load(store, &record.uid),
            command: Notify::new(),
            event: Notify::new(),
            state: Mutex::new(State { target, lab, record, status, held: None, forgotten: false }),
        }
    }

    /// A lab as kept that is not valid any more: its owner sees it, and can change or delete it.
    pub(super) fn held(store: &Store, record: Record, name: LabName, faults: &Faults) -> Self {
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
        let entry = Self::new(store, record, lab.into(), Arc::default());
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

    /// The state of a lab that is still kept. A record written after the lab was forgotten would come
    /// back with the next start, or in the place of a new lab of that name.
    fn kept(&self) -> Result<MutexGuard<'_, State>, Error> {
        let state = self.state();
        if state.forgotten { Err(Error::NotFound(self.name.clone())) } else { Ok(state) }
    }

    /// Changes the record: on the disk first, then in memory.
    pub(super) fn change(&self, store: &Store, change: impl FnOnce(&mut Record)) -> Result<(), Error> {
        self.change_and_tell(store, |record| {
            change(record);
            None
        })
    }

    /// The same, unless the lab is not what is expected.
    pub(super) fn change_if(
        &self,
        store: &Store,
        expected: &Expected,
        change: impl FnOnce(&mut Record),
    ) -> Result<(), Error> {
        let mut refused = Ok(());
        self.change(store, |record| match expected.check(&self.name, record) {
            Ok(()) => change(record),
            Err(error) => refused = Err(error),
        })?;
        refused
    }

    /// The same, and tells the watchers what `change` returns: whoever has heard of it can rely on both.
    pub(super) fn change_and_tell(
        &self,
        store: &Store,
        change: impl FnOnce(&mut Record) -> Option<Body>,
    ) -> Result<(), Error> {
        let mut state = self.kept()?;
        let mut record = state.record.clone();
        let news = change(&mut record);
        if record != state.record {
            self.history.add_kept(news.into_iter().collect(), |events| {
                store.amend_and_tell(&self.name, &record, News { events, revision: None })
            })?;
            state.record = record;
        }
        Ok(())
    }

    /// Keeps a lab's first record, before anybody can know of it.
    pub(super) fn keep_first(&self, store: &Store, why: Why) -> Result<(), Error> {
        let record = self.kept()?.record.clone();
        self.tell_of_revision(store, &record, Vec::new(), why)
    }

    /// Puts a record with a new specification on the disk, with what is told of it.
    fn tell_of_revision(
        &self,
        store: &Store,
        record: &Record,
        differences: Vec<String>,
        why: Why,
    ) -> Result<(), Error> {
        let revision = Revision {
            generation: record.generation,
            time: Some(clock::now()),
            reason: why.reason().to_owned(),
            cause: why.cause.into(),
            who: why.who,
            changes: differences,
            spec: record.spec.clone(),
        };
        let changed = proto::SpecChanged {
            generation: revision.generation,
            reason: revision.reason.clone(),
            who: revision.who.clone(),
            changes: revision.changes.clone(),
            cause: revision.cause,
        };
        let news = why.failure.map(Body::Failed).into_iter().chain([Body::SpecChanged(changed)]);
        Ok(self.history.add_kept(news.collect(), |events| {
            let news = News { events, revision: Some(&revision) };
            if why.by_itself {
                store.amend_and_tell(&self.name, record, news)
            } else {
                store.put_and_tell(&self.name, record, news)
            }
        })?)
    }

    /// Changes the desired state, unless `change` finds that the record does not allow it any more: on
    /// the disk first, then in memory. `change` does the rest of the record. Returns the lab as accepted,
    /// whatever its actor makes of it next.
    pub(super) fn respecify(
        &self,
        store: &Store,
        desired: Desired,
        why: Why,
        change: impl FnOnce(&mut Record) -> Result<(), Error>,
    ) -> Result<proto::LabResource, Error> {
        let mut state = self.kept()?;
        let mut record = state.record.clone();
        change(&mut record)?;
        let Specification { spec, kept, lab } = desired.specification;
        let before = state.record.spec.as_ref();
        let changes = before.map(|before| changes::between(before, &kept)).unwrap_or_default();
        record.spec = Some(kept);
        self.tell_of_revision(store, &record, changes, why)?;
        state.target = desired.target;
        remember(&mut state.target, &record);
        state.lab = lab;
        state.record = record;
        state.held = None;
        state.status.renewed();
        let warnings = state.lab.warnings.clone();
        state.status.plausible(&warnings);
        Ok(self.message(&state, Some(spec)))
    }

    /// Removes the record from the disk; from then on nothing is kept of the lab.
    pub(super) fn forget(&self, store: &Store) -> Result<(), Error> {
        let mut state = self.kept()?;
        store.remove(&self.name, &self.uid)?;
        state.forgotten = true;
        Ok(())
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
        let mut target = Arc::new(Target::new(lab, &self.uid));
        remember(&mut target, &state.record);
        target
    }

    /// Keeps what sysctls of nodes were before the lab first set them, unless something else is wanted by now: on the
    /// disk first, then in memory. Returns the lab spelt out with that, if it is still wanted.
    pub(super) fn keep_before(
        &self,
        store: &Store,
        generation: u64,
        before: &Before,
    ) -> Result<Option<Arc<Target>>, Error> {
        let mut state = self.kept()?;
        if state.record.generation != generation {
            return Ok(None);
        }
        let mut record = state.record.clone();
        record.sysctls_before = super::before::kept(before);
        if record != state.record {
            store.amend(&self.name, &record)?;
            remember(&mut state.target, &record);
            state.record = record;
        }
        Ok(Some(state.target.clone()))
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

    /// What others may see of the lab: name, owner, phase.
    pub(super) fn existence(&self) -> proto::LabResource {
        let state = self.state();
        let status = proto::LabStatus { phase: state.status.phase().into(), ..proto::LabStatus::default() };
        proto::LabResource {
            name: self.name.to_string(),
            owner_uid: state.record.owner_uid,
            owner: owner(&state.record).name(),
            status: Some(status),
            ..proto::LabResource::default()
        }
    }

    /// The lab as the API has it.
    pub(super) fn resource(&self) -> proto::LabResource {
        let (message, kept) = {
            let state = self.state();
            (self.message(&state, None), state.record.spec.clone())
        };
        // It could be read when the store was opened.
        proto::LabResource { spec: kept.and_then(|spec| store::decode(&spec).ok()), ..message }
    }

    /// The lab without its desired state, which takes long to read.
    pub(super) fn summary(&self) -> proto::LabResource {
        let state = self.state();
        self.message(&state, None)
    }

    /// The same of a state, for who has its desired state at hand.
    pub(super) fn message(&self, state: &State, spec: Option<proto::Lab>) -> proto::LabResource {
        proto::LabResource {
            name: self.name.to_string(),
            uid: self.uid.clone(),
            generation: state.record.generation,
            create_time: Some(clock::timestamp(state.record.created_us)),
            owner_uid: state.record.owner_uid,
            owner: owner(&state.record).name(),
            spec,
            status: Some(state.status.message(&state.record)),
            node_count: u32::try_from(state.lab.nodes.len()).unwrap_or(u32::MAX),
        }
    }
}

/// Tells a lab that is spelt out what its sysctls were before.
fn remember(target: &mut Arc<Target>, record: &Record) {
    let knows = |target: &Target| target.places.values().any(|place| !place.before.is_empty());
    if !record.sysctls_before.is_empty() || knows(target) {
        Arc::make_mut(target).remember(&super::before::of(record));
    }
}

fn owner(record: &Record) -> Owner {
    Owner::kept(record.owner_uid, &record.owner_remote)
}
