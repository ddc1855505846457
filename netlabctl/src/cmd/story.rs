//! What happened to a lab, in lines.

use std::fmt::Write as _;

use netlab_proto::v1::{LabStatus, Repair, Revision};

use crate::output::{
    style::{hanging, signed, width},
    table::clean,
    time,
};

/// Changes that are shown.
const CHANGES: usize = 5;

/// The newest repairs, found and done a line each.
pub(super) fn repairs(repairs: &[Repair], out: &mut String) {
    if repairs.is_empty() {
        return;
    }
    out.push_str("\nRepairs, newest first:\n");
    for repair in repairs {
        let _ = writeln!(out, "  {} {}", time::rfc3339(repair.time.as_ref()), repaired(repair, "    "));
    }
}

/// A repair: how long it took, then what was found and what was done, each line after `indent`.
pub(super) fn repaired(repair: &Repair, indent: &str) -> String {
    let mut out = format!("repaired in {} ms", repair.duration_us / 1000);
    let found = repair.found.iter().map(|line| ('-', line));
    for (sign, line) in found.chain(repair.done.iter().map(|line| ('+', line))) {
        let line = hanging(&format!("{indent}{sign} "), &clean(line), width());
        let _ = write!(out, "\n{}", signed(sign, &line));
    }
    out
}

/// The newest desired states: who, when, why and what differed.
pub(super) fn changes(history: &[Revision], out: &mut String) {
    if history.is_empty() {
        return;
    }
    out.push_str("\nChanges, newest first:\n");
    for revision in history.iter().take(CHANGES) {
        let when = time::rfc3339(revision.time.as_ref());
        let change = changed(revision.generation, &revision.reason, &revision.who);
        let _ = writeln!(out, "{}", hanging(&format!("  {when} "), &change, width()));
        for line in &revision.changes {
            let _ = writeln!(out, "{}", hanging("    ", &clean(line), width()));
        }
    }
}

/// A change of the desired state: `generation 2: applied by alice`.
pub(super) fn changed(generation: u64, reason: &str, who: &str) -> String {
    let by = if who.is_empty() { String::new() } else { format!(" by {who}") };
    // `put back: nobody confirmed it` is put back by somebody, not confirmed by them.
    let (what, why) = reason.split_once(": ").map_or((reason, None), |(what, why)| (what, Some(why)));
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    clean(&format!("generation {generation}: {what}{by}{why}"))
}

/// When and to what the last change goes back, and what keeps it; `None` where it stays.
pub(super) fn goes_back(lab: &str, status: &LabStatus) -> Option<String> {
    let time = status.rollback_time.as_ref()?;
    Some(format!(
        "in {} (at {}) unless: netlabctl confirm-lab {}",
        time::left(time),
        time::rfc3339(Some(time)),
        clean(lab)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_put_it_back_is_not_who_did_not_confirm() {
        assert_eq!(changed(2, "applied", "alice"), "generation 2: applied by alice");
        assert_eq!(
            changed(3, "rolled back: nobody confirmed the change in time", "netlabd"),
            "generation 3: rolled back by netlabd: nobody confirmed the change in time"
        );
        assert_eq!(changed(1, "created", ""), "generation 1: created");
    }

    #[test]
    fn a_repair_is_a_line_for_each_thing_found_and_done() {
        let repair = Repair {
            found: vec!["router:eth1: link is missing".to_owned()],
            done: vec!["link ns2:eth0 to router:eth1".to_owned(), "set up router:eth1".to_owned()],
            duration_us: 79_400,
            ..Repair::default()
        };
        assert_eq!(
            repaired(&repair, "  "),
            "repaired in 79 ms\n  - router:eth1: link is missing\n  + link ns2:eth0 to router:eth1\n  + set up router:eth1"
        );
    }
}
