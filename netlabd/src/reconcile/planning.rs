//! What a lab would change, and what keeps the host from having it.

use std::sync::Arc;

use super::{Error, Manager, entry::Entry, host, others::Other, preflight};
use crate::{
    model::Lab,
    plan::{Plan, Target, diff, from_nothing},
    platform::{HostState, Scope},
    policy::{Access, Owner, Usage},
};

impl Manager {
    /// What applying a lab would do. `from_scratch`: as if nothing of it were there.
    pub fn plan(&self, lab: &Arc<Lab>, from_scratch: bool, access: &Access) -> Result<Plan, Error> {
        if from_scratch {
            // It touches nothing, but costs as much as the lab.
            access.room(Usage::default(), Usage::default(), lab)?;
            let target = Target::new(lab, lab.name.as_str());
            return Ok(from_nothing(lab, self.with_apart(&target).as_deref().unwrap_or(&target)));
        }
        if let Ok(entry) = self.entry(&lab.name) {
            access.may_use(&lab.name, &entry.owner())?;
            self.admit(lab, Some(&entry), access)?;
            self.plan_for(lab, &entry.target(lab), &entry, access)
        } else {
            self.admit(lab, None, access)?;
            let target = Target::new(lab, lab.name.as_str());
            self.preflight(lab, &target, access)?;
            let target = self.with_apart(&target).map_or(target, |target| (*target).clone());
            let observed = self.0.kernel.observe(Scope { lab: &lab.name, first_id: 0, target: &target })?;
            Ok(diff(&target, &observed))
        }
    }

    /// The same target with what is apart on the host, where that matters and is known.
    fn with_apart(&self, target: &Target) -> Option<Arc<Target>> {
        host::with_apart(target, || host::apart(&self.0.store, &*self.0.kernel, target).ok())
    }

    pub(super) fn plan_for(
        &self,
        lab: &Lab,
        target: &Target,
        entry: &Entry,
        access: &Access,
    ) -> Result<Plan, Error> {
        let held = entry.state().target.clone();
        // What is known of the host stays known.
        let known = host::with_apart(target, || host::apart_of(&held).cloned());
        let target = known.as_deref().unwrap_or(target);
        let observe = || self.0.kernel.observe(Scope { lab: &entry.name, first_id: 0, target });
        let mut observed = observe()?;
        let mut host = self.host_for(target)?;
        if target.places.keys().any(|place| !observed.places.contains_key(place)) {
            let before = self.0.kernel.pins()?;
            observed = observe()?;
            host.pins = self.0.kernel.pins()?;
            // The lab's actor may be at work: what came or went during the look is no stranger's.
            host.pins.retain(|pin| before.contains(pin));
        }
        let own = preflight::Own { observed: Some(&observed), held: Some(&held) };
        self.refuse(lab, target, &host, &own, access)?;
        Ok(entry.plan(target, &observed))
    }

    /// Checks a lab of which nothing is there yet.
    pub(super) fn preflight(&self, lab: &Lab, target: &Target, access: &Access) -> Result<(), Error> {
        let host = HostState { pins: self.0.kernel.pins()?, ..self.host_for(target)? };
        self.refuse(lab, target, &host, &preflight::Own::default(), access)
    }

    /// The host, as far as it matters to a lab; without pins, which matter to new nodes alone.
    fn host_for(&self, target: &Target) -> Result<HostState, Error> {
        let mut host = self.0.kernel.host()?;
        if preflight::meets_sockets(target) {
            host.sockets = self.0.kernel.sockets()?;
        }
        Ok(host)
    }

    /// Refuses a lab that a host cannot have; `own` is what there is of it already.
    fn refuse(
        &self,
        lab: &Lab,
        target: &Target,
        host: &HostState,
        own: &preflight::Own<'_>,
        access: &Access,
    ) -> Result<(), Error> {
        let others: Vec<_> = self.0.labs().values().filter(|other| other.name != lab.name).cloned().collect();
        let targets: Vec<_> = others.iter().map(|other| (other, other.state().target.clone())).collect();
        let whose = |owner: Owner| {
            if owner == access.caller().owner { "yours".to_owned() } else { format!("of {owner}") }
        };
        let other = |(other, target)| Other {
            name: &Arc::<Entry>::as_ref(other).name,
            target,
            whose: whose(other.owner()),
        };
        let others: Vec<_> = targets.iter().map(|(entry, target)| other((*entry, &**target))).collect();
        let refusals = preflight::check(&*self.0.kernel, &lab.name, target, host, own, &others);
        if refusals.is_empty() { Ok(()) } else { Err(Error::Refused(refusals)) }
    }
}
