//! What was amiss: the causes among the operations of a repair.

use super::{Op, Plan, item::Missing};

impl Plan {
    /// What differs from what is wanted, in words. What is missing with a node or an interface that is missing
    /// itself goes without saying.
    pub fn findings(&self) -> Vec<String> {
        let missing = Missing::of(self.ops());
        let causes = self.ops().filter(|op| !op.item.get().is_explained(&missing)).map(Op::finding);
        self.conflicts.iter().cloned().chain(causes).collect()
    }
}
