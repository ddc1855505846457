//! What else is told of a lab than whether it is as wanted, and that it is at work before it is called ready.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::{
    super::{ports, ranges, redirects, status::Sight},
    Actor, Snapshot,
};
use crate::{
    firewall::{self, FirewallReport},
    model::{Place, observed::Observed},
    plan::{self, Plan, Target},
};

/// Longest wait for carriers: the kernel acts on those that it is not asked about once a second.
const SETTLE: Duration = Duration::from_secs(2);
/// Pause between two questions.
const PAUSE: Duration = Duration::from_millis(20);

impl Actor {
    /// What a look showed beside the differences.
    pub(super) fn sight(&self, wanted: &Snapshot, observed: &Observed, plan: Plan) -> Sight {
        Sight {
            extras: plan.extras.into_values().flatten().collect(),
            verdict: firewall::concerns(&wanted.target).then(|| self.verdict(&wanted.target, observed)),
            learning: plan::learning(&wanted.target, observed),
        }
    }

    /// Waits until what was just made is at work: until the kernel has acted on the carriers of interfaces that have
    /// one, so that the first packet need not wait for it. Those without, such as an unplugged end, are not waited for.
    ///
    /// Returns whether it waited for an interface that was there before, at the `first` look: of one that was unplugged
    /// and is plugged in again the kernel does not make what it makes for a new one (`IF_READY` in
    /// `net/ipv6/addrconf.c`), which shows only now.
    pub(super) fn settle(&self, wanted: &Snapshot, observed: &Observed, first: Option<&Observed>) -> bool {
        let mut waiting = plan::waiting(&wanted.target, observed);
        let was_there = |(place, index): &(Place, u32)| {
            let place = first.and_then(|first| first.places.get(place));
            place.is_some_and(|place| place.links.values().any(|link| link.index == *index))
        };
        let again = waiting.iter().any(was_there);
        let end = Instant::now() + SETTLE;
        while !waiting.is_empty() && !self.is_outdated(wanted) {
            waiting = self.shared.kernel.hurry(&self.entry.name, waiting);
            if waiting.is_empty() {
                break;
            }
            if Instant::now() >= end {
                tracing::warn!(lab = %self.entry.name, interfaces = waiting.len(), "not at work yet");
                break;
            }
            thread::sleep(PAUSE);
        }
        again
    }

    /// How the host stands towards the lab: its firewall, its routes, what listens there, whether it can be steered.
    fn verdict(&self, target: &Target, observed: &Observed) -> FirewallReport {
        let kernel = &self.shared.kernel;
        let seen = match kernel.firewall() {
            Ok(seen) => seen,
            Err(failure) => return FirewallReport::Unknown(failure.to_string()),
        };
        if let Some(route) = ranges::contested(target, &seen.routes) {
            return FirewallReport::Contested(route);
        }
        let verdict = firewall::judge(&seen, &firewall::flows(target, &seen));
        if verdict != FirewallReport::Open {
            return verdict;
        }
        if ports::publishes(target) {
            match kernel.sockets() {
                Ok(sockets) => {
                    if let Some(taken) = ports::taken(target, &sockets) {
                        return FirewallReport::Shadows(taken);
                    }
                }
                Err(failure) => return FirewallReport::Unknown(failure.to_string()),
            }
        }
        redirects::heard(target, observed, |key| kernel.host_sysctl(key))
            .map_or(FirewallReport::Open, FirewallReport::Steers)
    }
}
