//! A lab as the API has it.

use netlab_proto::v1 as proto;

use super::{Entry, State, owner};
use crate::{clock, store};

impl Entry {
    /// What others may see of the lab: name, owner, phase.
    pub(in crate::reconcile) fn existence(&self) -> proto::LabResource {
        let state = self.state();
        let status = proto::LabStatus { phase: state.status.phase().into(), ..proto::LabStatus::default() };
        proto::LabResource {
            name: self.name.to_string(),
            owner_uid: state.record.owner_uid,
            owner: owner(&state.record).name(),
            status: Some(status),
            ..proto::LabResource::default()
        }
    }

    /// The lab as the API has it.
    pub(in crate::reconcile) fn resource(&self) -> proto::LabResource {
        let (message, kept) = {
            let state = self.state();
            (self.message(&state, None), state.record.spec.clone())
        };
        // It could be read when the store was opened.
        proto::LabResource { spec: kept.and_then(|spec| store::decode(&spec).ok()), ..message }
    }

    /// The lab without its desired state, which takes long to read.
    pub(in crate::reconcile) fn summary(&self) -> proto::LabResource {
        let state = self.state();
        self.message(&state, None)
    }

    /// The same of a state, for who has its desired state at hand.
    pub(in crate::reconcile) fn message(
        &self,
        state: &State,
        spec: Option<proto::Lab>,
    ) -> proto::LabResource {
        proto::LabResource {
            name: self.name.to_string(),
            uid: self.uid.clone(),
            generation: state.record.generation,
            create_time: Some(clock::timestamp(state.record.created_us)),
            owner_uid: state.record.owner_uid,
            owner: owner(&state.record).name(),
            spec,
            status: Some(state.status.message(&state.record)),
            node_count: u32::try_from(state.lab.nodes.len()).unwrap_or(u32::MAX),
        }
    }
}
