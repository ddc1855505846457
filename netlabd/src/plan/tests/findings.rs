//! What a repair says was amiss, and pairs with both ends on the host.

use serde_json::json;

use super::{converge, observe};
use crate::{
    convert,
    plan::{Plan, Target, command, diff},
    platform::fake::FakeKernel,
};

/// Builds a lab, damages it, and tells what is found then.
fn found(lab: serde_json::Value, damage: &[&str]) -> Vec<String> {
    let lab = convert::lab(&serde_json::from_value(lab).unwrap()).unwrap();
    let (kernel, target) = (FakeKernel::new(), Target::new(&lab, "uid"));
    converge(&kernel, &lab.name, &target).unwrap();
    for line in damage {
        assert!(kernel.damage(&lab.name, line), "nothing to {line}");
    }
    let found = diff(&target, &observe(&kernel, &lab.name, &target)).findings();
    converge(&kernel, &lab.name, &target).unwrap();
    converge(&kernel, &lab.name, &Target::default()).unwrap();
    found
}

#[test]
fn causes_are_told_and_what_follows_from_them_is_not() {
    let lab = || {
        json!({
            "name": "l",
            "nodes": {
                "a": {
                    "interfaces": { "e": { "addresses": ["192.0.2.1/24"] } },
                    "routes": [{ "to": "default", "via": "192.0.2.2" }]
                },
                "b": { "interfaces": { "e": { "addresses": ["192.0.2.2/24"] } } }
            },
            "links": [{ "endpoints": ["a:e", "b:e"] }]
        })
    };
    assert_eq!(found(lab(), &["delete a:e"]), ["the link a:e -- b:e is missing"]);
    assert_eq!(found(lab(), &["kill a"]), ["a: the namespace is missing"]);
    let unaddressed = found(lab(), &["unaddress a:e"]);
    assert_eq!(unaddressed[0], "a:e: address 192.0.2.1/24 is missing");
    assert_eq!(
        found(lab(), &["mtu a:e 1400", "unmark b:e"]),
        ["a:e: it is not MTU 1500", "b:e: it is not marked as the lab's"]
    );
}

/// Of a port of a VRF the kernel keeps the route to its network in the VRF's table.
#[test]
fn an_address_in_a_vrf_of_others_is_repaired_once() {
    let lab = json!({
        "name": "l",
        "nodes": {
            "a": { "interfaces": { "e": { "addresses": ["192.0.2.1/24"] } } },
            "b": { "interfaces": { "e": {} } }
        },
        "links": [{ "endpoints": ["a:e", "b:e"] }]
    });
    let lab = convert::lab(&serde_json::from_value(lab).unwrap()).unwrap();
    let (kernel, target) = (FakeKernel::new(), Target::new(&lab, "uid"));
    converge(&kernel, &lab.name, &target).unwrap();
    for line in ["strange a:red", "enslave a:e red", "disconnect a:e"] {
        assert!(kernel.damage(&lab.name, line), "nothing to {line}");
    }
    let plans = converge(&kernel, &lab.name, &target).unwrap();
    let ops: Vec<_> = plans.iter().flat_map(Plan::ops).map(ToString::to_string).collect();
    assert_eq!(ops, ["add address 192.0.2.1/24 to a:e again"]);
}

/// The seam between a bridge and an address, both on the host.
fn seam() -> serde_json::Value {
    json!({
        "name": "seam",
        "host": { "interfaces": {
            "br": { "bridge": {} },
            "s0": { "addresses": ["192.0.2.1/24"] },
            "s1": { "port": { "bridge": "br" } }
        } },
        "links": [{ "endpoints": ["host:s0", "host:s1"] }]
    })
}

#[test]
fn a_pair_with_both_ends_on_the_host_is_made_once_and_as_a_pair() {
    let lab = convert::lab(&serde_json::from_value(seam()).unwrap()).unwrap();
    let (kernel, target) = (FakeKernel::new(), Target::new(&lab, "uid"));
    let plan = diff(&target, &observe(&kernel, &lab.name, &target));
    let lines: Vec<_> = plan.ops().map(|op| command(&lab.name, op)).collect();
    let pair = |line: &&String| line.contains("s0") && line.contains("s1") && line.starts_with("ip ");
    let made: Vec<_> = lines.iter().filter(pair).collect();
    assert!(made.len() == 1 && made[0].contains("type veth peer name s1"), "{lines:#?}");
    assert!(!lines.iter().any(|line| line.contains("dummy")), "{lines:#?}");
    for damage in ["delete host:s0", "delete host:s1"] {
        assert_eq!(found(seam(), &[damage]), ["the link host:s0 -- host:s1 is missing"], "{damage}");
    }
    assert_eq!(found(seam(), &["delete host:br"]).len(), 2);
}
