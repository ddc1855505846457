//! `NodeService.Capture`: what a request asks for.

use netlab_proto::v1 as proto;
use tokio::sync::mpsc::Receiver;
use tonic::{Code, Status};

use super::NodeApi;
use crate::{
    api::status,
    capture, convert,
    model::{Lab, LabName, NodeName, Place},
    platform::errno_of,
    policy::{Access, Held, Owner, Session, Share},
};

/// Most interfaces of one capture.
const SOURCES: usize = 64;

/// Most bytes kept of a packet, and the default.
const SNAPSHOT: u32 = 262_144;

impl NodeApi {
    /// Starts a capture and counts it for its caller.
    pub(super) async fn start_capture(
        &self,
        access: &Access,
        request: &proto::CaptureRequest,
    ) -> Result<(Receiver<Result<capture::Chunk, capture::Ended>>, (Held<(Owner, Session)>, Share)), Status>
    {
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
