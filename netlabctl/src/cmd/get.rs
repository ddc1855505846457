//! `get-lab`.

use std::fmt::Write as _;

use netlab_proto::v1::{
    DetachedCommand, GetLabRequest, LabResource, LabStatus, ListRevisionsRequest, Repair, Revision,
};

use super::{DONE, create::accepted, list::summary};
use crate::{
    cli::{GetLab, Output},
    client::Client,
    error::{Failure, NOT_FOUND},
    hint,
    output::{
        self,
        table::{self, clean},
        time,
    },
    wait::failure_text,
};

/// Changes that are shown.
const CHANGES: usize = 5;

/// Shows one lab, or the lab file of one of its generations.
pub(super) async fn run(client: &Client, format: Output, args: &GetLab) -> Result<u8, Failure> {
    let name = args.name.as_str();
    if let Some(generation) = args.revision {
        return revision(client, format, name, generation).await;
    }
    let answer = client.labs().get_lab(GetLabRequest { name: name.to_owned() }).await;
    let answer = match answer {
        Ok(answer) => answer.into_inner(),
        Err(status) => return Err(hint::explain(client, status, name, &[]).await),
    };
    let lab = accepted(answer.lab)?;
    let mut history = Vec::new();
    if format == Output::Table {
        // A netlabd of before keeps none, and of another's lab nothing is told.
        let request = ListRevisionsRequest { name: name.to_owned(), ..ListRevisionsRequest::default() };
        let answer = client.labs().list_revisions(request).await;
        history = answer.map(|answer| answer.into_inner().revisions).unwrap_or_default();
    }
    output::result(format, &lab, || text(&lab, &history))?;
    Ok(DONE)
}

async fn revision(client: &Client, format: Output, name: &str, generation: u64) -> Result<u8, Failure> {
    let request = ListRevisionsRequest { name: name.to_owned(), with_spec: true, generation };
    let answer = match client.labs().list_revisions(request).await {
        Ok(answer) => answer.into_inner(),
        Err(status) => return Err(hint::explain(client, status, name, &[]).await),
    };
    let spec = answer.revisions.into_iter().next().and_then(|revision| revision.spec);
    let spec = spec.ok_or_else(|| {
        Failure::new(
            NOT_FOUND,
            format!("generation {generation} of lab {name} is not kept; see get-lab {name}"),
        )
    })?;
    match format {
        // For people it is a lab file, with what somebody wrote and nothing else.
        Output::Table | Output::Junit => output::own(Output::Yaml, &spec, String::new)?,
        format => output::result(format, &spec, String::new)?,
    }
    Ok(DONE)
}

fn text(lab: &LabResource, history: &[Revision]) -> String {
    let status = lab.status.clone().unwrap_or_default();
    let mut out = String::new();
    let mut fact = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(out, "{:<13}{}", format!("{name}:"), clean(value));
        }
    };
    fact("Name", &lab.name);
    if let Some(spec) = &lab.spec {
        fact("Description", &spec.description);
    }
    fact("Phase", &summary(&status));
    fact("Generation", &format!("{} (observed {})", lab.generation, status.observed_generation));
    let created = lab.create_time.as_ref();
    fact("Created", &format!("{} ({} ago)", time::rfc3339(created), time::age(created)));
    fact("Owner", &owner(lab));
    if let Some(spec) = &lab.spec {
        fact("Nodes", &spec.nodes.keys().cloned().collect::<Vec<_>>().join(" "));
        fact("Links", &spec.links.len().to_string());
        fact("Checks", &spec.checks.len().to_string());
    }
    if let Some(progress) = status.progress.as_ref().filter(|progress| progress.done < progress.total) {
        fact("Progress", &format!("{}/{} {}", progress.done, progress.total, progress.step));
    }
    if let Some(failure) = &status.last_error {
        let again = if failure.retrying { "; trying again" } else { "" };
        fact(
            "Last error",
            &format!("{} ({}{again})", failure_text(failure), time::rfc3339(failure.time.as_ref())),
        );
    }
    fact("Repaired", &status.drift_repaired.to_string());
    conditions(&status, &mut out);
    differences(&status, &mut out);
    repairs(&status.repairs, &mut out);
    changes(history, &mut out);
    commands(&status.commands, &mut out);
    if !status.extras.is_empty() {
        out.push_str("\nExtras (added by others, left alone):\n");
        for extra in &status.extras {
            let _ = writeln!(out, "  {}", clean(extra));
        }
    }
    out
}

fn owner(lab: &LabResource) -> String {
    match lab.owner.as_str() {
        "" => format!("uid {}", lab.owner_uid),
        // No user of the daemon's machine, and so without an id.
        remote if remote.contains(':') => remote.to_owned(),
        user => format!("{user} (uid {})", lab.owner_uid),
    }
}

fn conditions(status: &LabStatus, out: &mut String) {
    if status.conditions.is_empty() {
        return;
    }
    let rows: Vec<[String; 5]> = status
        .conditions
        .iter()
        .map(|condition| {
            [
                condition.r#type.clone(),
                condition.status.clone(),
                condition.reason.clone(),
                time::age(condition.last_transition_time.as_ref()),
                condition.message.clone(),
            ]
        })
        .collect();
    out.push('\n');
    out.push_str(&table::write(["CONDITION", "STATUS", "REASON", "AGE", "MESSAGE"], &rows));
}

fn differences(status: &LabStatus, out: &mut String) {
    if status.differences.is_empty() {
        return;
    }
    let repair = if status.paused { "left so until resume-lab" } else { "being repaired" };
    let _ = writeln!(out, "\nDiffers from what is wanted, {repair}:");
    for difference in &status.differences {
        let _ = writeln!(out, "  {}", clean(difference));
    }
}

fn repairs(repairs: &[Repair], out: &mut String) {
    if repairs.is_empty() {
        return;
    }
    out.push_str("\nRepairs, newest first:\n");
    for repair in repairs {
        let _ = writeln!(out, "  {} {}", time::rfc3339(repair.time.as_ref()), repair_text(repair));
    }
}

fn changes(history: &[Revision], out: &mut String) {
    if history.is_empty() {
        return;
    }
    out.push_str("\nChanges, newest first:\n");
    for revision in history.iter().take(CHANGES) {
        let Revision { generation, who, reason, .. } = revision;
        let when = time::rfc3339(revision.time.as_ref());
        let _ = writeln!(out, "  {when} {}", clean(&format!("generation {generation}: {reason} by {who}")));
        for line in &revision.changes {
            let _ = writeln!(out, "    {}", clean(line));
        }
    }
}

fn commands(commands: &[DetachedCommand], out: &mut String) {
    if commands.is_empty() {
        return;
    }
    let row = |command: &DetachedCommand| {
        let DetachedCommand { pid, node, args, start_time, uid, owner } = command;
        let by = if owner.is_empty() { format!("uid {uid}") } else { owner.clone() };
        [pid.to_string(), node.clone(), time::age(start_time.as_ref()), clean(&by), clean(&args.join(" "))]
    };
    out.push('\n');
    let rows: Vec<[String; 5]> = commands.iter().map(row).collect();
    out.push_str(&table::write(["PID", "NODE", "AGE", "BY", "DETACHED COMMAND"], &rows));
}

/// A repair in one line.
pub(super) fn repair_text(repair: &Repair) -> String {
    let milliseconds = repair.duration_us / 1000;
    clean(&format!("{}: {} ({milliseconds} ms)", repair.found.join("; "), repair.done.join("; ")))
}
