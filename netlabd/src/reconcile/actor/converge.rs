//! Rounds of observing and executing until nothing differs, and what is told then.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use netlab_proto::v1 as proto;
use proto::{Phase, lab_event::Body};

use super::{Actor, Next, ROUNDS, STORM_PAUSE, Snapshot, failure, pause};
use crate::{clock, meters::meters, plan::Plan, platform::Failure, reconcile::status::Sight};

/// More repairs than this within [`STORM_WINDOW`] is a storm: repairs then wait for [`STORM_PAUSE`].
const STORM: usize = 10;

/// See [`STORM`].
const STORM_WINDOW: Duration = Duration::from_secs(10);

/// Repairs kept in a lab's status.
const REPAIRS_KEPT: usize = 20;

impl Actor {
    /// Brings the lab to what is wanted, and reports it once a look finds no difference.
    pub(super) fn converge(&mut self, mut wanted: Snapshot) -> Next {
        let started = Instant::now();
        let (mut found, mut done) = (Vec::new(), Vec::new());
        let mut last = None;
        // What the first look showed, and whether what was made has been waited for.
        let (mut first, mut settled) = (None, false);
        for round in 0..ROUNDS {
            self.shared.kernel.catch_up();
            self.entry.forget_events();
            let observed = match self.shared.kernel.observe(self.scope(&wanted.target, wanted.first_id)) {
                Ok(observed) => Arc::new(observed),
                Err(failure) if failure.is_transient() => {
                    last = Some(failure);
                    pause(round);
                    continue;
                }
                Err(failure) => return self.fail(&wanted, &failure),
            };
            let compared = wanted.target.clone();
            let plan = self.entry.plan(&compared, &observed);
            if let Err(failure) = self.keep_before(&mut wanted, &observed, &plan) {
                return self.fail(&wanted, &failure);
            }
            if plan.is_empty() {
                self.entry.settle(&compared, &observed, &plan);
                let settle = !done.is_empty() && !std::mem::replace(&mut settled, true);
                if settle && self.settle(&wanted, &observed, first.as_deref()) {
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
            last = failures.into_iter().next().or_else(|| does_not_stay(&plan));
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

    /// Whether something else is wanted by now.
    pub(super) fn is_outdated(&self, wanted: &Snapshot) -> bool {
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
}

/// What to report where all operations were done and something still differs.
fn does_not_stay(plan: &Plan) -> Option<Failure> {
    let op = plan.ops().next()?;
    Some(Failure::new(op.object(), format!("it does not stay as set: {}", op.finding())))
}
