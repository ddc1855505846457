//! `netlab.v1.NodeService`.

use std::{
    os::fd::{AsFd, OwnedFd},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use netlab_proto::v1 as proto;
use proto::{node_service_server::NodeService, ping_response::Event};
use tokio_stream::{Stream, StreamExt, wrappers::ReceiverStream};
use tonic::{Code, Request, Response, Status};

use super::{
    caller::{Act, access, audit, command_line},
    exec,
    lab_service::lab_name,
    ping, status,
};
use crate::{
    capture, clock, convert,
    meters::meters,
    model::{Lab, LabName, NodeName, Place},
    platform::{self, errno_of},
    policy::{Access, Held, Owner, Policy, Session, Share},
    probe,
    reconcile::Manager,
    sandbox::Child,
};

/// The service.
pub(super) struct NodeApi {
    manager: Manager,
    kernel: Arc<dyn platform::Nodes>,
    policy: Policy,
}

impl NodeApi {
    /// Serves the nodes of `manager`'s labs, which are on `kernel`, to whom `policy` allows it.
    pub(super) fn new(manager: Manager, kernel: Arc<dyn platform::Nodes>, policy: Policy) -> Self {
        Self { manager, kernel, policy }
    }

    /// A lab that the caller may use and that can be used.
    fn lab(&self, name: &str, access: &Access) -> Result<Arc<Lab>, Status> {
        Ok(self.manager.usable(&lab_name(name)?, access)?)
    }

    fn namespace(&self, lab: &LabName, place: &Place) -> Result<OwnedFd, Status> {
        let node = if let Place::Node(node) = place { Some(node) } else { None };
        let namespace = self.kernel.namespace(lab, node).map_err(crate::reconcile::Error::from)?;
        namespace.ok_or_else(|| {
            let message = format!("lab {lab} has no node {place}");
            status::status(Code::NotFound, "NODE_NOT_FOUND", message)
        })
    }

    /// Starts a command in a node.
    async fn start(&self, lab: &Lab, start: proto::ExecStart) -> Result<Child, Status> {
        let node: NodeName = start
            .node
            .parse()
            .map_err(|error| status::invalid("start.node", format!("{:?} {error}", start.node)))?;
        self.namespace(&lab.name, &Place::Node(node.clone()))?;
        let command = exec::command(start, lab.hosts_file(&node))?;
        let first_id = self.manager.first_id(&lab.name)?;
        let (kernel, name) = (self.kernel.clone(), lab.name.clone());
        let limits = self.policy.config().lab.into();
        let child = tokio::task::spawn_blocking(move || kernel.run(&name, &node, first_id, limits, command))
            .await
            .map_err(|_| status::status(Code::Internal, "CRASHED", "the command crashed the request"))?
            .map_err(crate::reconcile::Error::from)?;
        Ok(child)
    }

    /// Starts a ping; what it is sent to, and what comes of it.
    async fn start_ping(
        &self,
        access: &Access,
        request: &proto::PingRequest,
    ) -> Result<(proto::PingStarted, tokio::sync::mpsc::Receiver<probe::Event>), Status> {
        let mut options = options(request)?;
        let lab = self.lab(&request.lab, access)?;
        let from = convert::place(&request.from)
            .map_err(|error| status::invalid("from", format!("{:?} {error}", request.from)))?;
        let to = convert::target(&request.to)
            .map_err(|error| status::invalid("to", format!("{:?} {error}", request.to)))?;
        let namespace = self.namespace(&lab.name, &from)?;
        let address = lab
            .address_for(&from, &to)
            .map_err(|message| status::status(Code::NotFound, "NODE_NOT_FOUND", message))?;
        access.may_ping(&lab, &from, &address)?;
        options.source = ping::source(&lab, &from, &request.source, address)?;
        let started = proto::PingStarted {
            address: address.to_string(),
            size: request.size.unwrap_or(PAYLOAD),
            interface: ping::at(&lab, &to, address),
            source: options.source.map(|source| source.to_string()).unwrap_or_default(),
        };
        let socket = probe::EchoSocket::open(namespace.as_fd(), address.into())
            .await
            .map_err(|error| status::by_kernel(&error, errno_of(&error)))?;
        let events = probe::ping(socket, address.into(), options)
            .map_err(|error| ping::refused(&from, options.source, &error))?;
        Ok((started, events))
    }

    /// Starts a command and counts it for its caller; one that runs on without a client is kept in mind.
    async fn start_counted(
        &self,
        access: &Access,
        start: proto::ExecStart,
    ) -> Result<(Child, Held<(Owner, Session)>), Status> {
        let lab = self.lab(&start.lab, access)?;
        let session = self.policy.begin(access, Session::Exec)?;
        let noted = start.detach.then(|| proto::DetachedCommand {
            node: start.node.clone(),
            args: start.args.clone(),
            start_time: Some(clock::now()),
            uid: access.caller().owner.uid(),
            owner: access.caller().owner.name(),
            ..proto::DetachedCommand::default()
        });
        let _starting =
            if start.detach { Some(self.room_for_detached(access, &lab.name).await?) } else { None };
        let child = self.start(&lab, start).await?;
        if let Some(noted) = noted {
            let command = proto::DetachedCommand { pid: child.pid(), ..noted };
            if let Err(error) = self.kernel.note_detached(&lab.name, &child, &command) {
                // It would count for nobody. Ended already: nothing happens.
                child.signal(libc::SIGKILL).unwrap_or_default();
                let message = format!(
                    "{} cannot be noted and was ended: {error}; make room in netlabd's runtime directory",
                    command_line(&command.args)
                );
                return Err(status::by_kernel(message, errno_of(&error)));
            }
        }
        Ok((child, session))
    }

    /// Counts a command that is to run on without a client. Those that run are known by their notes, which outlive
    /// netlabd; what is answered counts one that has none yet.
    async fn room_for_detached(
        &self,
        access: &Access,
        lab: &LabName,
    ) -> Result<Held<(Owner, Session)>, Status> {
        let starting = self.policy.begin(access, Session::Detached)?;
        let others = self.policy.under_way_of(access, Session::Detached).saturating_sub(1);
        let (kernel, lab) = (self.kernel.clone(), lab.clone());
        let owner = access.caller().owner.clone();
        let labs = self.manager.labs_of(&owner);
        let count = move || {
            let (uid, name) = (owner.uid(), owner.name());
            let own = |command: &proto::DetachedCommand| command.uid == uid && command.owner == name;
            let all = labs.iter().flat_map(|lab| kernel.detached(lab)).filter(own);
            (all.count() as u64, kernel.detached(&lab).len() as u64)
        };
        let (own, in_lab) = tokio::task::spawn_blocking(count)
            .await
            .map_err(|_| status::status(Code::Internal, "CRASHED", "counting commands crashed"))?;
        access.room_for_detached(own + others, in_lab + others)?;
        Ok(starting)
    }

    /// Starts a capture and counts it for its caller.
    async fn start_capture(
        &self,
        access: &Access,
        request: &proto::CaptureRequest,
    ) -> Result<
        (
            tokio::sync::mpsc::Receiver<Result<capture::Chunk, capture::Ended>>,
            (Held<(Owner, Session)>, Share),
        ),
        Status,
    > {
        let lab = self.lab(&request.lab, access)?;
        let session = self.policy.begin(access, Session::Capture)?;
        let sources = self.sources(&lab, &request.interfaces)?;
        let memory = self.policy.capture_memory(access, sources.len())?;
        let snapshot_length = match request.snapshot_length {
            0 => SNAPSHOT,
            length @ 1..=SNAPSHOT => length,
            _ => return Err(status::invalid("snapshot_length", format!("must be from 1 to {SNAPSHOT}"))),
        };
        let filter = capture::compile(&request.filter).await.map_err(|error| match error {
            capture::FilterError::Bad(_) => {
                let message = format!("{:?} is not a filter: {error}", request.filter);
                status::status(Code::InvalidArgument, "BAD_FILTER", message)
            }
            capture::FilterError::Tool(_) => status::status(Code::FailedPrecondition, "TOOL_MISSING", error),
        })?;
        let count = Some(request.count).filter(|count| *count > 0);
        let promiscuous = request.promiscuous;
        let options = capture::Options { filter, count, snapshot_length, promiscuous };
        let there = self.there(&lab.name, &request.interfaces);
        let chunks =
            capture::start(&sources, options, memory.bytes(), there).map_err(|error| match error {
                capture::OpenError::NoInterface(_) => {
                    status::status(Code::NotFound, "INTERFACE_NOT_FOUND", error)
                }
                capture::OpenError::Filter(_) => status::status(Code::InvalidArgument, "BAD_FILTER", error),
                capture::OpenError::Hardware { .. } => {
                    status::status(Code::FailedPrecondition, "NOT_CAPTURABLE", error)
                }
                capture::OpenError::Io { error: ref cause, .. } => status::by_kernel(&error, errno_of(cause)),
            })?;
        Ok((chunks, (session, memory)))
    }

    /// The interfaces of a capture. On the host only those that the lab made there: what else passes
    /// the host is nobody's business.
    fn sources(&self, lab: &Lab, interfaces: &[String]) -> Result<Vec<capture::Source>, Status> {
        if interfaces.is_empty() || interfaces.len() > SOURCES {
            return Err(status::invalid("interfaces", format!("must name 1 to {SOURCES} interfaces")));
        }
        let source = |(number, text): (usize, &String)| {
            let wrong =
                |message: &dyn std::fmt::Display| status::invalid(&format!("interfaces[{number}]"), message);
            let (place, interface) =
                text.split_once(':').ok_or_else(|| wrong(&format!("{text:?} is not NODE:INTERFACE")))?;
            let place = convert::place(place).map_err(|error| wrong(&format!("{place:?} {error}")))?;
            let own = lab.interfaces(&place).is_some_and(|own| own.contains_key(interface));
            // `any` would be all of the host.
            if place == Place::Host && !own {
                let message = format!("lab {} has no interface {interface} on the host", lab.name);
                return Err(status::status(Code::NotFound, "INTERFACE_NOT_FOUND", message));
            }
            let namespace = self.namespace(&lab.name, &place)?;
            Ok(capture::Source { namespace, interface: interface.to_owned(), label: text.clone() })
        };
        interfaces.iter().enumerate().map(source).collect()
    }

    /// A question whether the nodes of these interfaces, which are known to exist, are still the same.
    fn there(&self, lab: &LabName, interfaces: &[String]) -> impl Fn() -> bool + Send + 'static {
        let (kernel, lab) = (self.kernel.clone(), lab.clone());
        let node = |text: &String| text.split_once(':').and_then(|(place, _)| place.parse::<NodeName>().ok());
        let nodes: Vec<_> =
            interfaces.iter().filter_map(node).filter(|node| node.as_str() != "host").collect();
        let namespaces = move || -> Vec<_> {
            let namespace =
                |node| Some(rustix::fs::fstat(kernel.namespace(&lab, Some(node)).ok()??).ok()?.st_ino);
            nodes.iter().map(namespace).collect()
        };
        let before = namespaces();
        move || namespaces() == before
    }
}

/// Most interfaces of one capture.
const SOURCES: usize = 64;

/// Most bytes kept of a packet, and the default.
const SNAPSHOT: u32 = 262_144;

/// Bytes of payload where the request names none, as ping(8) has it.
const PAYLOAD: u32 = 56;

/// A duration of a request within its range, or its default.
fn duration(
    field: &str,
    value: Option<pbjson_types::Duration>,
    default: Duration,
) -> Result<Duration, Status> {
    const RANGE: std::ops::RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(60);
    let Some(value) = value else { return Ok(default) };
    let value = Duration::try_from(value).ok().filter(|value| RANGE.contains(value));
    value.ok_or_else(|| status::invalid(field, "must be from 10 ms to 60 s"))
}

fn options(request: &proto::PingRequest) -> Result<probe::Options, Status> {
    const SECOND: Duration = Duration::from_secs(1);
    let count = match request.count {
        0 => 3,
        count @ 1..=100_000 => count,
        _ => return Err(status::invalid("count", "must be from 1 to 100,000")),
    };
    let size = usize::try_from(request.size.unwrap_or(PAYLOAD)).ok().filter(|size| *size <= 65_000);
    Ok(probe::Options {
        count,
        interval: duration("interval", request.interval, SECOND)?,
        timeout: duration("timeout", request.timeout, SECOND)?,
        size: size.ok_or_else(|| status::invalid("size", "must be from 0 to 65,000"))?,
        source: None,
        dont_fragment: request.dont_fragment,
    })
}

#[tonic::async_trait]
impl NodeService for NodeApi {
    type PingStream = Pin<Box<dyn Stream<Item = Result<proto::PingResponse, Status>> + Send>>;

    async fn ping(&self, request: Request<proto::PingRequest>) -> Result<Response<Self::PingStream>, Status> {
        let access = access(&self.policy, &request)?;
        let request = request.into_inner();
        let act = Act { node: Some(request.from.clone()), ..Act::new("ping", &request.lab) };
        let (started, events) = audit(&access, &act, self.start_ping(&access, &request).await)?;
        let events = ReceiverStream::new(events);
        let first = tokio_stream::once(Event::Started(started));
        let events =
            first.chain(events.map(event)).map(|event| Ok(proto::PingResponse { event: Some(event) }));
        Ok(Response::new(Box::pin(events)))
    }

    type ExecStream = Pin<Box<dyn Stream<Item = Result<proto::ExecResponse, Status>> + Send>>;

    async fn exec(
        &self,
        request: Request<tonic::Streaming<proto::ExecRequest>>,
    ) -> Result<Response<Self::ExecStream>, Status> {
        let access = access(&self.policy, &request)?;
        let mut input = request.into_inner();
        let Some(proto::exec_request::Message::Start(start)) =
            input.message().await?.and_then(|first| first.message)
        else {
            return Err(status::invalid("start", "must come first"));
        };
        let act = Act {
            node: Some(start.node.clone()),
            command: Some(command_line(&start.args)),
            ..Act::new("exec", &start.lab)
        };
        let (child, session) = audit(&access, &act, self.start_counted(&access, start).await)?;
        meters().exec_sessions.inc();
        let (sender, receiver) = tokio::sync::mpsc::channel(4);
        tokio::spawn(async move {
            exec::serve(child, input, sender).await;
            // Counted until the command's stream is over.
            drop(session);
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    type CaptureStream = Pin<Box<dyn Stream<Item = Result<proto::CaptureResponse, Status>> + Send>>;

    async fn capture(
        &self,
        request: Request<proto::CaptureRequest>,
    ) -> Result<Response<Self::CaptureStream>, Status> {
        let access = access(&self.policy, &request)?;
        let request = request.into_inner();
        let act = Act {
            interfaces: Some(request.interfaces.join(" ")),
            filter: Some(request.filter.clone()).filter(|filter| !filter.is_empty()),
            ..Act::new("capture", &request.lab)
        };
        let (chunks, session) = audit(&access, &act, self.start_capture(&access, &request).await)?;
        meters().captures.inc();
        let chunks = ReceiverStream::new(chunks).map(move |chunk| {
            // Counted until the stream is dropped.
            let _held = &session;
            let chunk = chunk.map_err(|ended| {
                status::status(
                    Code::FailedPrecondition,
                    "INTERFACE_GONE",
                    format!("lab {}: {ended}", request.lab),
                )
            })?;
            Ok(proto::CaptureResponse {
                pcapng: chunk.pcapng,
                captured: chunk.captured,
                dropped: chunk.dropped,
            })
        });
        Ok(Response::new(Box::pin(chunks)))
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn event(event: probe::Event) -> Event {
    match event {
        probe::Event::Reply(reply) => Event::Reply(proto::PingReply {
            sequence: reply.sequence,
            from: reply.from.to_string(),
            ttl: reply.ttl.into(),
            rtt_us: micros(reply.rtt),
            bytes: u32::try_from(reply.bytes).unwrap_or(u32::MAX),
        }),
        probe::Event::Error(refusal) => Event::Error(proto::PingError {
            sequence: refusal.sequence,
            from: refusal.from.map(|from| from.to_string()).unwrap_or_default(),
            message: refusal.message,
        }),
        probe::Event::Summary(summary) => Event::Summary(proto::PingSummary {
            sent: summary.sent,
            received: summary.received,
            rtt_min_us: micros(summary.min),
            rtt_avg_us: micros(summary.avg),
            rtt_max_us: micros(summary.max),
        }),
    }
}
