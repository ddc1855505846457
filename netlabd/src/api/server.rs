//! The listener: a unix socket, and the services behind it.

use std::{
    fs, io,
    os::unix::fs::{FileTypeExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    sync::Arc,
};

use netlab_proto::{
    FILE_DESCRIPTOR_SET,
    v1::{
        host_service_server::HostServiceServer, lab_service_server::LabServiceServer,
        node_service_server::NodeServiceServer,
    },
};
use tokio::net::UnixListener;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::{Server, server::Router};

use super::{activation, host_service::Host, lab_service::Labs, node_service::Nodes};
use crate::{kernel::Linux, reconcile::Manager};

/// Largest request in bytes. The lab file's own limit is 8 MiB.
const MAX_REQUEST: usize = 16 << 20;

/// The group that may talk to netlabd, where it exists.
const GROUP: &str = "netlab";

/// The socket, and the file that goes with netlabd, if it is not systemd's.
pub fn open(path: &Path) -> io::Result<(UnixListener, Option<PathBuf>)> {
    match activation::inherited()? {
        Some(listener) => {
            listener.set_nonblocking(true)?;
            Ok((UnixListener::from_std(listener)?, None))
        }
        None => Ok((listen(path)?, Some(path.to_owned()))),
    }
}

/// Makes the socket, mode 0660, group `netlab` where that exists. One that nobody listens at any
/// more is replaced.
fn listen(path: &Path) -> io::Result<UnixListener> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => {
            if std::os::unix::net::UnixStream::connect(path).is_ok() {
                let text = format!("{} is in use by another netlabd", path.display());
                return Err(io::Error::new(io::ErrorKind::AddrInUse, text));
            }
            fs::remove_file(path)?;
        }
        Ok(_) => {
            let text = format!("{} exists and is not a socket", path.display());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
        }
        Err(_) => {}
    }
    // Nobody may connect before the mode is set.
    let before = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o177));
    let listener = UnixListener::bind(path);
    rustix::process::umask(before);
    let listener = listener?;
    if let Some(group) = group_id(GROUP) {
        chown(path, None, Some(group))?;
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}

/// The id of a group in `/etc/group`, group(5).
fn group_id(name: &str) -> Option<u32> {
    let groups = fs::read_to_string("/etc/group").ok()?;
    let mut lines = groups.lines().map(|line| line.split(':').collect::<Vec<_>>());
    lines.find(|fields| fields.first() == Some(&name))?.get(2)?.parse().ok()
}

/// All services.
pub async fn router(manager: Manager, kernel: Arc<Linux>) -> Result<Router, tonic_reflection::server::Error> {
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<LabServiceServer<Labs>>().await;
    health.set_serving::<NodeServiceServer<Nodes>>().await;
    health.set_serving::<HostServiceServer<Host>>().await;
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let labs = LabServiceServer::new(Labs::new(manager.clone(), kernel.clone()))
        .max_decoding_message_size(MAX_REQUEST);
    let nodes = NodeServiceServer::new(Nodes::new(manager, kernel.clone()));
    Ok(Server::builder()
        .add_service(health_service)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?)
        .add_service(labs)
        .add_service(nodes)
        .add_service(HostServiceServer::new(Host::new(kernel))))
}

/// Serves until `stop` is done; requests under way are then finished.
pub async fn serve(
    router: Router,
    listener: UnixListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), tonic::transport::Error> {
    router.serve_with_incoming_shutdown(UnixListenerStream::new(listener), stop).await
}
