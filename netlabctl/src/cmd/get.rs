//! `get-lab`.

use std::fmt::Write as _;

use netlab_proto::v1::{
    Condition, DetachedCommand, GetLabRequest, LabResource, LabStatus, LabView, ListRevisionsRequest,
    Revision,
};

use super::{DONE, create::accepted, inside, list::summary, story};
use crate::{
    cli::{GetLab, Output},
    client::Client,
    error::{Failure, NOT_FOUND},
    hint,
    output::{
        self,
        style::{Style, hanging, of_state, paint, width},
        table::{self, clean},
        time,
    },
    wait::failure_text,
};

/// Shows one lab, or the lab file of one of its generations.
pub(super) async fn run(client: &Client, format: Output, args: &GetLab) -> Result<u8, Failure> {
    let name = args.name.as_str();
    if let Some(generation) = args.revision {
        return revision(client, format, name, generation).await;
    }
    let request = GetLabRequest { name: name.to_owned(), view: LabView::Full.into() };
    let answer = client.labs().get_lab(request).await;
    let answer = match answer {
        Ok(answer) => answer.into_inner(),
        Err(status) => return Err(hint::explain(client, status, name, &[]).await),
    };
    let lab = accepted(answer.lab)?;
    let mut history = Vec::new();
    // Of another's lab nothing is told.
    if format.is_for_people() && !lab.uid.is_empty() {
        // A netlabd of before keeps none.
        let request = ListRevisionsRequest { name: name.to_owned(), ..ListRevisionsRequest::default() };
        let answer = client.labs().list_revisions(request).await;
        history = answer.map(|answer| answer.into_inner().revisions).unwrap_or_default();
    }
    output::lab(format, &lab.name, &lab, || text(&lab, &history, format == Output::Wide))?;
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
        Output::Json | Output::Yaml => output::result(format, &spec, String::new)?,
        _ => output::own(Output::Yaml, &spec, String::new)?,
    }
    Ok(DONE)
}

fn text(lab: &LabResource, history: &[Revision], wide: bool) -> String {
    let status = lab.status.clone().unwrap_or_default();
    let mut out = String::new();
    facts(lab, &status, &mut out);
    if lab.uid.is_empty() {
        out.push_str("It is another user's: no more of it is shown.\n");
        return out;
    }
    if !status.nodes.is_empty() {
        out.push('\n');
        out.push_str(&inside::table(&status.nodes, wide));
    }
    conditions(&status, &mut out);
    differences(&lab.name, &status, &mut out);
    story::repairs(&status.repairs, &mut out);
    story::changes(history, &mut out);
    commands(&status.commands, &mut out);
    if !status.extras.is_empty() {
        out.push_str("\nExtras (added by others, left alone):\n");
        for extra in &status.extras {
            let _ = writeln!(out, "{}", hanging("  ", &clean(extra), width()));
        }
    }
    out
}

/// What there is one of, a line each.
fn facts(lab: &LabResource, status: &LabStatus, out: &mut String) {
    let mut fact = |name: &str, value: &str, style: Style| {
        if !value.is_empty() {
            let line = hanging(&format!("{:<13}", format!("{name}:")), &clean(value), width());
            let (label, rest) = line.split_at(13);
            let _ = writeln!(out, "{label}{}", paint(style, rest));
        }
    };
    fact("Name", &lab.name, Style::Plain);
    if let Some(spec) = &lab.spec {
        fact("Description", &spec.description, Style::Plain);
    }
    let phase = summary(status);
    fact("Phase", &phase, of_state(&phase));
    let known = !lab.uid.is_empty();
    if known {
        let generation = format!("{} (observed {})", lab.generation, status.observed_generation);
        fact("Generation", &generation, Style::Plain);
        fact("Goes back", &story::goes_back(&lab.name, status).unwrap_or_default(), Style::Warning);
        let created = lab.create_time.as_ref();
        fact("Created", &format!("{} ({} ago)", time::rfc3339(created), time::age(created)), Style::Plain);
    }
    fact("Owner", &owner(lab), Style::Plain);
    if let Some(spec) = &lab.spec {
        fact("Nodes", &spec.nodes.keys().cloned().collect::<Vec<_>>().join(" "), Style::Plain);
        fact("Links", &spec.links.len().to_string(), Style::Plain);
        fact("Checks", &spec.checks.len().to_string(), Style::Plain);
    }
    if let Some(progress) = status.progress.as_ref().filter(|progress| progress.done < progress.total) {
        fact("Progress", &format!("{}/{} {}", progress.done, progress.total, progress.step), Style::Plain);
    }
    if let Some(failure) = &status.last_error {
        let again = if failure.retrying { "; trying again" } else { "" };
        let when = time::rfc3339(failure.time.as_ref());
        fact("Last error", &format!("{} ({when}{again})", failure_text(failure)), Style::Bad);
    }
    if known {
        fact("Repaired", &status.drift_repaired.to_string(), Style::Plain);
    }
}

/// Whose a lab is.
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
    let heading = ["CONDITION", "STATUS", "REASON", "AGE", "MESSAGE"];
    out.push_str(&table::write_styled(heading, &rows, |row, column, _| match column {
        1 => of_condition(&status.conditions[row]),
        _ => Style::Plain,
    }));
}

/// What is done about differences.
fn what_of_it(lab: &str, status: &LabStatus) -> String {
    let stormy = |one: &Condition| one.r#type == "Drifted" && one.reason == "DamagedAgainAndAgain";
    if status.paused {
        format!("left so until: netlabctl resume-lab {}", clean(lab))
    } else if status.last_error.as_ref().is_some_and(|failure| failure.retrying) {
        "cannot be repaired as it is (see Last error), tried again and again".to_owned()
    } else if status.conditions.iter().any(stormy) {
        "damaged again and again: repairs wait for some seconds".to_owned()
    } else {
        "being repaired".to_owned()
    }
}

fn differences(lab: &str, status: &LabStatus, out: &mut String) {
    if status.differences.is_empty() {
        return;
    }
    let _ = writeln!(out, "\nDiffers from the desired state, {}:", what_of_it(lab, status));
    for difference in &status.differences {
        let _ = writeln!(out, "{}", hanging("  ", &clean(difference), width()));
    }
}

/// Whether a condition is as one would have it.
fn of_condition(condition: &Condition) -> Style {
    let wanted = match condition.r#type.as_str() {
        "Ready" | "HostReady" => "True",
        "Drifted" | "Paused" => "False",
        _ => return Style::Plain,
    };
    if condition.status == wanted { Style::Good } else { Style::Warning }
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

#[cfg(test)]
mod tests {
    use netlab_proto::v1::Failure as LabFailure;

    use super::*;

    #[test]
    fn what_is_done_about_differences_is_told_as_it_is() {
        let status = LabStatus::default();
        assert_eq!(what_of_it("x", &status), "being repaired");
        let paused = LabStatus { paused: true, ..status.clone() };
        assert_eq!(what_of_it("x", &paused), "left so until: netlabctl resume-lab x");
        let failure = |retrying| Some(LabFailure { retrying, ..LabFailure::default() });
        let failing = LabStatus { last_error: failure(true), ..status.clone() };
        assert!(what_of_it("x", &failing).starts_with("cannot be repaired as it is"));
        // One of before says nothing about now.
        let before = LabStatus { last_error: failure(false), ..status.clone() };
        assert_eq!(what_of_it("x", &before), "being repaired");
        let storm = Condition {
            r#type: "Drifted".to_owned(),
            reason: "DamagedAgainAndAgain".to_owned(),
            ..Condition::default()
        };
        let stormy = LabStatus { conditions: vec![storm], ..status };
        assert!(what_of_it("x", &stormy).starts_with("damaged again and again"));
    }
}
