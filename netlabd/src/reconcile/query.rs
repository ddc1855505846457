//! What is asked about labs: nothing here changes any.

use std::{collections::BTreeMap, sync::Arc};

use netlab_proto::v1 as proto;
use proto::Phase;

use super::{
    LabWatch, Manager, changes,
    entry::Entry,
    error::{Error, Expected},
    specification::Specification,
};
use crate::{
    model::{Lab, LabName},
    plan::Target,
    policy::{Access, Owner},
};

impl Manager {
    /// One lab; of another's no more than that it exists. Does not block.
    pub fn get(&self, name: &LabName, access: &Access) -> Result<proto::LabResource, Error> {
        Ok(seen(&*self.entry(name)?, access))
    }

    /// All labs by name, without what is wanted of them; of others' no more than that they exist. Does not
    /// block.
    pub fn list(&self, access: &Access) -> Vec<proto::LabResource> {
        let entries: Vec<_> = self.0.labs().values().cloned().collect();
        entries.iter().map(|entry| listed(entry, access)).collect()
    }

    /// One lab as in a list. Does not block.
    pub fn listed(&self, name: &LabName, access: &Access) -> Result<proto::LabResource, Error> {
        Ok(listed(&*self.entry(name)?, access))
    }

    /// A lab as validated, and whether its nodes are there to be used. Does not block.
    pub fn usable(&self, name: &LabName, access: &Access) -> Result<Arc<Lab>, Error> {
        let entry = self.permitted(name, access)?;
        let state = entry.state();
        if state.held.is_some() {
            return Err(Error::NotReady(
                name.clone(),
                "its stored desired state is no longer valid".to_owned(),
            ));
        }
        if state.record.verified_generation == 0 || state.record.deleting || state.record.failure.is_some() {
            let phase = state.status.phase().word();
            return Err(Error::NotReady(name.clone(), format!("it is {phase}; wait for it")));
        }
        Ok(state.lab.clone())
    }

    /// What is wanted of a lab, spelt out; nothing of one that is being taken away. Does not block.
    pub fn target(&self, name: &LabName, access: &Access) -> Result<Arc<Target>, Error> {
        let entry = self.permitted(name, access)?;
        let state = entry.state();
        let gone = state.record.deleting || state.record.failure.is_some();
        Ok(if gone { Arc::default() } else { state.target.clone() })
    }

    /// Whether a lab is what a request expects of it.
    ///
    /// # Errors
    /// It is not, or is not there, or may not be used.
    pub fn is_expected(&self, name: &LabName, expected: &Expected, access: &Access) -> Result<(), Error> {
        if *expected == Expected::default() {
            return Ok(());
        }
        let entry = self.permitted(name, access)?;
        let record = &entry.state().record;
        expected.check(name, record)
    }

    /// What else is known to stand in a lab's way, each a sentence. Does not block.
    pub fn notes(&self, name: &LabName) -> Vec<String> {
        let Ok(entry) = self.entry(name) else { return Vec::new() };
        entry.state().status.troubles()
    }

    /// The first id of a lab's user namespace. Does not block.
    pub fn first_id(&self, name: &LabName) -> Result<u32, Error> {
        Ok(self.entry(name)?.state().record.first_id)
    }

    /// A lab's events. Does not block.
    pub fn history(&self, name: &LabName, access: &Access) -> Result<LabWatch, Error> {
        Ok(LabWatch(self.permitted(name, access)?))
    }

    /// The fields in which a lab would differ from what is wanted of it now, a line each, at most 100; none for
    /// a new lab, or one that the caller may not use.
    pub fn differences(&self, wanted: &Specification, access: &Access) -> Vec<String> {
        const MOST: usize = 100;
        let entry = self.permitted(&wanted.lab.name, access).ok();
        let kept = entry.and_then(|entry| entry.state().record.spec.clone());
        kept.map(|kept| changes::at_most(MOST, &kept, &wanted.kept)).unwrap_or_default()
    }

    /// The desired states that a lab has had, newest first; `generation`: only that one, 0: all.
    pub fn revisions(
        &self,
        name: &LabName,
        generation: u64,
        with_spec: bool,
        access: &Access,
    ) -> Result<Vec<proto::Revision>, Error> {
        let entry = self.permitted(name, access)?;
        let mut revisions = self.0.store.revisions(&entry.uid)?;
        revisions.reverse();
        revisions.retain(|revision| generation == 0 || revision.generation == generation);
        if !with_spec {
            for revision in &mut revisions {
                revision.spec = None;
            }
        }
        Ok(revisions)
    }

    /// The names of all labs. Does not block.
    pub fn names(&self) -> Vec<LabName> {
        self.0.labs().keys().cloned().collect()
    }

    /// The labs of one owner. Does not block.
    pub fn labs_of(&self, owner: &Owner) -> Vec<LabName> {
        let labs: Vec<_> = self.0.labs().values().cloned().collect();
        labs.into_iter().filter(|entry| entry.owner() == *owner).map(|entry| entry.name.clone()).collect()
    }

    /// How many labs there are in each phase. Does not block.
    pub fn phases(&self) -> BTreeMap<Phase, usize> {
        let mut phases = BTreeMap::new();
        for entry in self.0.labs().values() {
            *phases.entry(entry.state().status.phase()).or_insert(0) += 1;
        }
        phases
    }
}

/// A lab as the caller may see it.
fn seen(entry: &Entry, access: &Access) -> proto::LabResource {
    if access.owns(&entry.owner()) { entry.resource() } else { entry.existence() }
}

/// The same without what is wanted.
fn listed(entry: &Entry, access: &Access) -> proto::LabResource {
    if access.owns(&entry.owner()) { entry.summary() } else { entry.existence() }
}
