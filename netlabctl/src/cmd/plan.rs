//! A plan in words.

use std::fmt::Write as _;

use netlab_proto::v1::{Plan, planned_change::Action};

use crate::output::{
    style::{hanging, signed, width},
    table::clean,
};

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
        let line = hanging(&format!("{sign} "), &clean(&change.description), width());
        let _ = writeln!(text, "{}", signed(sign, &line));
    }
    let s = if plan.changes.len() == 1 { "" } else { "s" };
    let _ = writeln!(text, "{} change{s}", plan.changes.len());
    text
}
