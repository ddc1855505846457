//! What sysctls of nodes were before the lab first set them, as it is kept with the lab.

use crate::{
    plan::Before,
    store::{Record, SysctlBefore},
};

/// What a record keeps. What is no name any more is left out.
pub(super) fn of(record: &Record) -> Before {
    let mut before = Before::new();
    for kept in &record.sysctls_before {
        if let (Ok(node), Ok(key)) = (kept.node.parse(), kept.key.parse()) {
            before.entry(node).or_default().insert(key, kept.value.clone());
        }
    }
    before
}

/// The same for a record.
pub(super) fn kept(before: &Before) -> Vec<SysctlBefore> {
    let values = before.iter().flat_map(|(node, values)| values.iter().map(move |value| (node, value)));
    let kept = |(node, (key, value)): (&_, (&_, &Option<String>))| {
        let (node, key): (&crate::model::NodeName, &crate::model::SysctlKey) = (node, key);
        SysctlBefore { node: node.to_string(), key: key.to_string(), value: value.clone() }
    };
    values.map(kept).collect()
}
