//! Labs that somebody wants: what they may be, and that they are kept.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use netlab_proto::v1 as proto;

use super::{
    Error, Expected, Manager, Specification,
    entry::{Desired, Entry, Why},
    rollback,
};
use crate::{
    clock,
    convert::{self, Faults},
    meters::meters,
    model::Lab,
    plan::{Plan, Target},
    platform::Failure,
    policy::{Access, Ids, Known, Usage, overlap},
    store::{self, Record},
};

impl Manager {
    /// Whether the caller may have `lab` as it is to be: the host's protection and the quotas.
    pub(super) fn admit(&self, lab: &Lab, entry: Option<&Entry>, access: &Access) -> Result<(), Error> {
        access.may_touch(lab)?;
        let owner = entry.map_or_else(|| access.caller().owner.clone(), Entry::owner);
        let others: Vec<_> = self.0.labs().values().filter(|other| other.name != lab.name).cloned().collect();
        let mut taken = Usage::default();
        for other in others.iter().filter(|other| other.owner() == owner) {
            taken += Usage::of(&other.state().lab);
        }
        let before = entry.map_or_else(Usage::default, |entry| Usage::of(&entry.state().lab));
        Ok(access.room(taken, before, lab)?)
    }

    /// Reads a desired state. One that is wanted already has been read.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn read(&self, spec: proto::Lab) -> Result<Specification, Faults> {
        let kept = store::encode(&spec);
        let known = spec.name.parse().ok().and_then(|name| self.entry(&name).ok());
        let known = known.and_then(|entry| {
            let state = entry.state();
            let same = state.held.is_none() && state.record.spec.as_ref() == Some(&kept);
            same.then(|| state.lab.clone())
        });
        let lab = known.map_or_else(|| convert::lab(&spec).map(Arc::new), Ok)?;
        Ok(Specification { spec, kept, lab })
    }

    /// Accepts a new lab, the caller's own; durable when this returns. A `request` that made the lab that is there
    /// is answered with it; empty: it has no name.
    pub fn create(
        &self,
        specification: Specification,
        request: &str,
        access: &Access,
    ) -> Result<proto::LabResource, Error> {
        let lab = specification.lab.clone();
        let _admission = self.0.admission.lock().unwrap_or_else(PoisonError::into_inner);
        let known = match self.entry(&lab.name) {
            Err(Error::NotFound(_)) => None,
            known => Some(known?),
        };
        if let Some(known) = known {
            let (deleting, failed, same) = {
                let record = &known.state().record;
                let same = !request.is_empty() && record.request_id == request;
                (record.deleting, record.failure.is_some(), same)
            };
            let owner = known.owner();
            let own = access.owns(&owner);
            if deleting {
                return Err(Error::Deleting(lab.name.clone()));
            }
            if same && access.caller().owner == owner {
                return Ok(known.resource());
            }
            if !failed || !own {
                return Err(Error::Exists { lab: lab.name.clone(), owner: owner.in_a_word(), own });
            }
            self.admit(&lab, Some(&known), access)?;
            return self.replace_failed(&known, specification, request, access);
        }
        self.admit(&lab, None, access)?;
        let uid = uuid::Uuid::new_v4().to_string();
        let target = Arc::new(Target::with_keys(&lab, &uid, &self.0.key_seed));
        self.preflight(&lab, &target, access)?;
        let record = Record {
            uid,
            generation: 1,
            created_us: clock::now_us(),
            owner_uid: access.caller().owner.uid(),
            owner_remote: access.caller().owner.remote().to_owned(),
            spec: Some(specification.kept),
            first_id: self.free_ids(access.ids())?,
            request_id: request.to_owned(),
            ..Record::default()
        };
        let entry = Arc::new(Entry::new(&self.0.store, &self.0.key_seed, record, lab, target));
        entry.keep_first(&self.0.store, Why::asked(access, proto::ChangeCause::Created))?;
        self.0.labs().insert(entry.name.clone(), entry.clone());
        // Only now: who hears of it finds it.
        entry.join(&self.0.feed, true);
        meters().labs_created.inc();
        let resource = entry.message(&entry.state(), Some(specification.spec));
        self.spawn(entry);
        Ok(resource)
    }

    /// A lab that failed and of which nothing is left may be created again.
    fn replace_failed(
        &self,
        entry: &Arc<Entry>,
        specification: Specification,
        request: &str,
        access: &Access,
    ) -> Result<proto::LabResource, Error> {
        let desired = Desired::new(specification, entry);
        self.preflight(&desired.specification.lab, &desired.target, access)?;
        let why = Why::asked(access, proto::ChangeCause::Created);
        let name = entry.name.clone();
        let accepted = entry.respecify(&self.0.store, desired, why, |record| {
            if record.deleting {
                return Err(Error::Deleting(name));
            }
            record.generation += 1;
            record.failure = None;
            request.clone_into(&mut record.request_id);
            record.created_us = clock::now_us();
            Ok(())
        })?;
        meters().labs_created.inc();
        entry.command.notify_one();
        Ok(accepted)
    }

    /// Creates a lab or changes a running one; durable when this returns.
    pub fn apply(
        &self,
        specification: Specification,
        expected: &Expected,
        rollback_after: Option<Duration>,
        access: &Access,
    ) -> Result<(proto::LabResource, Plan), Error> {
        let lab = specification.lab.clone();
        let entry = match self.entry(&lab.name) {
            Err(error @ Error::Unreadable(_)) => return Err(error),
            Err(_) => {
                expected.check(&lab.name, &Record::default())?;
                let plan = self.plan(&lab, false, access)?;
                return Ok((self.create(specification, "", access)?, plan));
            }
            Ok(entry) => entry,
        };
        access.may_use(&lab.name, &entry.owner())?;
        let _admission = self.0.admission.lock().unwrap_or_else(PoisonError::into_inner);
        let unchanged = may_apply(&entry, &specification, expected, rollback_after)?;
        if unchanged.is_none() {
            self.admit(&lab, Some(&entry), access)?;
        }
        let target = entry.target(&lab);
        let plan = self.plan_for(&lab, &target, &entry, access)?;
        let accepted = if let Some(unchanged) = unchanged {
            proto::LabResource { spec: Some(specification.spec), ..unchanged }
        } else {
            let desired = Desired { specification, target };
            self.respecify(&entry, desired, expected, rollback_after, access)?
        };
        entry.command.notify_one();
        Ok((accepted, plan))
    }

    /// Changes the desired state of a lab that is there, unless the lab has changed since it was looked at.
    fn respecify(
        &self,
        entry: &Arc<Entry>,
        desired: Desired,
        expected: &Expected,
        rollback_after: Option<Duration>,
        access: &Access,
    ) -> Result<proto::LabResource, Error> {
        let held = entry.state().held.is_some();
        let why = Why::asked(access, proto::ChangeCause::Applied);
        let accepted = entry.respecify(&self.0.store, desired, why, |record| {
            if record.deleting {
                return Err(Error::Deleting(entry.name.clone()));
            }
            expected.check(&entry.name, record)?;
            rollback::note(record, rollback_after);
            make_room(record);
            if held {
                record.previous_spec = None;
            }
            Ok(())
        })?;
        self.await_rollback(entry);
        Ok(accepted)
    }

    /// A range of ids that neither a lab nor anybody on the host has.
    fn free_ids(&self, ids: Ids) -> Result<u32, Error> {
        // Labs of which nothing can be read run on with theirs.
        let mut taken = self.0.kernel.ids_in_use()?;
        taken.extend(self.0.labs().values().map(|entry| entry.state().record.first_id));
        let known = Known::read();
        let is_free =
            |id: &u32| !taken.iter().any(|other| overlap(*other, *id)) && known.conflict(*id).is_none();
        ids.ranges().find(is_free).ok_or_else(|| {
            let message = format!(
                "all {} ranges of ids for labs ({ids}) are taken, by labs or by users, groups and subordinate ids of \
                 this host (netlabctl doctor tells of those); delete labs, or set others in [ids] of netlabd's configuration",
                ids.labs()
            );
            Failure::new("host", message).into()
        })
    }
}

/// Whether a lab may be applied now; answers the lab as it is, where it is to be what it is already.
fn may_apply(
    entry: &Entry,
    wanted: &Specification,
    expected: &Expected,
    rollback_after: Option<Duration>,
) -> Result<Option<proto::LabResource>, Error> {
    let state = entry.state();
    if state.held.is_some() && rollback_after.is_some() {
        let why = "its stored desired state is no longer valid, and so cannot be rolled back to";
        return Err(Error::NotReady(entry.name.clone(), why.to_owned()));
    }
    if state.record.deleting {
        return Err(Error::Deleting(entry.name.clone()));
    }
    expected.check(&entry.name, &state.record)?;
    let same = state.record.spec.as_ref() == Some(&wanted.kept) && state.record.failure.is_none();
    Ok(same.then(|| entry.message(&state, None)))
}

/// Makes room in a record for a new specification, and keeps the one before for as long as the new one is
/// not verified.
fn make_room(record: &mut Record) {
    let verified = record.verified_generation == record.generation;
    let put_back = record.previous_spec.is_none() && record.verified_generation != 0;
    if verified || put_back {
        record.previous_spec = record.spec.take();
    }
    if record.failure.take().is_some() {
        record.verified_generation = 0;
        record.previous_spec = None;
    }
    record.undoing = None;
    record.generation += 1;
}
