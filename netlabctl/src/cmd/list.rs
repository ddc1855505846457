//! `list-labs`.

use netlab_proto::v1::{LabResource, LabStatus, ListLabsResponse, Phase};

use super::DONE;
use crate::{
    cli::Output,
    client::Client,
    error::Failure,
    hint,
    output::{
        self,
        table::{self, clean},
        time,
    },
    wait::{not_ready, phase},
};

/// Lists all labs.
pub(super) async fn run(client: &Client, format: Output) -> Result<u8, Failure> {
    let labs = hint::list(client).await?;
    if format == Output::Name {
        return output::print(&labs.iter().map(|lab| clean(&lab.name) + "\n").collect::<String>())
            .map(|()| DONE);
    }
    let all = ListLabsResponse { labs, next_page_token: String::new() };
    output::result(format, &all, || table(&all.labs))?;
    Ok(DONE)
}

/// What columns are called.
const HEADING: [&str; 8] = ["NAME", "PHASE", "OWNER", "NODES", "GENERATION", "AGE", "REPAIRED", "MESSAGE"];

/// The labs as a table.
pub(super) fn table(labs: &[LabResource]) -> String {
    if labs.is_empty() {
        return "no labs; make one: netlabctl create-lab FILE\n".to_owned();
    }
    let rows: Vec<[String; 8]> = labs.iter().map(row).collect();
    table::write(HEADING, &rows)
}

/// One lab as a line like those of a table, without its heading.
pub(super) fn line(lab: &LabResource) -> String {
    headless(row(lab))
}

/// The line of a lab that is gone.
pub(super) fn deleted_line(lab: &LabResource) -> String {
    let mut row = row(lab);
    "Deleted".clone_into(&mut row[1]);
    row[7].clear();
    headless(row)
}

/// What a lab's line says, but for its age.
pub(super) fn cells(lab: &LabResource) -> [String; 8] {
    let mut row = row(lab);
    row[5].clear();
    row
}

/// Columns that are wide enough for most.
fn headless(mut row: [String; 8]) -> String {
    for (cell, width) in row.iter_mut().zip([16, 10, 8, 5, 10, 3, 8, 0]) {
        *cell = format!("{cell:width$}");
    }
    let table = table::write(HEADING, &[row]);
    table.split_once('\n').map(|(_, rest)| rest.to_owned()).unwrap_or_default()
}

fn row(lab: &LabResource) -> [String; 8] {
    let status = lab.status.clone().unwrap_or_default();
    // Of others' labs no more is told than that they exist.
    let known = |text: String| if lab.uid.is_empty() { "-".to_owned() } else { text };
    [
        lab.name.clone(),
        summary(&status),
        owner(lab),
        // A netlabd of before did not count them.
        known(if lab.node_count == 0 { "-".to_owned() } else { lab.node_count.to_string() }),
        known(lab.generation.to_string()),
        time::age(lab.create_time.as_ref()),
        known(status.drift_repaired.to_string()),
        message(lab, &status),
    ]
}

/// Whose a lab is, in a word.
fn owner(lab: &LabResource) -> String {
    if lab.owner.is_empty() { format!("uid {}", lab.owner_uid) } else { lab.owner.clone() }
}

/// The phase, and whether repair is paused.
pub(super) fn summary(status: &LabStatus) -> String {
    let paused = if status.paused { " (paused)" } else { "" };
    format!("{}{paused}", phase(status.phase()))
}

/// What a reader would ask next: what is wrong, or that a change goes back; nothing for a lab that is well.
fn message(lab: &LabResource, status: &LabStatus) -> String {
    let back = status
        .rollback_time
        .as_ref()
        .map(|time| format!("goes back in {} unless: netlabctl confirm-lab {}", time::left(time), lab.name));
    [wrong(status), back].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn wrong(status: &LabStatus) -> Option<String> {
    let why = if status.phase() == Phase::Ready { String::new() } else { not_ready(status) };
    if !why.is_empty() {
        return Some(why);
    }
    let host = status.conditions.iter().find(|one| one.r#type == "HostReady" && one.status == "False")?;
    Some(host.message.clone()).filter(|message| !message.is_empty())
}

#[cfg(test)]
mod tests {
    use netlab_proto::v1::{Condition, Failure as LabFailure};

    use super::*;

    fn status(phase: Phase, conditions: &[(&str, &str, &str)]) -> LabStatus {
        let condition = |(kind, status, message): &(&str, &str, &str)| Condition {
            r#type: (*kind).to_owned(),
            status: (*status).to_owned(),
            message: (*message).to_owned(),
            ..Condition::default()
        };
        LabStatus {
            phase: phase.into(),
            conditions: conditions.iter().map(condition).collect(),
            ..LabStatus::default()
        }
    }

    #[test]
    fn the_message_is_what_is_wrong() {
        let well =
            [("Ready", "True", "all is well"), ("Drifted", "False", "nothing"), ("Paused", "True", "p")];
        assert_eq!(wrong(&status(Phase::Ready, &well)), None);
        let drifted = [("Ready", "False", "eth0 is missing"), ("Drifted", "True", "eth0 is missing")];
        assert_eq!(wrong(&status(Phase::Degraded, &drifted)).as_deref(), Some("eth0 is missing"));
        let host = [("Ready", "True", "all is well"), ("HostReady", "False", "ufw drops it")];
        assert_eq!(wrong(&status(Phase::Ready, &host)).as_deref(), Some("ufw drops it"));
        let failure = LabFailure { object: "a".into(), message: "no".into(), ..LabFailure::default() };
        let failed = LabStatus { last_error: Some(failure), ..status(Phase::Failed, &host) };
        assert_eq!(wrong(&failed).as_deref(), Some("a: no"));
    }

    #[test]
    fn a_change_that_waits_is_told_of() {
        let lab = LabResource { name: "x".to_owned(), ..LabResource::default() };
        let waits =
            LabStatus { rollback_time: Some(pbjson_types::Timestamp::default()), ..LabStatus::default() };
        assert_eq!(message(&lab, &waits), "goes back in 0s unless: netlabctl confirm-lab x");
    }
}
