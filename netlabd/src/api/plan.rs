//! Plans in the API's words.

use netlab_proto::v1 as proto;

use crate::{
    model::LabName,
    plan::{Action, Plan, command},
};

/// A plan as the API has it.
pub(super) fn message(lab: &LabName, plan: &Plan) -> proto::Plan {
    use proto::planned_change::Action as Wire;
    let change = |op: &crate::plan::Op| proto::PlannedChange {
        action: match op.action() {
            Action::Create => Wire::Create,
            Action::Update => Wire::Update,
            Action::Delete => Wire::Delete,
        }
        .into(),
        object: op.object(),
        description: op.to_string(),
        command: command(lab, op),
    };
    proto::Plan { changes: plan.ops().map(change).collect() }
}
