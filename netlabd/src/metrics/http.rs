//! `GET /metrics` over HTTP/1.1, for a scraper on this host.

use std::{convert::Infallible, io, path::Path, sync::Arc, time::Duration};

use hyper::{
    Method, Request, Response, StatusCode, body::Incoming, header, server::conn::http1, service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    sync::Semaphore,
};

use super::exporter::{Exporter, Format};
use crate::{listen::listen, policy::Address};

/// Connections served at once; those beyond wait in the listener's queue.
const CONNECTIONS: usize = 128;
/// Looks at the labs at once: one that hangs must not take the runtime's threads with it.
const LOOKS: usize = 2;
/// How long a connection may take, from its beginning to the last byte of its answer.
const LIMIT: Duration = Duration::from_secs(5);
/// How long a client may take to ask.
const HEAD_LIMIT: Duration = Duration::from_secs(1);
/// How long to wait after an accept that failed, for example for want of descriptors.
const PAUSE: Duration = Duration::from_millis(100);
/// Most bytes of a request's head; a scraper's is a few hundred.
const HEAD: usize = 16 << 10;

/// Where metrics are asked for.
pub(super) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// A connection of either kind.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl Stream for TcpStream {}
impl Stream for UnixStream {}

impl Listener {
    /// Listens at an address; a unix socket has mode 0660 and is `group`'s.
    pub(super) fn open(address: &Address, group: &str) -> io::Result<Self> {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{address}: {error}"));
        match address {
            Address::Tcp(address) => {
                // The standard library's own sets SO_REUSEADDR, so that a restart does not have to wait.
                let listener = std::net::TcpListener::bind(address).map_err(named)?;
                listener.set_nonblocking(true)?;
                Ok(Self::Tcp(TcpListener::from_std(listener)?))
            }
            Address::Unix(path) => {
                let dir = path.parent().unwrap_or(Path::new("/"));
                std::fs::create_dir_all(dir).map_err(named)?;
                listen(path, group).map(Self::Unix).map_err(named)
            }
        }
    }

    async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        Ok(match self {
            Self::Tcp(listener) => Box::new(listener.accept().await?.0),
            Self::Unix(listener) => Box::new(listener.accept().await?.0),
        })
    }
}

/// Serves for ever.
pub(super) async fn serve(listener: Listener, exporter: Arc<Exporter>) {
    let all = Arc::new(Semaphore::new(CONNECTIONS));
    let looks = Arc::new(Semaphore::new(LOOKS));
    // The semaphore is never closed.
    while let Ok(permit) = all.clone().acquire_owned().await {
        match listener.accept().await {
            Ok(stream) => {
                let answering = connection(stream, exporter.clone(), looks.clone());
                tokio::spawn(async move {
                    answering.await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection for metrics cannot be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Answers one request. Whoever sends none, or does not read the answer, is cut off.
async fn connection(stream: Box<dyn Stream>, exporter: Arc<Exporter>, looks: Arc<Semaphore>) {
    let answering = service_fn(move |request| answer(request, exporter.clone(), looks.clone()));
    let serving = http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(stream), answering);
    // A client that is gone, too slow or speaks no HTTP is its own affair.
    let _ = tokio::time::timeout(LIMIT, serving).await;
}

async fn answer(
    request: Request<Incoming>,
    exporter: Arc<Exporter>,
    looks: Arc<Semaphore>,
) -> Result<Response<String>, Infallible> {
    if request.uri().path() != "/metrics" {
        return Ok(plain(StatusCode::NOT_FOUND, "netlabd's metrics are at /metrics\n"));
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refusal = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered\n");
        refusal.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static("GET, HEAD"));
        return Ok(refusal);
    }
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let format = Format::accepted(accept.unwrap_or_default());
    // The semaphore is never closed. Whoever waits in vain is cut off.
    let look = looks.acquire_owned().await;
    let writing = tokio::task::spawn_blocking(move || {
        let text = exporter.write(format);
        drop(look);
        text
    });
    Ok(match writing.await {
        Ok(Ok(text)) => {
            let mut answer = Response::new(text);
            let kind = header::HeaderValue::from_static(format.content_type());
            answer.headers_mut().insert(header::CONTENT_TYPE, kind);
            answer
        }
        _ => plain(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written\n"),
    })
}

fn plain(status: StatusCode, text: &str) -> Response<String> {
    let mut answer = Response::new(text.to_owned());
    *answer.status_mut() = status;
    let kind = header::HeaderValue::from_static("text/plain; charset=utf-8");
    answer.headers_mut().insert(header::CONTENT_TYPE, kind);
    answer
}
