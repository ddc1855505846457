//! `pause-lab`, `resume-lab` and `confirm-lab`.

use netlab_proto::v1::{ConfirmLabRequest, PauseLabRequest, ResumeLabRequest};

use super::{
    DONE,
    create::{accepted, finish, print},
};
use crate::{
    cli::{Output, ResumeLab},
    client::Client,
    error::Failure,
    hint,
    wait::Wait,
};

/// Stops drift repair.
pub(super) async fn pause(client: &Client, format: Output, name: &str) -> Result<u8, Failure> {
    match client
        .labs()
        .pause_lab(PauseLabRequest { name: name.to_owned(), ..PauseLabRequest::default() })
        .await
    {
        Ok(answer) => print(format, &accepted(answer.into_inner().lab)?, "paused: drift is not repaired"),
        Err(status) => Err(hint::explain(client, status, name, &[]).await),
    }
    .map(|_| DONE)
}

/// Keeps a change that waits to be confirmed.
pub(super) async fn confirm(client: &Client, format: Output, name: &str) -> Result<u8, Failure> {
    match client
        .labs()
        .confirm_lab(ConfirmLabRequest { name: name.to_owned(), ..ConfirmLabRequest::default() })
        .await
    {
        Ok(answer) => print(format, &accepted(answer.into_inner().lab)?, "confirmed"),
        Err(status) => Err(hint::explain(client, status, name, &[]).await),
    }
    .map(|_| DONE)
}

/// Starts drift repair again and waits until all is repaired.
pub(super) async fn resume(client: &Client, format: Output, args: &ResumeLab) -> Result<u8, Failure> {
    let name = args.name.as_str();
    let lab = match client
        .labs()
        .resume_lab(ResumeLabRequest { name: name.to_owned(), ..ResumeLabRequest::default() })
        .await
    {
        Ok(answer) => accepted(answer.into_inner().lab)?,
        Err(status) => return Err(hint::explain(client, status, name, &[]).await),
    };
    if args.waiting.no_wait {
        return print(format, &lab, "resumed: drift is repaired");
    }
    let wait = match Wait::open(client, name, args.waiting.timeout).await {
        Ok(wait) => wait,
        Err(status) => return Err(hint::explain(client, status, name, &[]).await),
    };
    wait.ready(lab.generation).await?;
    finish(client, format, lab, "resumed and ready").await
}
