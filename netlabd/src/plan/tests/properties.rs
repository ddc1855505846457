//! What holds for all labs, whatever became of them.

use proptest::prelude::*;

use super::{Before, alike, converge, converge_keeping, design, observe};
use crate::{
    convert,
    model::{Lab, LabName},
    plan::{Settled, Target, diff, diff_since},
    platform::{Kernel, fake::FakeKernel},
};
use netlab_proto::v1 as proto;

fn lab(message: &proto::Lab) -> Lab {
    convert::lab(message).unwrap_or_else(|faults| panic!("{faults}\n{message:?}"))
}

fn name() -> LabName {
    "a".parse().unwrap()
}

/// A host with what others have: an interface on which macvlans and VLANs stand, and a bridge.
fn host() -> FakeKernel {
    let kernel = FakeKernel::new();
    assert!(kernel.damage(&name(), "strange host:eth9"));
    assert!(kernel.damage(&name(), "strange-bridge host:br9"));
    assert!(kernel.damage(&name(), "up host:eth9"));
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

/// A lab that is as it is wanted.
fn settled(kernel: &FakeKernel, target: &Target) -> Settled {
    let seen = observe(kernel, &name(), target);
    let plan = diff(target, &seen);
    Settled::of(&target.clone().into(), &seen.into(), &plan).unwrap_or_else(|| panic!("{plan:#?}"))
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

/// A lab with a small change at one of its interfaces, or with a node taken out.
fn changed(message: &proto::Lab, (what, which): (usize, usize)) -> proto::Lab {
    let mut message = message.clone();
    let nodes: Vec<String> = message.nodes.keys().cloned().collect();
    if what == 0 && nodes.len() > 1 {
        let node = &nodes[which % nodes.len()];
        message.nodes.remove(node);
        message.links.retain(|link| !link.endpoints.iter().any(|end| end.starts_with(&format!("{node}:"))));
        return message;
    }
    let all = message.nodes.values_mut().flat_map(|node| node.interfaces.values_mut());
    let mut all: Vec<_> = all.collect();
    let count = all.len().max(1);
    if let Some(interface) = all.get_mut(which % count) {
        match what {
            1 => interface.mtu = Some(1400),
            2 => interface.mac = Some("02:00:00:00:00:aa".to_owned()),
            3 => interface.addresses.push("10.200.0.1/24".to_owned()),
            4 => interface.addresses.clear(),
            _ => interface.up = Some(interface.up == Some(false)),
        }
    }
    message
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
        converge_keeping(&kernel, &name, first.clone(), &mut before).map_err(TestCaseError::fail)?;
        let (mut first, mut second) = (first, target.clone());
        first.remember(&before);
        second.remember(&before);
        let (settled, seen) = (settled(&kernel, &first), observe(&kernel, &name, &second));
        prop_assert_eq!(diff_since(&second, &seen, Some(&settled)), diff(&second, &seen));
        converge_keeping(&kernel, &name, target.clone(), &mut before).map_err(TestCaseError::fail)?;
        converge(&fresh, &name, &target).map_err(TestCaseError::fail)?;
        let (changed, new) = (alike(observe(&kernel, &name, &target)), alike(observe(&fresh, &name, &target)));
        prop_assert_eq!(changed, new);
    }

    #[test]
    fn what_has_not_changed_need_not_be_compared(
        message in design("a", 1),
        edits in prop::collection::vec((0..6_usize, 0..32_usize), 1..4),
    ) {
        let (kernel, name) = (host(), name());
        let target = Target::new(&lab(&message), "uid");
        converge(&kernel, &name, &target).map_err(TestCaseError::fail)?;
        let settled = settled(&kernel, &target);
        for edit in edits {
            let Ok(lab) = convert::lab(&changed(&message, edit)) else { continue };
            let target = Target::new(&lab, "uid");
            let seen = observe(&kernel, &name, &target);
            prop_assert_eq!(diff_since(&target, &seen, Some(&settled)), diff(&target, &seen), "{:?}", edit);
        }
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
        let settled = settled(&kernel, &target);
        let damages = damages(&target, &choices);
        let done: Vec<_> = damages.iter().filter(|damage| kernel.damage(&name, damage)).collect();
        let seen = observe(&kernel, &name, &target);
        prop_assert_eq!(diff_since(&target, &seen, Some(&settled)), diff(&target, &seen), "{:?}", done);
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
