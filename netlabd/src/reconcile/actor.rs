//! One lab's actor: brings what is to what is wanted, whatever the reason it was woken for.
//!
//! - `converge`: rounds of observing and executing until nothing differs.
//! - `delete`: removing all there is.
//! - `drift`: what differs is reported, repaired or not.
//! - `failure`: what becomes of what cannot be made.
//! - `host_values`: the host's sysctls that the lab sets.
//! - `keep`: what sysctls of nodes were before is kept.
//! - `sight`: what else is reported of a lab, and waiting until it works.

mod converge;
mod delete;
mod drift;
mod failure;
mod host_values;
mod keep;
mod sight;

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use netlab_proto::v1::{Failure, Phase};
use tokio::{sync::oneshot, time::timeout};

use super::{Error, Shared, entry::Entry, host, rollback, sleep::Sleep};
use crate::{
    meters::{FailureKind, Outcome, meters},
    model::Apart,
    plan::Target,
    platform::Scope,
    store,
};

/// Rounds of observing and executing before giving up for now.
const ROUNDS: u32 = 6;

/// How long repairs wait after a storm of them.
const STORM_PAUSE: Duration = Duration::from_secs(5);

/// What comes next.
enum Next {
    /// Sleep until woken.
    Rest,
    /// Something changed meanwhile: look again.
    Again,
    /// Failed; try again later, later each time.
    Retry,
    /// Too many repairs: do nothing for a while.
    Hold,
    /// Nothing of the lab is left.
    Gone,
}

impl Next {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Rest => Outcome::Settled,
            Self::Again => Outcome::Outdated,
            Self::Retry => Outcome::Failed,
            Self::Hold => Outcome::Held,
            Self::Gone => Outcome::Deleted,
        }
    }
}

/// Runs until the lab is gone or netlabd stops.
///
/// `first` is told when the lab has been looked at once.
pub(super) async fn run(shared: Arc<Shared>, entry: Arc<Entry>, first: oneshot::Sender<()>) {
    let mut actor = None;
    let mut first = Some(first);
    let mut sleep = Sleep::default();
    loop {
        let mut working = actor.take().unwrap_or_else(|| Actor::new(&shared, &entry));
        let Ok(permit) = shared.workers.clone().acquire_owned().await else { return };
        let round = tokio::task::spawn_blocking(move || {
            let started = Instant::now();
            let next = working.reconcile();
            meters().reconciled(next.outcome(), started.elapsed());
            drop(permit);
            (working, next)
        });
        // A panic in there is a bug; it must cost neither the daemon nor the lab's care.
        let Ok((done, next)) = round.await else {
            tracing::error!(lab = %entry.name, "the lab's actor crashed; it is restarted");
            meters().failed(FailureKind::Crash);
            sleep.before_retry(&entry).await;
            continue;
        };
        actor = Some(done);
        // Nobody may be waiting any more.
        first.take().map(|first| first.send(()));
        match next {
            Next::Gone => return,
            Next::Again => {}
            Next::Rest => sleep.rest(&entry).await,
            Next::Retry => sleep.before_retry(&entry).await,
            Next::Hold => {
                // Whoever is annoyed by the damage may want to delete or change the lab.
                let _ = timeout(STORM_PAUSE, entry.command.notified()).await;
            }
        }
    }
}

struct Actor {
    shared: Arc<Shared>,
    entry: Arc<Entry>,
    /// When it repaired lately.
    repaired: VecDeque<Instant>,
    /// How many repairs there were when it last looked.
    seen_repairs: u64,
}

/// What a round of converging works with: a copy, so that nothing is locked meanwhile.
struct Snapshot {
    target: Arc<Target>,
    first_id: u32,
    generation: u64,
    /// Whether this very state was verified before: then a difference is drift.
    verified: bool,
}

impl Actor {
    fn new(shared: &Arc<Shared>, entry: &Arc<Entry>) -> Self {
        let seen_repairs = entry.state().record.drift_repaired;
        Self { shared: shared.clone(), entry: entry.clone(), repaired: VecDeque::new(), seen_repairs }
    }

    fn reconcile(&mut self) -> Next {
        let (deleting, failed, paused) = {
            let state = self.entry.state();
            (state.record.deleting, state.record.failure.is_some(), state.record.paused)
        };
        if deleting {
            return self.delete();
        }
        if failed {
            // Interrupted while taking back: finish that.
            return match self.take_away() {
                Ok(()) => Next::Rest,
                Err(_) => Next::Retry,
            };
        }
        let held = self.entry.state().held.clone();
        if let Some(held) = held {
            return self.hold(held);
        }
        if rollback::is_due(&self.entry.state().record) {
            return self.roll_back();
        }
        let wanted = self.wanted();
        if paused && wanted.verified { self.look(&wanted) } else { self.converge(wanted) }
    }

    /// Leaves alone what runs of a lab that is not valid any more; only its owner knows what is to become of it.
    fn hold(&self, failure: Failure) -> Next {
        let (told, generation) = {
            let state = self.entry.state();
            (state.status.tells(Phase::Degraded, &failure), state.record.generation)
        };
        if !told {
            let store = &self.shared.store;
            let still = |record: &store::Record| !record.deleting && record.generation == generation;
            self.entry
                .report_while(store, still, |status| status.failed(Phase::Degraded, generation, failure));
        }
        Next::Rest
    }

    fn wanted(&self) -> Snapshot {
        let mut wanted = {
            let state = self.entry.state();
            Snapshot {
                target: state.target.clone(),
                first_id: state.record.first_id,
                generation: state.record.generation,
                verified: state.record.verified_generation == state.record.generation,
            }
        };
        if let Some(target) = host::with_apart(&wanted.target, || self.apart(&wanted.target)) {
            let mut state = self.entry.state();
            if Arc::ptr_eq(&state.target, &wanted.target) {
                state.target = target.clone();
            }
            wanted.target = target;
        }
        wanted
    }

    /// What was apart on the host before labs; `None` if that cannot be kept or told now.
    fn apart(&self, target: &Target) -> Option<Apart> {
        let claimed = self.claim_host(target).map_err(Error::from);
        let apart = claimed.and_then(|()| host::apart(&self.shared.store, &*self.shared.kernel, target));
        apart
            .inspect_err(
                |error| tracing::warn!(lab = %self.entry.name, %error, "the host cannot be observed"),
            )
            .ok()
    }

    fn scope<'a>(&'a self, target: &'a Target, first_id: u32) -> Scope<'a> {
        Scope { lab: &self.entry.name, first_id, target }
    }
}

/// Waits before the next round, longer each time.
fn pause(round: u32) {
    std::thread::sleep(Duration::from_millis(5 << round));
}
