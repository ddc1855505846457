//! Bridges that the host has, of which interfaces of a lab are to be ports.

use super::{
    error::{Reason, Refusal},
    others::Other,
};
use crate::{
    model::{ETHERNET_MTU, IfName, Place},
    plan::{LinkTarget, Target},
    platform::{HostLink, HostState},
};

/// Refuses what is no bridge of the host's own, and what would change one.
pub(super) fn check(target: &Target, host: &HostState, others: &[Other<'_>], refusals: &mut Vec<Refusal>) {
    let Some(wanted) = target.places.get(&Place::Host) else { return };
    for (name, link) in &wanted.links {
        let Some(bridge) = wanted.foreign_master_of(link) else { continue };
        let port = Port { name, bridge };
        let Some(seen) = host.links.get(bridge.as_str()) else {
            refusals.push(port.missing(host));
            continue;
        };
        if seen.bridge.is_none() {
            refusals.push(port.no_bridge(host));
            continue;
        }
        refusals.extend(port.of_lab(seen, others));
        refusals.extend(port.unfiltered(link, seen));
        refusals.extend(port.too_small(link, seen));
    }
}

/// What is to be a port of a bridge of the host.
struct Port<'a> {
    name: &'a IfName,
    bridge: &'a IfName,
}

impl Port<'_> {
    fn refused(&self, reason: Reason, field: &str, message: String) -> Refusal {
        Refusal { reason, path: format!("host.interfaces.{}.{field}", self.name), message }
    }

    fn known(host: &HostState) -> String {
        let bridges = host.links.iter().filter(|(_, link)| link.bridge.is_some() && link.lab.is_none());
        let names: Vec<_> = bridges.map(|(name, _)| name.as_str()).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    }

    fn missing(&self, host: &HostState) -> Refusal {
        let Self { name, bridge } = self;
        let message = format!(
            "neither the lab nor the host has a bridge {bridge} for the port {name}; those of the host: {}",
            Self::known(host)
        );
        self.refused(Reason::ParentNotFound, "port.bridge", message)
    }

    fn no_bridge(&self, host: &HostState) -> Refusal {
        let message = format!("the host's {} is no bridge; its bridges: {}", self.bridge, Self::known(host));
        self.refused(Reason::ParentUnfit, "port.bridge", message)
    }

    /// A bridge of another lab goes with that.
    fn of_lab(&self, seen: &HostLink, others: &[Other<'_>]) -> Option<Refusal> {
        let lab = seen.lab.as_ref()?;
        let whose = others.iter().find(|other| other.name.as_str() == lab);
        let whose = whose.map(|other| format!(" ({})", other.whose)).unwrap_or_default();
        let message = format!(
            "the host's {} is lab {lab}'s{whose}, and goes with it; name a bridge of the host's own",
            self.bridge
        );
        Some(self.refused(Reason::ParentTaken, "port.bridge", message))
    }

    /// Whether a bridge filters is its owner's to say.
    fn unfiltered(&self, link: &LinkTarget, seen: &HostLink) -> Option<Refusal> {
        let plain = seen.bridge.is_some_and(|bridge| !bridge.filtering);
        (plain && link.vlans.is_some()).then(|| {
            let message = format!(
                "the host's {} filters no VLANs, so that a port of it has none; leave out access, trunk and native",
                self.bridge
            );
            self.refused(Reason::ParentUnfit, "port", message)
        })
    }

    /// A bridge whose MTU nobody has set has the least of its ports' (`br_mtu_auto_adjust`).
    fn too_small(&self, link: &LinkTarget, seen: &HostLink) -> Option<Refusal> {
        let mtu = link.mtu.unwrap_or(ETHERNET_MTU);
        (mtu < seen.mtu).then(|| {
            let message = format!(
                "a port with an MTU of {mtu} would lower that of the host's {}, which is {}; set mtu: {1} here",
                self.bridge, seen.mtu
            );
            self.refused(Reason::ParentMtu, "mtu", message)
        })
    }
}
