//! What of the host's own network a lab may be part of: by macvlans and ipvlans, by VLANs, by ports of bridges. What the
//! lab itself makes on the host is its own.

use super::{config::HostPolicy, denied::Violation};
use crate::model::{BridgePort, IfName, Interface, Lab, PortVlans, VlanId};

/// All that goes beyond the policy.
pub(super) fn violations(lab: &Lab, policy: &HostPolicy, violations: &mut Vec<Violation>) {
    parents(lab, policy, violations);
    vlans(lab, policy, violations);
    bridges(lab, policy, violations);
}

fn parents(lab: &Lab, policy: &HostPolicy, violations: &mut Vec<Violation>) {
    for (node, found) in &lab.nodes {
        for (name, interface) in &found.interfaces {
            let Some((kind, parent)) = interface.form.kind().and_then(|it| Some((it, it.lower_on_host()?)))
            else {
                continue;
            };
            let own = lab.host.interfaces.contains_key(parent);
            let allowed = policy.macvlan_parents.iter().any(|pattern| pattern.matches(parent.as_str()));
            if own || allowed && kind.own_mac() {
                continue;
            }
            let message = if kind.own_mac() {
                format!(
                    "a {} on the host's {parent} needs an administrator, or {parent} in macvlan_parents of \
                     netlabd's configuration",
                    kind.key()
                )
            } else {
                // What arrives for an address goes to the one that has it, were it the host's.
                format!(
                    "an {} on the host's {parent} needs an administrator: whoever is root in the node could take the \
                     host's own addresses there; use a macvlan",
                    kind.key()
                )
            };
            violations.push(Violation {
                path: format!("nodes.{node}.interfaces.{name}.{}.{}", kind.key(), kind.lower_field()),
                message,
            });
        }
    }
}

/// Whether an interface is a VLAN on what the host has by itself, one that the policy allows, and is called `INTERFACE.ID`.
pub(super) fn is_named_after_vlan(
    lab: &Lab,
    interface: &Interface,
    name: &IfName,
    policy: &HostPolicy,
) -> bool {
    foreign_vlan(lab, interface).is_some_and(|vlan| vlan == name.as_str() && allows_vlan(policy, &vlan))
}

/// VLANs on what the host has by itself.
fn vlans(lab: &Lab, policy: &HostPolicy, violations: &mut Vec<Violation>) {
    for (name, interface) in &lab.host.interfaces {
        let Some(vlan) = foreign_vlan(lab, interface).filter(|vlan| !allows_vlan(policy, vlan)) else {
            continue;
        };
        violations.push(Violation {
            path: format!("host.interfaces.{name}.vlan"),
            message: format!(
                "VLAN {vlan} of the host needs an administrator, or {vlan} in host_vlans of netlabd's configuration"
            ),
        });
    }
}

/// A VLAN on what the host has by itself, as `INTERFACE.ID`.
fn foreign_vlan(lab: &Lab, interface: &Interface) -> Option<String> {
    let kind = interface.form.kind()?;
    let (parent, vlan) = (kind.lower_here()?, kind.vlan()?);
    (!lab.host.interfaces.contains_key(parent)).then(|| format!("{parent}.{vlan}"))
}

fn allows_vlan(policy: &HostPolicy, vlan: &str) -> bool {
    policy.host_vlans.iter().any(|pattern| pattern.matches(vlan))
}

/// Ports of bridges that the host has by itself.
fn bridges(lab: &Lab, policy: &HostPolicy, violations: &mut Vec<Violation>) {
    for (name, interface) in &lab.host.interfaces {
        let foreign = |port: &&BridgePort| !lab.host.interfaces.contains_key(&port.bridge);
        let Some(port) = interface.port.as_ref().filter(foreign) else { continue };
        let of_port = segment(port, policy).into_iter().chain(stations(interface, port));
        violations.extend(
            of_port.map(|(field, message)| Violation {
                path: format!("host.interfaces.{name}.{field}"),
                message,
            }),
        );
    }
}

/// Of which bridge, and in which VLANs beside the one that it gives new ports.
fn segment(port: &BridgePort, policy: &HostPolicy) -> Vec<(String, String)> {
    let bridge = &port.bridge;
    let mut found = Vec::new();
    if !policy.host_bridges.iter().any(|pattern| pattern.matches(bridge.as_str())) {
        let message = format!(
            "a port of the host's {bridge} needs an administrator, or {bridge} in host_bridges of netlabd's configuration"
        );
        found.push(("port.bridge".to_owned(), message));
    }
    for (field, vlan) in said(&port.vlans) {
        let vlan = format!("{bridge}.{vlan}");
        if !allows_vlan(policy, &vlan) {
            let message = format!(
                "VLAN {vlan} of the host needs an administrator, or {vlan} in host_vlans of netlabd's configuration"
            );
            found.push((format!("port.{field}"), message));
        }
    }
    found
}

/// For whom it passes there: that is learned of it as of anybody.
fn stations(interface: &Interface, port: &BridgePort) -> Vec<(String, String)> {
    let bridge = &port.bridge;
    let mac = format!(
        "a MAC address of a port of the host's {bridge} needs an administrator, as the bridge may take it; leave it out"
    );
    let fdb = format!(
        "saying who is behind a port of the host's {bridge} needs an administrator: it could be anybody there; leave it out, \
         it is learned"
    );
    let mac = interface.mac.map(|_| ("mac".to_owned(), mac));
    let fdb = (!port.fdb.is_empty()).then(|| ("port.fdb".to_owned(), fdb));
    mac.into_iter().chain(fdb).collect()
}

/// The VLANs that a port names, each with its field.
fn said(vlans: &PortVlans) -> Vec<(String, VlanId)> {
    match vlans {
        PortVlans::Default => Vec::new(),
        PortVlans::Access(vlan) => vec![("access".to_owned(), *vlan)],
        PortVlans::Trunk { tagged, native } => {
            let tagged = tagged.iter().enumerate().map(|(number, vlan)| (format!("trunk[{number}]"), *vlan));
            tagged.chain(native.map(|vlan| ("native".to_owned(), vlan))).collect()
        }
    }
}
