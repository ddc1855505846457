//! What a lab may touch of the host without being an administrator's.

use super::{config::HostPolicy, denied::Violation};
use crate::model::{Kind, Lab};

/// All that goes beyond the policy. Cables to the host within the pools, and masquerading for them, are
/// every lab's; so are macvlans on what the lab itself makes on the host.
pub(super) fn violations(lab: &Lab, policy: &HostPolicy) -> Vec<Violation> {
    let mut violations = Vec::new();
    parents(lab, policy, &mut violations);
    addresses(lab, policy, &mut violations);
    translations(lab, policy, &mut violations);
    violations
}

fn parents(lab: &Lab, policy: &HostPolicy, violations: &mut Vec<Violation>) {
    for (node, found) in &lab.nodes {
        for (name, interface) in &found.interfaces {
            let Kind::Macvlan { parent, .. } = &interface.kind else { continue };
            let own = lab.host.interfaces.contains_key(parent);
            if own || policy.macvlan_parents.iter().any(|pattern| pattern.matches(parent.as_str())) {
                continue;
            }
            violations.push(Violation {
                path: format!("nodes.{node}.interfaces.{name}.macvlan.parent"),
                message: format!(
                    "a macvlan on the host's {parent} needs an administrator, or {parent} in macvlan_parents of \
                     netlabd's configuration"
                ),
            });
        }
    }
}

fn addresses(lab: &Lab, policy: &HostPolicy, violations: &mut Vec<Violation>) {
    for (name, interface) in &lab.host.interfaces {
        for (number, address) in interface.addresses.iter().enumerate() {
            if policy.host_addresses.iter().any(|pool| pool.contains(address)) {
                continue;
            }
            let pools: Vec<_> = policy.host_addresses.iter().map(ToString::to_string).collect();
            let allowed = if pools.is_empty() { "none".to_owned() } else { pools.join(", ") };
            violations.push(Violation {
                path: format!("host.interfaces.{name}.addresses[{number}]"),
                message: format!(
                    "{address} on the host needs an administrator; addresses that every lab may use there: {allowed}"
                ),
            });
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
    // A wider masquerade would change what others send through the host.
    let own = || lab.host.interfaces.values().flat_map(|interface| &interface.addresses);
    for (number, masquerade) in lab.host.nat.masquerade.iter().enumerate() {
        let within = masquerade.source.is_some_and(|source| own().any(|range| range.contains(&source)));
        if within {
            continue;
        }
        let ranges: Vec<_> = own().map(|range| range.trunc().to_string()).collect();
        let ranges = if ranges.is_empty() { "none".to_owned() } else { ranges.join(", ") };
        violations.push(Violation {
            path: format!("host.nat.masquerade[{number}].source"),
            message: format!(
                "masquerading on the host for more than the lab's own ranges there ({ranges}) needs an \
                 administrator; name one of them as the source"
            ),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{api::convert, policy::Config};
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
        assert_eq!(paths(&cabled("10.0.0.1/24", "", ""), "[policy]\nhost_addresses = []"), path);
        let pool = "[policy]\nhost_addresses = [\"8.8.8.0/24\"]";
        assert!(paths(&cabled("8.8.8.1/24", "", ""), pool).is_empty());
    }

    #[test]
    fn macvlan_parents() {
        let on = |parent: &str| {
            cabled("10.0.0.1/24", &format!(r#", "mv": {{"macvlan": {{"parent": "{parent}"}}}}"#), "")
        };
        assert_eq!(paths(&on("eth9"), ""), ["nodes.n.interfaces.mv.macvlan.parent"]);
        assert!(paths(&on("eth9"), "[policy]\nmacvlan_parents = [\"eth*\"]").is_empty());
        assert!(paths(&on("lab0"), "").is_empty(), "what the lab makes is the lab's");
    }

    #[test]
    fn translations_on_the_host() {
        let nat =
            |rule: &str| cabled("10.0.0.1/24", "", &format!(r#", "forwarding": true, "nat": {{{rule}}}"#));
        let forward = nat(r#""port_forwards": [{"protocol": "tcp", "port": 80, "to": "10.0.0.2:80"}]"#);
        assert_eq!(paths(&forward, ""), ["host.nat.port_forwards[0]"]);
        assert!(paths(&forward, "[policy]\nhost_port_forwards = true").is_empty());
        let all = nat(r#""masquerade": [{"out_interface": "lab0"}]"#);
        assert_eq!(paths(&all, ""), ["host.nat.masquerade[0].source"]);
        let wide = nat(r#""masquerade": [{"source": "10.0.0.0/25"}, {"source": "10.0.0.0/8"}]"#);
        assert_eq!(paths(&wide, ""), ["host.nat.masquerade[1].source"]);
    }
}
