//! `netlab.v1.LabService`.

use std::{pin::Pin, time::Duration};

use netlab_proto::v1 as proto;
use proto::{lab_event::Body, lab_service_server::LabService};
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::{Code, Request, Response, Status};

use super::{caller::Caller, check, convert, plan, status};
use crate::{
    clock,
    kernel::Linux,
    model::LabName,
    reconcile::{Error, HistoryOf, Manager},
};

/// Labs in a page of `ListLabs`: default and most.
const PAGE: (usize, usize) = (100, 1_000);
/// How long a check waits: default and most.
const CHECK_TIMEOUT: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(60));

/// The service.
pub(super) struct Labs {
    manager: Manager,
    kernel: std::sync::Arc<Linux>,
}

impl Labs {
    /// Serves the labs of `manager`, whose nodes are on `kernel`.
    pub(super) fn new(manager: Manager, kernel: std::sync::Arc<Linux>) -> Self {
        Self { manager, kernel }
    }

    /// Runs what blocks where it may.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Manager) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Status> {
        let manager = self.manager.clone();
        match tokio::task::spawn_blocking(move || work(&manager)).await {
            Ok(done) => Ok(done?),
            Err(_) => {
                Err(status::status(Code::Internal, "CRASHED", "the request crashed; the log says more"))
            }
        }
    }
}

/// A name in a request.
pub(super) fn lab_name(name: &str) -> Result<LabName, Status> {
    name.parse().map_err(|error| status::invalid("name", format!("{name:?} {error}")))
}

fn lab_of(lab: Option<proto::Lab>) -> Result<(crate::model::Lab, proto::Lab), Status> {
    let spec = lab.ok_or_else(|| status::invalid("lab", "is missing"))?;
    Ok((convert::lab(&spec)?, spec))
}

#[tonic::async_trait]
impl LabService for Labs {
    async fn create_lab(
        &self,
        request: Request<proto::CreateLabRequest>,
    ) -> Result<Response<proto::CreateLabResponse>, Status> {
        let caller = Caller::of(&request)?;
        let (lab, spec) = lab_of(request.into_inner().lab)?;
        tracing::info!(uid = caller.uid, lab = %lab.name, "create lab");
        let lab = self.run(move |manager| manager.create(lab, spec, caller.uid)).await?;
        Ok(Response::new(proto::CreateLabResponse { lab: Some(lab) }))
    }

    async fn apply_lab(
        &self,
        request: Request<proto::ApplyLabRequest>,
    ) -> Result<Response<proto::ApplyLabResponse>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let (lab, spec) = lab_of(request.lab)?;
        let name = lab.name.clone();
        if request.dry_run {
            let planned = name.clone();
            let (plan, lab) = self
                .run(move |manager| {
                    let plan = manager.plan(&lab, false)?;
                    Ok((plan, manager.get(&planned).ok()))
                })
                .await?;
            return Ok(Response::new(proto::ApplyLabResponse {
                lab,
                plan: Some(plan::message(&name, &plan)),
            }));
        }
        tracing::info!(uid = caller.uid, lab = %name, "apply lab");
        let expected = request.expected_generation;
        let (lab, plan) = self.run(move |manager| manager.apply(lab, spec, expected, caller.uid)).await?;
        Ok(Response::new(proto::ApplyLabResponse { lab: Some(lab), plan: Some(plan::message(&name, &plan)) }))
    }

    async fn plan_lab(
        &self,
        request: Request<proto::PlanLabRequest>,
    ) -> Result<Response<proto::PlanLabResponse>, Status> {
        let request = request.into_inner();
        let (lab, _) = lab_of(request.lab)?;
        let name = lab.name.clone();
        let plan = self.run(move |manager| manager.plan(&lab, request.from_scratch)).await?;
        Ok(Response::new(proto::PlanLabResponse { plan: Some(plan::message(&name, &plan)) }))
    }

    async fn get_lab(
        &self,
        request: Request<proto::GetLabRequest>,
    ) -> Result<Response<proto::GetLabResponse>, Status> {
        let name = lab_name(&request.into_inner().name)?;
        let lab = self.manager.get(&name)?;
        Ok(Response::new(proto::GetLabResponse { lab: Some(lab) }))
    }

    async fn list_labs(
        &self,
        request: Request<proto::ListLabsRequest>,
    ) -> Result<Response<proto::ListLabsResponse>, Status> {
        let request = request.into_inner();
        let size = match request.page_size as usize {
            0 => PAGE.0,
            size if size <= PAGE.1 => size,
            _ => return Err(status::invalid("page_size", format!("at most {} are allowed", PAGE.1))),
        };
        let after = |lab: &proto::LabResource| request.page_token.is_empty() || lab.name > request.page_token;
        let mut labs: Vec<_> = self.manager.list().into_iter().filter(after).take(size + 1).collect();
        let more = labs.len() > size;
        labs.truncate(size);
        for lab in &mut labs {
            lab.spec = None;
        }
        let next_page_token = labs.last().filter(|_| more).map(|lab| lab.name.clone()).unwrap_or_default();
        Ok(Response::new(proto::ListLabsResponse { labs, next_page_token }))
    }

    async fn delete_lab(
        &self,
        request: Request<proto::DeleteLabRequest>,
    ) -> Result<Response<proto::DeleteLabResponse>, Status> {
        let caller = Caller::of(&request)?;
        let name = lab_name(&request.into_inner().name)?;
        tracing::info!(uid = caller.uid, lab = %name, "delete lab");
        let lab = self.run(move |manager| manager.delete(&name)).await?;
        Ok(Response::new(proto::DeleteLabResponse { lab: Some(lab) }))
    }

    type WatchLabStream = Pin<Box<dyn Stream<Item = Result<proto::WatchLabResponse, Status>> + Send>>;

    async fn watch_lab(
        &self,
        request: Request<proto::WatchLabRequest>,
    ) -> Result<Response<Self::WatchLabStream>, Status> {
        let request = request.into_inner();
        let history = self.manager.history(&lab_name(&request.name)?)?;
        let (sender, receiver) = tokio::sync::mpsc::channel(16);
        let mut position = request.after_sequence;
        if position == 0 {
            position = *history.newest().borrow();
            // The present status; its sequence number is that of the newest event.
            let lab = history.resource();
            let event = proto::LabEvent {
                sequence: position,
                time: Some(clock::now()),
                body: lab.status.map(Body::StatusChanged),
            };
            // There is room: nothing has been sent yet.
            let _ = sender.try_send(Ok(proto::WatchLabResponse { event: Some(event) }));
        } else if history.after(position).is_err() {
            return Err(gone());
        }
        tokio::spawn(watch(history, position, sender));
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn check_lab(
        &self,
        request: Request<proto::CheckLabRequest>,
    ) -> Result<Response<proto::CheckLabResponse>, Status> {
        let request = request.into_inner();
        let timeout = match request.timeout {
            None => CHECK_TIMEOUT.0,
            Some(timeout) => Duration::try_from(timeout)
                .ok()
                .filter(|timeout| *timeout <= CHECK_TIMEOUT.1)
                .ok_or_else(|| status::invalid("timeout", "must be from 0 to 60 s"))?,
        };
        let lab = self.manager.usable(&lab_name(&request.name)?)?;
        let results = check::run(&self.kernel, &lab, timeout).await?;
        Ok(Response::new(proto::CheckLabResponse { results }))
    }

    async fn pause_lab(
        &self,
        request: Request<proto::PauseLabRequest>,
    ) -> Result<Response<proto::PauseLabResponse>, Status> {
        let name = lab_name(&request.into_inner().name)?;
        let lab = self.run(move |manager| manager.pause(&name, true)).await?;
        Ok(Response::new(proto::PauseLabResponse { lab: Some(lab) }))
    }

    async fn resume_lab(
        &self,
        request: Request<proto::ResumeLabRequest>,
    ) -> Result<Response<proto::ResumeLabResponse>, Status> {
        let name = lab_name(&request.into_inner().name)?;
        let lab = self.run(move |manager| manager.pause(&name, false)).await?;
        Ok(Response::new(proto::ResumeLabResponse { lab: Some(lab) }))
    }
}

fn gone() -> Status {
    status::status(
        Code::OutOfRange,
        "HISTORY_GONE",
        "the events after that position are no longer kept; watch anew",
    )
}

/// Sends events as they happen, until the lab is gone or nobody listens.
async fn watch(
    history: HistoryOf,
    mut position: u64,
    sender: tokio::sync::mpsc::Sender<Result<proto::WatchLabResponse, Status>>,
) {
    let mut newest = history.newest();
    loop {
        newest.mark_unchanged();
        let Ok(events) = history.after(position) else {
            // The reader was too slow for the bounded history. It may be gone; then nobody is told.
            let _ = sender.send(Err(gone())).await;
            return;
        };
        for event in events {
            position = event.sequence;
            let last = matches!(event.body, Some(Body::Deleted(_)));
            let response = proto::WatchLabResponse { event: Some((*event).clone()) };
            if sender.send(Ok(response)).await.is_err() || last {
                return;
            }
        }
        tokio::select! {
            changed = newest.changed() => if changed.is_err() { return },
            () = sender.closed() => return,
        }
    }
}
