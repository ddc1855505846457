//! Changes of a lab's record: on the disk first, then in memory, then to the watchers.

use std::sync::{Arc, MutexGuard};

use netlab_proto::v1 as proto;
use proto::lab_event::Body;

use super::{Desired, Entry, State, Why, remember};
use crate::{
    clock,
    plan::{Before, Target},
    reconcile::{
        before, changes,
        error::{Error, Expected},
        specification::Specification,
    },
    store::{News, Record, Revision, Store},
};

impl Entry {
    /// The state of a lab that is still kept. A record written after the lab was forgotten would come
    /// back with the next start, or in the place of a new lab of that name.
    fn kept(&self) -> Result<MutexGuard<'_, State>, Error> {
        let state = self.state();
        if state.forgotten { Err(Error::NotFound(self.name.clone())) } else { Ok(state) }
    }

    /// Changes the record: on the disk first, then in memory.
    pub(in crate::reconcile) fn change(
        &self,
        store: &Store,
        change: impl FnOnce(&mut Record),
    ) -> Result<(), Error> {
        self.change_and_tell(store, |record| {
            change(record);
            None
        })
    }

    /// The same, unless the lab is not what is expected.
    pub(in crate::reconcile) fn change_if(
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
    pub(in crate::reconcile) fn change_and_tell(
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
    pub(in crate::reconcile) fn keep_first(&self, store: &Store, why: Why) -> Result<(), Error> {
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
    pub(in crate::reconcile) fn respecify(
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
    pub(in crate::reconcile) fn forget(&self, store: &Store) -> Result<(), Error> {
        let mut state = self.kept()?;
        store.remove(&self.name, &self.uid)?;
        state.forgotten = true;
        Ok(())
    }

    /// Keeps what sysctls of nodes were before the lab first set them, unless something else is wanted by now: on the
    /// disk first, then in memory. Returns the lab spelt out with that, if it is still wanted.
    pub(in crate::reconcile) fn keep_before(
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
        record.sysctls_before = before::kept(before);
        if record != state.record {
            store.amend(&self.name, &record)?;
            remember(&mut state.target, &record);
            state.record = record;
        }
        Ok(Some(state.target.clone()))
    }
}
