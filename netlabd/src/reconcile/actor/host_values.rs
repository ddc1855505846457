//! The host's sysctls that a lab sets: what they were is kept before, and put back once no lab wants them.

use super::Actor;
use crate::{
    plan::Target,
    reconcile::{Error, host},
    store,
};

impl Actor {
    /// Keeps what the host's sysctls are before they are changed. From then on they are this lab's,
    /// whatever is wanted meanwhile, until it has settled: what is under way may set them.
    pub(super) fn claim_host(&self, target: &Target) -> Result<(), store::Error> {
        let mut claims = self.shared.host_values();
        claims.entry(self.entry.name.clone()).or_default().extend(host::wanted(target).cloned());
        host::claim(&self.shared.store, &*self.shared.kernel, target)
    }

    /// Puts back what no lab wants of the host any more, now that of this one there is `target`.
    pub(super) fn settle_host(&self, target: &Target) -> Result<(), Error> {
        let mut claims = self.shared.host_values();
        claims.insert(self.entry.name.clone(), host::wanted(target).cloned().collect());
        claims.retain(|_, keys| !keys.is_empty());
        let wanted = self.shared.wanted_of_host(&claims);
        host::release(&self.shared.store, &*self.shared.kernel, &wanted)
    }
}
