//! `pause-lab`, `resume-lab` and `confirm-lab`.

use netlab_proto::v1::{ConfirmLabRequest, PauseLabRequest, ResumeLabRequest};

use super::{
    DONE,
    create::{accepted, print},
};
use crate::{cli::Output, client::Client, error::Failure, hint};

/// Stops drift repair.
pub(super) async fn pause(client: &Client, format: Output, name: &str) -> Result<u8, Failure> {
    match client.labs().pause_lab(PauseLabRequest { name: name.to_owned() }).await {
        Ok(answer) => print(format, &accepted(answer.into_inner().lab)?, "paused: drift is not repaired"),
        Err(status) => Err(hint::explain(client, status, name, &[]).await),
    }
    .map(|_| DONE)
}

/// Keeps a change that waits to be confirmed.
pub(super) async fn confirm(client: &Client, format: Output, name: &str) -> Result<u8, Failure> {
    match client.labs().confirm_lab(ConfirmLabRequest { name: name.to_owned() }).await {
        Ok(answer) => print(format, &accepted(answer.into_inner().lab)?, "confirmed"),
        Err(status) => Err(hint::explain(client, status, name, &[]).await),
    }
    .map(|_| DONE)
}

/// Starts drift repair again.
pub(super) async fn resume(client: &Client, format: Output, name: &str) -> Result<u8, Failure> {
    match client.labs().resume_lab(ResumeLabRequest { name: name.to_owned() }).await {
        Ok(answer) => print(format, &accepted(answer.into_inner().lab)?, "resumed: drift is repaired"),
        Err(status) => Err(hint::explain(client, status, name, &[]).await),
    }
    .map(|_| DONE)
}
