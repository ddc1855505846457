//! Whether ports that a lab publishes on the host are free: what listens there would be reached no more.

use super::{
    error::{Reason, Refusal},
    others::Other,
};
use crate::{
    model::{NatRule, Place, PortForward},
    plan::{PlaceTarget, Target},
    platform::{HostSocket, HostState},
};

/// Refuses ports on which the host or another lab listens; `held` is what the lab has already.
pub(super) fn check(
    wanted: &PlaceTarget,
    held: Option<&Target>,
    host: &HostState,
    others: &[Other<'_>],
    refusals: &mut Vec<Refusal>,
) {
    let held: Vec<_> = held.into_iter().flat_map(forwards_of).collect();
    for (number, forward) in forwards(wanted).enumerate() {
        let other =
            others.iter().find(|other| forwards_of(other.target).any(|taken| collide(forward, taken)));
        let port = format!("{} port {}", forward.protocol.as_str(), forward.port);
        let message = if let Some(other) = other {
            format!(
                "lab {} ({}) has the host's {port} already: delete it first, or choose another port",
                other.name, other.whose
            )
        } else if let Some(socket) = host.sockets.iter().find(|socket| hides(forward, socket, wanted))
            && !held.contains(&forward)
        {
            format!(
                "the host itself listens on {port} ({}), and would be reached there no more: choose another port, or \
                 stop what listens (ss -lp shows it)",
                socket.local
            )
        } else {
            continue;
        };
        let path = format!("host.nat.port_forwards[{number}]");
        refusals.push(Refusal { reason: Reason::PortTaken, path, message });
    }
}

/// Whether the lab publishes anything on the host.
pub(super) fn publishes(target: &Target) -> bool {
    forwards_of(target).next().is_some()
}

/// What began to listen where the lab publishes already, and is reached no more.
pub(super) fn taken(target: &Target, sockets: &[HostSocket]) -> Option<String> {
    let wanted = target.places.get(&Place::Host)?;
    let (number, forward, socket) = forwards(wanted).enumerate().find_map(|(number, forward)| {
        let socket = sockets.iter().find(|socket| hides(forward, socket, wanted))?;
        Some((number, forward, socket))
    })?;
    Some(format!(
        "the host itself listens on {} port {} ({}), which the lab publishes (host.nat.port_forwards[{number}]): what \
         comes from elsewhere goes to the lab; publish another port, or stop what listens (ss -lp shows it)",
        forward.protocol.as_str(),
        forward.port,
        socket.local
    ))
}

fn forwards(place: &PlaceTarget) -> impl Iterator<Item = &PortForward> {
    place
        .nat
        .iter()
        .filter_map(|rule| if let NatRule::PortForward(forward) = rule { Some(forward) } else { None })
}

fn forwards_of(target: &Target) -> impl Iterator<Item = &PortForward> {
    target.places.get(&Place::Host).into_iter().flat_map(forwards)
}

/// Whether some packet could go to either.
fn collide(a: &PortForward, b: &PortForward) -> bool {
    let apart = a.in_interface.is_some() && b.in_interface.is_some() && a.in_interface != b.in_interface;
    (a.protocol, a.port, a.to.is_ipv4()) == (b.protocol, b.port, b.to.is_ipv4()) && !apart
}

/// Whether a forward takes what others send to a socket of the host. What comes from the lab alone is the lab's.
fn hides(forward: &PortForward, socket: &HostSocket, wanted: &PlaceTarget) -> bool {
    let of_lab = forward.in_interface.as_ref().is_some_and(|name| wanted.links.contains_key(name));
    // `::` may be there for both families.
    let family = socket.local.is_ipv4() == forward.to.is_ipv4()
        || socket.local.ip().is_unspecified() && socket.local.is_ipv6();
    let same = socket.protocol == forward.protocol && socket.local.port() == forward.port;
    socket.peer.is_none() && same && family && !of_lab
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{convert, model::Protocol};

    fn target(forward: &str) -> Target {
        let json = format!(
            r#"{{"name": "t", "nodes": {{"n": {{}}}},
                "host": {{"interfaces": {{"lab0": {{"addresses": ["192.0.2.1/24", "2001:db8::1/64"]}}}},
                          "forwarding": true, "nat": {{"port_forwards": [{forward}]}}}},
                "links": [{{"endpoints": ["n:eth0", "host:lab0"]}}]}}"#
        );
        Target::new(&convert::lab(&serde_json::from_str(&json).unwrap()).unwrap(), "uid")
    }

    fn forward(to: &str, input: &str) -> Target {
        target(&format!(r#"{{"protocol": "tcp", "port": 80, "to": "{to}", "in_interface": "{input}"}}"#))
    }

    fn refused(
        wanted: &Target,
        held: Option<&Target>,
        sockets: &[&str],
        other: Option<&Target>,
    ) -> Vec<String> {
        let socket =
            |local: &&str| HostSocket { protocol: Protocol::Tcp, local: local.parse().unwrap(), peer: None };
        let host = HostState { sockets: sockets.iter().map(socket).collect(), ..HostState::default() };
        let name = "other".parse().unwrap();
        let others: Vec<_> = other
            .map(|target| Other { name: &name, target, whose: "yours".to_owned() })
            .into_iter()
            .collect();
        let mut refusals = Vec::new();
        check(&wanted.places[&Place::Host], held, &host, &others, &mut refusals);
        refusals.into_iter().map(|refusal| format!("{}: {}", refusal.path, refusal.message)).collect()
    }

    #[test]
    fn what_the_host_listens_on() {
        let wanted = forward("192.0.2.2:80", "");
        for (listens, hidden) in [
            ("0.0.0.0:80", true),
            ("198.18.0.2:80", true),
            ("[::]:80", true),
            ("[2001:db8::9]:80", false),
            ("0.0.0.0:81", false),
        ] {
            let found = refused(&wanted, None, &[listens], None);
            assert_eq!(found.len(), usize::from(hidden), "{listens}: {found:?}");
            assert!(
                found
                    .iter()
                    .all(|text| text.contains(listens) && text.starts_with("host.nat.port_forwards[0]: "))
            );
            assert!(refused(&wanted, Some(&wanted), &[listens], None).is_empty(), "it has it already");
            assert!(
                refused(&forward("192.0.2.2:80", "lab0"), None, &[listens], None).is_empty(),
                "only for the lab"
            );
        }
    }

    #[test]
    fn what_begins_to_listen_later() {
        let wanted = forward("192.0.2.2:80", "");
        let socket =
            |local: &str| HostSocket { protocol: Protocol::Tcp, local: local.parse().unwrap(), peer: None };
        let message = taken(&wanted, &[socket("0.0.0.0:81"), socket("0.0.0.0:80")]).unwrap();
        assert!(message.contains("tcp port 80 (0.0.0.0:80)"), "{message}");
        assert_eq!(taken(&wanted, &[socket("0.0.0.0:81")]), None);
        assert_eq!(
            taken(&forward("192.0.2.2:80", "lab0"), &[socket("0.0.0.0:80")]),
            None,
            "only for the lab"
        );
        assert!(publishes(&wanted));
    }

    #[test]
    fn what_other_labs_publish() {
        let wanted = forward("192.0.2.2:80", "");
        for (other, taken) in [
            (forward("192.0.2.9:8080", ""), true),
            (forward("192.0.2.9:8080", "wan0"), true),
            (forward("[2001:db8::2]:80", ""), false),
        ] {
            let found = refused(&wanted, Some(&wanted), &[], Some(&other));
            assert_eq!(found.len(), usize::from(taken), "{found:?}");
            assert!(
                found
                    .iter()
                    .all(|text| text.contains("lab other (yours) has the host's tcp port 80 already"))
            );
        }
        assert!(
            refused(&forward("192.0.2.2:80", "wan1"), None, &[], Some(&forward("192.0.2.9:80", "wan0")))
                .is_empty()
        );
    }
}
