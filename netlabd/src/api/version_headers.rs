//! Who answers, in every answer's headers: a client that is told `UNIMPLEMENTED` can say which version it was.

use netlab_proto::{REVISION, REVISION_HEADER, VERSION_HEADER};
use tonic::codegen::http::{HeaderValue, Response};

/// Adds the headers.
pub(super) fn stamp<B>(mut answer: Response<B>) -> Response<B> {
    let headers = answer.headers_mut();
    headers.insert(VERSION_HEADER, HeaderValue::from_static(env!("CARGO_PKG_VERSION")));
    headers.insert(REVISION_HEADER, HeaderValue::from(REVISION));
    answer
}
