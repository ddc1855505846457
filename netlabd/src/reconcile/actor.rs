//! One lab's actor: brings what is to what is wanted, whatever the reason it was woken for.
//!
//! - `back`: what becomes of what cannot be made.
//! - `drift`: what differs is told, repaired or not.
//! - `keep`: what sysctls were before is kept.
//! - `sight`: what else is told of a lab, and waiting until it works.

mod drift;
mod failure;
mod keep;
mod sight;

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use netlab_proto::v1 as proto;
use proto::{Phase, lab_event::Body};

use tokio::{sync::oneshot, time::timeout};

use super::{Error, Shared, entry::Entry, host, rollback, sleep::Sleep, status::Sight};
use crate::{
    clock,
    meters::{FailureKind, Outcome, meters},
    model::Apart,
    plan::{Plan, Target, diff},
    platform::{Failure, Scope},
    store,
};
use failure::message;

/// Rounds of observing and executing before giving up for now.
const ROUNDS: u32 = 6;
/// More repairs than this within [`STORM_WINDOW`] is a storm: repairs then wait for [`STORM_PAUSE`].
const STORM: usize = 10;
/// See [`STORM`].
const STORM_WINDOW: Duration = Duration::from_secs(10);
/// See [`STORM`].
const STORM_PAUSE: Duration = Duration::from_secs(5);
/// Repairs kept in a lab's status.
const REPAIRS_KEPT: usize = 20;

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
            tracing::error!(lab = %entry.name, "the lab's actor crashed; it begins anew");
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
    fn hold(&self, failure: proto::Failure) -> Next {
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
                |error| tracing::warn!(lab = %self.entry.name, %error, "the host cannot be looked at"),
            )
            .ok()
    }

    fn scope<'a>(&'a self, target: &'a Target, first_id: u32) -> Scope<'a> {
        Scope { lab: &self.entry.name, first_id, target }
    }

    fn converge(&mut self, mut wanted: Snapshot) -> Next {
        let started = Instant::now();
        let (mut found, mut done) = (Vec::new(), Vec::new());
        let mut last = None;
        // What the first look showed, and whether what was made has been waited for.
        let (mut first, mut settled) = (None, false);
        for round in 0..ROUNDS {
            self.shared.kernel.catch_up();
            self.entry.forget_events();
            let observed = match self.shared.kernel.observe(self.scope(&wanted.target, wanted.first_id)) {
                Ok(observed) => observed,
                Err(failure) if failure.is_transient() => {
                    last = Some(failure);
                    pause(round);
                    continue;
                }
                Err(failure) => return self.fail(&wanted, &failure),
            };
            let plan = diff(&wanted.target, &observed);
            if let Err(failure) = self.keep_before(&mut wanted, &observed, &plan) {
                return self.fail(&wanted, &failure);
            }
            if plan.is_empty() {
                let settle = !done.is_empty() && !std::mem::replace(&mut settled, true);
                if settle && self.settle(&wanted, &observed, first.as_ref()) {
                    continue;
                }
                let sight = self.sight(&wanted, &observed, plan);
                return self.verified(&wanted, &sight, started, found, done);
            }
            // After a reboot nothing is left: making it anew is no repair.
            let rebooted = round == 0 && observed.places.len() <= 1 && wanted.target.places.len() > 1;
            if wanted.verified && found.is_empty() && !rebooted && done.is_empty() {
                found = plan.findings();
                self.tell_drift(&wanted, &found);
            }
            if let Some(conflict) = plan.conflicts.first() {
                return self.fail(&wanted, &Failure::new("host", conflict));
            }
            done.extend(plan.ops().map(ToString::to_string));
            let failures = self.execute(&wanted, &plan);
            // The first decides: those after it may follow from it.
            if let Some(failure) = failures.first().filter(|failure| !failure.is_transient()) {
                return self.fail(&wanted, failure);
            }
            last = failures.into_iter().next().or_else(|| {
                plan.ops()
                    .next()
                    .map(|op| Failure::new(op.object(), format!("it does not stay as set: {}", op.finding())))
            });
            if self.is_outdated(&wanted) || wanted.verified && self.entry.state().record.paused {
                return Next::Again;
            }
            first.get_or_insert(observed);
            if round > 0 {
                pause(round);
            }
        }
        let failure = last.unwrap_or_else(|| Failure::new(&self.entry.name, "it does not settle"));
        self.fail(&wanted, &failure)
    }

    fn execute(&self, wanted: &Snapshot, plan: &Plan) -> Vec<Failure> {
        let store = &self.shared.store;
        if let Err(error) = self.claim_host(&wanted.target) {
            return vec![Failure::new("host", error)];
        }
        let phase = if wanted.verified { Phase::Degraded } else { Phase::Converging };
        let total = plan.len();
        let step = |done: usize| {
            let mut seen = 0;
            let stage = plan.stages.iter().find(|stage| {
                seen += stage.ops.len();
                done < seen
            });
            stage.map_or("verification", |stage| stage.name)
        };
        self.entry.report(store, |status| status.working(wanted.generation, phase, 0, total, step(0)));
        self.shared.kernel.execute(self.scope(&wanted.target, wanted.first_id), plan, &mut |done| {
            self.entry
                .report(store, |status| status.working(wanted.generation, phase, done, total, step(done)));
        })
    }

    fn is_outdated(&self, wanted: &Snapshot) -> bool {
        let state = self.entry.state();
        state.record.deleting || state.record.generation != wanted.generation
    }

    fn verified(
        &mut self,
        wanted: &Snapshot,
        sight: &Sight,
        started: Instant,
        found: Vec<String>,
        done: Vec<String>,
    ) -> Next {
        let repair = (!found.is_empty()).then(|| proto::Repair {
            time: Some(clock::now()),
            found,
            done,
            duration_us: u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
        });
        // What a change that is undone has left of the host's sysctls goes before anybody hears that it is undone.
        let settled = self.settle_host(&wanted.target);
        let mut undone = None;
        let kept = self.entry.change_and_tell(&self.shared.store, |record| {
            if record.generation == wanted.generation {
                record.verified_generation = wanted.generation;
                record.previous_spec = None;
                let over = record.undoing.take_if(|_| settled.is_ok());
                undone = over.map(failure::undone);
            }
            if let Some(repair) = &repair {
                record.drift_repaired += 1;
                record.repairs.insert(0, repair.clone());
                record.repairs.truncate(REPAIRS_KEPT);
            }
            undone.clone().map(Body::Failed).or_else(|| repair.clone().map(Body::DriftRepaired))
        });
        if let Err(error) = kept {
            // It works, but that is not kept: look again later.
            tracing::error!(lab = %self.entry.name, %error, "the lab's state is not kept");
            return Next::Retry;
        }
        let news = undone.is_some() || !self.entry.state().status.is_verified(wanted.generation, sight);
        if repair.is_some() {
            meters().repaired(started.elapsed());
        }
        if news {
            self.entry.report(&self.shared.store, |status| {
                status.verified(wanted.generation, sight);
                if let Some(undone) = undone {
                    status.undone(undone);
                }
            });
        }
        match settled {
            Err(_) => Next::Retry,
            Ok(()) if self.is_outdated(wanted) => Next::Again,
            Ok(()) => self.calm_down(),
        }
    }

    /// Notes a repair, and holds still where there are too many.
    fn calm_down(&mut self) -> Next {
        let now = Instant::now();
        let repairs = self.entry.state().record.drift_repaired;
        if repairs == self.seen_repairs {
            return Next::Rest;
        }
        self.seen_repairs = repairs;
        self.repaired.push_back(now);
        self.repaired.retain(|at| now.duration_since(*at) < STORM_WINDOW);
        if self.repaired.len() < STORM {
            return Next::Rest;
        }
        tracing::warn!(lab = %self.entry.name, "damaged again and again; repairs pause");
        let seconds = STORM_PAUSE.as_secs();
        self.entry.report(&self.shared.store, |status| status.stormy(seconds));
        Next::Hold
    }

    fn delete(&self) -> Next {
        if let Err(failure) = self.take_away() {
            tracing::warn!(lab = %self.entry.name, %failure, "cannot be deleted yet");
            meters().failed(FailureKind::Delete);
            let message = message(&failure, true);
            self.entry.report(&self.shared.store, |status| status.failed(Phase::Deleting, 0, message));
            return Next::Retry;
        }
        if let Err(error) = self.shared.forget(&self.entry) {
            tracing::warn!(lab = %self.entry.name, %error, "cannot be forgotten yet");
            return Next::Retry;
        }
        Next::Gone
    }

    /// Takes away all there is of the lab, and makes sure of it by looking again where the kernel has not told of it.
    fn take_away(&self) -> Result<(), Failure> {
        let nothing = Target::default();
        let scope = self.scope(&nothing, 0);
        // First the host is as it was, then what kept it apart meanwhile may go.
        self.settle_host(&nothing).map_err(|error| Failure::new("host", error))?;
        let mut last = Failure::new(&self.entry.name, "it does not go away");
        for round in 0..ROUNDS {
            let plan = diff(&nothing, &self.shared.kernel.observe(scope)?);
            if plan.is_empty() {
                return self.release(&nothing);
            }
            match self.shared.kernel.execute(scope, &plan, &mut |_| ()).into_iter().next() {
                Some(failure) => {
                    last = failure;
                    pause(round);
                }
                // The end of nodes is waited for, and the look before has shown nothing else.
                None if plan.ops().all(|op| op.deletes_node().is_some()) => {
                    return self.release(&nothing);
                }
                None => {}
            }
        }
        Err(last)
    }

    /// Gives back what is held of a lab of which nothing is left.
    fn release(&self, nothing: &Target) -> Result<(), Failure> {
        self.shared.kernel.release(&self.entry.name)?;
        self.settle_host(nothing).map_err(|error| Failure::new("host", error))
    }

    /// Keeps what the host's sysctls are before they are changed. From then on they are this lab's,
    /// whatever is wanted meanwhile, until it has settled: what is under way may set them.
    fn claim_host(&self, target: &Target) -> Result<(), store::Error> {
        let mut claims = self.shared.host_values();
        claims.entry(self.entry.name.clone()).or_default().extend(host::wanted(target).cloned());
        host::claim(&self.shared.store, &*self.shared.kernel, target)
    }

    /// Puts back what no lab wants of the host any more, now that of this one there is `target`.
    fn settle_host(&self, target: &Target) -> Result<(), Error> {
        let mut claims = self.shared.host_values();
        claims.insert(self.entry.name.clone(), host::wanted(target).cloned().collect());
        claims.retain(|_, keys| !keys.is_empty());
        let wanted = self.shared.wanted_of_host(&claims);
        host::release(&self.shared.store, &*self.shared.kernel, &wanted)
    }
}

/// Waits before the next round, longer each time.
fn pause(round: u32) {
    std::thread::sleep(Duration::from_millis(5 << round));
}
