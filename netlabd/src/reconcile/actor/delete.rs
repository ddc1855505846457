//! Removing all there is of a lab.

use netlab_proto::v1::Phase;

use super::{Actor, Next, ROUNDS, failure::message, pause};
use crate::{
    meters::{FailureKind, meters},
    plan::{Target, diff},
    platform::Failure,
};

impl Actor {
    /// Removes the lab, and forgets it once nothing is left.
    pub(super) fn delete(&self) -> Next {
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
    pub(super) fn take_away(&self) -> Result<(), Failure> {
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
}
