//! `netlab.v1.LabService`.

use std::{pin::Pin, sync::Arc};

use netlab_proto::v1 as proto;
use proto::{lab_service_server::LabService, wait_lab_request::Goal};
use tokio::sync::Semaphore;
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::{Code, Request, Response, Status};

use super::{
    caller::{Act, access, audit, not_followed},
    check,
    fields::{self, lab_name},
    page, plan, status, wait, watch_lab, watch_labs,
};
use crate::{
    model::LabName,
    platform,
    policy::{Access, Policy},
    reconcile::{Error, Expected, Manager, Specification},
};
/// The service.
pub(super) struct LabApi {
    manager: Manager,
    kernel: Arc<dyn platform::Nodes>,
    policy: Policy,
    /// Room for plans: one of a large lab takes as much memory as the lab.
    plans: Arc<Semaphore>,
}

/// How many plans are made at once; more wait.
const PLANS: usize = 4;

impl LabApi {
    /// Serves the labs of `manager`, whose nodes are on `kernel`, to whom `policy` allows it.
    pub(super) fn new(manager: Manager, kernel: Arc<dyn platform::Nodes>, policy: Policy) -> Self {
        Self { manager, kernel, policy, plans: Arc::new(Semaphore::new(PLANS)) }
    }

    /// Runs what blocks where it may, and logs it.
    async fn run<T: Send + 'static>(
        &self,
        act: &'static str,
        lab: &LabName,
        access: Access,
        work: impl FnOnce(&Manager, &Access) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Status> {
        let (manager, caller) = (self.manager.clone(), access.clone());
        let done = match tokio::task::spawn_blocking(move || work(&manager, &caller)).await {
            Ok(done) => done.map_err(Status::from),
            Err(_) => Err(crashed()),
        };
        audit(&access, &Act::new(act, lab), done)
    }

    /// What is there of a lab that the caller may use.
    async fn inspect(&self, name: LabName, access: &Access) -> Result<Vec<proto::NodeStatus>, Status> {
        let target = self.manager.target(&name, access)?;
        let kernel = self.kernel.clone();
        let look = tokio::task::spawn_blocking(move || kernel.inspect(&name, &target));
        Ok(look.await.map_err(|_| crashed())?.map_err(Error::from)?)
    }

    fn read(&self, lab: Option<proto::Lab>) -> Result<Specification, Status> {
        let spec = lab.ok_or_else(|| status::invalid("lab", "is missing"))?;
        Ok(self.manager.read(spec)?)
    }

    async fn pause(
        &self,
        access: Access,
        name: &str,
        paused: bool,
        expected: Expected,
    ) -> Result<proto::LabResource, Status> {
        let lab = lab_name(name)?;
        let act = if paused { "pause" } else { "resume" };
        let name = lab.clone();
        self.run(act, &lab, access, move |manager, access| manager.pause(&name, paused, &expected, access))
            .await
    }
}

#[tonic::async_trait]
impl LabService for LabApi {
    async fn create_lab(
        &self,
        request: Request<proto::CreateLabRequest>,
    ) -> Result<Response<proto::CreateLabResponse>, Status> {
        let access = access(&self.policy, &request)?;
        let request = request.into_inner();
        let id = fields::request_id(request.request_id)?;
        let wanted = self.read(request.lab)?;
        let name = wanted.lab().name.clone();
        let lab = self
            .run("create", &name, access, move |manager, access| manager.create(wanted, &id, access))
            .await?;
        Ok(Response::new(proto::CreateLabResponse { lab: Some(lab) }))
    }

    async fn apply_lab(
        &self,
        request: Request<proto::ApplyLabRequest>,
    ) -> Result<Response<proto::ApplyLabResponse>, Status> {
        let access = access(&self.policy, &request)?;
        let request = request.into_inner();
        let wanted = self.read(request.lab)?;
        let name = wanted.lab().name.clone();
        if request.dry_run {
            let planned = name.clone();
            let expected = Expected { generation: request.expected_generation, uid: request.expected_uid };
            let (plan, fields, lab) = self
                .run("plan", &name, access, move |manager, access| {
                    manager.is_expected(&planned, &expected, access)?;
                    let plan = manager.plan(wanted.lab(), false, access)?;
                    Ok((plan, manager.differences(&wanted, access), manager.get(&planned, access).ok()))
                })
                .await?;
            let plan = Some(plan::with_fields(&name, &plan, fields));
            return Ok(Response::new(proto::ApplyLabResponse { lab, plan }));
        }
        let expected = Expected { generation: request.expected_generation, uid: request.expected_uid };
        let rollback_after = request.rollback_after.map(fields::rollback_after).transpose()?;
        let (lab, plan) = self
            .run("apply", &name, access, move |manager, access| {
                manager.apply(wanted, &expected, rollback_after, access)
            })
            .await?;
        Ok(Response::new(proto::ApplyLabResponse { lab: Some(lab), plan: Some(plan::message(&name, &plan)) }))
    }

    async fn confirm_lab(
        &self,
        request: Request<proto::ConfirmLabRequest>,
    ) -> Result<Response<proto::ConfirmLabResponse>, Status> {
        let access = access(&self.policy, &request)?;
        let request = request.into_inner();
        let name = lab_name(&request.name)?;
        let expected = Expected { generation: request.expected_generation, uid: request.expected_uid };
        let confirmed = name.clone();
        let lab = self
            .run("confirm", &name, access, move |manager, access| {
                manager.confirm(&confirmed, &expected, access)
            })
            .await?;
        Ok(Response::new(proto::ConfirmLabResponse { lab: Some(lab) }))
    }

    async fn plan_lab(
        &self,
        request: Request<proto::PlanLabRequest>,
    ) -> Result<Response<proto::PlanLabResponse>, Status> {
        let access = access(&self.policy, &request)?;
        let request = request.into_inner();
        let wanted = self.read(request.lab)?;
        let (name, from_scratch) = (wanted.lab().name.clone(), request.from_scratch);
        // The semaphore is never closed.
        let _room = self.plans.acquire().await.ok();
        let (plan, fields, by_hand) = self
            .run("plan", &name, access, move |manager, access| {
                let plan = manager.plan(wanted.lab(), from_scratch, access)?;
                if from_scratch {
                    return Ok((plan, Vec::new(), plan::groups(wanted.lab())));
                }
                Ok((plan, manager.differences(&wanted, access), Vec::new()))
            })
            .await?;
        let plan = Some(plan::with_fields(&name, &plan, fields));
        Ok(Response::new(proto::PlanLabResponse { plan, by_hand }))
    }

    async fn get_lab(
        &self,
        request: Request<proto::GetLabRequest>,
    ) -> Result<Response<proto::GetLabResponse>, Status> {
        let access = access(&self.policy, &request)?;
        let request = request.into_inner();
        let name = lab_name(&request.name)?;
        let mut lab = self.manager.get(&name, &access)?;
        // Who may not see what is wanted may not see what runs either.
        if let (Some(_), Some(status)) = (&lab.spec, &mut lab.status) {
            status.commands = self.kernel.detached(&name);
            if request.view() == proto::LabView::Full {
                status.nodes = self.inspect(name, &access).await?;
            }
        }
        Ok(Response::new(proto::GetLabResponse { lab: Some(lab) }))
    }

    async fn list_labs(
        &self,
        request: Request<proto::ListLabsRequest>,
    ) -> Result<Response<proto::ListLabsResponse>, Status> {
        let access = access(&self.policy, &request)?;
        let request = request.into_inner();
        let (labs, next_page_token) =
            page::of(self.manager.list(&access), request.page_size, &request.page_token)?;
        Ok(Response::new(proto::ListLabsResponse { labs, next_page_token }))
    }

    async fn delete_lab(
        &self,
        request: Request<proto::DeleteLabRequest>,
    ) -> Result<Response<proto::DeleteLabResponse>, Status> {
        let access = access(&self.policy, &request)?;
        let request = request.into_inner();
        let lab = lab_name(&request.name)?;
        let expected = Expected { generation: request.expected_generation, uid: request.expected_uid };
        let (name, allow_missing) = (lab.clone(), request.allow_missing);
        let lab = self
            .run("delete", &lab, access, move |manager, access| {
                match manager.delete(&name, &expected, access) {
                    Err(Error::NotFound(_)) if allow_missing => Ok(None),
                    lab => lab.map(Some),
                }
            })
            .await?;
        Ok(Response::new(proto::DeleteLabResponse { lab }))
    }

    type WatchLabStream = Pin<Box<dyn Stream<Item = Result<proto::WatchLabResponse, Status>> + Send>>;

    async fn watch_lab(
        &self,
        request: Request<proto::WatchLabRequest>,
    ) -> Result<Response<Self::WatchLabStream>, Status> {
        let access = access(&self.policy, &request)?;
        let request = request.into_inner();
        let name = lab_name(&request.name)?;
        let history = match self.manager.history(&name, &access) {
            Ok(history) => history,
            Err(error) => return not_followed(&access, &Act::new("watch", &name), error.into()),
        };
        let receiver = watch_lab::start(history, request.after_sequence)?;
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    type WatchLabsStream = Pin<Box<dyn Stream<Item = Result<proto::WatchLabsResponse, Status>> + Send>>;

    async fn watch_labs(
        &self,
        request: Request<proto::WatchLabsRequest>,
    ) -> Result<Response<Self::WatchLabsStream>, Status> {
        let access = access(&self.policy, &request)?;
        let position = watch_labs::position(&self.manager, &request.into_inner().resume_token)?;
        let (sender, receiver) = tokio::sync::mpsc::channel(watch_labs::WAITING);
        tokio::spawn(watch_labs::run(self.manager.clone(), access, position, sender));
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn wait_lab(
        &self,
        request: Request<proto::WaitLabRequest>,
    ) -> Result<Response<proto::WaitLabResponse>, Status> {
        let access = access(&self.policy, &request)?;
        let request = request.into_inner();
        let name = lab_name(&request.name)?;
        let timeout = wait::timeout(request.timeout)?;
        let goal = request.goal();
        let lab = match self.manager.history(&name, &access) {
            Ok(history) => wait::run(&history, &name, goal, request.generation, timeout).await?,
            Err(Error::NotFound(_)) if goal == Goal::Deleted => None,
            Err(error) => return not_followed(&access, &Act::new("wait", &name), error.into()),
        };
        Ok(Response::new(proto::WaitLabResponse { lab }))
    }

    async fn list_revisions(
        &self,
        request: Request<proto::ListRevisionsRequest>,
    ) -> Result<Response<proto::ListRevisionsResponse>, Status> {
        let access = access(&self.policy, &request)?;
        let proto::ListRevisionsRequest { name, with_spec, generation } = request.into_inner();
        let lab = lab_name(&name)?;
        let name = lab.clone();
        let revisions = self
            .run("revisions", &lab, access, move |manager, access| {
                manager.revisions(&name, generation, with_spec, access)
            })
            .await?;
        Ok(Response::new(proto::ListRevisionsResponse { revisions }))
    }

    async fn check_lab(
        &self,
        request: Request<proto::CheckLabRequest>,
    ) -> Result<Response<proto::CheckLabResponse>, Status> {
        let access = access(&self.policy, &request)?;
        let request = request.into_inner();
        let timeout = fields::check_timeout(request.timeout)?;
        let name = lab_name(&request.name)?;
        let lab = self.manager.usable(&name, &access).map_err(Status::from);
        let lab = audit(&access, &Act::new("check", &name), lab)?;
        let results = check::run(&self.kernel, &lab, timeout).await?;
        Ok(Response::new(proto::CheckLabResponse { results, notes: self.manager.notes(&name) }))
    }

    async fn pause_lab(
        &self,
        request: Request<proto::PauseLabRequest>,
    ) -> Result<Response<proto::PauseLabResponse>, Status> {
        let access = access(&self.policy, &request)?;
        let request = request.into_inner();
        let expected = Expected { generation: request.expected_generation, uid: request.expected_uid };
        let lab = self.pause(access, &request.name, true, expected).await?;
        Ok(Response::new(proto::PauseLabResponse { lab: Some(lab) }))
    }

    async fn resume_lab(
        &self,
        request: Request<proto::ResumeLabRequest>,
    ) -> Result<Response<proto::ResumeLabResponse>, Status> {
        let access = access(&self.policy, &request)?;
        let request = request.into_inner();
        let expected = Expected { generation: request.expected_generation, uid: request.expected_uid };
        let lab = self.pause(access, &request.name, false, expected).await?;
        Ok(Response::new(proto::ResumeLabResponse { lab: Some(lab) }))
    }
}

fn crashed() -> Status {
    status::status(Code::Internal, "CRASHED", "the request crashed; the log says more")
}
