//! Bonds of random labs.

use serde_json::json;

use super::{BASE, BOND, BRIDGE, Choices, Design, Node, interface};

impl Design<'_> {
    /// A bond; ends of links come to it.
    pub(super) fn bond(&self, node: &mut Node, number: usize, choices: &mut dyn Choices) {
        let bonds: Vec<_> = self.examples(BASE).into_iter().filter(|kind| kind.ports().of_bond()).collect();
        if bonds.is_empty() || !choices.one_in(3) {
            return;
        }
        let mut bond = interface(&bonds[choices.below(bonds.len())]);
        match choices.below(3) {
            0 if node.bridge.is_some() => bond["port"] = json!({ "bridge": BRIDGE }),
            1 => bond["mtu"] = json!(1400),
            _ => {
                let addresses = [format!("192.1.{number}.1/24"), format!("2001:db8:c{number}::1/64")];
                bond["addresses"] = json!(addresses);
            }
        }
        node.enslave(&mut bond, choices);
        node.bond = true;
        node.interfaces.insert(BOND.into(), bond);
    }
}
