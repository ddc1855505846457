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
