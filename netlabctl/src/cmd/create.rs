//! `create-lab`.

use netlab_proto::v1::{CreateLabRequest, GetLabRequest, LabResource};

use super::{DONE, story};
use crate::{
    cli::{CreateLab, Output},
    client::Client,
    error::{FAILED, Failure},
    hint,
    labfile::LabFile,
    output,
    wait::Wait,
};

/// Creates the lab and waits until it is ready.
pub(super) async fn run(
    connect: impl AsyncFnOnce() -> Result<Client, Failure>,
    format: Output,
    args: &CreateLab,
) -> Result<u8, Failure> {
    let mut file = LabFile::read(&args.file.file)?;
    file.rename(args.rename.as_deref());
    let client = connect().await?;
    let request = CreateLabRequest { lab: Some(file.lab.clone()), ..CreateLabRequest::default() };
    if let Some(unknown) = client.unknown("netlab.v1.CreateLabRequest", &request).await {
        return Err(file.refuse(&unknown));
    }
    let answer = client.labs().create_lab(request).await;
    let answer = answer.map_err(|status| file.explain(&status).unwrap_or_else(|| status.into()))?;
    let lab = accepted(answer.into_inner().lab)?;
    if args.waiting.no_wait {
        return print(format, &lab, "accepted");
    }
    let wait = match Wait::open(&client, &lab.name, args.waiting.timeout).await {
        Ok(wait) => wait,
        Err(status) => return Err(hint::explain(&client, status, &lab.name, &[]).await),
    };
    wait.ready_of(lab.generation, Some(&file)).await?;
    finish(&client, format, lab, "ready").await
}

/// The lab of an answer.
pub(super) fn accepted(lab: Option<LabResource>) -> Result<LabResource, Failure> {
    lab.ok_or_else(|| Failure::new(FAILED, "netlabd answered without a lab; is it of another version?"))
}

/// Prints a lab that is ready: for programs as it is now.
pub(super) async fn finish(
    client: &Client,
    format: Output,
    lab: LabResource,
    what: &str,
) -> Result<u8, Failure> {
    if format.is_for_people() {
        return print(format, &lab, what);
    }
    let request = GetLabRequest { name: lab.name.clone(), ..GetLabRequest::default() };
    let now = client.labs().get_lab(request).await?.into_inner().lab;
    print(format, &now.unwrap_or(lab), what)
}

/// Prints a lab and what became of it.
pub(super) fn print(format: Output, lab: &LabResource, what: &str) -> Result<u8, Failure> {
    let back = lab.status.as_ref().and_then(|status| story::goes_back(&lab.name, status));
    let back = back.map(|back| format!("; goes back {back}")).unwrap_or_default();
    output::result(format, lab, || {
        format!("lab {} {what} (generation {}){back}\n", lab.name, lab.generation)
    })?;
    Ok(DONE)
}
