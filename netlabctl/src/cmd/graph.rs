//! `graph`.

use std::path::Path;

use netlab_proto::v1::GetLabRequest;

use super::{DONE, create::accepted};
use crate::{
    cli::Graph,
    client::Client,
    error::{FAILED, Failure},
    graph, hint,
    labfile::LabFile,
    output,
};

/// Draws a lab, or a lab file without asking a daemon.
pub(super) async fn run(
    connect: impl AsyncFnOnce() -> Result<Client, Failure>,
    args: &Graph,
) -> Result<u8, Failure> {
    let source = args.source.as_str();
    // No lab has a name with a dot or a slash.
    let file = source == "-" || source.contains(['.', '/']) || Path::new(source).is_file();
    let lab = if file {
        LabFile::read(source, &args.given.settings)?.lab
    } else {
        let client = connect().await?;
        let request = GetLabRequest { name: source.to_owned(), ..GetLabRequest::default() };
        let answer = match client.labs().get_lab(request).await {
            Ok(answer) => answer.into_inner(),
            Err(status) => return Err(hint::explain(&client, status, source, &[]).await),
        };
        let spec = accepted(answer.lab)?.spec;
        spec.ok_or_else(|| {
            Failure::new(FAILED, format!("lab {source}: netlabd does not show you what is in it"))
        })?
    };
    output::print(&graph::draw(&lab, args.format))?;
    Ok(DONE)
}
