//! Interfaces of the host that macvlans of a lab are to stand on.

use super::{
    error::{Reason, Refusal},
    others::Other,
};
use crate::{
    model::{Endpoint, IfName, Kind, MacvlanMode, Place},
    plan::{LinkTarget, Target},
    platform::{HostLink, HostState},
};

/// Refuses what the kernel would: a parent that is not there, is a port of something, has too small an MTU, or is
/// another's alone. What the lab makes on the host itself was checked with the lab.
pub(super) fn check(target: &Target, host: &HostState, others: &[Other<'_>], refusals: &mut Vec<Refusal>) {
    let own = target.places.get(&Place::Host);
    for (place, wanted) in &target.places {
        for (name, link) in &wanted.links {
            let Kind::Macvlan { parent, mode } = &link.kind else { continue };
            if own.is_some_and(|host| host.links.contains_key(parent)) {
                continue;
            }
            let at = Endpoint { place: place.clone(), interface: name.clone() };
            let Some(seen) = host.links.get(parent.as_str()) else {
                refusals.push(missing(&at, parent, host));
                continue;
            };
            refusals.extend(taken(&at, parent, seen));
            refusals.extend(too_large(&at, parent, link, seen));
            refusals.extend(shared(&at, parent, *mode, others));
        }
    }
}

fn field(at: &Endpoint, field: &str) -> String {
    format!("nodes.{}.interfaces.{}.{field}", at.place, at.interface)
}

fn missing(at: &Endpoint, parent: &IfName, host: &HostState) -> Refusal {
    let known: Vec<_> = host.links.keys().map(String::as_str).filter(|name| *name != "lo").collect();
    Refusal {
        reason: Reason::ParentNotFound,
        path: field(at, "macvlan.parent"),
        message: format!(
            "the host has no interface {parent} for the macvlan {at}; it has: {}",
            if known.is_empty() { "none".to_owned() } else { known.join(", ") }
        ),
    }
}

/// What takes all that arrives at an interface is one: a master or macvlans (`netdev_rx_handler_register`).
fn taken(at: &Endpoint, parent: &IfName, seen: &HostLink) -> Option<Refusal> {
    let master = seen.master.as_ref()?;
    Some(Refusal {
        reason: Reason::ParentTaken,
        path: field(at, "macvlan.parent"),
        message: format!(
            "the host's {parent} is a port of {master}, which takes all that arrives there; name {master}, or take \
             {parent} out of it"
        ),
    })
}

/// `macvlan_change_mtu`.
fn too_large(at: &Endpoint, parent: &IfName, link: &LinkTarget, seen: &HostLink) -> Option<Refusal> {
    let mtu = link.mtu.filter(|mtu| *mtu > seen.mtu)?;
    Some(Refusal {
        reason: Reason::ParentMtu,
        path: field(at, "mtu"),
        message: format!(
            "{mtu} does not fit: the parent {parent} on the host has an MTU of {}; lower it, or raise the parent's",
            seen.mtu
        ),
    })
}

/// A parent has one passthru macvlan or any number of others (`macvlan_common_newlink`).
fn shared(at: &Endpoint, parent: &IfName, mode: MacvlanMode, others: &[Other<'_>]) -> Option<Refusal> {
    let clashes = |kind: &Kind| {
        matches!(kind, Kind::Macvlan { parent: other, mode: theirs }
            if other == parent && (mode == MacvlanMode::Passthru || *theirs == MacvlanMode::Passthru))
    };
    let has = |other: &&Other<'_>| {
        let mut links = other.target.places.values().flat_map(|place| place.links.values());
        links.any(|link| clashes(&link.kind))
    };
    let other = others.iter().find(has)?;
    Some(Refusal {
        reason: Reason::ParentTaken,
        path: field(at, "macvlan.mode"),
        message: format!(
            "passthru takes {parent} for one macvlan alone, and lab {} has one on it; use another parent, or another \
             mode in both",
            other.name
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{convert, plan::Target};

    #[allow(clippy::needless_pass_by_value)] // literals
    fn target(name: &str, macvlan: serde_json::Value) -> Target {
        let mut mv = serde_json::json!({ "macvlan": macvlan });
        if let Some(mtu) = mv["macvlan"].as_object_mut().and_then(|it| it.remove("mtu")) {
            mv["mtu"] = mtu;
        }
        let lab = serde_json::json!({ "name": name, "nodes": { "n": { "interfaces": { "mv": mv } } } });
        Target::new(&convert::lab(&serde_json::from_value(lab).unwrap()).unwrap(), "uid")
    }

    fn refused(
        macvlan: serde_json::Value,
        seen: Option<HostLink>,
        others: &[Other<'_>],
    ) -> Vec<(Reason, String)> {
        let mut host = HostState::default();
        host.links.extend(seen.map(|seen| ("eth9".to_owned(), seen)));
        let mut refusals = Vec::new();
        check(&target("l", macvlan), &host, others, &mut refusals);
        refusals.into_iter().map(|refusal| (refusal.reason, refusal.path)).collect()
    }

    #[test]
    fn what_the_kernel_would_refuse_is_refused_with_its_field() {
        let on = |mode: &str| serde_json::json!({ "parent": "eth9", "mode": mode });
        let seen = || HostLink { mtu: 1500, ..HostLink::default() };
        let at = |field: &str| format!("nodes.n.interfaces.mv.{field}");
        assert_eq!(refused(on("bridge"), Some(seen()), &[]), []);
        assert_eq!(refused(on("bridge"), None, &[]), [(Reason::ParentNotFound, at("macvlan.parent"))]);
        let port = HostLink { master: Some("br-office".to_owned()), ..seen() };
        assert_eq!(refused(on("bridge"), Some(port), &[]), [(Reason::ParentTaken, at("macvlan.parent"))]);
        let large = serde_json::json!({ "parent": "eth9", "mtu": 9000 });
        assert_eq!(refused(large, Some(seen()), &[]), [(Reason::ParentMtu, at("mtu"))]);
        let (name, theirs) = ("o".parse().unwrap(), target("o", on("passthru")));
        let other = || [Other { name: &name, target: &theirs, whose: "yours".to_owned() }];
        assert_eq!(
            refused(on("bridge"), Some(seen()), &other()),
            [(Reason::ParentTaken, at("macvlan.mode"))]
        );
        let theirs = target("o", on("bridge"));
        let other = [Other { name: &name, target: &theirs, whose: "yours".to_owned() }];
        assert_eq!(refused(on("bridge"), Some(seen()), &other), []);
    }
}
