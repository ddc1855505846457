//! What labs have of the host's own network.

use serde_json::{Value, json};

use super::{Choices, interface};
use crate::link::Kind;

/// A VLAN on an interface that the host has by itself.
pub(super) fn vlan(kind: &Kind, number: usize, choices: &mut dyn Choices) -> Value {
    let mut interface = interface(kind);
    interface["vlan"]["id"] = json!(100 + number);
    if choices.one_in(3) {
        interface["mtu"] = json!(1400);
    }
    if choices.one_in(3) {
        interface["mac"] = json!(format!("02:00:00:00:66:{number:02x}"));
    }
    if choices.one_in(3) {
        interface["up"] = json!(false);
    }
    if choices.one_in(3) {
        interface["addresses"] = json!([format!("198.18.{}.1/24", number * 8 + 7)]);
    }
    interface
}

/// The end of a link that is a port of a bridge that the host has by itself.
pub(super) fn port(bridge: &str, choices: &mut dyn Choices) -> Value {
    let mut port = json!({ "port": { "bridge": bridge, "isolated": choices.one_in(2) } });
    if choices.one_in(3) {
        port["port"]["fdb"] = json!(["02:00:00:00:77:01"]);
    }
    port
}
