//! A daemon without a kernel: what a lab does is told by its name.
//!
//! `ready` and most others come up; `fails` fails; `slow` never ends; `putback` is put back after a
//! change; `flaky` loses its watch half-way, and `vanishes` is gone
//! then; `future` is of a newer daemon, and `ancient` of one that lacks a method; `exists`, `invalid`, `overlap`, `taken`, `denied`, `gone` and `stale` are
//! refused; `stuck` is never gone.

use std::{collections::HashMap, path::Path, pin::Pin, sync::mpsc, thread};

use netlab_proto::v1::{lab_event::Body, lab_service_server::LabService, planned_change::Action, *};
use netlab_proto::{REVISION_HEADER, VERSION_HEADER};
use tokio::net::UnixListener;
use tokio_stream::{Stream, StreamExt as _, wrappers::UnixListenerStream};
use tonic::{Code, Request, Response, Status, transport::Server};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

use crate::fake_nodes::{Host, Nodes};

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
    if name.starts_with("vxlam") || name == "nope" {
        return Err(refuse(Code::NotFound, "LAB_NOT_FOUND", &format!("there is no lab {name}")));
    }
    Ok(())
}

struct Labs;

fn resource(name: &str, phase: Phase) -> LabResource {
    let spec = Lab {
        name: name.to_owned(),
        nodes: [("ns1".to_owned(), Node::default()), ("router".to_owned(), Node::default())].into(),
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
        reason: "KernelRefused".to_owned(),
        object: "ns1:vxlan0".to_owned(),
        message: "Operation not supported; load the module vxlan".to_owned(),
        ..Failure::default()
    };
    LabStatus {
        phase: phase.into(),
        observed_generation: 2,
        last_error: (phase == Phase::Failed).then_some(failure),
        drift_repaired: 3,
        conditions: vec![Condition {
            r#type: "Ready".to_owned(),
            status: if phase == Phase::Ready { "True" } else { "False" }.to_owned(),
            reason: "Verified".to_owned(),
            message: "looked at by the test".to_owned(),
            last_transition_time: None,
        }],
        extras: vec!["ns1: address 192.0.2.77/24 on eth0".to_owned()],
        ..LabStatus::default()
    }
}

/// What is there of a lab.
fn nodes() -> Vec<NodeStatus> {
    use interface_status::{PortState, Presence};
    let eth0 = InterfaceStatus {
        name: "eth0".to_owned(),
        presence: Presence::Present.into(),
        kind: "veth".to_owned(),
        peer: "sw:p1".to_owned(),
        addresses: vec!["192.0.2.1/24".to_owned(), "fe80::1/64".to_owned()],
        mac: "02:00:00:00:00:01".to_owned(),
        mtu: 1500,
        up: true,
        carrier: true,
        counters: Some(InterfaceCounters { rx_packets: 7, ..InterfaceCounters::default() }),
        ..InterfaceStatus::default()
    };
    let p1 = InterfaceStatus {
        name: "p1".to_owned(),
        peer: "ns1:eth0".to_owned(),
        master: "br0".to_owned(),
        port_state: PortState::Learning.into(),
        addresses: Vec::new(),
        ..eth0.clone()
    };
    let lost = InterfaceStatus {
        name: "p2".to_owned(),
        presence: Presence::Missing.into(),
        ..InterfaceStatus::default()
    };
    let node = |name: &str, interfaces| NodeStatus {
        name: name.to_owned(),
        present: true,
        interfaces,
        error: String::new(),
    };
    vec![node("ns1", vec![eth0]), node("sw", vec![p1, lost])]
}

fn submit(lab: Option<Lab>) -> Result<LabResource, Status> {
    let name = lab.unwrap_or_default().name;
    let violations = |fields: &[(&str, &str)], code, reason| {
        let fields =
            fields.iter().map(|(field, text)| FieldViolation::new(*field, *text)).collect::<Vec<_>>();
        let mut details = ErrorDetails::with_bad_request(fields);
        details.set_error_info(reason, "netlab", HashMap::new());
        Err(Status::with_error_details(code, "the lab is invalid", details))
    };
    let address = "nodes.ns1.interfaces.eth0.addresses[0]";
    match name.as_str() {
        "exists" => Err(refuse(Code::AlreadyExists, "LAB_EXISTS", "there is a lab exists already")),
        "alices" => {
            let metadata = [("lab", "alices"), ("owner", "alice"), ("own", "false")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()));
            let details = ErrorDetails::with_error_info("LAB_EXISTS", "netlab", HashMap::from(metadata));
            let message = "lab alices is alice's; give yours another name";
            Err(Status::with_error_details(Code::AlreadyExists, message, details))
        }
        "denied" => Err(refuse(Code::PermissionDenied, "DENIED", "uid 7 may not")),
        "taken" => Err(refuse(Code::FailedPrecondition, "HOST_INTERFACE_TAKEN", "lab0 is taken")),
        "stale" => Err(refuse(Code::Aborted, "STALE_GENERATION", "the lab is of generation 3")),
        "invalid" => violations(
            &[("links[0]", "no links here"), (address, "the first fault"), ("name", "the second")],
            Code::InvalidArgument,
            "INVALID_LAB",
        ),
        "overlap" => violations(&[(address, "overlaps")], Code::FailedPrecondition, "HOST_ADDRESS_OVERLAP"),
        _ => Ok(resource(&name, Phase::Pending)),
    }
}

fn plan(name: &str) -> Plan {
    let change = |action: Action, description: &str, command: &str| PlannedChange {
        action: action.into(),
        object: "ns1".to_owned(),
        description: description.to_owned(),
        command: command.to_owned(),
    };
    if name == "same" {
        return Plan::default();
    }
    if name == "future" {
        let unheard_of = PlannedChange { action: 99, ..change(Action::Create, "make ns1", "ip netns add x") };
        return Plan { changes: vec![unheard_of], ..Plan::default() };
    }
    let changes = vec![
        change(Action::Create, "make ns1", "ip netns add lab.ns1"),
        change(Action::Delete, "remove eth9 of ns1", "ip -n lab.ns1 link delete eth9"),
    ];
    if name == "fields" {
        let field = |description: &str, interrupts: &str| FieldChange {
            path: description.split(": ").next().unwrap().to_owned(),
            description: description.to_owned(),
            interrupts: interrupts.to_owned(),
        };
        let anew = "is made anew: its traffic stops for a moment";
        let interruption =
            |object: &str| Interruption { object: object.to_owned(), description: anew.to_owned() };
        let fields = vec![
            field("nodes.ns1.interfaces.vx0.vxlan.port: 4789 -> 4790", &format!("vx0 {anew}")),
            field("nodes.ns1.interfaces.eth0.mtu: 1500 -> 1400", ""),
        ];
        return Plan {
            changes,
            fields,
            interruptions: vec![interruption("ns1:vx0"), interruption("ns2:vx0")],
        };
    }
    Plan { changes, ..Plan::default() }
}

/// The events of a lab after a position.
fn history(name: &str, after: u64) -> Vec<Result<WatchLabResponse, Status>> {
    let event = |sequence, body| {
        let event = LabEvent { sequence, body: Some(body), time: None };
        Ok(WatchLabResponse { event: Some(event) })
    };
    let converging = LabStatus {
        observed_generation: 1,
        progress: Some(Progress { done: 1, total: 3, step: "links".to_owned() }),
        ..status(Phase::Converging)
    };
    let first = event(1, Body::StatusChanged(LabStatus { observed_generation: 1, ..status(Phase::Ready) }));
    let working = event(2, Body::StatusChanged(converging));
    let ready = event(4, Body::StatusChanged(status(Phase::Ready)));
    let failure = status(Phase::Failed).last_error.unwrap_or_default();
    let put_back = SpecChanged {
        generation: 3,
        reason: "put back after a failure".to_owned(),
        cause: ChangeCause::PutBackFailed.into(),
        ..SpecChanged::default()
    };
    let restored = LabStatus { observed_generation: 3, ..status(Phase::Ready) };
    let deleted = event(9, Body::Deleted(LabDeleted {}));
    let deleting = event(8, Body::StatusChanged(status(Phase::Deleting)));
    match (name, after) {
        ("fails", _) => vec![first, working, event(3, Body::StatusChanged(status(Phase::Failed)))],
        ("slow", _) => vec![first, working],
        ("putback", _) => {
            vec![
                first,
                working,
                event(3, Body::Failed(failure)),
                event(4, Body::SpecChanged(put_back)),
                event(5, Body::StatusChanged(restored)),
            ]
        }
        ("vanishes", _) => vec![first, Err(Status::unavailable("connection lost"))],
        ("flaky", 0) => vec![first, working, Err(Status::unavailable("connection lost"))],
        ("flaky", 2) => vec![ready],
        ("flaky", _) => vec![Err(Status::internal("resumed at the wrong place"))],
        ("future", _) => {
            let unheard_of = LabEvent { sequence: 5, body: None, time: None };
            let unheard_of = Ok(WatchLabResponse { event: Some(unheard_of) });
            let phase = event(6, Body::StatusChanged(LabStatus { phase: 99, ..LabStatus::default() }));
            vec![unheard_of, phase, deleted]
        }
        ("vxlan" | "other", _) => vec![deleting, deleted],
        ("stuck", _) => vec![deleting],
        _ => vec![first, working, ready],
    }
}

#[tonic::async_trait]
impl LabService for Labs {
    async fn create_lab(&self, request: Request<CreateLabRequest>) -> Answer<CreateLabResponse> {
        let lab = Some(submit(request.into_inner().lab)?);
        Ok(Response::new(CreateLabResponse { lab }))
    }

    async fn apply_lab(&self, request: Request<ApplyLabRequest>) -> Answer<ApplyLabResponse> {
        let request = request.into_inner();
        let lab = submit(request.lab)?;
        if request.expected_generation == 99 {
            return Err(refuse(Code::Aborted, "STALE_GENERATION", "the lab is of generation 2, not 99"));
        }
        let plan = Some(plan(&lab.name));
        Ok(Response::new(ApplyLabResponse { lab: Some(lab), plan }))
    }

    async fn plan_lab(&self, request: Request<PlanLabRequest>) -> Answer<PlanLabResponse> {
        let request = request.into_inner();
        let lab = submit(request.lab)?;
        if !request.from_scratch {
            return Err(Status::internal("not asked for the whole"));
        }
        let group = |comment: &str, commands: &[&str]| CommandGroup {
            comment: comment.to_owned(),
            commands: commands.iter().map(ToString::to_string).collect(),
        };
        let by_hand = match lab.name.as_str() {
            "typed" => vec![
                group("Namespaces\nfor nodes", &["ip netns add typed.ns1", "ip netns add typed.ns2"]),
                group("host: more", &[]),
            ],
            _ => Vec::new(),
        };
        Ok(Response::new(PlanLabResponse { plan: Some(plan(&lab.name)), by_hand }))
    }

    async fn get_lab(&self, request: Request<GetLabRequest>) -> Answer<GetLabResponse> {
        let request = request.into_inner();
        let (name, view) = (request.name.clone(), request.view());
        known(&name)?;
        let phase = if name == "fails" { Phase::Failed } else { Phase::Ready };
        let mut lab = resource(&name, phase);
        if let Some(status) = lab.status.as_mut().filter(|_| name == "future") {
            status.phase = 99;
        }
        if name == "alices" {
            // As the real one tells of others' labs.
            let status = LabStatus { phase: Phase::Ready.into(), ..LabStatus::default() };
            let owner = "alice".to_owned();
            lab = LabResource { name, owner, status: Some(status), ..LabResource::default() };
        } else if let Some(status) = lab.status.as_mut().filter(|_| view == LabView::Full) {
            status.nodes = nodes();
        }
        Ok(Response::new(GetLabResponse { lab: Some(lab) }))
    }

    async fn list_revisions(&self, request: Request<ListRevisionsRequest>) -> Answer<ListRevisionsResponse> {
        let request = request.into_inner();
        known(&request.name)?;
        let spec = request.with_spec.then(|| Lab { name: request.name.clone(), ..Lab::default() });
        let revision = |generation| Revision {
            generation,
            who: "ada".to_owned(),
            reason: if generation == 1 { "created" } else { "applied" }.to_owned(),
            changes: vec!["nodes.ns1.interfaces.eth0.mtu: 1500 -> 1400".to_owned()],
            spec: spec.clone(),
            ..Revision::default()
        };
        let mut revisions: Vec<_> = (1..=7).rev().map(revision).collect();
        revisions.retain(|revision| request.generation == 0 || revision.generation == request.generation);
        Ok(Response::new(ListRevisionsResponse { revisions }))
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
        known(&name)?;
        Ok(Response::new(DeleteLabResponse { lab: Some(resource(&name, Phase::Deleting)) }))
    }

    type WatchLabStream = Events<WatchLabResponse>;

    async fn watch_lab(&self, request: Request<WatchLabRequest>) -> Answer<Self::WatchLabStream> {
        let request = request.into_inner();
        known(&request.name)?;
        if request.name == "gone" || (request.name == "vanishes" && request.after_sequence > 0) {
            let message = format!("there is no lab {}", request.name);
            return Err(refuse(Code::NotFound, "LAB_NOT_FOUND", &message));
        }
        let events = history(&request.name, request.after_sequence);
        let ends = !matches!(events.last(), Some(Ok(_)))
            || matches!(request.name.as_str(), "vxlan" | "other" | "future");
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
        let name = request.into_inner().name;
        known(&name)?;
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
        let results = if name == "fails" { vec![pass, fail] } else { vec![pass] };
        Ok(Response::new(CheckLabResponse { results, notes: Vec::new() }))
    }

    async fn confirm_lab(&self, request: Request<ConfirmLabRequest>) -> Answer<ConfirmLabResponse> {
        let name = request.into_inner().name;
        known(&name)?;
        Ok(Response::new(ConfirmLabResponse { lab: Some(resource(&name, Phase::Ready)) }))
    }

    async fn pause_lab(&self, request: Request<PauseLabRequest>) -> Answer<PauseLabResponse> {
        let name = request.into_inner().name;
        known(&name)?;
        if name == "ancient" {
            let mut status = Status::unimplemented("");
            for (header, value) in [(VERSION_HEADER, "0.0.9"), (REVISION_HEADER, "1")] {
                status.metadata_mut().insert(header, value.parse().unwrap());
            }
            return Err(status);
        }
        Ok(Response::new(PauseLabResponse { lab: Some(resource(&name, Phase::Ready)) }))
    }

    async fn resume_lab(&self, request: Request<ResumeLabRequest>) -> Answer<ResumeLabResponse> {
        let name = request.into_inner().name;
        known(&name)?;
        Ok(Response::new(ResumeLabResponse { lab: Some(resource(&name, Phase::Ready)) }))
    }
}
