//! Labs in memory, one actor each, and the requests about them.
//!
//! A request that changes what is wanted puts it into the store and wakes the lab's actor; the actor
//! brings what is to what is wanted, level-triggered: it never asks why it was woken.

mod actor;
mod admission;
mod before;
mod changes;
mod entry;
mod error;
mod feed;
mod history;
mod host;
mod others;
mod parents;
mod ports;
mod preflight;
mod ranges;
mod redirects;
mod rollback;
mod sleep;
mod specification;
mod status;
mod strays;
mod summary;
#[cfg(test)]
mod tests;
mod watch;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use netlab_proto::v1 as proto;
use proto::Phase;
use tokio::sync::{Semaphore, oneshot};

use crate::{
    convert,
    meters::meters,
    model::{Lab, LabName, SysctlKey},
    plan::Target,
    platform::Kernel,
    policy::{Access, Owner},
    store::{self, Store},
};

use entry::Entry;
pub use error::{Error, Expected, Reason, Refusal};
pub use feed::{Feed, FeedEvent, LabRef, NoToken};
pub use history::{Gone, History};
pub use specification::Specification;
use status::Status;
pub use summary::LabSummary;
pub use watch::LabWatch;

/// Labs that are worked on at once.
const WORKERS: usize = 8;

/// All labs of the host. Calls block, on the disk or the kernel, unless they say otherwise.
#[derive(Clone)]
pub struct Manager(Arc<Shared>);

struct Shared {
    kernel: Arc<dyn Kernel>,
    store: Store,
    labs: Mutex<BTreeMap<LabName, Arc<Entry>>>,
    /// Labs of which something is kept that cannot be read: what runs of them is left alone.
    unreadable: Mutex<BTreeSet<LabName>>,
    workers: Arc<Semaphore>,
    /// One request at a time claims names and addresses of the host.
    admission: Mutex<()>,
    /// The events of all labs.
    feed: Arc<Feed>,
    /// The host's shared sysctls that actors have set or may be about to set, by lab. One lab at a time
    /// deals with them.
    host_values: Mutex<BTreeMap<LabName, BTreeSet<SysctlKey>>>,
    runtime: tokio::runtime::Handle,
}

impl Shared {
    fn host_values(&self) -> MutexGuard<'_, BTreeMap<LabName, BTreeSet<SysctlKey>>> {
        self.host_values.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unreadable(&self) -> MutexGuard<'_, BTreeSet<LabName>> {
        self.unreadable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn labs(&self) -> MutexGuard<'_, BTreeMap<LabName, Arc<Entry>>> {
        self.labs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The sysctls of the host that labs want, or that `claims` says an actor may still be setting.
    fn wanted_of_host(&self, claims: &BTreeMap<LabName, BTreeSet<SysctlKey>>) -> BTreeSet<SysctlKey> {
        let labs: Vec<_> = self.labs().values().cloned().collect();
        let mut wanted: BTreeSet<_> = claims.values().flatten().cloned().collect();
        for entry in labs {
            let state = entry.state();
            if !state.record.deleting && state.record.failure.is_none() {
                wanted.extend(host::wanted(&state.target).cloned());
            }
        }
        wanted
    }

    /// Forgets a lab of which nothing is left.
    fn forget(&self, entry: &Entry) -> Result<(), Error> {
        entry.forget(&self.store)?;
        self.labs().remove(&entry.name);
        meters().labs_deleted.inc();
        entry.history.close();
        Ok(())
    }
}

impl Manager {
    /// Takes over the labs of the store and starts their actors. The receivers are told when each
    /// lab has been looked at once. Must be called within a tokio runtime.
    pub fn start(kernel: Arc<dyn Kernel>, store: Store) -> Result<(Self, Vec<oneshot::Receiver<()>>), Error> {
        let records = store.labs()?;
        let unreadable = store.unreadable()?;
        let unreadable = unreadable.iter().filter_map(|name| name.parse().ok()).collect();
        let manager = Self(Arc::new(Shared {
            kernel,
            store,
            labs: Mutex::default(),
            unreadable: Mutex::new(unreadable),
            workers: Arc::new(Semaphore::new(WORKERS)),
            admission: Mutex::default(),
            feed: Arc::new(Feed::new()),
            host_values: Mutex::default(),
            runtime: tokio::runtime::Handle::current(),
        }));
        let mut entries = Vec::new();
        for (name, record) in records {
            // It could be read when the store was opened.
            let spec = record.spec.as_ref().and_then(|spec| store::decode(spec).ok()).unwrap_or_default();
            match convert::lab(&spec) {
                Ok(lab) => {
                    let target = Target::new(&lab, &record.uid).into();
                    entries.push(Arc::new(Entry::new(&manager.0.store, record, lab.into(), target)));
                }
                Err(faults) => {
                    tracing::error!(
                        lab = name,
                        %faults,
                        "a kept lab is not valid any more; what runs of it is left alone until it is applied anew or deleted"
                    );
                    match name.parse() {
                        Ok(name) if is_whole(&record) => {
                            entries.push(Arc::new(Entry::held(&manager.0.store, record, name, &faults)));
                        }
                        name => manager.0.unreadable().extend(name),
                    }
                }
            }
        }
        manager.0.labs().extend(entries.iter().map(|entry| (entry.name.clone(), entry.clone())));
        for entry in &entries {
            entry.join(&manager.0.feed, false);
        }
        let first = entries.into_iter().map(|entry| manager.spawn(entry)).collect();
        Ok((manager, first))
    }

    fn spawn(&self, entry: Arc<Entry>) -> oneshot::Receiver<()> {
        self.await_rollback(&entry);
        let (first, looked) = oneshot::channel();
        self.0.runtime.spawn(actor::run(self.0.clone(), entry, first));
        looked
    }

    /// Wakes a lab's actor: something of it may have changed. Does not block.
    pub fn wake(&self, name: &LabName) {
        if let Some(entry) = self.0.labs().get(name) {
            entry.event.notify_one();
        }
    }

    /// Wakes all actors: events were lost. Does not block.
    pub fn wake_all(&self) {
        meters().events_lost.inc();
        for entry in self.0.labs().values() {
            entry.event.notify_one();
        }
    }

    fn entry(&self, name: &LabName) -> Result<Arc<Entry>, Error> {
        let entry = self.0.labs().get(name).cloned();
        entry.ok_or_else(|| {
            let kept = self.0.unreadable().contains(name);
            if kept { Error::Unreadable(name.clone()) } else { Error::NotFound(name.clone()) }
        })
    }

    /// A lab that the caller may use. What is then done to the entry is done to that very lab, whoever
    /// takes its name meanwhile.
    fn permitted(&self, name: &LabName, access: &Access) -> Result<Arc<Entry>, Error> {
        let entry = self.entry(name)?;
        access.may_use(name, &entry.owner())?;
        Ok(entry)
    }

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

    /// The events of all labs.
    pub fn feed(&self) -> &Arc<Feed> {
        &self.0.feed
    }

    /// A lab as validated, and whether its nodes are there to be used. Does not block.
    pub fn usable(&self, name: &LabName, access: &Access) -> Result<Arc<Lab>, Error> {
        let entry = self.permitted(name, access)?;
        let state = entry.state();
        if state.held.is_some() {
            return Err(Error::NotReady(name.clone(), "what is kept of it is not valid any more".to_owned()));
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

    /// Marks a lab for deletion; durable when this returns.
    pub fn delete(
        &self,
        name: &LabName,
        expected: &Expected,
        access: &Access,
    ) -> Result<proto::LabResource, Error> {
        let entry = match self.permitted(name, access) {
            // Nothing is known of it that could be expected.
            Err(Error::Unreadable(_)) if *expected == Expected::default() => {
                return self.delete_unreadable(name, access);
            }
            entry => entry?,
        };
        entry.change_if(&self.0.store, expected, |record| record.deleting = true)?;
        entry.report(&self.0.store, Status::deleting);
        entry.command.notify_one();
        Ok(entry.resource())
    }

    /// Keeps a change that waits to be confirmed; durable when this returns.
    pub fn confirm(
        &self,
        name: &LabName,
        expected: &Expected,
        access: &Access,
    ) -> Result<proto::LabResource, Error> {
        let entry = self.permitted(name, access)?;
        let mut waited = false;
        entry.change_if(&self.0.store, expected, |record| {
            waited = record.rollback_us != 0;
            rollback::confirm(record);
        })?;
        if waited {
            // Who watches hears that it stays.
            entry.report(&self.0.store, |_| ());
            Ok(entry.resource())
        } else {
            Err(Error::NothingToConfirm(name.clone()))
        }
    }

    /// Wakes the lab's actor when its last change is to be put back.
    fn await_rollback(&self, entry: &Arc<Entry>) {
        let Some(wait) = rollback::wait(&entry.state().record) else { return };
        let entry = entry.clone();
        self.0.runtime.spawn(async move {
            tokio::time::sleep(wait).await;
            entry.command.notify_one();
        });
    }

    /// Stops or starts drift repair; durable when this returns. What is told of the lab from then on was seen
    /// after a start.
    pub fn pause(
        &self,
        name: &LabName,
        paused: bool,
        expected: &Expected,
        access: &Access,
    ) -> Result<proto::LabResource, Error> {
        let entry = self.permitted(name, access)?;
        entry.change_if(&self.0.store, expected, |record| record.paused = paused)?;
        let told = if paused { |status: &mut Status| status.paused(true) } else { Status::resumed };
        entry.report(&self.0.store, told);
        entry.command.notify_one();
        Ok(entry.resource())
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

/// Whether a record tells which lab it is, and whose: one that was emptied does not.
fn is_whole(record: &store::Record) -> bool {
    !record.uid.is_empty() && record.spec.is_some()
}

/// A lab as the caller may see it.
fn seen(entry: &Entry, access: &Access) -> proto::LabResource {
    if access.owns(&entry.owner()) { entry.resource() } else { entry.existence() }
}

/// The same without what is wanted.
fn listed(entry: &Entry, access: &Access) -> proto::LabResource {
    if access.owns(&entry.owner()) { entry.summary() } else { entry.existence() }
}
