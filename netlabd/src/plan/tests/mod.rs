//! The planner against the fake kernel: by example and by chance.

mod design;
mod findings;
mod golden;
mod properties;

use design::design;

use std::{collections::BTreeMap, sync::Arc};

use super::{Before, Plan, Target, claim, diff, settle};
use crate::{
    model::{
        LabName, Place,
        observed::{Observed, ObservedForm},
    },
    platform::{Failure, Kernel, Scope, fake::FakeKernel},
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

/// The same, and keeps what sysctls were before, as the reconciler does.
fn converge_keeping(
    kernel: &FakeKernel,
    lab: &LabName,
    mut target: Target,
    before: &mut Before,
) -> Result<(), String> {
    for _ in 0..ROUNDS {
        target.remember(before);
        let observed = observe(kernel, lab, &target);
        let plan = diff(&target, &observed);
        *before = claim(&target, &observed, &plan, &mut |keys| kernel.fresh_sysctls(keys).unwrap());
        if plan.is_empty() {
            *before = settle(&target, std::mem::take(before));
            return Ok(());
        }
        kernel.execute(Scope { lab, first_id: 1, target: &target }, &plan, &mut |_| ());
    }
    Err(format!("it does not settle: {:#?}", diff(&target, &observe(kernel, lab, &target))))
}

fn observe(kernel: &FakeKernel, lab: &LabName, target: &Target) -> Observed {
    let observed: Result<_, Failure> = kernel.observe(Scope { lab, first_id: 1, target });
    observed.expect("no failure was asked for")
}

/// An observation without what differs between two labs that are alike: indexes and the order of routes.
fn alike(mut observed: Observed) -> BTreeMap<Place, String> {
    for state in observed.places.values_mut() {
        let state = Arc::make_mut(state);
        for link in state.links.values_mut() {
            link.index = 0;
            if let ObservedForm::Veth { peer: Some((_, index)) } = &mut link.form {
                *index = 0;
            }
        }
        state.routes.sort_by_key(|state| state.route.to_string());
        state.rules.sort_by_key(|state| state.rule.to_string());
        state.neighbours.sort_by_key(|state| state.neighbour.to_string());
    }
    observed.places.into_iter().map(|(place, state)| (place, format!("{state:#?}"))).collect()
}
