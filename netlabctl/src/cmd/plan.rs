//! A plan in words.

use std::fmt::Write as _;

use netlab_proto::v1::{FieldChange, Interruption, Plan, planned_change::Action};

use crate::output::{
    style::{Style, hanging, paint, signed, width},
    table::clean,
};

/// One line a change: `+` makes, `~` changes, `-` takes away.
pub(super) fn table(plan: &Plan) -> String {
    let mut text = String::new();
    for field in &plan.fields {
        let why =
            if field.interrupts.is_empty() { String::new() } else { format!(" ({})", field.interrupts) };
        let _ = writeln!(text, "{}", hanging("", &clean(&format!("{}{why}", field.description)), width()));
    }
    let told = |one: &&Interruption| {
        let suffix = format!(" {}", one.description);
        let is = |field: &&FieldChange| {
            let name = one.object.rsplit(':').next().unwrap_or_default();
            field.interrupts.strip_suffix(&suffix) == Some(name) && field.path.contains(node(&one.object))
        };
        plan.fields.iter().any(|field| is(&field))
    };
    for one in plan.interruptions.iter().filter(|one| !told(one)) {
        let line = clean(&format!("{} {}", one.object, one.description));
        let _ = writeln!(text, "{}", paint(Style::Warning, &hanging("", &line, width())));
    }
    if plan.changes.is_empty() {
        return text + "no changes\n";
    }
    if !text.is_empty() {
        text.push('\n');
    }
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

/// The node of an object such as `ns1:eth0`.
fn node(object: &str) -> &str {
    object.split(':').next().unwrap_or_default()
}
