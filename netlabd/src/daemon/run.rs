//! The daemon's life in three parts: open, serve, stop.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};

use super::{
    Error,
    health::{self, Vitals},
    lock::Lock,
    notify,
    options::Options,
    takedown,
};
use crate::{
    api::{server, tls},
    kernel::{Linux, Wake},
    metrics,
    policy::{ConfigError, Policy},
    reconcile::Manager,
    sandbox,
    store::Store,
};

/// How long the first look at all labs may take before the daemon says that it is up.
const FIRST_LOOK: Duration = Duration::from_secs(60);

/// How long watches, which have no end of their own, are served after netlabd was told to stop.
const GRACE: Duration = Duration::from_secs(1);

/// Does what the options say; serves until a signal says that it is enough.
pub(super) async fn run(options: &Options) -> Result<(), Error> {
    let settings = Settings::read(options)?;
    if options.check_config {
        return Ok(());
    }
    // From now on, so that one that comes early does not end netlabd.
    let hangup = signal(SignalKind::hangup())?;
    let host = Host::take(options)?;
    if options.take_down {
        return takedown::run(host.kernel, &options.state_dir, &options.runtime_dir).await;
    }
    let labs = Labs::open(options, &host, &settings.policy).await?;
    let manager = labs.manager.clone();
    let sockets = serve(options, settings, &host, labs, hangup).await?;
    stop(&host, &manager, sockets)
}

/// What the configuration says.
struct Settings {
    policy: Policy,
    /// Where remote clients are served, if they are.
    addresses: Vec<SocketAddr>,
    remote: Option<tls::Remote>,
}

impl Settings {
    fn read(options: &Options) -> Result<Self, Error> {
        let (file, named) = options.config_file();
        let policy = Policy::open(file, named)?;
        let addresses = options.addresses(&policy.config().tls.listen);
        let remote = if options.take_down {
            None
        } else {
            tls::Remote::open(&policy, &addresses).map_err(ConfigError::Unusable)?
        };
        Ok(Self { policy, addresses, remote })
    }
}

/// What is this process's alone of the host.
struct Host {
    kernel: Arc<Linux>,
    labs_dir: PathBuf,
    _locks: [Lock; 2],
}

impl Host {
    fn take(options: &Options) -> Result<Self, Error> {
        make_dir(&options.runtime_dir, 0o755)?;
        make_dir(&options.state_dir, 0o700)?;
        let locks = [Lock::take(&options.runtime_dir)?, Lock::take(&options.state_dir)?];
        let labs_dir = options.runtime_dir.join("labs");
        make_dir(&labs_dir, 0o700)?;
        let kernel = Arc::new(Linux::new(options.netns_dir.clone(), labs_dir.clone())?);
        Ok(Self { kernel, labs_dir, _locks: locks })
    }
}

/// The labs as the store has them.
struct Labs {
    manager: Manager,
    store: Store,
    /// Each is done when an actor has looked at its lab for the first time.
    looks: Vec<oneshot::Receiver<()>>,
}

impl Labs {
    async fn open(options: &Options, host: &Host, policy: &Policy) -> Result<Self, Error> {
        host.kernel.limit(policy.config().lab.into(), policy.config().lab.into());
        let opened = Store::open(&options.state_dir)?;
        for aside in &opened.aside {
            tracing::error!(
                file = %aside.display(),
                "a damaged store was moved aside: its labs keep running unmanaged; restore it, or remove the file, and restart netlabd"
            );
        }
        let (manager, looks) = Manager::start(host.kernel.clone(), opened.store.clone())?;
        watch(&host.kernel, &manager).map_err(|error| {
            format!(
                "the kernel's events cannot be heard: {error}; netlabd needs CAP_NET_ADMIN and CAP_SYS_ADMIN"
            )
        })?;
        if opened.aside.is_empty() {
            purge_strays(manager.clone()).await?;
        }
        Ok(Self { manager, store: opened.store, looks })
    }
}

/// Serves until a signal says that it is enough. Answers the sockets that are left.
async fn serve(
    options: &Options,
    settings: Settings,
    host: &Host,
    labs: Labs,
    hangup: Signal,
) -> Result<Vec<PathBuf>, Error> {
    let Settings { policy, addresses, remote } = settings;
    let Labs { manager, store, looks } = labs;
    let metrics_socket = serve_metrics(&policy, &manager);
    if let Err(error) = sandbox::prepare_commands() {
        tracing::warn!(%error, "the first command in a node will take longer to start");
    }
    // Before the first client can see that netlabd runs, and stop it.
    let terminate = [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?];
    let (listener, own_socket) = server::open(&options.runtime_dir.join("netlabd.sock"))?;
    let listeners = tls::listen(&addresses)?;
    let vitals = Vitals { manager: manager.clone(), store, kernel: host.kernel.clone() };
    let (services, reporter) = server::services(manager, host.kernel.clone(), policy.clone())?;
    // The store was opened and the kernel looked at: it is well until found otherwise.
    health::say(&reporter, None).await;
    let telling = tokio::spawn(health::tell(vitals.clone(), reporter.clone()));
    let (told, renewing) = (policy.clone(), remote.clone());
    tokio::spawn(async move {
        first_look(looks).await;
        tokio::join!(
            notify::serve(hangup, told, renewing, vitals.manager.clone(), vitals.kernel.clone()),
            health::watchdog(vitals)
        );
    });
    let stop = async move {
        let [mut terminate, mut interrupt] = terminate;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        notify::stopping();
        telling.abort();
        health::say(&reporter, Some("netlabd stops")).await;
    };
    let (stopped, grace) = oneshot::channel();
    let limits = policy.config().limits;
    let remote = remote.map(|remote| (remote, listeners));
    let serving = server::serve(services, listener, remote, &limits, async move {
        stop.await;
        // Nobody waits if serving has failed.
        let _ = stopped.send(());
    });
    tokio::select! {
        done = serving => done?,
        () = overdue(grace) => {}
    }
    Ok(own_socket.into_iter().chain(metrics_socket).collect())
}

/// Serves metrics where the configuration asks for them. Labs are worth more than figures about them: netlabd goes on
/// without.
fn serve_metrics(policy: &Policy, manager: &Manager) -> Option<PathBuf> {
    metrics::start(&policy.config().metrics, manager.clone(), policy.clone()).unwrap_or_else(|error| {
        tracing::error!(%error, "no metrics are served");
        None
    })
}

/// Is done when what is still served, after netlabd was told to stop, has had its time.
async fn overdue(stopped: oneshot::Receiver<()>) {
    if stopped.await.is_ok() {
        tokio::time::sleep(GRACE).await;
    } else {
        std::future::pending::<()>().await;
    }
}

/// Leaves nothing behind but the labs.
fn stop(host: &Host, manager: &Manager, sockets: Vec<PathBuf>) -> Result<(), Error> {
    sandbox::end_preparations();
    // Own sockets go with the daemon; a failure leaves a file that the next start replaces.
    for socket in sockets {
        let _ = fs::remove_file(socket);
    }
    // A mount of its own, which only labs need. Where one is left, it stays with the lab.
    let empty = fs::read_dir(&host.labs_dir).is_ok_and(|mut entries| entries.next().is_none());
    if empty && manager.names().is_empty() {
        sandbox::remove_directory(&host.labs_dir)?;
    }
    Ok(())
}

/// Takes away what is ours and belongs to no lab.
async fn purge_strays(manager: Manager) -> Result<(), Error> {
    let purge = move || {
        if let Err(error) = manager.purge_strays() {
            tracing::warn!(%error, "strays are left");
        }
    };
    Ok(tokio::task::spawn_blocking(purge).await?)
}

/// Waits until all labs have been looked at, within bounds.
async fn first_look<L: Future>(looks: impl IntoIterator<Item = L>) {
    let all = async {
        for look in looks {
            // An actor that is gone has nothing left to look at.
            let _ = look.await;
        }
    };
    if tokio::time::timeout(FIRST_LOOK, all).await.is_err() {
        tracing::warn!("some labs have not been observed yet");
    }
}

/// Wakes the actors of labs whose kernel state changes.
fn watch(kernel: &Arc<Linux>, manager: &Manager) -> Result<(), Error> {
    let manager = manager.clone();
    kernel.watch(move |wake| match wake {
        Wake::Lab(lab) => manager.wake(&lab),
        Wake::All => manager.wake_all(),
    })?;
    Ok(())
}

fn make_dir(path: &Path, mode: u32) -> Result<(), Error> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .map_err(|error| format!("cannot make {}: {error}; netlabd must run as root", path.display()).into())
}
