//! The gate before all services: each user has so many calls under way, and each call so much time.
//!
//! A call is under way until its answer has been read: a client that asks and never reads is held to its
//! number of calls, whatever the number of its connections.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tonic::{
    Code,
    body::Body,
    codegen::{Body as HttpBody, BoxFuture, Service, http},
};

use super::status;
use crate::policy::{Caller, Counters, Held, Owner, Role, config::Limits};

/// The gate before an inner service.
#[derive(Debug, Clone)]
pub(super) struct Gate<S> {
    inner: S,
    calls: Counters<Owner>,
    /// Calls of one user.
    each: u32,
    timeout: Duration,
}

impl<S> Gate<S> {
    pub(super) fn new(inner: S, calls: Counters<Owner>, limits: &Limits) -> Self {
        let timeout = Duration::from_secs(limits.request_timeout.get().into());
        Self { inner, calls, each: limits.max_calls_per_user.get(), timeout }
    }

    /// Counts a call; administrators' are not counted.
    fn enter(&self, caller: Option<&Caller>) -> Result<Option<Held<Owner>>, tonic::Status> {
        let Some(caller) = caller.filter(|caller| caller.role != Role::Admin) else { return Ok(None) };
        self.calls.take(caller.owner.clone(), self.each).map(Some).ok_or_else(|| {
            let message = format!(
                "{} has {} calls under way, as many as are allowed; end some of them",
                caller.owner, self.each
            );
            status::status(Code::ResourceExhausted, "QUOTA_EXCEEDED", message)
        })
    }
}

impl<S> Service<http::Request<Body>> for Gate<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<Self::Response, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let held = match self.enter(request.extensions().get::<Caller>()) {
            Ok(held) => held,
            Err(status) => return Box::pin(async move { Ok(status.into_http()) }),
        };
        let (answer, timeout) = (self.inner.call(request), self.timeout);
        Box::pin(async move {
            let Ok(answer) = tokio::time::timeout(timeout, answer).await else {
                let message = format!("not answered within {} s; it may still be done", timeout.as_secs());
                return Ok(status::status(Code::DeadlineExceeded, "TIMEOUT", message).into_http());
            };
            Ok(answer?.map(|body| Body::new(Counted { body, _held: held })))
        })
    }
}

/// An answer that is counted until it has been read.
struct Counted {
    body: Body,
    _held: Option<Held<Owner>>,
}

impl HttpBody for Counted {
    type Data = <Body as HttpBody>::Data;
    type Error = <Body as HttpBody>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
