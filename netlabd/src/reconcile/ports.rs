//! Whether ports that a lab publishes on the host are free: what listens there would be reached no more.

use std::fmt;

use super::{
    error::{Reason, Refusal},
    others::Other,
};
use crate::{
    model::{IfName, NatRule, PortForward, PortRange, Protocol},
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
    let held: Vec<_> = held.into_iter().flat_map(published_by).map(|(_, published)| published).collect();
    for (path, published) in all_published(wanted) {
        let other =
            others.iter().find(|other| published_by(other.target).any(|(_, taken)| published.meets(&taken)));
        let port = published.to_string();
        let message = if let Some(other) = other {
            format!(
                "lab {} ({}) has the host's {port} already: delete it first, or choose another port",
                other.name, other.whose
            )
        } else if let Some(socket) = host.sockets.iter().find(|socket| published.hides(socket, wanted))
            && !held.contains(&published)
        {
            format!(
                "the host itself listens on {port} ({}), and would be reached there no more: choose another port, or \
                 stop what listens (ss -lp shows it)",
                socket.local
            )
        } else {
            continue;
        };
        refusals.push(Refusal { reason: Reason::PortTaken, path, message });
    }
}

/// Whether the lab publishes anything on the host.
pub(super) fn publishes(target: &Target) -> bool {
    published_by(target).next().is_some()
}

/// What began to listen where the lab publishes already, and is reached no more.
pub(super) fn taken(target: &Target, sockets: &[HostSocket]) -> Option<String> {
    let wanted = target.host()?;
    let (path, published, socket) = all_published(wanted).find_map(|(path, published)| {
        let socket = sockets.iter().find(|socket| published.hides(socket, wanted))?;
        Some((path, published, socket))
    })?;
    let port = socket.local.port();
    Some(format!(
        "the host itself listens on {} port {port} ({}), which the lab publishes ({path}): what \
         comes from elsewhere goes to the lab; publish another port, or stop what listens (ss -lp shows it)",
        published.protocol.as_str(),
        socket.local
    ))
}

/// Ports of the host that lead into the lab.
#[derive(PartialEq, Eq)]
struct Published<'a> {
    protocol: Protocol,
    ports: PortRange,
    ipv4: bool,
    in_interface: Option<&'a IfName>,
    rule: &'a NatRule,
}

impl<'a> Published<'a> {
    fn of(rule: &'a NatRule) -> Option<Self> {
        match rule {
            NatRule::PortForward(PortForward { protocol, port, to, in_interface }) => Some(Self {
                protocol: *protocol,
                ports: PortRange::one(*port),
                ipv4: to.is_ipv4(),
                in_interface: in_interface.as_ref(),
                rule,
            }),
            NatRule::Destination(dnat) => Some(Self {
                protocol: dnat.protocol?,
                ports: dnat.ports?,
                ipv4: !dnat.to.is_ipv6(),
                in_interface: dnat.in_interface.as_ref(),
                rule,
            }),
            NatRule::LeaveBridged | NatRule::Source(_) | NatRule::Prefix(_) | NatRule::Masquerade(_) => None,
        }
    }

    /// Whether some packet could go to either.
    fn meets(&self, other: &Self) -> bool {
        let apart = self.in_interface.is_some()
            && other.in_interface.is_some()
            && self.in_interface != other.in_interface;
        (self.protocol, self.ipv4) == (other.protocol, other.ipv4)
            && self.ports.overlaps(other.ports)
            && !apart
    }

    /// Whether it takes what others send to a socket of the host. What comes from the lab alone is the lab's.
    fn hides(&self, socket: &HostSocket, wanted: &PlaceTarget) -> bool {
        let of_lab = self.in_interface.is_some_and(|name| wanted.links.contains_key(name));
        // `::` may be there for both families.
        let family = socket.local.is_ipv4() == self.ipv4
            || socket.local.ip().is_unspecified() && socket.local.is_ipv6();
        let port = PortRange::one(socket.local.port());
        let same = socket.protocol == self.protocol && self.ports.contains(port);
        socket.peer.is_none() && same && family && !of_lab
    }
}

impl fmt::Display for Published<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} port {}", self.protocol.as_str(), self.ports)
    }
}

/// All that a place publishes, each with the path of its rule.
fn all_published(place: &PlaceTarget) -> impl Iterator<Item = (String, Published<'_>)> {
    let mut counts = [0; 2];
    let found = place.nat.iter().filter_map(Published::of);
    found.map(move |published| {
        let (list, count) = match published.rule {
            NatRule::PortForward(_) => ("port_forwards", &mut counts[0]),
            _ => ("dnat", &mut counts[1]),
        };
        *count += 1;
        (format!("host.nat.{list}[{}]", *count - 1), published)
    })
}

fn published_by(target: &Target) -> impl Iterator<Item = (String, Published<'_>)> {
    target.host().into_iter().flat_map(all_published)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert;

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

    fn dnat(ports: &str) -> Target {
        let rule = format!(r#"], "dnat": [{{"protocol": "tcp", "ports": "{ports}", "to": "192.0.2.2"}}"#);
        target(&rule)
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
        check(wanted.host().unwrap(), held, &host, &others, &mut refusals);
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
    fn ranges_of_ports() {
        let found = refused(&dnat("75-85"), None, &["0.0.0.0:80"], None);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].starts_with("host.nat.dnat[0]: the host itself listens on tcp port 75-85 (0.0.0.0:80)")
        );
        assert!(refused(&dnat("75-79"), None, &["0.0.0.0:80"], None).is_empty());
        assert_eq!(refused(&dnat("75-85"), None, &[], Some(&forward("192.0.2.9:80", ""))).len(), 1);
        assert!(refused(&dnat("81-85"), None, &[], Some(&forward("192.0.2.9:80", ""))).is_empty());
        let socket = HostSocket { protocol: Protocol::Tcp, local: "0.0.0.0:80".parse().unwrap(), peer: None };
        let message = taken(&dnat("75-85"), &[socket]).unwrap();
        assert!(
            message.contains("tcp port 80 (0.0.0.0:80)") && message.contains("host.nat.dnat[0]"),
            "{message}"
        );
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
