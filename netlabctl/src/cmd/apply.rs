//! `apply-lab`.

use netlab_proto::v1::ApplyLabRequest;
use tonic::{Code, Status};

use super::{
    DONE,
    create::{accepted, finish, print, read},
    plan,
};
use crate::{
    cli::{ApplyLab, Output},
    client::Client,
    error::{CHANGES, Failure, USAGE, reason},
    hint,
    labfile::LabFile,
    output::{self, table::clean},
    wait::Wait,
};

/// Creates or changes the labs, one after the other, and waits until each is ready. Of a dry run the exit code
/// tells whether there are changes in any.
pub(super) async fn run(
    connect: impl AsyncFnOnce() -> Result<Client, Failure>,
    format: Output,
    args: &ApplyLab,
) -> Result<u8, Failure> {
    let files = read(&args.files)?;
    if args.expected_generation.is_some() && files.len() > 1 {
        return Err(Failure::new(USAGE, "--expected-generation is that of one lab; name one file"));
    }
    let client = connect().await?;
    let mut code = DONE;
    for file in &files {
        if args.dry_run && files.len() > 1 && format.is_for_people() {
            output::line(&format!("lab {}:", clean(&file.lab.name)))?;
        }
        output::one_of(format, files.len() > 1)?;
        code = code.max(apply(&client, format, file, args).await?);
    }
    Ok(code)
}

async fn apply(client: &Client, format: Output, file: &LabFile, args: &ApplyLab) -> Result<u8, Failure> {
    let name = file.lab.name.clone();
    // Watch before the change: a change that is put back at once would else be missed.
    let before = if args.dry_run || args.waiting.no_wait || name.is_empty() {
        None
    } else {
        match Wait::open(client, &name, args.waiting.timeout).await {
            Ok(wait) => Some(wait),
            Err(status) if status.code() == Code::Unavailable => return Err(status.into()),
            Err(_) => None,
        }
    };
    let request = ApplyLabRequest {
        lab: Some(file.lab.clone()),
        expected_generation: args.expected_generation.unwrap_or_default(),
        dry_run: args.dry_run,
        rollback_after: args.rollback_after.map(Into::into),
        ..ApplyLabRequest::default()
    };
    if let Some(unknown) = client.unknown("netlab.v1.ApplyLabRequest", &request).await {
        return Err(file.refuse(&unknown));
    }
    let answer = client.labs().apply_lab(request).await;
    let answer = answer.map_err(|status| file.explain(&status).unwrap_or_else(|| refused(status)))?;
    let answer = answer.into_inner();
    if args.dry_run {
        let plan = answer.plan.unwrap_or_default();
        output::result(format, &plan, || plan::table(&plan))?;
        return Ok(if plan.changes.is_empty() { DONE } else { CHANGES });
    }
    let lab = accepted(answer.lab)?;
    if args.waiting.no_wait {
        return print(format, &lab, "accepted");
    }
    let wait = match before {
        Some(wait) => wait,
        None => match Wait::open(client, &lab.name, args.waiting.timeout).await {
            Ok(wait) => wait,
            Err(status) => return Err(hint::explain(client, status, &lab.name, &[]).await),
        },
    };
    wait.ready_of(lab.generation, Some(file)).await?;
    finish(client, format, lab, "ready").await
}

/// A refusal; of another's lab with the way to one's own.
fn refused(status: Status) -> Failure {
    let others = reason(&status) == "NOT_OWNER";
    let mut failure = Failure::from(status);
    if others && let Some(line) = failure.lines.last_mut() {
        line.push_str("; to give yours another name: netlabctl apply-lab --name NAME FILE");
    }
    failure
}
