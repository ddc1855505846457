//! Labs in memory, one actor each, and the requests about them.
//!
//! A request that changes what is wanted puts it into the store and wakes the lab's actor; the actor
//! brings what is to what is wanted, level-triggered: it never asks why it was woken.

mod actor;
mod admission;
mod before;
mod bridges;
mod changes;
mod entry;
mod error;
mod feed;
mod history;
mod host;
mod lifecycle;
mod others;
mod parents;
mod planning;
mod ports;
mod preflight;
mod query;
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

use tokio::sync::{Semaphore, oneshot};

use crate::{
    convert,
    meters::meters,
    model::{KeySeed, LabName, SysctlKey},
    plan::Target,
    platform::Kernel,
    policy::Access,
    store::{self, Store},
};

use entry::Entry;
pub use error::{Error, Expected, Reason, Refusal};
pub use feed::{Feed, FeedEvent, LabRef, NoToken};
pub use history::{Gone, History};
pub use specification::Specification;
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
    /// From which keys are derived that no lab file says.
    key_seed: KeySeed,
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
            key_seed: store.key_seed()?,
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
                    let target = Target::with_keys(&lab, &record.uid, &manager.0.key_seed).into();
                    entries.push(Arc::new(Entry::new(
                        &manager.0.store,
                        &manager.0.key_seed,
                        record,
                        lab.into(),
                        target,
                    )));
                }
                Err(faults) => {
                    tracing::error!(
                        lab = name,
                        %faults,
                        "a stored lab is no longer valid; what runs of it is left alone until it is applied again or deleted"
                    );
                    match name.parse() {
                        Ok(name) if is_whole(&record) => {
                            entries.push(Arc::new(Entry::held(
                                &manager.0.store,
                                &manager.0.key_seed,
                                record,
                                name,
                                &faults,
                            )));
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

    /// The events of all labs.
    pub fn feed(&self) -> &Arc<Feed> {
        &self.0.feed
    }
}

/// Whether a record tells which lab it is, and whose: one that was emptied does not.
fn is_whole(record: &store::Record) -> bool {
    !record.uid.is_empty() && record.spec.is_some()
}
