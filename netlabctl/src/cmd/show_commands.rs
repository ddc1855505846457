//! `show-commands`.

use netlab_proto::v1::PlanLabRequest;

use super::DONE;
use crate::{
    cli::{LabFileArg, Output},
    client::Client,
    error::Failure,
    labfile::LabFile,
    output,
};

/// Prints the lines that build the lab by hand.
pub(super) async fn run(
    connect: impl AsyncFnOnce() -> Result<Client, Failure>,
    format: Output,
    args: &LabFileArg,
) -> Result<u8, Failure> {
    let file = LabFile::read(&args.file)?;
    let client = connect().await?;
    let request = PlanLabRequest { lab: Some(file.lab.clone()), from_scratch: true };
    if let Some(unknown) = client.unknown("netlab.v1.PlanLabRequest", &request).await {
        return Err(file.refuse(&unknown));
    }
    let answer = client.labs().plan_lab(request).await;
    let answer = answer.map_err(|status| file.explain(&status).unwrap_or_else(|| status.into()))?;
    let plan = answer.into_inner().plan.unwrap_or_default();
    output::result(format, &plan, || {
        plan.changes
            .iter()
            .filter(|change| !change.command.is_empty())
            .fold(String::new(), |text, change| text + &change.command + "\n")
    })?;
    Ok(DONE)
}
