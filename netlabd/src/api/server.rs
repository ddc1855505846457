//! The unix socket, and the services behind all listeners.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use netlab_proto::{
    FILE_DESCRIPTOR_SET,
    v1::{
        host_service_server::HostServiceServer, lab_service_server::LabServiceServer,
        node_service_server::NodeServiceServer,
    },
};
use tokio::net::{TcpListener, UnixListener};
use tonic::{server::NamedService, service::Routes, transport::Server};
use tonic_health::server::HealthReporter;
use tower::{layer::layer_fn, util::MapResponseLayer};

use super::{
    activation, connection, host_service::HostApi, lab_service::LabApi, limits::Gate, meter::Meter,
    node_service::NodeApi, tls::Remote, version_headers,
};
use crate::{
    listen::listen,
    platform,
    policy::{Counters, MEMBERS, Policy, config::Limits},
    reconcile::Manager,
};

/// Largest request to a node in bytes: commands' input comes in small pieces.
const MAX_NODE_REQUEST: usize = 1 << 20;

/// Bytes that a client may send ahead, in one call and in one connection.
const WINDOWS: (u32, u32) = (256 << 10, 1 << 20);

/// How often a silent client is asked whether it lives, and how long it may take to answer.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(20));

/// The socket, and the file that goes with netlabd, if it is not systemd's.
pub fn open(path: &Path) -> io::Result<(UnixListener, Option<PathBuf>)> {
    match activation::inherited()? {
        Some(listener) => {
            listener.set_nonblocking(true)?;
            Ok((UnixListener::from_std(listener)?, None))
        }
        None => Ok((listen(path, MEMBERS)?, Some(path.to_owned()))),
    }
}

/// The services whose health is told, by the names that clients ask for; the empty one is the whole.
pub const SERVICES: [&str; 4] = [
    "",
    <LabServiceServer<LabApi> as NamedService>::NAME,
    <NodeServiceServer<NodeApi> as NamedService>::NAME,
    <HostServiceServer<HostApi> as NamedService>::NAME,
];

/// All services, and who tells their health. Health and reflection are for everybody who can open the
/// socket, the others ask `policy`.
pub fn services(
    manager: Manager,
    kernel: Arc<dyn platform::Nodes>,
    policy: Policy,
) -> Result<(Routes, HealthReporter), tonic_reflection::server::Error> {
    let (health, health_service) = tonic_health::server::health_reporter();
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let largest = policy.config().limits.max_message_bytes.get();
    let labs = LabServiceServer::new(LabApi::new(manager.clone(), kernel.clone(), policy.clone()))
        .max_decoding_message_size(largest as usize);
    let nodes = NodeServiceServer::new(NodeApi::new(manager, kernel.clone(), policy.clone()))
        .max_decoding_message_size(MAX_NODE_REQUEST);
    let routes = Routes::new(health_service)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?)
        .add_service(labs)
        .add_service(nodes)
        .add_service(HostServiceServer::new(HostApi::new(kernel, policy)));
    Ok((routes, health))
}

/// Serves local and `remote` clients until `stop` is done; requests under way are then finished.
pub async fn serve(
    services: Routes,
    listener: UnixListener,
    remote: Option<(Remote, Vec<TcpListener>)>,
    limits: &Limits,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), tonic::transport::Error> {
    let (limits, calls) = (*limits, Counters::default());
    Server::builder()
        .max_concurrent_streams(limits.max_streams.get())
        .initial_stream_window_size(WINDOWS.0)
        .initial_connection_window_size(WINDOWS.1)
        .http2_keepalive_interval(Some(KEEPALIVE.0))
        .http2_keepalive_timeout(Some(KEEPALIVE.1))
        .layer(layer_fn(Meter))
        .layer(MapResponseLayer::new(version_headers::stamp))
        .layer(layer_fn(move |inner| Gate::new(inner, calls.clone(), &limits)))
        .add_routes(services)
        .serve_with_incoming_shutdown(connection::accept(listener, remote, &limits), stop)
        .await
}
