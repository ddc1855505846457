//! Counts calls: how many, how long until answered, and how they ended.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::LazyLock,
    task::{Context, Poll},
    time::Instant,
};

use netlab_proto::FILE_DESCRIPTOR_SET;
use prost::Message as _;
use prost_types::FileDescriptorSet;
use tonic::{
    Code,
    body::Body,
    codegen::{Body as HttpBody, BoxFuture, Service, http},
};

use crate::meters::{Rpc, meters};

/// Whatever is not a method of ours: labels are not for clients to choose.
const OTHER: Rpc = Rpc { service: "other", method: "other" };

/// All methods that are served, by their HTTP/2 path. From the descriptors, so that none is forgotten.
static METHODS: LazyLock<HashMap<String, Rpc>> = LazyLock::new(|| {
    let sets = [
        FILE_DESCRIPTOR_SET,
        tonic_health::pb::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
    ];
    let mut methods = HashMap::new();
    for set in sets {
        for file in FileDescriptorSet::decode(set).unwrap_or_default().file {
            let package = file.package.unwrap_or_default();
            for service in file.service {
                // Kept for good: as many as there are methods, once.
                let name: &str = format!("{package}.{}", service.name.unwrap_or_default()).leak();
                for method in service.method {
                    let method: &str = method.name.unwrap_or_default().leak();
                    methods.insert(format!("/{name}/{method}"), Rpc { service: name, method });
                }
            }
        }
    }
    methods
});

/// Counts the calls of an inner service.
#[derive(Debug, Clone)]
pub(super) struct Meter<S>(pub(super) S);

impl<S> Service<http::Request<Body>> for Meter<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<Self::Response, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let mut call = Call::begin(request.uri().path());
        let answer = self.0.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            meters().call_answered(call.rpc, call.began.elapsed());
            call.note(answer.headers());
            Ok(answer.map(|body| Body::new(Counted { body, call })))
        })
    }
}

/// A call under way.
struct Call {
    rpc: Rpc,
    began: Instant,
    /// Its status code; a call that is dropped without one was cancelled.
    code: Code,
}

impl Call {
    fn begin(path: &str) -> Self {
        let rpc = METHODS.get(path).copied().unwrap_or(OTHER);
        meters().call_begun(rpc);
        Self { rpc, began: Instant::now(), code: Code::Cancelled }
    }

    /// Takes the status from headers or trailers, if it is there.
    fn note(&mut self, headers: &http::HeaderMap) {
        if let Some(code) = headers.get("grpc-status") {
            self.code = Code::from_bytes(code.as_bytes());
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        meters().call_ended(self.rpc, name(self.code));
    }
}

/// The name of a status code as gRPC's documents have it.
fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// An answer whose trailers tell how the call ended.
struct Counted {
    body: Body,
    call: Call,
}

impl HttpBody for Counted {
    type Data = <Body as HttpBody>::Data;
    type Error = <Body as HttpBody>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Self::Data>, Self::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(trailers) = frame.trailers_ref()
        {
            self.call.note(trailers);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_known_and_others_are_one() {
        let known = METHODS["/netlab.v1.NodeService/Exec"];
        assert_eq!(known, Rpc { service: "netlab.v1.NodeService", method: "Exec" });
        assert!(METHODS.contains_key("/grpc.health.v1.Health/Check"));
        assert!(METHODS.contains_key("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"));
        assert_eq!(Call::begin("/netlab.v1.LabService/Nothing").rpc, OTHER);
        assert_eq!(Call::begin("").rpc, OTHER);
    }
}
