//! What else is done to a lab than creating and applying it: deleting, confirming, pausing.

use std::sync::Arc;

use netlab_proto::v1 as proto;

use super::{
    Manager,
    entry::Entry,
    error::{Error, Expected},
    rollback,
    status::Status,
};
use crate::{model::LabName, policy::Access};

impl Manager {
    /// Marks a lab for deletion; durable when this returns.
    pub fn delete(
        &self,
        name: &LabName,
        expected: &Expected,
        access: &Access,
    ) -> Result<proto::LabResource, Error> {
        let entry = match self.permitted(name, access) {
            // Nothing is known of it that could be expected.
            Err(Error::Unreadable(_)) if *expected == Expected::default() => {
                return self.delete_unreadable(name, access);
            }
            entry => entry?,
        };
        entry.change_if(&self.0.store, expected, |record| record.deleting = true)?;
        entry.report(&self.0.store, Status::deleting);
        entry.command.notify_one();
        Ok(entry.resource())
    }

    /// Keeps a change that waits to be confirmed; durable when this returns.
    pub fn confirm(
        &self,
        name: &LabName,
        expected: &Expected,
        access: &Access,
    ) -> Result<proto::LabResource, Error> {
        let entry = self.permitted(name, access)?;
        let mut waited = false;
        entry.change_if(&self.0.store, expected, |record| {
            waited = record.rollback_us != 0;
            rollback::confirm(record);
        })?;
        if waited {
            // Who watches hears that it stays.
            entry.report(&self.0.store, |_| ());
            Ok(entry.resource())
        } else {
            Err(Error::NothingToConfirm(name.clone()))
        }
    }

    /// Wakes the lab's actor when its last change is to be put back.
    pub(super) fn await_rollback(&self, entry: &Arc<Entry>) {
        let Some(wait) = rollback::wait(&entry.state().record) else { return };
        let entry = entry.clone();
        self.0.runtime.spawn(async move {
            tokio::time::sleep(wait).await;
            entry.command.notify_one();
        });
    }

    /// Stops or starts drift repair; durable when this returns. What is told of the lab from then on was seen
    /// after a start.
    pub fn pause(
        &self,
        name: &LabName,
        paused: bool,
        expected: &Expected,
        access: &Access,
    ) -> Result<proto::LabResource, Error> {
        let entry = self.permitted(name, access)?;
        entry.change_if(&self.0.store, expected, |record| record.paused = paused)?;
        let told = if paused { |status: &mut Status| status.paused(true) } else { Status::resumed };
        entry.report(&self.0.store, told);
        entry.command.notify_one();
        Ok(entry.resource())
    }
}
