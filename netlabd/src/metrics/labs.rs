//! How the labs stand, looked at when somebody asks.

use std::{collections::BTreeMap, fmt};

use netlab_proto::v1::Phase;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};

use crate::{
    policy::{Policy, Session, Usage},
    reconcile::{LabSummary, Manager},
};

/// All phases that a lab can have.
const PHASES: [Phase; 6] =
    [Phase::Pending, Phase::Converging, Phase::Ready, Phase::Degraded, Phase::Failed, Phase::Deleting];

/// Looks at all labs, and at what their users run in them.
pub(super) struct Labs {
    /// Has the labs.
    pub(super) manager: Manager,
    /// Counts the sessions.
    pub(super) policy: Policy,
    /// Whether each lab is shown by itself.
    pub(super) per_lab: bool,
}

impl fmt::Debug for Labs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Labs").field("per_lab", &self.per_lab).finish_non_exhaustive()
    }
}

impl Collector for Labs {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let labs = self.manager.summaries();
        let encoder = &mut encoder;
        phases(encoder, &labs)?;
        let mut usage = Usage::default();
        for lab in &labs {
            usage += lab.usage;
        }
        let paused = labs.iter().filter(|lab| lab.paused).count();
        gauge(encoder, "netlab_labs_paused", "Labs whose drift is not repaired.", paused as u64)?;
        let drifted = labs.iter().filter(|lab| lab.drifted).count();
        gauge(encoder, "netlab_labs_drifted", "Labs that differ from the desired state.", drifted as u64)?;
        gauge(encoder, "netlab_nodes", "Nodes in all labs.", usage.nodes)?;
        gauge(encoder, "netlab_links", "Links in all labs.", usage.links)?;
        let (busy, all) = self.manager.workers();
        gauge(encoder, "netlab_workers_busy", "Labs being reconciled now.", busy as u64)?;
        gauge(encoder, "netlab_workers", "Labs that can be reconciled at once.", all as u64)?;
        let sessions = |session| self.policy.under_way(session);
        let help = "Commands in nodes under way.";
        gauge(encoder, "netlab_exec_sessions_open", help, sessions(Session::Exec))?;
        gauge(encoder, "netlab_captures_open", "Captures under way.", sessions(Session::Capture))?;
        if self.per_lab { each(encoder, &labs) } else { Ok(()) }
    }
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    ConstGauge::new(value).encode(metric)
}

fn phases(encoder: &mut DescriptorEncoder<'_>, labs: &[LabSummary]) -> fmt::Result {
    let mut counts: BTreeMap<Phase, u64> = PHASES.into_iter().map(|phase| (phase, 0)).collect();
    for lab in labs {
        *counts.entry(lab.phase).or_default() += 1;
    }
    let mut family = encoder.encode_descriptor("netlab_labs", "Labs, by phase.", None, MetricType::Gauge)?;
    for (phase, count) in counts {
        let labels = [("phase", phase.word())];
        ConstGauge::new(count).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

/// Each lab by itself; a lab that is gone is no longer there.
fn each(encoder: &mut DescriptorEncoder<'_>, labs: &[LabSummary]) -> fmt::Result {
    type Gauge = (&'static str, &'static str, fn(&LabSummary) -> u64);
    let gauges: [Gauge; 3] = [
        ("netlab_lab_ready", "Whether the lab is in its desired state: 1 or 0.", |lab| {
            (lab.phase == Phase::Ready).into()
        }),
        ("netlab_lab_nodes", "Nodes of the lab.", |lab| lab.usage.nodes),
        ("netlab_lab_links", "Links of the lab.", |lab| lab.usage.links),
    ];
    for (name, help, value) in gauges {
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for lab in labs {
            ConstGauge::new(value(lab)).encode(family.encode_family(&[("lab", lab.name.as_str())])?)?;
        }
    }
    let help = "Repairs of the lab's drift since it was created.";
    let mut family =
        encoder.encode_descriptor("netlab_lab_drift_repairs", help, None, MetricType::Counter)?;
    for lab in labs {
        let labels = [("lab", lab.name.as_str())];
        ConstCounter::new(lab.drift_repaired).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}
