//! `list-labs`.

use netlab_proto::v1::{LabResource, LabStatus, ListLabsResponse, Phase};

use super::DONE;
use crate::{
    cli::Output,
    client::Client,
    error::Failure,
    hint,
    output::{self, table, time},
    wait::{not_ready, phase},
};

/// Lists all labs.
pub(super) async fn run(client: &Client, format: Output) -> Result<u8, Failure> {
    let labs = hint::list(client).await?;
    let all = ListLabsResponse { labs, next_page_token: String::new() };
    output::result(format, &all, || table(&all.labs))?;
    Ok(DONE)
}

fn table(labs: &[LabResource]) -> String {
    if labs.is_empty() {
        return "no labs; make one: netlabctl create-lab FILE\n".to_owned();
    }
    let rows: Vec<[String; 6]> = labs.iter().map(row).collect();
    table::write(["NAME", "PHASE", "GENERATION", "AGE", "REPAIRED", "MESSAGE"], &rows)
}

fn row(lab: &LabResource) -> [String; 6] {
    let status = lab.status.clone().unwrap_or_default();
    [
        lab.name.clone(),
        summary(&status),
        lab.generation.to_string(),
        time::age(lab.create_time.as_ref()),
        status.drift_repaired.to_string(),
        message(&status),
    ]
}

/// The phase, and whether repair is paused.
pub(super) fn summary(status: &LabStatus) -> String {
    let paused = if status.paused { " (paused)" } else { "" };
    format!("{}{paused}", phase(status.phase()))
}

/// What a reader would ask next: nothing for a lab that is ready, else why it is not.
fn message(status: &LabStatus) -> String {
    if status.phase() == Phase::Ready {
        return String::new();
    }
    not_ready(status)
}
