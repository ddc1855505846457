//! Whether the host can spare the address ranges that a lab wants on it: what it, or another lab, reaches by
//! them already it would reach no more.

use ipnet::IpNet;

use super::{
    error::{Reason, Refusal},
    others::Other,
};
use crate::{
    model::{IfName, LabName},
    plan::{PlaceTarget, Target},
    platform::{HostRoute, HostState},
};

/// Refuses ranges that somebody else has. Of what the lab has on the host already, `held`, only addresses of
/// others are compared: whatever came later is told of by the condition `HostReady`.
pub(super) fn check(
    lab: &LabName,
    wanted: &PlaceTarget,
    held: Option<&Target>,
    host: &HostState,
    others: &[Other<'_>],
    refusals: &mut Vec<Refusal>,
) {
    let held = held.and_then(|held| held.host());
    let is_held = |range: &IpNet| {
        held.is_some_and(|held| held.links.values().any(|link| link.addresses.contains(range)))
    };
    let taken = addresses(lab, host, others);
    for (name, link) in &wanted.links {
        for (number, address) in link.addresses.iter().enumerate() {
            let found = taken.iter().find(|(seen, _)| overlap(seen, address));
            let message = found.map(|(seen, whose)| format!("{address} overlaps {seen} on {whose}"));
            let message =
                message.or_else(|| if is_held(address) { None } else { in_use(lab, address, host) });
            refusals.extend(message.map(|message| Refusal {
                reason: Reason::AddressOverlap,
                path: format!("host.interfaces.{name}.addresses[{number}]"),
                message,
            }));
        }
    }
}

/// All addresses of the host that are not the lab's, each with whose it is and what to do. Those of labs first: they
/// are the host's too.
fn addresses(lab: &LabName, host: &HostState, others: &[Other<'_>]) -> Vec<(IpNet, String)> {
    let of_labs = others.iter().flat_map(|other| {
        let host = other.target.host().into_iter();
        host.flat_map(|host| &host.links).flat_map(move |(name, link)| {
            let whose = move |address: &IpNet| {
                let lab = format!("{name} of lab {} ({})", other.name, other.whose);
                (*address, format!("{lab}: delete it first, or choose another range"))
            };
            link.addresses.iter().map(whose)
        })
    });
    let of_host = host.links.iter().filter(|(_, link)| link.lab.as_deref() != Some(lab.as_str())).flat_map(
        |(name, link)| {
            let whose = move |address: &IpNet| {
                let what = "the host could no longer tell the two apart: choose another range";
                (*address, format!("the host's {name}; {what}"))
            };
            link.addresses.iter().map(whose)
        },
    );
    of_labs.chain(of_host).collect()
}

/// By what the host uses a range that no interface of it is in.
fn in_use(lab: &LabName, range: &IpNet, host: &HostState) -> Option<String> {
    let is_own =
        |name: &str| host.links.get(name).is_some_and(|link| link.lab.as_deref() == Some(lab.as_str()));
    let by_route = host.routes.iter().find(|route| collides(route, range, is_own)).map(|route| {
        format!(
            "{range} overlaps a route of the host, `{route}`: it would no longer reach what is there; choose another \
             range, or take the route away first"
        )
    });
    let by_name = || {
        let (server, file) = host.nameservers.iter().find(|(server, _)| range.contains(server))?;
        Some(format!(
            "{range} holds {server}, a nameserver of the host ({file}): its questions would go to the lab; choose \
             another range"
        ))
    };
    let by_peer = || {
        let own = host.links.values().filter(|link| link.lab.as_deref() != Some(lab.as_str()));
        let own: Vec<_> = own.flat_map(|link| &link.addresses).map(IpNet::addr).collect();
        // A connection from an address that is gone, as a deleted lab leaves it, is over.
        let alive = host.sockets.iter().filter(|socket| own.contains(&socket.local.ip()));
        let (socket, peer) = alive
            .filter_map(|socket| Some((socket, socket.peer?)))
            .find(|(_, peer)| range.contains(&peer.ip()))?;
        Some(format!(
            "{range} holds {}, to which the host has a connection ({} from {} to {peer}): it would go to the lab; \
             choose another range",
            peer.ip(),
            socket.protocol.as_str(),
            socket.local
        ))
    };
    by_route.or_else(by_name).or_else(by_peer)
}

/// Whether a route leads elsewhere than to the interfaces of which `is_own` knows.
fn collides(route: &HostRoute, range: &IpNet, is_own: impl Fn(&str) -> bool) -> bool {
    overlap(&route.to, range) && !route.dev.as_deref().is_some_and(is_own)
}

/// Which route of the host that came later than a lab stands in the way of one of its ranges, in words.
pub(super) fn contested(target: &Target, routes: &[HostRoute]) -> Option<String> {
    let host = target.host()?;
    let is_own = |name: &str| host.links.keys().any(|own| own.as_str() == name);
    let ranges =
        host.links.iter().flat_map(|(name, link)| link.addresses.iter().map(move |range| (name, range)));
    let found = |(name, range): (&IfName, &IpNet)| {
        let route = routes.iter().find(|route| collides(route, range, is_own))?;
        Some(format!(
            "a route of the host, `{route}`, overlaps {range} on {name}: packets for the one may go to the other; take \
             the route away, or give the lab another range"
        ))
    };
    let mut all: Vec<_> = ranges.filter_map(found).collect();
    all.dedup();
    (!all.is_empty()).then(|| all.join(". "))
}

fn overlap(a: &IpNet, b: &IpNet) -> bool {
    a.contains(&b.network()) || b.contains(&a.network())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        convert,
        model::Protocol,
        platform::{HostLink, HostSocket},
    };

    /// A host with `wan0` (198.18.0.2/24) and `lab0`, which is of lab t.
    fn host() -> HostState {
        let link = |lab: Option<&str>, address: &str| HostLink {
            lab: lab.map(ToOwned::to_owned),
            addresses: vec![address.parse().unwrap()],
            ..HostLink::default()
        };
        let links = [("wan0", link(None, "198.18.0.2/24")), ("lab0", link(Some("t"), "10.1.0.1/24"))];
        HostState {
            links: links.into_iter().map(|(name, link)| (name.to_owned(), link)).collect(),
            ..HostState::default()
        }
    }

    fn route(to: &str, dev: &str, table: u32) -> HostRoute {
        HostRoute { to: to.parse().unwrap(), via: None, dev: Some(dev.to_owned()), kind: None, table }
    }

    fn target(address: &str) -> Target {
        let json = format!(
            r#"{{"name": "t", "nodes": {{"n": {{}}}}, "host": {{"interfaces": {{"lab0": {{"addresses": ["{address}"]}}}}}},
                "links": [{{"endpoints": ["n:eth0", "host:lab0"]}}]}}"#
        );
        Target::new(&convert::lab(&serde_json::from_str(&json).unwrap()).unwrap(), "uid")
    }

    fn refused(address: &str, held: Option<&str>, host: &HostState) -> Option<String> {
        let (target, held) = (target(address), held.map(target));
        let mut refusals = Vec::new();
        let place = target.host().unwrap();
        check(&"t".parse().unwrap(), place, held.as_ref(), host, &[], &mut refusals);
        refusals.pop().map(|refusal| refusal.message)
    }

    #[test]
    fn routes_of_every_table_count() {
        let mut host = host();
        for (to, table) in [("10.20.0.0/16", 254), ("10.20.5.0/25", 254), ("10.20.5.0/24", 75)] {
            host.routes = vec![route(to, "wan0", table)];
            let message = refused("10.20.5.1/24", None, &host).unwrap();
            assert!(message.contains(&format!("`{to} dev wan0")), "{message}");
            assert_eq!(message.contains("table 75"), table == 75);
            assert_eq!(refused("10.20.5.1/24", Some("10.20.5.1/24"), &host), None, "it has it already");
            assert_eq!(refused("10.21.5.1/24", None, &host), None);
            let told = contested(&target("10.20.5.1/24"), &host.routes).unwrap();
            assert!(told.contains(&format!("`{to} dev wan0")), "{told}");
        }
        host.routes = vec![route("10.1.0.0/24", "lab0", 254)];
        assert_eq!(refused("10.1.0.1/24", None, &host), None, "the way to the lab itself");
        assert_eq!(contested(&target("10.1.0.1/24"), &host.routes), None);
    }

    #[test]
    fn nameservers_and_peers_count() {
        let mut host = host();
        host.nameservers = vec![("10.9.9.9".parse().unwrap(), "/etc/resolv.conf")];
        assert!(
            refused("10.9.9.1/24", None, &host)
                .unwrap()
                .contains("nameserver of the host (/etc/resolv.conf)")
        );
        let socket = |local: &str| HostSocket {
            protocol: Protocol::Tcp,
            local: local.parse().unwrap(),
            peer: Some("10.8.8.8:22".parse().unwrap()),
        };
        host.sockets = vec![socket("198.18.0.2:40000")];
        assert!(
            refused("10.8.8.1/24", None, &host).unwrap().contains("tcp from 198.18.0.2:40000 to 10.8.8.8:22")
        );
        for over in ["10.8.8.1:40000", "10.1.0.1:40000"] {
            host.sockets = vec![socket(over)];
            assert_eq!(refused("10.8.8.1/24", None, &host), None, "{over} is no address of the host's own");
        }
    }

    #[test]
    fn what_is_a_default_route() {
        let mut found = BTreeMap::new();
        for to in ["0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "::/0", "2000::/3", "8000::/1"] {
            found.insert(to, HostRoute::is_default(&to.parse().unwrap()));
        }
        assert!(found.values().all(|is| *is), "{found:?}");
        for to in ["64.0.0.0/2", "10.0.0.0/8", "fc00::/7", "4000::/3"] {
            assert!(!HostRoute::is_default(&to.parse().unwrap()), "{to}");
        }
    }
}
