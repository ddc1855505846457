//! How nodes of the fake look. Nothing can run in them, and nothing be sent from them.

use std::{os::fd::OwnedFd, path::Path};

use netlab_proto::v1::{
    DetachedCommand, InterfaceStatus, NodeStatus,
    interface_status::{OperState, Presence},
};

use super::FakeKernel;
use crate::{
    feature::Feature,
    link::Kind,
    model::{
        LabName, NodeName, Place,
        observed::{LinkState, Observed, ObservedForm, PlaceState},
    },
    plan::Target,
    platform::{Failure, Nodes, Scope},
    sandbox::{Child, Command, Limits},
};

/// Why nothing runs.
const IN_MEMORY: &str = "a kernel in memory runs no processes";

impl Nodes for FakeKernel {
    fn features(&self) -> Vec<Feature> {
        Kind::features()
    }

    fn bounds(&self) -> Result<&Path, &str> {
        Err(IN_MEMORY)
    }

    fn run(&self, _: &LabName, node: &NodeName, _: u32, _: Limits, _: Command) -> Result<Child, Failure> {
        Err(Failure::new(node, IN_MEMORY))
    }

    fn note_detached(&self, _: &LabName, _: &Child, _: &DetachedCommand) -> std::io::Result<()> {
        Err(std::io::Error::other(IN_MEMORY))
    }

    fn detached(&self, _: &LabName) -> Vec<DetachedCommand> {
        Vec::new()
    }

    fn inspect(&self, lab: &LabName, target: &Target) -> Result<Vec<NodeStatus>, Failure> {
        let observed = self.state().world.observe(Scope { lab, first_id: 0, target });
        let mut places: Vec<&Place> = target.places.keys().chain(observed.places.keys()).collect();
        // Nodes by name, the host last.
        places.sort_by_key(|place| (**place == Place::Host, *place));
        places.dedup();
        let all = places.into_iter().map(|place| node(place, target, &observed));
        Ok(all.filter(|node| node.name != Place::Host.to_string() || !node.interfaces.is_empty()).collect())
    }

    fn namespace(&self, lab: &LabName, _: Option<&NodeName>) -> Result<Option<OwnedFd>, Failure> {
        Err(Failure::new(lab, "a kernel in memory has no namespaces to enter"))
    }
}

fn node(place: &Place, target: &Target, observed: &Observed) -> NodeStatus {
    let wanted = target.place(place).map(|place| &place.links);
    let seen = observed.places.get(place);
    let wants = |name: &str| wanted.is_some_and(|links| links.contains_key(name));
    let has = |name: &str| seen.is_some_and(|seen| seen.links.contains_key(name));
    let there = seen.into_iter().flat_map(|seen: &std::sync::Arc<PlaceState>| &seen.links);
    let mut interfaces: Vec<_> = there
        .map(|(name, link)| {
            let known = wants(name) || link.form == ObservedForm::Loopback;
            let presence = if known { Presence::Present } else { Presence::Extra };
            interface(name, presence, link, observed)
        })
        .collect();
    interfaces.sort_by_key(|status| status.index);
    let missing = wanted.into_iter().flatten().filter(|(name, _)| !has(name.as_str()));
    interfaces.extend(missing.map(|(name, _)| InterfaceStatus {
        name: name.to_string(),
        presence: Presence::Missing.into(),
        ..InterfaceStatus::default()
    }));
    NodeStatus { name: place.to_string(), present: seen.is_some(), interfaces, error: String::new() }
}

fn interface(name: &str, presence: Presence, link: &LinkState, observed: &Observed) -> InterfaceStatus {
    let end = |(place, index): &(Place, u32)| {
        let (name, _) = observed.places.get(place)?.links.iter().find(|(_, link)| link.index == *index)?;
        Some(format!("{place}:{name}"))
    };
    let kind = match &link.form {
        ObservedForm::Loopback => "loopback",
        ObservedForm::Veth { .. } => "veth",
        ObservedForm::Made(kind) => kind.key(),
        ObservedForm::Other(kind) => kind,
    };
    let state = if link.up { OperState::Up } else { OperState::Down };
    InterfaceStatus {
        name: name.to_owned(),
        presence: presence.into(),
        index: link.index,
        kind: kind.to_owned(),
        peer: link.form.peer().and_then(end).unwrap_or_default(),
        master: link.master.clone().unwrap_or_default(),
        addresses: link.addresses.iter().map(|state| state.address.to_string()).collect(),
        mac: link.mac.map(|mac| mac.to_string()).unwrap_or_default(),
        mtu: link.mtu,
        up: link.up,
        carrier: link.carrier,
        oper_state: state.into(),
        ..InterfaceStatus::default()
    }
}
