//! `wait-lab`.

use netlab_proto::v1::GetLabRequest;
use serde_json::json;
use tonic::Code;

use super::{
    DONE,
    create::{accepted, finish},
};
use crate::{
    cli::{Goal, Output, WaitLab},
    client::Client,
    error::Failure,
    hint, output,
    wait::Wait,
};

/// Waits until a lab is ready, or gone.
pub(super) async fn run(client: &Client, format: Output, args: &WaitLab) -> Result<u8, Failure> {
    let name = args.name.as_str();
    let wait = match Wait::open(client, name, args.timeout).await {
        Ok(wait) => wait,
        Err(status) if status.code() == Code::NotFound && args.goal == Goal::Deleted => {
            return gone(format, name);
        }
        Err(status) => return Err(hint::explain(client, status, name, &[]).await),
    };
    if args.goal == Goal::Deleted {
        wait.deleted().await?;
        return gone(format, name);
    }
    let request = GetLabRequest { name: name.to_owned(), ..GetLabRequest::default() };
    let lab = accepted(client.labs().get_lab(request).await?.into_inner().lab)?;
    wait.ready(lab.generation).await?;
    finish(client, format, lab, "ready").await
}

fn gone(format: Output, name: &str) -> Result<u8, Failure> {
    let value = json!({ "name": name, "deleted": true });
    output::lab_event(format, name, &value, || format!("lab {name} deleted\n"))?;
    Ok(DONE)
}
