//! `delete-lab`.

use std::collections::BTreeSet;

use netlab_proto::v1::DeleteLabRequest;
use serde_json::json;
use tonic::Code;

use super::DONE;
use crate::{
    cli::{DeleteLab, Output},
    client::Client,
    error::Failure,
    hint,
    labfile::LabFile,
    output,
    wait::Wait,
};

/// Deletes the labs, all at once, and waits for each. A lab that cannot be deleted does not keep
/// the others; the exit code is the first one's that failed.
pub(super) async fn run(
    connect: impl AsyncFnOnce() -> Result<Client, Failure>,
    format: Output,
    args: &DeleteLab,
) -> Result<u8, Failure> {
    let files = args.files.iter().map(|path| LabFile::read(path, &[])).collect::<Result<Vec<_>, _>>()?;
    let by_name = args.names.iter().map(String::as_str);
    let names: BTreeSet<&str> = by_name.chain(files.iter().map(|file| file.lab.name.as_str())).collect();
    let client = &connect().await?;
    let mut started = Vec::new();
    let mut failures: Vec<Failure> = Vec::new();
    for name in names {
        match client
            .labs()
            .delete_lab(DeleteLabRequest { name: name.to_owned(), ..DeleteLabRequest::default() })
            .await
        {
            Ok(_) => started.push(name),
            Err(status) => failures.push(hint::explain(client, status, name, &[]).await),
        }
    }
    for name in started {
        let waited = if args.waiting.no_wait { Ok(()) } else { wait(client, args, name).await };
        match waited {
            Ok(()) => {
                let what = if args.waiting.no_wait { "is being deleted" } else { "deleted" };
                let value = json!({ "name": name, "deleted": !args.waiting.no_wait });
                output::lab_event(format, name, &value, || format!("lab {name} {what}\n"))?;
            }
            Err(failure) => failures.push(failure),
        }
    }
    match failures.first().map(|failure| failure.code) {
        None => Ok(DONE),
        Some(code) => {
            let lines = failures.into_iter().flat_map(|failure| failure.lines).collect();
            Err(Failure { code, lines })
        }
    }
}

async fn wait(client: &Client, args: &DeleteLab, name: &str) -> Result<(), Failure> {
    match Wait::open(client, name, args.waiting.timeout).await {
        Ok(wait) => wait.deleted().await,
        Err(status) if status.code() == Code::NotFound => Ok(()),
        Err(status) => Err(status.into()),
    }
}
