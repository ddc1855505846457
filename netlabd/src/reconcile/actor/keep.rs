//! What sysctls of nodes were before the lab first set them is kept before it is changed.

use std::collections::{BTreeMap, BTreeSet};

use super::{Actor, Snapshot};
use crate::{
    model::{SysctlKey, observed::Observed},
    plan::{Plan, claim, settle},
    platform::Failure,
};

impl Actor {
    /// Keeps what sysctls of nodes were before the plan changes them; where nothing is left to do, only that of those
    /// that the lab still sets.
    pub(super) fn keep_before(
        &self,
        wanted: &mut Snapshot,
        observed: &Observed,
        plan: &Plan,
    ) -> Result<(), Failure> {
        let mut refusal = None;
        let mut fresh = |keys: &BTreeSet<SysctlKey>| {
            self.shared.kernel.fresh_sysctls(keys).unwrap_or_else(|failure| {
                refusal = Some(failure);
                BTreeMap::new()
            })
        };
        let before = claim(&wanted.target, observed, plan, &mut fresh);
        if let Some(refusal) = refusal {
            return Err(refusal);
        }
        let before = if plan.is_empty() { settle(&wanted.target, before) } else { before };
        let kept = self.entry.keep_before(&self.shared.store, wanted.generation, &before);
        // Where something else is wanted by now, the next step finds that out.
        if let Some(target) = kept.map_err(|error| Failure::new(&self.entry.name, error))? {
            wanted.target = target;
        }
        Ok(())
    }
}
