//! Plans in the API's words.

use std::collections::{BTreeMap, BTreeSet};

use netlab_proto::v1 as proto;
use prost::Message as _;
use tonic::Status;

use super::status;
use crate::{
    convert,
    link::Membership,
    model::{Lab, LabName},
    plan::{
        Op, Plan, Target, Verb, by_hand, command, from_nothing,
        item::{Item, LinkChange, Setting},
    },
};

/// Answers an encoded `PlanLabRequest` as if nothing of its lab were there: the encoded `PlanLabResponse`. For
/// netlabctl where there is no daemon: it needs no privilege, and looks at nothing. What the host itself forwards it does
/// not know: of a lab that asks it to forward, the rules that keep its other networks apart are missing.
///
/// # Errors
/// The encoded `google.rpc.Status`.
pub fn offline(request: &[u8]) -> Result<Vec<u8>, Vec<u8>> {
    let read = || {
        let request = proto::PlanLabRequest::decode(request)
            .map_err(|error| status::invalid("request", format!("is not one: {error}")))?;
        let lab = request.lab.ok_or_else(|| status::invalid("lab", "is missing"))?;
        let lab = convert::lab(&lab).map_err(Status::from)?;
        let plan = Some(with_fields(
            &lab.name,
            &from_nothing(&lab, &Target::new(&lab, lab.name.as_str())),
            Vec::new(),
        ));
        Ok(proto::PlanLabResponse { plan, by_hand: groups(&lab) })
    };
    let answer: Result<_, Status> = read();
    answer.map(|answer| answer.encode_to_vec()).map_err(|status| status.details().to_vec())
}

/// The lines that build a lab by hand, as the API has them.
pub(super) fn groups(lab: &Lab) -> Vec<proto::CommandGroup> {
    let groups = by_hand(lab).into_iter();
    groups.map(|group| proto::CommandGroup { comment: group.comment, commands: group.commands }).collect()
}

/// A plan as the API has it.
pub(super) fn message(lab: &LabName, plan: &Plan) -> proto::Plan {
    use proto::planned_change::Action as Wire;
    let change = |op: &Op| proto::PlannedChange {
        action: match op.verb {
            Verb::Add => Wire::Create,
            Verb::Set => Wire::Update,
            Verb::Delete => Wire::Delete,
        }
        .into(),
        object: op.object(),
        description: op.to_string(),
        command: command(lab, op),
    };
    proto::Plan {
        changes: plan.ops().map(change).collect(),
        fields: Vec::new(),
        interruptions: interruptions(plan),
    }
}

/// The same with the fields that differ, a line each.
pub(super) fn with_fields(lab: &LabName, plan: &Plan, lines: Vec<String>) -> proto::Plan {
    let mut plan = message(lab, plan);
    let field = |line: String| {
        let path = line.trim_start_matches(['+', '-', ' ']).split(": ").next().unwrap_or_default().to_owned();
        let concerned = plan.interruptions.iter().find(|one| is_at(&path, &one.object));
        let interrupts = concerned.map(|one| {
            // The path says where it is.
            let name = one.object.rsplit(':').next().unwrap_or_default();
            format!("{name} {}", one.description)
        });
        proto::FieldChange { path, description: line, interrupts: interrupts.unwrap_or_default() }
    };
    plan.fields = lines.into_iter().map(field).collect();
    plan
}

/// Whether the field of a path is one of an object's.
fn is_at(path: &str, object: &str) -> bool {
    let place = |name: &str| if name == "host" { name.to_owned() } else { format!("nodes.{name}") };
    let whole = match object.split_once(':') {
        Some((node, interface)) => format!("{}.interfaces.{interface}", place(node)),
        None => place(object),
    };
    path.strip_prefix(&whole).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// What stops working while a plan is carried out, or for good, an object each.
fn interruptions(plan: &Plan) -> Vec<proto::Interruption> {
    const ANEW: &str = "is recreated: its traffic stops for a moment";
    let mut deleted: BTreeSet<String> = BTreeSet::new();
    let mut all: BTreeMap<String, &str> = BTreeMap::new();
    for op in plan.ops() {
        if let Some(node) = op.deletes_node() {
            all.insert(node.to_string(), "goes away, with all that runs in it");
        }
        match &op.item {
            Item::Spot(spot) => drop(deleted.insert(spot.to_string())),
            Item::Setting(Setting { at, change: LinkChange::Up(false) }) => {
                all.insert(at.to_string(), "is set down: its traffic stops");
            }
            Item::Setting(Setting { at, change: LinkChange::Master { of, .. } }) => {
                let change = match of {
                    Membership::Bridge => "changes its bridge: its traffic stops for a moment",
                    Membership::Vrf => "changes its VRF: its traffic stops for a moment",
                    Membership::Bond => "changes its bond: its traffic stops for a moment",
                };
                all.insert(at.to_string(), change);
            }
            _ => {}
        }
    }
    for op in plan.ops() {
        let ends: Vec<String> = op.makes_links().map(ToString::to_string).collect();
        // The other end of a pair goes with it.
        if ends.iter().any(|end| deleted.contains(end)) {
            for end in ends {
                deleted.remove(&end);
                all.insert(end, ANEW);
            }
        } else {
            // What is only made interrupts nothing.
            for end in &ends {
                all.remove(end);
            }
        }
    }
    all.extend(deleted.into_iter().map(|object| (object, "goes away")));
    all.into_iter()
        .map(|(object, description)| proto::Interruption { object, description: description.to_owned() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{Endpoint, Place},
        plan::{
            Stage,
            item::{Namespace, Spot, Veth, VethEnd},
        },
    };

    fn plan(ops: Vec<Op>) -> Plan {
        Plan { stages: vec![Stage { name: "links", ops }], ..Plan::default() }
    }

    fn spot(end: &str) -> Spot {
        let (node, name) = end.split_once(':').unwrap();
        Spot { place: Place::Node(node.parse().unwrap()), name: name.to_owned() }
    }

    fn at(text: &str) -> Endpoint {
        let (node, name) = text.split_once(':').unwrap();
        Endpoint { place: Place::Node(node.parse().unwrap()), interface: name.parse().unwrap() }
    }

    fn end(text: &str) -> VethEnd {
        VethEnd { at: at(text), mac: None, mtu: None, gso_max_segs: None }
    }

    #[test]
    fn both_ends_of_a_pair_are_interrupted_and_what_is_new_is_not() {
        let ops = vec![
            Op::delete(spot("a:eth0")),
            Op::delete(spot("a:old")),
            Op::add(Veth { a: end("a:eth0"), b: end("b:eth0") }),
            Op::add(Veth { a: end("a:new"), b: end("b:new") }),
            Op::set(Setting { at: at("a:new"), change: LinkChange::Up(true) }),
            Op::set(Setting { at: at("c:eth0"), change: LinkChange::Up(false) }),
            Op::delete(Namespace("gone".parse().unwrap())),
        ];
        let told: Vec<String> = interruptions(&plan(ops))
            .into_iter()
            .map(|one| format!("{} {}", one.object, one.description))
            .collect();
        assert_eq!(
            told,
            [
                "a:eth0 is recreated: its traffic stops for a moment",
                "a:old goes away",
                "b:eth0 is recreated: its traffic stops for a moment",
                "c:eth0 is set down: its traffic stops",
                "gone goes away, with all that runs in it",
            ]
        );
    }

    #[test]
    fn a_field_tells_what_changing_it_interrupts() {
        let ops = vec![Op::delete(spot("a:vx0")), Op::add(Veth { a: end("a:vx0"), b: end("b:x") })];
        let lines = [
            "nodes.a.interfaces.vx0.vxlan.port: 1 -> 2",
            "+ nodes.a.interfaces.vx0.10",
            "- nodes.a.interfaces.vx01: x",
        ];
        let lines = lines.map(str::to_owned).to_vec();
        let told = with_fields(&"l".parse().unwrap(), &plan(ops), lines);
        let paths: Vec<&str> = told.fields.iter().map(|field| field.path.as_str()).collect();
        assert_eq!(
            paths,
            ["nodes.a.interfaces.vx0.vxlan.port", "nodes.a.interfaces.vx0.10", "nodes.a.interfaces.vx01"]
        );
        let anew = "vx0 is recreated: its traffic stops for a moment";
        assert_eq!(told.fields[0].interrupts, anew);
        assert_eq!(told.fields[2].interrupts, "");
        assert!(is_at("nodes.gone", "gone") && is_at("host.interfaces.lab0.mtu", "host:lab0"));
    }
}
