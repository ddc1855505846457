//! What one caller may do, by the configuration at the time of the request.

use std::{net::IpAddr, sync::Arc};

use super::{
    caller::{Caller, Role},
    config::Config,
    denied::Denied,
    host,
    ids::Ids,
    owner::Owner,
    quota::{Session, Usage},
};
use crate::model::{Lab, LabName, Place};

/// What one caller may do. An outsider has none.
#[derive(Debug, Clone)]
pub struct Access {
    caller: Caller,
    config: Arc<Config>,
}

impl Access {
    pub(super) fn new(caller: Caller, config: Arc<Config>) -> Self {
        Self { caller, config }
    }

    /// Who it is.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    fn admin(&self) -> bool {
        self.caller.role == Role::Admin
    }

    /// Whether a lab's inside may be seen and changed.
    pub fn owns(&self, owner: &Owner) -> bool {
        self.admin() || self.caller.owner == *owner
    }

    /// Refuses the use of another's lab.
    ///
    /// # Errors
    /// [`Denied::NotOwner`].
    pub fn may_use(&self, lab: &LabName, owner: &Owner) -> Result<(), Denied> {
        if self.owns(owner) {
            return Ok(());
        }
        Err(Denied::NotOwner { lab: lab.clone(), owner: owner.to_string() })
    }

    /// Refuses a lab that touches more of the host than its author may.
    ///
    /// # Errors
    /// [`Denied::Host`].
    pub fn may_touch(&self, lab: &Lab) -> Result<(), Denied> {
        if self.admin() {
            return Ok(());
        }
        let violations = host::violations(lab, &self.config.policy);
        if violations.is_empty() { Ok(()) } else { Err(Denied::Host(violations)) }
    }

    /// Refuses a ping from the host to an address that is not the lab's: what the host sends to others is not a lab's
    /// business.
    ///
    /// # Errors
    /// [`Denied::Ping`].
    pub fn may_ping(&self, lab: &Lab, from: &Place, address: &IpAddr) -> Result<(), Denied> {
        if self.admin() || *from != Place::Host || lab.has_address(address) {
            return Ok(());
        }
        Err(Denied::Ping { lab: lab.name.clone(), address: *address })
    }

    /// Refuses a lab for which there is no room: `others` is what the owner's other labs take, `before`
    /// what this one takes already. Giving back is always allowed.
    ///
    /// # Errors
    /// [`Denied::Quota`].
    pub fn room(&self, others: Usage, before: Usage, lab: &Lab) -> Result<(), Denied> {
        if self.admin() {
            return Ok(());
        }
        let (quotas, after) = (&self.config.quotas, Usage::of(lab));
        let all = [
            ("labs", others.labs, before.labs, after.labs, quotas.labs),
            ("nodes", others.nodes, before.nodes, after.nodes, quotas.nodes),
            ("links", others.links, before.links, after.links, quotas.links),
        ];
        for (quota, others, before, after, limit) in all {
            if after > before && others + after > u64::from(limit) {
                return Err(Denied::Quota { quota, used: others + before, asked: after - before, limit });
            }
        }
        Ok(())
    }

    /// Refuses a command that is to run on without a client where as many do already: of the caller in all labs,
    /// and in the lab.
    ///
    /// # Errors
    /// [`Denied::Quota`].
    pub fn room_for_detached(&self, own: u64, in_lab: u64) -> Result<(), Denied> {
        let quotas = &self.config.quotas;
        let all = [
            ("detached_commands", own, quotas.detached_commands),
            ("detached_commands_per_lab", in_lab, quotas.detached_commands_per_lab),
        ];
        let full = all.into_iter().find(|(_, used, limit)| !self.admin() && *used >= u64::from(*limit));
        full.map_or(Ok(()), |(quota, used, limit)| Err(Denied::Quota { quota, used, asked: 1, limit }))
    }

    /// Bytes that the caller's captures may have.
    pub(super) fn capture_memory(&self) -> u64 {
        if self.admin() { u64::MAX } else { self.config.quotas.capture_memory.0 }
    }

    /// The ids that labs may have.
    pub fn ids(&self) -> Ids {
        self.config.ids
    }

    /// How many sessions of a kind the caller may have at once.
    pub(super) fn session_limit(&self, session: Session) -> u32 {
        if self.admin() {
            return u32::MAX;
        }
        match session {
            Session::Exec => self.config.quotas.exec_sessions,
            Session::Capture => self.config.quotas.captures,
            Session::Detached => self.config.quotas.detached_commands,
        }
    }
}
