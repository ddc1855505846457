//! A daemon that answers by a script, for what netlabd over a kernel in memory never says: streams that break, versions
//! that differ, pages of two labs, and what needs packets and processes. What a lab does is told by its name.
//!
//! `flaky` loses its watch half-way, and `vanishes` is gone then; `future` is of a newer daemon, and `ancient` of one
//! that lacks a method; checks of `fails` fail.

use std::{collections::HashMap, path::Path, pin::Pin, sync::mpsc, thread};

use netlab_proto::v1::{lab_event::Body, lab_service_server::LabService, planned_change::Action, *};
use netlab_proto::{REVISION_HEADER, VERSION_HEADER};
use tokio::net::UnixListener;
use tokio_stream::{Stream, StreamExt as _, wrappers::UnixListenerStream};
use tonic::{Code, Request, Response, Status, transport::Server};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::script_nodes::{Host, Nodes};

pub(crate) type Answer<T> = Result<Response<T>, Status>;
pub(crate) type Events<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Serves on a socket until the test ends.
pub(crate) fn serve(socket: &Path) {
    let socket = socket.to_owned();
    let (ready, started) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = UnixListener::bind(socket).unwrap();
            ready.send(()).unwrap();
            Server::builder()
                .add_service(labs())
                .add_service(node_service_server::NodeServiceServer::new(Nodes))
                .add_service(host_service_server::HostServiceServer::new(Host))
                .serve_with_incoming(UnixListenerStream::new(listener))
                .await
                .unwrap();
        });
    });
    started.recv().unwrap();
}

/// The labs of this daemon.
pub(crate) fn labs() -> lab_service_server::LabServiceServer<impl LabService> {
    lab_service_server::LabServiceServer::new(Labs)
}

/// A status with its reason.
pub(crate) fn refuse(code: Code, reason: &str, message: &str) -> Status {
    Status::with_error_details(code, message, ErrorDetails::with_error_info(reason, "netlab", HashMap::new()))
}

/// The names that are known, for "did you mean".
pub(crate) fn known(name: &str) -> Result<(), Status> {
    if name.starts_with("vxlam") {
        return Err(refuse(Code::NotFound, "LAB_NOT_FOUND", &format!("there is no lab {name}")));
    }
    Ok(())
}

struct Labs;

fn resource(name: &str, phase: Phase) -> LabResource {
    let spec = Lab {
        name: name.to_owned(),
        nodes: ["ns1", "router"].map(|node| (node.to_owned(), Node::default())).into(),
        ..Lab::default()
    };
    LabResource {
        name: name.to_owned(),
        uid: "2f1e".to_owned(),
        owner: "ada".to_owned(),
        node_count: 2,
        generation: 2,
        spec: Some(spec),
        status: Some(status(phase)),
        ..LabResource::default()
    }
}

fn status(phase: Phase) -> LabStatus {
    let failure = Failure {
        object: "ns1:vxlan0".to_owned(),
        message: "Operation not supported; load the module vxlan".to_owned(),
        ..Failure::default()
    };
    LabStatus {
        phase: phase.into(),
        observed_generation: 2,
        last_error: (phase == Phase::Failed).then_some(failure),
        drift_repaired: 3,
        ..LabStatus::default()
    }
}

/// The events of a lab after a position.
fn history(name: &str, after: u64) -> Vec<Result<WatchLabResponse, Status>> {
    let event = |sequence, body| {
        let event = LabEvent { sequence, body, time: None };
        Ok(WatchLabResponse { event: Some(event) })
    };
    let changed = |sequence, status| event(sequence, Some(Body::StatusChanged(status)));
    let first = changed(1, LabStatus { observed_generation: 1, ..status(Phase::Ready) });
    let working = changed(2, LabStatus { observed_generation: 1, ..status(Phase::Converging) });
    let ready = changed(4, status(Phase::Ready));
    match (name, after) {
        ("vanishes", _) => vec![first, Err(Status::unavailable("connection lost"))],
        ("flaky", 0) => vec![first, working, Err(Status::unavailable("connection lost"))],
        ("flaky", 2) => vec![ready],
        ("flaky", _) => vec![Err(Status::internal("resumed at the wrong place"))],
        ("future", _) => {
            let phase = changed(6, LabStatus { phase: 99, ..LabStatus::default() });
            vec![event(5, None), phase, event(9, Some(Body::Deleted(LabDeleted {})))]
        }
        _ => vec![first, working, ready],
    }
}

#[tonic::async_trait]
impl LabService for Labs {
    async fn create_lab(&self, request: Request<CreateLabRequest>) -> Answer<CreateLabResponse> {
        let lab = request.into_inner().lab.unwrap_or_default();
        Ok(Response::new(CreateLabResponse { lab: Some(resource(&lab.name, Phase::Pending)) }))
    }

    async fn apply_lab(&self, request: Request<ApplyLabRequest>) -> Answer<ApplyLabResponse> {
        let lab = request.into_inner().lab.unwrap_or_default();
        let change = |action: i32, description: &str| PlannedChange {
            action,
            description: description.to_owned(),
            ..PlannedChange::default()
        };
        let mut changes = vec![change(Action::Create.into(), "make ns1")];
        if lab.name == "future" {
            changes = vec![change(99, "make ns1")];
        }
        let plan = Some(Plan { changes, ..Plan::default() });
        Ok(Response::new(ApplyLabResponse { lab: Some(resource(&lab.name, Phase::Pending)), plan }))
    }

    async fn plan_lab(&self, _: Request<PlanLabRequest>) -> Answer<PlanLabResponse> {
        Err(Status::unimplemented(""))
    }

    async fn get_lab(&self, request: Request<GetLabRequest>) -> Answer<GetLabResponse> {
        let name = request.into_inner().name;
        known(&name)?;
        let mut lab = resource(&name, Phase::Ready);
        if let Some(status) = lab.status.as_mut().filter(|_| name == "future") {
            status.phase = 99;
        }
        Ok(Response::new(GetLabResponse { lab: Some(lab) }))
    }

    async fn list_revisions(&self, _: Request<ListRevisionsRequest>) -> Answer<ListRevisionsResponse> {
        Ok(Response::new(ListRevisionsResponse::default()))
    }

    async fn list_labs(&self, request: Request<ListLabsRequest>) -> Answer<ListLabsResponse> {
        let (name, next) = match request.into_inner().page_token.as_str() {
            "" => ("fails", "2"),
            "2" => ("vxlan", ""),
            _ => return Err(Status::invalid_argument("no such page")),
        };
        let phase = if name == "fails" { Phase::Failed } else { Phase::Ready };
        let labs = vec![LabResource { spec: None, ..resource(name, phase) }];
        Ok(Response::new(ListLabsResponse { labs, next_page_token: next.to_owned() }))
    }

    async fn delete_lab(&self, request: Request<DeleteLabRequest>) -> Answer<DeleteLabResponse> {
        let name = request.into_inner().name;
        Ok(Response::new(DeleteLabResponse { lab: Some(resource(&name, Phase::Deleting)) }))
    }

    type WatchLabStream = Events<WatchLabResponse>;

    async fn watch_lab(&self, request: Request<WatchLabRequest>) -> Answer<Self::WatchLabStream> {
        let request = request.into_inner();
        if request.name == "vanishes" && request.after_sequence > 0 {
            let message = format!("there is no lab {}", request.name);
            return Err(refuse(Code::NotFound, "LAB_NOT_FOUND", &message));
        }
        let events = history(&request.name, request.after_sequence);
        let ends = !matches!(events.last(), Some(Ok(_))) || request.name == "future";
        let events = tokio_stream::iter(events);
        if ends {
            return Ok(Response::new(Box::pin(events)));
        }
        Ok(Response::new(Box::pin(events.chain(tokio_stream::pending()))))
    }

    type WatchLabsStream = Events<WatchLabsResponse>;

    async fn watch_labs(&self, request: Request<WatchLabsRequest>) -> Answer<Self::WatchLabsStream> {
        use watch_labs_response::Body as All;
        let message = |token: &str, lab: &str, body| {
            let (resume_token, lab) = (token.to_owned(), lab.to_owned());
            Ok(WatchLabsResponse { resume_token, lab, body: Some(body) })
        };
        let event = |token: &str, lab: &str, body| {
            message(token, lab, All::Event(LabEvent { sequence: 1, time: None, body: Some(body) }))
        };
        let listed = |name: &str| {
            let lab = LabResource { spec: None, ..resource(name, Phase::Ready) };
            message("", name, All::LabListed(lab))
        };
        let messages = match request.into_inner().resume_token.as_str() {
            "" => vec![
                message("", "", All::ListingBegun(ListingBegun {})),
                listed("one"),
                listed("two"),
                message("t1", "", All::ListingDone(ListingDone {})),
                event("t2", "one", Body::StatusChanged(status(Phase::Ready))),
                event("t3", "one", Body::StatusChanged(status(Phase::Failed))),
                Err(Status::unavailable("connection lost")),
            ],
            "t3" => {
                vec![
                    listed("new"),
                    event("t4", "two", Body::Deleted(LabDeleted {})),
                    Err(Status::permission_denied("enough")),
                ]
            }
            other => vec![Err(Status::internal(format!("resumed at {other}")))],
        };
        Ok(Response::new(Box::pin(tokio_stream::iter(messages))))
    }

    async fn wait_lab(&self, _: Request<WaitLabRequest>) -> Answer<WaitLabResponse> {
        Err(Status::unimplemented(""))
    }

    async fn check_lab(&self, request: Request<CheckLabRequest>) -> Answer<CheckLabResponse> {
        let check = |to: &str, reachable| Check { from: "ns1".to_owned(), to: to.to_owned(), reachable };
        let pass = CheckResult {
            check: Some(check("ns2", None)),
            passed: true,
            reachable: true,
            address: "192.0.2.2".to_owned(),
            rtt_us: 1042,
            ..CheckResult::default()
        };
        let fail = CheckResult {
            check: Some(check("192.0.2.3", Some(false))),
            reachable: true,
            address: "192.0.2.3".to_owned(),
            rtt_us: 70,
            ..CheckResult::default()
        };
        let fails = request.into_inner().name == "fails";
        let results = if fails { vec![pass, fail] } else { vec![pass] };
        Ok(Response::new(CheckLabResponse { results, notes: Vec::new() }))
    }

    async fn confirm_lab(&self, _: Request<ConfirmLabRequest>) -> Answer<ConfirmLabResponse> {
        Err(Status::unimplemented(""))
    }

    async fn pause_lab(&self, _: Request<PauseLabRequest>) -> Answer<PauseLabResponse> {
        let mut status = Status::unimplemented("");
        for (header, value) in [(VERSION_HEADER, "0.0.9"), (REVISION_HEADER, "1")] {
            status.metadata_mut().insert(header, value.parse().unwrap());
        }
        Err(status)
    }

    async fn resume_lab(&self, _: Request<ResumeLabRequest>) -> Answer<ResumeLabResponse> {
        Err(Status::unimplemented(""))
    }
}
