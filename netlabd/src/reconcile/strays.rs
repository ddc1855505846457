//! What bears the marks of labs of which nothing is kept, or nothing that can be read.

use netlab_proto::v1 as proto;

use super::{Error, Manager, status::Status};
use crate::{
    model::LabName,
    plan::{Target, diff},
    platform::{Failure, Scope},
    policy::{Access, Owner},
};

impl Manager {
    /// Takes away what bears the marks of labs that are not in the store. Only for a store that is
    /// known to be whole.
    pub fn purge_strays(&self) -> Result<(), Failure> {
        for name in self.0.kernel.marked_labs()? {
            if self.0.labs().contains_key(&name) {
                continue;
            }
            if self.0.unreadable().contains(&name) {
                tracing::warn!(lab = %name, "the lab's stored record cannot be read; what runs of it is left alone");
                continue;
            }
            tracing::warn!(lab = %name, "taking away what is left of a lab that is not in the store");
            self.purge(&name)?;
        }
        Ok(())
    }

    fn purge(&self, name: &LabName) -> Result<(), Failure> {
        let nothing = Target::default();
        let scope = Scope { lab: name, first_id: 0, target: &nothing };
        let plan = diff(&nothing, &self.0.kernel.observe(scope)?);
        if let Some(failure) = self.0.kernel.execute(scope, &plan, &mut |_| ()).into_iter().next() {
            return Err(failure);
        }
        self.0.kernel.release(name)
    }

    /// Takes away what there is of a lab whose record cannot be read, and the record; nothing is left
    /// when this returns. Nobody knows whose it was: only for administrators.
    pub(super) fn delete_unreadable(
        &self,
        name: &LabName,
        access: &Access,
    ) -> Result<proto::LabResource, Error> {
        // No user has the highest id.
        access.may_use(name, &Owner::Local(u32::MAX))?;
        self.purge(name)?;
        self.0.store.remove_unreadable(name)?;
        self.0.unreadable().remove(name);
        let mut status = Status::new();
        status.deleting();
        let status = Some(status.message(&crate::store::Record::default()));
        Ok(proto::LabResource { name: name.to_string(), status, ..proto::LabResource::default() })
    }
}
