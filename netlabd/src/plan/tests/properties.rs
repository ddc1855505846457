//! What holds for all labs, whatever became of them.

use proptest::prelude::*;

use super::{Before, alike, converge, converge_keeping, design, observe};
use crate::{
    convert,
    model::{Lab, LabName},
    plan::{Target, diff},
    platform::{Kernel, fake::FakeKernel},
};
use netlab_proto::v1 as proto;

fn lab(message: &proto::Lab) -> Lab {
    convert::lab(message).unwrap_or_else(|faults| panic!("{faults}\n{message:?}"))
}

fn name() -> LabName {
    "a".parse().unwrap()
}

/// A host with an interface of others, the parent of macvlans.
fn host() -> FakeKernel {
    let kernel = FakeKernel::new();
    assert!(kernel.damage(&name(), "strange host:eth9"));
    assert!(kernel.damage(&name(), "address host:eth9 10.9.9.9/24"));
    kernel
}

/// Takes a lab away, and puts the host's forwarding back as the reconciler would.
fn delete(kernel: &FakeKernel) -> Result<(), TestCaseError> {
    converge(kernel, &name(), &Target::default()).map_err(TestCaseError::fail)?;
    kernel.release(&name()).unwrap();
    kernel.set_host_sysctl(&"net.ipv4.ip_forward".parse().unwrap(), "0").unwrap();
    Ok(())
}

/// A few things done to a lab; numbers choose among its interfaces.
fn damages(target: &Target, choices: &[(usize, usize)]) -> Vec<String> {
    const VERBS: [&str; 23] = [
        "delete",
        "down",
        "mtu",
        "mac",
        "nomaster",
        "rename",
        "novlans",
        "unport",
        "unfdb",
        "unaddress",
        "address",
        "disconnect",
        "unroute",
        "unpin",
        "kill",
        "flush-nat",
        "flush-firewall",
        "tc",
        "netem",
        "unqueue",
        "segments",
        "unrule",
        "unneighbour",
    ];
    let spots: Vec<_> = target
        .places
        .iter()
        .flat_map(|(place, state)| state.links.keys().map(move |name| (place, name)))
        .filter(|(_, name)| name.as_str() != "lo")
        .collect();
    let damage = |(number, (verb, spot)): (usize, &(usize, usize))| {
        let (place, name) = spots.get(spot % spots.len().max(1))?;
        Some(match VERBS[verb % VERBS.len()] {
            "mtu" => format!("mtu {place}:{name} 1300"),
            "mac" => format!("mac {place}:{name} 02:00:00:00:00:07"),
            "rename" => format!("rename {place}:{name} stray{number}"),
            "tc" => format!("tc {place}:{name} tbf"),
            "segments" => format!("segments {place}:{name} {}", 1 + number),
            "address" => format!("address {place}:{name} 10.0.{number}.1/24"),
            verb @ ("unpin" | "kill" | "flush-nat" | "flush-firewall" | "unrule" | "unneighbour") => {
                format!("{verb} {place}")
            }
            verb => format!("{verb} {place}:{name}"),
        })
    };
    choices.iter().enumerate().filter_map(damage).collect()
}

fn choices() -> impl Strategy<Value = Vec<(usize, usize)>> {
    prop::collection::vec((0..23_usize, 0..32_usize), 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_new_lab_is_there_after_one_plan_and_deleting_leaves_what_was(message in design("a", 1)) {
        let (kernel, name) = (host(), name());
        let before = kernel.snapshot();
        let target = Target::new(&lab(&message), "uid");
        let plans = converge(&kernel, &name, &target).map_err(TestCaseError::fail)?;
        prop_assert!(plans.len() <= 1, "{:#?}", plans);
        delete(&kernel)?;
        prop_assert_eq!(kernel.snapshot(), before);
    }

    #[test]
    fn a_changed_lab_becomes_what_a_new_one_would_be(a in design("a", 1), b in design("a", 1)) {
        let (kernel, fresh, name) = (host(), host(), name());
        let (first, target) = (Target::new(&lab(&a), "uid"), Target::new(&lab(&b), "uid"));
        let mut before = Before::new();
        converge_keeping(&kernel, &name, first, &mut before).map_err(TestCaseError::fail)?;
        converge_keeping(&kernel, &name, target.clone(), &mut before).map_err(TestCaseError::fail)?;
        converge(&fresh, &name, &target).map_err(TestCaseError::fail)?;
        let (changed, new) = (alike(observe(&kernel, &name, &target)), alike(observe(&fresh, &name, &target)));
        prop_assert_eq!(changed, new);
    }

    #[test]
    fn sysctls_become_what_they_are_in_a_new_lab(labs in prop::collection::vec(design("a", 1), 2..5)) {
        let (kernel, fresh, name) = (host(), host(), name());
        let (mut before, mut nothing) = (Before::new(), Before::new());
        for message in &labs {
            let target = Target::new(&lab(message), "uid");
            converge_keeping(&kernel, &name, target, &mut before).map_err(TestCaseError::fail)?;
        }
        let last = Target::new(&lab(&labs[labs.len() - 1]), "uid");
        converge_keeping(&fresh, &name, last, &mut nothing).map_err(TestCaseError::fail)?;
        prop_assert_eq!(kernel.sysctls(&name), fresh.sysctls(&name), "{:#?}", before);
    }

    #[test]
    fn whatever_is_damaged_is_repaired(message in design("a", 1), choices in choices()) {
        let (kernel, name) = (host(), name());
        let target = Target::new(&lab(&message), "uid");
        converge(&kernel, &name, &target).map_err(TestCaseError::fail)?;
        let damages = damages(&target, &choices);
        let done: Vec<_> = damages.iter().filter(|damage| kernel.damage(&name, damage)).collect();
        let plans = converge(&kernel, &name, &target)
            .map_err(|error| TestCaseError::fail(format!("{done:?}: {error}")))?;
        prop_assert!(plans.len() <= 3, "{:?}: {:#?}", done, plans);
        prop_assert!(diff(&target, &observe(&kernel, &name, &target)).is_empty());
    }

    #[test]
    fn labs_and_strangers_are_left_alone(a in design("a", 1), b in design("b", 2), c in design("a", 1)) {
        let (kernel, other) = (host(), "b".parse().unwrap());
        let target_b = Target::new(&lab(&b), "other");
        converge(&kernel, &other, &target_b).map_err(TestCaseError::fail)?;
        let before = kernel.snapshot();
        for message in [a, c] {
            let target = Target::new(&lab(&message), "uid");
            converge(&kernel, &name(), &target).map_err(TestCaseError::fail)?;
            prop_assert!(diff(&target_b, &observe(&kernel, &other, &target_b)).is_empty());
        }
        delete(&kernel)?;
        converge(&kernel, &other, &target_b).map_err(TestCaseError::fail)?;
        prop_assert_eq!(kernel.snapshot(), before);
    }
}
