//! What a lab may touch of the host without being an administrator's.

use ipnet::IpNet;

use super::{config::HostPolicy, denied::Violation, segments};
use crate::model::Lab;

/// All that goes beyond the policy. Cables to the host within the pools, and masquerading for them, are
/// every lab's; so is what stands on what the lab itself makes on the host.
pub(super) fn violations(lab: &Lab, policy: &HostPolicy) -> Vec<Violation> {
    let mut violations = Vec::new();
    segments::violations(lab, policy, &mut violations);
    names(lab, policy, &mut violations);
    addresses(lab, policy, &mut violations);
    translations(lab, policy, &mut violations);
    settings(lab, policy, &mut violations);
    violations
}

/// Firewalls, among others, go by the names of interfaces: who is called `wg0` passes for the VPN.
fn names(lab: &Lab, policy: &HostPolicy, violations: &mut Vec<Violation>) {
    for (name, interface) in &lab.host.interfaces {
        // That of a VLAN may be what it is.
        let is_vlan = segments::is_named_after_vlan(lab, interface, name, policy);
        if is_vlan || policy.host_interface_names.iter().any(|pattern| pattern.matches(name.as_str())) {
            continue;
        }
        violations.push(Violation {
            path: format!("host.interfaces.{name}"),
            message: format!(
                "an interface {name} on the host needs an administrator, or {name} in host_interface_names of netlabd's \
                 configuration; names that every lab may use there: {}",
                listed(&policy.host_interface_names)
            ),
        });
    }
}

fn listed<T: ToString>(all: &[T]) -> String {
    let words: Vec<_> = all.iter().map(ToString::to_string).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

fn addresses(lab: &Lab, policy: &HostPolicy, violations: &mut Vec<Violation>) {
    for (name, interface) in &lab.host.interfaces {
        for (number, address) in interface.addresses.iter().enumerate() {
            let (shortest, setting) = if address.addr().is_ipv4() {
                (policy.host_prefix_ipv4.get(), "host_prefix_ipv4")
            } else {
                (policy.host_prefix_ipv6.get(), "host_prefix_ipv6")
            };
            let message = if address.prefix_len() < shortest {
                format!(
                    "{address} on the host needs an administrator, or a shorter {setting} in netlabd's configuration; \
                     the shortest prefix that every lab may use there: /{shortest}"
                )
            } else if policy.host_addresses.iter().any(|pool| pool.contains(address)) {
                continue;
            } else {
                format!(
                    "{address} on the host needs an administrator, or its range in host_addresses of netlabd's \
                     configuration; addresses that every lab may use there: {}",
                    listed(&policy.host_addresses)
                )
            };
            violations
                .push(Violation { path: format!("host.interfaces.{name}.addresses[{number}]"), message });
        }
    }
}

fn translations(lab: &Lab, policy: &HostPolicy, violations: &mut Vec<Violation>) {
    for (number, forward) in lab.host.nat.port_forwards.iter().enumerate() {
        if policy.host_port_forwards {
            break;
        }
        violations.push(Violation {
            path: format!("host.nat.port_forwards[{number}]"),
            message: format!(
                "forwarding the host's {} port {} needs an administrator, or host_port_forwards in netlabd's \
                 configuration",
                forward.protocol.as_str(),
                forward.port
            ),
        });
    }
    for (number, dnat) in lab.host.nat.dnat.iter().enumerate().filter(|_| !policy.host_port_forwards) {
        violations.push(Violation {
            path: format!("host.nat.dnat[{number}]"),
            message: format!(
                "translating what the host is sent ({dnat}) needs an administrator, or host_port_forwards in netlabd's \
                 configuration"
            ),
        });
    }
    sources(lab, violations);
}

/// A wider masquerade would change what others send through the host, and another address than the lab's own there would
/// be somebody else's.
fn sources(lab: &Lab, violations: &mut Vec<Violation>) {
    let own = || lab.host.interfaces.values().flat_map(|interface| &interface.addresses);
    let ranges: Vec<_> = own().map(|range| range.trunc().to_string()).collect();
    let ranges = if ranges.is_empty() { "none".to_owned() } else { ranges.join(", ") };
    let within =
        |source: Option<IpNet>| source.is_some_and(|source| own().any(|range| range.contains(&source)));
    for (number, masquerade) in lab.host.nat.masquerade.iter().enumerate() {
        if within(masquerade.source) {
            continue;
        }
        violations.push(Violation {
            path: format!("host.nat.masquerade[{number}].source"),
            message: format!(
                "masquerading on the host for more than the lab's own ranges there ({ranges}) needs an \
                 administrator; name one of them as the source"
            ),
        });
    }
    for (number, snat) in lab.host.nat.snat.iter().enumerate() {
        let given = own().any(|range| range.contains(&snat.to.first()) && range.contains(&snat.to.last()));
        let message = if !within(snat.source) {
            format!(
                "translating sources on the host for more than the lab's own ranges there ({ranges}) needs an \
                 administrator; name one of them as the source"
            )
        } else if !given {
            format!(
                "sending from {} on the host needs an administrator: every lab may send from its own ranges there \
                 ({ranges}); masquerade sends from the host's address",
                snat.to
            )
        } else {
            continue;
        };
        let field = if within(snat.source) { "to" } else { "source" };
        violations.push(Violation { path: format!("host.nat.snat[{number}].{field}"), message });
    }
}

fn settings(lab: &Lab, policy: &HostPolicy, violations: &mut Vec<Violation>) {
    for key in lab.host.sysctls.keys().filter(|_| !policy.host_sysctls) {
        violations.push(Violation {
            path: format!("host.sysctls[\"{key}\"]"),
            message: format!(
                "setting {key} on the host needs an administrator, or host_sysctls in netlabd's configuration"
            ),
        });
    }
    for (number, name) in lab.host.joins.iter().enumerate().filter(|_| !policy.host_joins) {
        violations.push(Violation {
            path: format!("host.joins[{number}]"),
            message: format!(
                "joining the lab with {name} on the host needs an administrator, or host_joins in netlabd's configuration"
            ),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{convert, policy::Config};
    use netlab_proto::v1 as proto;

    fn lab(json: &str) -> Lab {
        let message: proto::Lab = serde_json::from_str(json).unwrap();
        convert::lab(&message).unwrap_or_else(|faults| panic!("{faults}"))
    }

    fn paths(json: &str, config: &str) -> Vec<String> {
        let config = Config::parse(config, "test".as_ref()).unwrap();
        violations(&lab(json), &config.policy).into_iter().map(|violation| violation.path).collect()
    }

    /// A lab with a cable from `n` to the host's `lab0`, and more of `n` and of the host.
    fn cabled(address: &str, node: &str, host: &str) -> String {
        format!(
            r#"{{"name": "t", "nodes": {{"n": {{"interfaces": {{"eth0": {{}}{node}}}}}}},
                "host": {{"interfaces": {{"lab0": {{"addresses": ["{address}"]}}}}{host}}},
                "links": [{{"endpoints": ["n:eth0", "host:lab0"]}}]}}"#
        )
    }

    #[test]
    fn an_uplink_with_nat_is_everybodys() {
        let host = r#", "forwarding": true, "nat": {"masquerade": [{"source": "192.0.2.0/24"}]}"#;
        assert!(paths(&cabled("192.0.2.1/24", "", host), "").is_empty());
    }

    #[test]
    fn addresses_outside_the_pools() {
        let path = ["host.interfaces.lab0.addresses[0]"];
        assert_eq!(paths(&cabled("8.8.8.1/24", "", ""), ""), path);
        assert_eq!(paths(&cabled("198.18.0.1/24", "", ""), "[policy]\nhost_addresses = []"), path);
        let pool = "[policy]\nhost_addresses = [\"8.8.8.0/24\"]";
        assert!(paths(&cabled("8.8.8.1/24", "", ""), pool).is_empty());
    }

    #[test]
    fn wide_ranges() {
        let path = ["host.interfaces.lab0.addresses[0]"];
        assert_eq!(paths(&cabled("198.18.0.1/23", "", ""), ""), path);
        assert_eq!(paths(&cabled("2001:db8::1/63", "", ""), ""), path);
        assert!(paths(&cabled("198.18.0.1/23", "", ""), "[policy]\nhost_prefix_ipv4 = 23").is_empty());
        assert!(paths(&cabled("2001:db8::1/63", "", ""), "[policy]\nhost_prefix_ipv6 = 48").is_empty());
        for private in ["10.0.0.1/24", "172.16.0.1/24", "192.168.0.1/24", "fd00::1/64"] {
            assert_eq!(paths(&cabled(private, "", ""), ""), path, "{private}");
        }
    }

    #[test]
    fn names_of_others() {
        let named = |name: &str| cabled("192.0.2.1/24", "", "").replace("lab0", name);
        for bad in ["wg0", "docker0", "eth1", "tun0", "xlab0"] {
            assert_eq!(paths(&named(bad), ""), [format!("host.interfaces.{bad}")]);
        }
        assert!(paths(&named("nl-up"), "").is_empty() && paths(&named("lab7"), "").is_empty());
        assert!(paths(&named("wg0"), "[policy]\nhost_interface_names = [\"wg?\"]").is_empty());
    }

    #[test]
    fn settings_and_joins() {
        let host =
            r#", "forwarding": true, "sysctls": {"net.ipv6.conf.lab0.accept_ra": "2"}, "joins": ["lab9"]"#;
        let lab = cabled("192.0.2.1/24", "", host);
        assert_eq!(paths(&lab, ""), ["host.sysctls[\"net.ipv6.conf.lab0.accept_ra\"]", "host.joins[0]"]);
        assert_eq!(paths(&lab, "[policy]\nhost_sysctls = true"), ["host.joins[0]"]);
        assert!(paths(&lab, "[policy]\nhost_sysctls = true\nhost_joins = true").is_empty());
    }

    #[test]
    fn macvlan_parents() {
        let on = |parent: &str| {
            cabled("198.18.0.1/24", &format!(r#", "mv": {{"macvlan": {{"parent": "{parent}"}}}}"#), "")
        };
        assert_eq!(paths(&on("eth9"), ""), ["nodes.n.interfaces.mv.macvlan.parent"]);
        assert!(paths(&on("eth9"), "[policy]\nmacvlan_parents = [\"eth*\"]").is_empty());
        // One that shares the host's MAC address could take its addresses.
        let ipvlan = on("eth9").replace("macvlan", "ipvlan");
        let allowed = "[policy]\nmacvlan_parents = [\"eth*\"]";
        assert_eq!(paths(&ipvlan, allowed), ["nodes.n.interfaces.mv.ipvlan.parent"]);
        assert!(paths(&on("lab0").replace("macvlan", "ipvlan"), "").is_empty());
        assert!(paths(&on("lab0"), "").is_empty(), "what the lab makes is the lab's");
    }

    #[test]
    fn vlans_and_bridges_of_the_host() {
        let vlan = |name: &str, parent: &str| {
            format!(
                r#"{{"name": "l", "nodes": {{"n": {{}}}},
                    "host": {{"interfaces": {{"{name}": {{"vlan": {{"parent": "{parent}", "id": 102}}}}, "lab9": {{"dummy": {{}}}}}}}}}}"#
            )
        };
        assert_eq!(
            paths(&vlan("eth9.102", "eth9"), ""),
            ["host.interfaces.eth9.102.vlan", "host.interfaces.eth9.102"]
        );
        let allowed = "[policy]\nhost_vlans = [\"eth9.1??\"]";
        assert!(paths(&vlan("eth9.102", "eth9"), allowed).is_empty(), "its name is what it is");
        assert_eq!(paths(&vlan("eth9.103", "eth9"), allowed), ["host.interfaces.eth9.103"]);
        assert_eq!(paths(&vlan("lab7", "eth8"), allowed), ["host.interfaces.lab7.vlan"]);
        assert!(paths(&vlan("lab7", "lab9"), "").is_empty(), "what the lab makes is the lab's");
        let port = |port: &str| {
            cabled("192.0.2.1/24", "", "")
                .replace(r#""lab0": {"#, &format!(r#""lab0": {{"port": {{"bridge": "br-office"{port}}}, "#))
        };
        assert_eq!(paths(&port(""), ""), ["host.interfaces.lab0.port.bridge"]);
        let allowed = "[policy]\nhost_bridges = [\"br-*\"]\nhost_vlans = [\"br-office.5\"]";
        assert!(paths(&port(""), allowed).is_empty());
        assert!(paths(&port(r#", "access": 5"#), allowed).is_empty());
        let said = port("").replace(r#""lab0": {"#, r#""lab0": {"mac": "02:00:00:00:00:07", "#);
        assert_eq!(paths(&said, allowed), ["host.interfaces.lab0.mac"]);
        let trunk = port(r#", "trunk": [5, 6], "native": 7, "fdb": ["02:00:00:00:00:77"]"#);
        assert_eq!(
            paths(&trunk, allowed),
            ["trunk[1]", "native", "fdb"].map(|field| format!("host.interfaces.lab0.port.{field}"))
        );
    }

    #[test]
    fn translations_on_the_host() {
        let nat =
            |rule: &str| cabled("198.18.0.1/24", "", &format!(r#", "forwarding": true, "nat": {{{rule}}}"#));
        let forward = nat(r#""port_forwards": [{"protocol": "tcp", "port": 80, "to": "198.18.0.2:80"}]"#);
        assert_eq!(paths(&forward, ""), ["host.nat.port_forwards[0]"]);
        assert!(paths(&forward, "[policy]\nhost_port_forwards = true").is_empty());
        let all = nat(r#""masquerade": [{"out_interface": "lab0"}]"#);
        assert_eq!(paths(&all, ""), ["host.nat.masquerade[0].source"]);
        let dnat = nat(r#""dnat": [{"protocol": "tcp", "ports": "80", "to": "198.18.0.2"}]"#);
        assert_eq!(paths(&dnat, ""), ["host.nat.dnat[0]"]);
        assert!(paths(&dnat, "[policy]\nhost_port_forwards = true").is_empty());
        let snat =
            |source: &str, to: &str| nat(&format!(r#""snat": [{{"source": "{source}", "to": "{to}"}}]"#));
        assert_eq!(paths(&snat("198.18.0.0/15", "198.18.0.1"), ""), ["host.nat.snat[0].source"]);
        assert_eq!(paths(&snat("198.18.0.0/24", "198.18.0.9-198.18.1.9"), ""), ["host.nat.snat[0].to"]);
        assert!(paths(&snat("198.18.0.0/25", "198.18.0.1"), "").is_empty());
        let wide = nat(r#""masquerade": [{"source": "198.18.0.0/25"}, {"source": "198.18.0.0/15"}]"#);
        assert_eq!(paths(&wide, ""), ["host.nat.masquerade[1].source"]);
    }
}
