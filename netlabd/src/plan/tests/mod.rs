//! The planner against the fake kernel: by example and by chance.

mod design;
mod findings;
mod golden;
mod properties;

use design::design;

use std::{collections::BTreeMap, sync::Arc};

use super::{Plan, Target, diff};
use crate::{
    exec::{Failure, Kernel, Scope, fake::FakeKernel},
    model::{
        LabName, Place,
        observed::{LinkKind, Observed},
    },
};

/// As many rounds as the reconciler allows itself.
const ROUNDS: usize = 6;

/// Plans and executes until nothing is left to do; gives all plans, or why it does not settle.
fn converge(kernel: &FakeKernel, lab: &LabName, target: &Target) -> Result<Vec<Plan>, String> {
    let scope = Scope { lab, first_id: 1, target };
    let mut plans: Vec<Plan> = Vec::new();
    for _ in 0..ROUNDS {
        let plan = diff(target, &observe(kernel, lab, target));
        if plan.is_empty() {
            return Ok(plans);
        }
        let failures = kernel.execute(scope, &plan, &mut |_| ());
        if let Some(failure) = failures.iter().find(|failure| !failure.is_transient()) {
            return Err(format!("{failure}\nafter {plans:#?}\nin {plan:#?}"));
        }
        plans.push(plan);
    }
    Err(format!("it does not settle: {plans:#?}"))
}

fn observe(kernel: &FakeKernel, lab: &LabName, target: &Target) -> Observed {
    let observed: Result<_, Failure> = kernel.observe(Scope { lab, first_id: 1, target });
    observed.expect("no failure was asked for")
}

/// An observation without what differs between two labs that are alike: indexes and orders.
fn alike(mut observed: Observed) -> BTreeMap<Place, String> {
    for state in observed.places.values_mut() {
        let state = Arc::make_mut(state);
        for link in state.links.values_mut() {
            link.index = 0;
            if let LinkKind::Veth { peer: Some((_, index)) } = &mut link.kind {
                *index = 0;
            }
            link.addresses.sort_by_key(|state| state.address);
        }
        state.routes.sort_by_key(|state| state.route.to_string());
    }
    observed.places.into_iter().map(|(place, state)| (place, format!("{state:#?}"))).collect()
}
