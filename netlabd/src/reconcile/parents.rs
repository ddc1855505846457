//! Interfaces of the host that those of a lab are to stand on.

use super::{
    error::{Reason, Refusal},
    others::Other,
};
use crate::{
    link::{Carrier, Kind, Lower},
    model::{Endpoint, IfName, Place},
    plan::{LinkTarget, Target},
    platform::{HostLink, HostState},
};

/// Refuses what the kernel would: a parent that is not there, is a port of something, has too small an MTU, or is
/// another's alone. What the lab makes on the host itself was checked with the lab.
pub(super) fn check(target: &Target, host: &HostState, others: &[Other<'_>], refusals: &mut Vec<Refusal>) {
    let own = target.host();
    for (place, wanted) in target.places() {
        for (name, link) in &wanted.links {
            let kind = link.form.kind();
            let Some((kind, lower)) = kind.and_then(|kind| Some((kind, lower_on_host(kind, place)?))) else {
                continue;
            };
            if own.is_some_and(|host| host.links.contains_key(lower)) {
                continue;
            }
            let upper = Upper { at: Endpoint { place: place.clone(), interface: name.clone() }, kind, lower };
            let Some(seen) = host.links.get(lower.as_str()) else {
                refusals.push(upper.missing(host));
                continue;
            };
            refusals.extend(upper.taken(seen));
            refusals.extend(upper.too_large(link, seen));
            refusals.extend(upper.shared(others));
            refusals.extend(upper.beside(others));
            refusals.extend(upper.addresses(link, seen));
            refusals.extend(upper.same(host, others));
            refusals.extend(upper.of_lab(seen, others));
            refusals.extend(upper.down(link, seen));
        }
    }
}

/// What an interface stands on, if that is on the host.
fn lower_on_host<'a>(kind: &'a Kind, place: &Place) -> Option<&'a IfName> {
    kind.lower().filter(|lower| lower.place(place) == Place::Host).map(Lower::name)
}

/// What is to stand on an interface of the host.
struct Upper<'a> {
    at: Endpoint,
    kind: &'a Kind,
    lower: &'a IfName,
}

impl Upper<'_> {
    fn field(&self, field: &str) -> String {
        let base = if self.at.place == Place::Host { "" } else { "nodes." };
        format!("{base}{}.interfaces.{}.{field}", self.at.place, self.at.interface)
    }

    fn field_of_kind(&self, field: &str) -> String {
        self.field(&format!("{}.{field}", self.kind.key()))
    }

    fn missing(&self, host: &HostState) -> Refusal {
        let known: Vec<_> = host.links.keys().map(String::as_str).filter(|name| *name != "lo").collect();
        Refusal {
            reason: Reason::ParentNotFound,
            path: self.field_of_kind(self.kind.lower_field()),
            message: format!(
                "the host has no interface {} for the {} {}; it has: {}",
                self.lower,
                self.kind.key(),
                self.at,
                if known.is_empty() { "none".to_owned() } else { known.join(", ") }
            ),
        }
    }

    /// What takes all that arrives at an interface is one: a master, or what stands on it
    /// (`netdev_rx_handler_register`).
    fn taken(&self, seen: &HostLink) -> Option<Refusal> {
        let (lower, master) = (self.lower, seen.master.as_ref().filter(|_| self.kind.takes_lower())?);
        Some(Refusal {
            reason: Reason::ParentTaken,
            path: self.field_of_kind(self.kind.lower_field()),
            message: format!(
                "the host's {lower} is a port of {master}, which takes all that arrives there; name {master}, or take \
                 {lower} out of it"
            ),
        })
    }

    /// `macvlan_change_mtu`.
    fn too_large(&self, link: &LinkTarget, seen: &HostLink) -> Option<Refusal> {
        let mtu = link.mtu.filter(|mtu| *mtu > seen.mtu.saturating_sub(self.kind.overhead()))?;
        Some(Refusal {
            reason: Reason::ParentMtu,
            path: self.field("mtu"),
            message: format!(
                "{mtu} does not fit: the {} {} on the host has an MTU of {}; lower it, or raise the parent's",
                self.kind.lower_field(),
                self.lower,
                seen.mtu
            ),
        })
    }

    /// What the kernel has once on an interface, in one namespace: a VLAN.
    fn same(&self, host: &HostState, others: &[Other<'_>]) -> Option<Refusal> {
        let identity = self.kind.identity().filter(|_| self.at.place == Place::Host)?;
        let is = |theirs: &Kind| {
            theirs.is_same(self.kind) && theirs.identity().is_some_and(|it| it.key == identity.key)
        };
        let of = |other: &Other<'_>| {
            let links = &other.target.places.get(&Place::Host)?.links;
            let (name, _) = links.iter().find(|(_, link)| link.form.kind().is_some_and(is))?;
            Some(format!("lab {} ({}) has it already: {name}", other.name, other.whose))
        };
        let by_hand = || {
            let of_host = |link: &HostLink| link.lab.is_none() && link.kind.as_ref().is_some_and(is);
            let (name, _) = host
                .links
                .iter()
                .find(|(name, link)| of_host(link) && *name != self.at.interface.as_str())?;
            Some(format!(
                "the host has it already, {name}: name that as the parent of what is to stand on it"
            ))
        };
        let whose = others.iter().find_map(of).or_else(by_hand)?;
        Some(Refusal {
            reason: Reason::ParentTaken,
            path: self.field_of_kind(identity.field),
            message: format!(
                "{} {}, of which there is one on an interface; {whose}",
                self.at.interface, identity.is
            ),
        })
    }

    /// What stands on another lab's would go with that.
    fn of_lab(&self, seen: &HostLink, others: &[Other<'_>]) -> Option<Refusal> {
        let lab = seen.lab.as_ref().filter(|_| self.at.place == Place::Host)?;
        let whose = others.iter().find(|other| other.name.as_str() == lab);
        let whose = whose.map(|other| format!(" ({})", other.whose)).unwrap_or_default();
        Some(Refusal {
            reason: Reason::ParentTaken,
            path: self.field_of_kind(self.kind.lower_field()),
            message: format!(
                "the host's {} is lab {lab}'s{whose}, and goes with it; name an interface of the host's own",
                self.lower
            ),
        })
    }

    /// Some are down for as long as what they stand on, which is not the lab's to set up.
    fn down(&self, link: &LinkTarget, seen: &HostLink) -> Option<Refusal> {
        let waits = self.at.place == Place::Host && self.kind.carrier() == Carrier::Lower;
        (waits && link.up && !seen.up).then(|| Refusal {
            reason: Reason::ParentUnfit,
            path: self.field_of_kind(self.kind.lower_field()),
            message: format!(
                "the host's {0} is down, and {1} with it; set it up (ip link set dev {0} up), or set up: false on {1}",
                self.lower, self.at.interface
            ),
        })
    }

    /// One that shares the MAC address takes what is for its addresses, were they the host's.
    fn addresses(&self, link: &LinkTarget, seen: &HostLink) -> Option<Refusal> {
        let own = |net: &&ipnet::IpNet| seen.addresses.iter().any(|of_host| of_host.addr() == net.addr());
        let (index, net) =
            link.addresses.iter().enumerate().find(|(_, net)| !self.kind.own_mac() && own(net))?;
        Some(Refusal {
            reason: Reason::ParentTaken,
            path: self.field(&format!("addresses[{index}]")),
            message: format!(
                "{} is the host's own on {}, and the host would not get it any more; take another",
                net.addr(),
                self.lower
            ),
        })
    }

    /// What takes all that arrives is of one kind there, and of one mode where all share that.
    fn beside(&self, others: &[Other<'_>]) -> Option<Refusal> {
        let clash = |theirs: &Kind| {
            let there = theirs.lower_on_host() == Some(self.lower) && theirs.takes_lower();
            there
                && self.kind.takes_lower()
                && (!theirs.is_same(self.kind) || theirs.group() != self.kind.group())
        };
        let has = |other: &&Other<'_>| {
            let mut links =
                other.target.places().map(|(_, place)| place).flat_map(|place| place.links.values());
            links.any(|link| link.form.kind().is_some_and(clash))
        };
        let other = others.iter().find(has)?;
        let (lower, key) = (self.lower, self.kind.key());
        Some(Refusal {
            reason: Reason::ParentTaken,
            path: self.field_of_kind(self.kind.lower_field()),
            message: format!(
                "lab {} has another kind than {key} on {lower}, or another mode, and all that stands there is alike; use \
                 another {}",
                other.name,
                self.kind.lower_field()
            ),
        })
    }

    /// Some have what they stand on for themselves.
    fn shared(&self, others: &[Other<'_>]) -> Option<Refusal> {
        let clash = |theirs: &Kind| {
            let same = theirs.lower_on_host() == Some(self.lower) && theirs.is_same(self.kind);
            self.kind.alone().or_else(|| theirs.alone()).filter(|_| same)
        };
        let has = |other: &Other<'_>| {
            let mut links =
                other.target.places().map(|(_, place)| place).flat_map(|place| place.links.values());
            links.find_map(|link| clash(link.form.kind()?))
        };
        let (other, (field, value)) = others.iter().find_map(|other| Some((other, has(other)?)))?;
        let (lower, key) = (self.lower, self.kind.key());
        Some(Refusal {
            reason: Reason::ParentTaken,
            path: self.field_of_kind(field),
            message: format!(
                "{value} takes {lower} for one {key} alone, and lab {} has one on it; use another parent, or another \
                 {field} in both",
                other.name
            ),
        })
    }
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
