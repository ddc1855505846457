//! `create-lab`.

use netlab_proto::v1::{CreateLabRequest, GetLabRequest, LabResource};

use super::{DONE, story};
use crate::{
    cli::{CreateLab, LabFiles, Output},
    client::Client,
    error::{FAILED, Failure, USAGE},
    hint,
    labfile::LabFile,
    output,
    wait::Wait,
};

/// Creates the labs, one after the other, and waits until each is ready.
pub(super) async fn run(
    connect: impl AsyncFnOnce() -> Result<Client, Failure>,
    format: Output,
    args: &CreateLab,
) -> Result<u8, Failure> {
    let files = read(&args.files)?;
    let client = connect().await?;
    for file in &files {
        output::one_of(format, files.len() > 1)?;
        create(&client, format, file, args).await?;
    }
    Ok(DONE)
}

/// Reads all files of a command line.
///
/// # Errors
/// Every fault of each of them.
pub(super) fn read(args: &LabFiles) -> Result<Vec<LabFile>, Failure> {
    if args.rename.is_some() && args.files.len() > 1 {
        return Err(Failure::new(USAGE, "--name gives one lab its name; name one file"));
    }
    let (mut files, mut faults) = (Vec::new(), Vec::new());
    for path in &args.files {
        match LabFile::read(path, &args.given.settings) {
            Ok(mut file) => {
                file.rename(args.rename.as_deref());
                files.push(file);
            }
            Err(failure) => faults.extend(failure.lines),
        }
    }
    if faults.is_empty() { Ok(files) } else { Err(Failure { code: USAGE, lines: faults }) }
}

async fn create(client: &Client, format: Output, file: &LabFile, args: &CreateLab) -> Result<u8, Failure> {
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
    let wait = match Wait::open(client, &lab.name, args.waiting.timeout).await {
        Ok(wait) => wait,
        Err(status) => return Err(hint::explain(client, status, &lab.name, &[]).await),
    };
    wait.ready_of(lab.generation, Some(file)).await?;
    finish(client, format, lab, "ready").await
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
    if format.is_for_people() || format == Output::Name {
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
    output::lab(format, &lab.name, lab, || {
        format!("lab {} {what} (generation {}){back}\n", lab.name, lab.generation)
    })?;
    Ok(DONE)
}
