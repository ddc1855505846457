//! Random rules of nodes: no two of them ask for the same, and nothing stands behind a rule for everything.

use serde_json::{Map, Value, json};

use super::Choices;

/// A firewall; one of a node that forwards may filter that.
pub(super) fn firewall(forwards: bool, choices: &mut dyn Choices) -> Value {
    let mut firewall = Map::new();
    for direction in ["input", "forward", "output"] {
        if choices.one_in(2) && (forwards || direction != "forward") {
            firewall.insert(direction.to_owned(), chain(direction, choices));
        }
    }
    Value::Object(firewall)
}

/// Translations of a node with these interfaces.
pub(super) fn nat(interfaces: &[&String], choices: &mut dyn Choices) -> Value {
    let mut nat = json!({
        "masquerade": [{ "source": "192.0.2.0/24" }],
        "port_forwards": [{ "protocol": "tcp", "port": 8080, "to": "192.0.2.1:80" }],
    });
    let mut sources = vec![
        json!({ "source": "10.0.0.0/8", "to": "198.51.100.9-198.51.100.19" }),
        json!({ "source": "2001:db8:b0::/48", "to": "2001:db8::9" }),
        json!({ "to": "2001:db8::1-2001:db8::2" }),
    ];
    sources.retain(|_| choices.one_in(3));
    let mut destinations = vec![
        json!({ "protocol": "udp", "ports": "5000-5003", "to": "192.0.2.5:6000-6003" }),
        json!({ "destination": "203.0.113.9/32", "to": "192.0.2.5-192.0.2.9" }),
        json!({ "protocol": "tcp", "ports": "90-99", "to": "[2001:db8::5]:90-99" }),
        json!({ "protocol": "tcp", "to": "192.0.2.1" }),
    ];
    destinations.retain(|_| choices.one_in(3));
    if choices.one_in(4) && !interfaces.is_empty() {
        let interface = interfaces[choices.below(interfaces.len())];
        let prefix =
            json!({ "internal": "172.16.0.0/24", "external": "203.0.7.0/24", "interface": interface });
        nat["prefixes"] = json!([prefix]);
    }
    if choices.one_in(3) && !interfaces.is_empty() {
        let interface = interfaces[choices.below(interfaces.len())];
        let kind = ["full_cone", "restricted_cone", "port_restricted", "symmetric"][choices.below(4)];
        nat["masquerade"] = json!([{ "out_interface": interface, "type": kind }]);
    }
    nat["snat"] = Value::Array(sources);
    nat["dnat"] = Value::Array(destinations);
    nat
}

fn chain(direction: &str, choices: &mut dyn Choices) -> Value {
    let mut rules = vec![
        json!({ "state": ["established", "related"], "action": "accept" }),
        json!({ "state": ["invalid"], "action": "drop" }),
        json!({ "source": "192.0.2.0/24", "protocol": "tcp", "ports": ["22", "8000-8010"], "action": "accept" }),
        json!({ "destination": "2001:db8::/32", "protocol": "udp", "source_ports": ["53"], "action": "reject" }),
        json!({ "protocol": "icmpv6", "action": "accept" }),
        json!({ "protocol": "icmp", "icmp_types": ["echo-request"], "action": "accept" }),
        json!({ "protocol": "ospf", "action": "accept" }),
        json!({ "action": "reject" }),
    ];
    match direction {
        "input" => rules.insert(0, json!({ "in_interface": "lo", "action": "accept" })),
        "output" => rules.insert(0, json!({ "out_interface": "lo", "action": "accept" })),
        _ => {}
    }
    rules.retain(|_| choices.one_in(2));
    let policy = ["accept", "drop"][choices.below(2)];
    json!({ "policy": policy, "rules": rules })
}
