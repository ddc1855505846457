//! Where something may have changed since it was last looked at.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::model::{LabName, NodeName};

/// The nodes to look at anew, by lab. The host is looked at every time and needs no mark.
///
/// Marks are taken before a look, never after: what happens during the look marks again.
#[derive(Debug, Default)]
pub(super) struct Marks(Mutex<Tables>);

#[derive(Debug, Default)]
struct Tables {
    nodes: BTreeMap<LabName, BTreeSet<NodeName>>,
    /// How often everything was marked.
    all: u64,
}

/// What was marked in one lab.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Taken {
    /// The nodes.
    pub(super) nodes: BTreeSet<NodeName>,
    /// How often everything was marked, ever: another number than last time means all nodes.
    pub(super) all: u64,
}

impl Marks {
    /// Marks nodes of a lab.
    pub(super) fn mark(&self, lab: &LabName, nodes: impl IntoIterator<Item = NodeName>) {
        let mut tables = self.tables();
        match tables.nodes.get_mut(lab) {
            Some(marked) => marked.extend(nodes),
            None => drop(tables.nodes.insert(lab.clone(), nodes.into_iter().collect())),
        }
    }

    /// Marks all nodes of all labs: nobody knows what happened.
    pub(super) fn mark_all(&self) {
        self.tables().all += 1;
    }

    /// Takes the marks of a lab away and returns them.
    pub(super) fn take(&self, lab: &LabName) -> Taken {
        let mut tables = self.tables();
        Taken { nodes: tables.nodes.remove(lab).unwrap_or_default(), all: tables.all }
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_taken_once_and_only_by_its_lab() {
        let (marks, a, b) = (Marks::default(), "a".parse().unwrap(), "b".parse().unwrap());
        let n1: NodeName = "n1".parse().unwrap();
        marks.mark(&a, [n1.clone()]);
        assert_eq!(marks.take(&b), Taken { nodes: BTreeSet::new(), all: 0 });
        marks.mark_all();
        assert_eq!(marks.take(&a), Taken { nodes: BTreeSet::from([n1]), all: 1 });
        assert_eq!(marks.take(&a), Taken { nodes: BTreeSet::new(), all: 1 });
    }
}
