//! `netlab.v1.NodeService`.

mod capture;
mod command;
mod ping;

use std::{os::fd::OwnedFd, pin::Pin, sync::Arc};

use netlab_proto::v1 as proto;
use proto::{node_service_server::NodeService, ping_response::Event};
use tokio_stream::{Stream, StreamExt, wrappers::ReceiverStream};
use tonic::{Code, Request, Response, Status};

use super::{
    caller::{Act, access, audit, command_line},
    exec,
    fields::lab_name,
    status,
};
use crate::{
    meters::meters,
    model::{Lab, LabName, Place},
    platform,
    policy::{Access, Policy},
    reconcile::Manager,
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
            first.chain(events.map(ping::event)).map(|event| Ok(proto::PingResponse { event: Some(event) }));
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
