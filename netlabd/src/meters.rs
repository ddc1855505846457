//! What is counted as it happens. The counters are the process's own, as its log is: whoever does
//! something counts it here.

use std::{sync::LazyLock, time::Duration};

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

/// Upper bounds of the time that a call takes, in seconds.
const CALL: [f64; 14] =
    [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];
/// Upper bounds of the time that a look at a lab and its work in the kernel take, in seconds.
const WORK: [f64; 12] = [0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 20.0, 60.0];

/// Labels by name.
type Labels<const N: usize> = [(&'static str, &'static str); N];
/// Histograms by labels; all have the same bounds.
type Histograms<const N: usize> = Family<Labels<N>, Histogram, fn() -> Histogram>;

/// A method of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rpc {
    /// Its service, for example `netlab.v1.LabService`.
    pub service: &'static str,
    /// Its name, for example `GetLab`.
    pub method: &'static str,
}

impl Rpc {
    fn labels(self) -> Labels<2> {
        [("service", self.service), ("method", self.method)]
    }
}

/// How a look at a lab ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All is as wanted, or was made so.
    Settled,
    /// Something else is wanted meanwhile.
    Outdated,
    /// It failed and is tried again.
    Failed,
    /// Repairs pause: the lab is damaged again and again.
    Held,
    /// Nothing of the lab is left.
    Deleted,
}

impl Outcome {
    const ALL: [Self; 5] = [Self::Settled, Self::Outdated, Self::Failed, Self::Held, Self::Deleted];

    fn as_str(self) -> &'static str {
        match self {
            Self::Settled => "settled",
            Self::Outdated => "outdated",
            Self::Failed => "failed",
            Self::Held => "held",
            Self::Deleted => "deleted",
        }
    }
}

/// What failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// A lab could not be made.
    Create,
    /// A change could not be made, and the lab was put back.
    Change,
    /// A lab could not be repaired.
    Repair,
    /// A lab could not be taken away.
    Delete,
    /// The lab's actor crashed: a bug.
    Crash,
}

impl FailureKind {
    const ALL: [Self; 5] = [Self::Create, Self::Change, Self::Repair, Self::Delete, Self::Crash];

    fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Change => "change",
            Self::Repair => "repair",
            Self::Delete => "delete",
            Self::Crash => "crash",
        }
    }
}

/// All counters. They may be counted on from everywhere, without a lock of their own worth speaking of.
#[derive(Debug)]
pub struct Meters {
    /// Labs that were accepted.
    pub labs_created: Counter,
    /// Labs of which nothing is left.
    pub labs_deleted: Counter,
    /// Repairs of drift.
    pub drift_repairs: Counter,
    /// Changes that nobody confirmed in time.
    pub rollbacks: Counter,
    /// Times that the kernel had more events than it could keep.
    pub events_lost: Counter,
    /// Commands started in nodes.
    pub exec_sessions: Counter,
    /// Captures begun.
    pub captures: Counter,
    /// Packets captured.
    pub packets_captured: Counter,
    /// Packets that captures lost, because their readers were too slow.
    pub packets_dropped: Counter,
    /// Connections accepted.
    pub connections: Counter,
    /// Connections closed at once: their user had too many.
    pub connections_refused: Counter,
    /// Connections open.
    pub connections_open: Gauge,
    reconciles: Histograms<1>,
    repairs: Histogram,
    failures: Family<Labels<1>, Counter>,
    calls: Family<Labels<3>, Counter>,
    calls_open: Family<Labels<2>, Gauge>,
    calls_answered: Histograms<2>,
}

/// The process's counters.
pub fn meters() -> &'static Meters {
    static METERS: LazyLock<Meters> = LazyLock::new(Meters::new);
    &METERS
}

impl Meters {
    /// Counters that are bound to come are there from the beginning, with 0, so that their first change
    /// is one that Prometheus sees.
    fn new() -> Self {
        let work = || Histogram::new(WORK);
        let meters = Self {
            labs_created: Counter::default(),
            labs_deleted: Counter::default(),
            drift_repairs: Counter::default(),
            rollbacks: Counter::default(),
            events_lost: Counter::default(),
            exec_sessions: Counter::default(),
            captures: Counter::default(),
            packets_captured: Counter::default(),
            packets_dropped: Counter::default(),
            connections: Counter::default(),
            connections_refused: Counter::default(),
            connections_open: Gauge::default(),
            reconciles: Family::new_with_constructor(work),
            repairs: work(),
            failures: Family::default(),
            calls: Family::default(),
            calls_open: Family::default(),
            calls_answered: Family::new_with_constructor(|| Histogram::new(CALL)),
        };
        for outcome in Outcome::ALL {
            drop(meters.reconciles.get_or_create(&[("outcome", outcome.as_str())]));
        }
        for kind in FailureKind::ALL {
            drop(meters.failures.get_or_create(&[("kind", kind.as_str())]));
        }
        meters
    }

    /// Counts a look at a lab, with the work that it led to.
    pub fn reconciled(&self, outcome: Outcome, took: Duration) {
        self.reconciles.get_or_create(&[("outcome", outcome.as_str())]).observe(took.as_secs_f64());
    }

    /// Counts a repair of drift, from noticing to verified.
    pub fn repaired(&self, took: Duration) {
        self.drift_repairs.inc();
        self.repairs.observe(took.as_secs_f64());
    }

    /// Counts a failure.
    pub fn failed(&self, kind: FailureKind) {
        self.failures.get_or_create(&[("kind", kind.as_str())]).inc();
    }

    /// A call begins.
    pub fn call_begun(&self, rpc: Rpc) {
        self.calls_open.get_or_create(&rpc.labels()).inc();
    }

    /// A call is answered; one that streams has begun to be.
    pub fn call_answered(&self, rpc: Rpc, took: Duration) {
        self.calls_answered.get_or_create(&rpc.labels()).observe(took.as_secs_f64());
    }

    /// A call is over. `code` is the name of its status code, for example `NOT_FOUND`.
    pub fn call_ended(&self, rpc: Rpc, code: &'static str) {
        self.calls_open.get_or_create(&rpc.labels()).dec();
        let labels = [("service", rpc.service), ("method", rpc.method), ("code", code)];
        self.calls.get_or_create(&labels).inc();
    }

    /// Puts all counters into a registry, which adds the prefix.
    pub(crate) fn register(&self, registry: &mut Registry) {
        for (name, help, counter) in [
            ("labs_created", "Labs accepted", &self.labs_created),
            ("labs_deleted", "Labs of which nothing is left", &self.labs_deleted),
            ("drift_repairs", "Repairs of drift", &self.drift_repairs),
            ("rollbacks", "Changes rolled back because nobody confirmed them in time", &self.rollbacks),
            (
                "events_lost",
                "Times that events of the kernel were lost; all labs are then observed",
                &self.events_lost,
            ),
            ("exec_sessions", "Commands started in nodes", &self.exec_sessions),
            ("captures", "Captures begun", &self.captures),
            ("capture_packets", "Packets captured", &self.packets_captured),
            (
                "capture_packets_dropped",
                "Packets lost to captures whose readers were too slow",
                &self.packets_dropped,
            ),
            ("connections", "Connections accepted", &self.connections),
            (
                "connections_refused",
                "Connections closed at once because their user had too many",
                &self.connections_refused,
            ),
        ] {
            registry.register(name, help, counter.clone());
        }
        registry.register("connections_open", "Connections open", self.connections_open.clone());
        let failures = "Labs that could not be created, changed, repaired or deleted, by kind";
        registry.register("failures", failures, self.failures.clone());
        registry.register("rpcs", "Calls that are over, by method and status code", self.calls.clone());
        registry.register("rpcs_open", "Calls under way, by method", self.calls_open.clone());
        let reconciles =
            "Duration of reconciling a lab, from the observation to the end of the work, by outcome";
        registry.register_with_unit("reconcile_duration", reconciles, Unit::Seconds, self.reconciles.clone());
        let repairs = "Time of repairing drift, from noticing to verified";
        registry.register_with_unit("drift_repair_duration", repairs, Unit::Seconds, self.repairs.clone());
        let calls = "Time until a call was answered or, where the answer streams, began to be, by method";
        registry.register_with_unit("rpc_duration", calls, Unit::Seconds, self.calls_answered.clone());
    }
}
