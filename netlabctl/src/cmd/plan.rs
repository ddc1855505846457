//! A plan in words.

use std::fmt::Write as _;

use netlab_proto::v1::{Plan, planned_change::Action};

use crate::output::table::clean;

/// One line a change: `+` makes, `~` changes, `-` takes away.
pub(super) fn table(plan: &Plan) -> String {
    if plan.changes.is_empty() {
        return "no changes\n".to_owned();
    }
    let mut text = String::new();
    for change in &plan.changes {
        let sign = match change.action() {
            Action::Unspecified => '?',
            Action::Create => '+',
            Action::Update => '~',
            Action::Delete => '-',
        };
        let _ = writeln!(text, "{sign} {}", clean(&change.description));
    }
    let s = if plan.changes.len() == 1 { "" } else { "s" };
    let _ = writeln!(text, "{} change{s}", plan.changes.len());
    text
}
