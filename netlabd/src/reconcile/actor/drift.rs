//! What differs from what is wanted is told, whether it is about to be repaired or left so.

use super::{Actor, Next, Snapshot};
use crate::store;

impl Actor {
    /// Looks at a lab whose drift is not repaired, and tells what differs.
    pub(super) fn look(&self, wanted: &Snapshot) -> Next {
        self.shared.kernel.catch_up();
        self.entry.forget_events();
        let observed = match self.shared.kernel.observe(self.scope(&wanted.target, wanted.first_id)) {
            Ok(observed) => observed,
            Err(failure) => return self.fail(wanted, &failure),
        };
        let plan = self.entry.plan(&wanted.target, &observed);
        let found = plan.findings();
        let sight = self.sight(wanted, &observed, plan);
        let known = {
            let status = &self.entry.state().status;
            if found.is_empty() {
                status.is_verified(wanted.generation, &sight)
            } else {
                status.knows_drift(wanted.generation, &found) && status.knows_surroundings(&sight)
            }
        };
        // What was seen before a resume tells nothing of what is after it.
        let still = |record: &store::Record| record.paused && record.generation == wanted.generation;
        let told = known
            || self.entry.report_while(&self.shared.store, still, |status| {
                if found.is_empty() {
                    status.verified(wanted.generation, &sight);
                } else {
                    status.drifted(wanted.generation, &found, true);
                }
                status.surroundings(&sight);
            });
        if told { Next::Rest } else { Next::Again }
    }

    /// Tells what differs, unless it is told: what cannot be repaired is looked at again and again.
    pub(super) fn tell_drift(&self, wanted: &Snapshot, found: &[String]) {
        if self.entry.state().status.knows_drift(wanted.generation, found) {
            return;
        }
        tracing::info!(lab = %self.entry.name, found = found.join("; "), "drift");
        self.entry.report(&self.shared.store, |status| status.drifted(wanted.generation, found, false));
    }
}
