//! What else is told of a lab than whether it is as wanted, and that it is at work before it is called ready.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::{
    super::{ranges, status::Sight},
    Actor, Wanted,
};
use crate::{
    firewall::{self, Verdict},
    model::observed::Observed,
    plan::{self, Plan, Target},
};

/// Longest wait for carriers: the kernel acts on those that it is not asked about once a second.
const SETTLE: Duration = Duration::from_secs(2);
/// Pause between two questions.
const PAUSE: Duration = Duration::from_millis(20);

impl Actor {
    /// What a look showed beside the differences.
    pub(super) fn sight(&self, wanted: &Wanted, observed: &Observed, plan: Plan) -> Sight {
        Sight {
            extras: plan.extras,
            verdict: self.verdict(&wanted.target),
            learning: plan::learning(&wanted.target, observed),
        }
    }

    /// Waits until what was just made is at work: until the kernel has acted on the carriers of interfaces that have
    /// one, so that the first packet need not wait for it. Those without, such as an unplugged end, are not waited for.
    pub(super) fn settle(&self, wanted: &Wanted, observed: &Observed) {
        let mut waiting = plan::waiting(&wanted.target, observed);
        let end = Instant::now() + SETTLE;
        while !waiting.is_empty() && !self.is_outdated(wanted) {
            waiting = self.shared.kernel.hurry(&self.entry.name, waiting);
            if waiting.is_empty() {
                return;
            }
            if Instant::now() >= end {
                tracing::warn!(lab = %self.entry.name, interfaces = waiting.len(), "not at work yet");
                return;
            }
            thread::sleep(PAUSE);
        }
    }

    /// How the host's firewall and its routes stand towards the lab; `None` where it does not matter.
    fn verdict(&self, target: &Target) -> Option<Verdict> {
        firewall::concerns(target).then(|| match self.shared.kernel.firewall() {
            Ok(seen) => match ranges::contested(target, &seen.routes) {
                Some(route) => Verdict::Contested(route),
                None => firewall::judge(&seen, &firewall::flows(target, &seen)),
            },
            Err(failure) => Verdict::Unknown(failure.to_string()),
        })
    }
}
