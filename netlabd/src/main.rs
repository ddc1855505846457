//! The daemon.

use std::{
    fs, io::IsTerminal as _, net::SocketAddr, path::Path, process::ExitCode, sync::Arc, time::Duration,
};

use clap::Parser;
use netlabd::{
    api::{server, tls},
    config::Options,
    health::{self, Vitals, notify},
    kernel::{Linux, Wake},
    lock::Lock,
    metrics,
    policy::{
        Config, Policy,
        config::{Limits, MetricsConfig},
    },
    reconcile::Manager,
    sandbox,
    store::Store,
    takedown,
};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

type Error = Box<dyn std::error::Error>;

/// How long the first look at all labs may take before the daemon says that it is up.
const FIRST_LOOK: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    // Before anything else: helpers are this program run again, and must have one thread.
    sandbox::dispatch();
    let options = Options::parse();
    log();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    match runtime.block_on(run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(error: &Error) -> ExitCode {
    eprintln!("netlabd: {error}");
    ExitCode::FAILURE
}

/// Logs to standard error; under systemd the journal adds the time.
fn log() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = std::io::stderr().is_terminal();
    let layer = fmt::layer().with_writer(std::io::stderr).with_ansi(colours).with_target(false);
    let journal = std::env::var_os("JOURNAL_STREAM").is_some();
    let registry = tracing_subscriber::registry().with(filter);
    if journal {
        registry.with(layer.without_time()).init();
    } else {
        registry.with(layer).init();
    }
}

async fn run(options: &Options) -> Result<(), Error> {
    let (file, named) = options.config_file();
    let policy = Policy::open(file, named)?;
    let addresses = options.addresses(&policy.config().tls.listen);
    let remote = match addresses.first() {
        Some(address) if !options.take_down => Some(remote(*address, &policy)?),
        _ => None,
    };
    tokio::spawn(reload(signal(SignalKind::hangup())?, policy.clone(), remote.clone()));
    make_dir(&options.runtime_dir, 0o755)?;
    make_dir(&options.state_dir, 0o700)?;
    let _runtime_lock = Lock::take(&options.runtime_dir)?;
    let _state_lock = Lock::take(&options.state_dir)?;
    raise_file_limit();
    let labs_dir = options.runtime_dir.join("labs");
    make_dir(&labs_dir, 0o700)?;
    let kernel = Arc::new(Linux::new(options.netns_dir.clone(), labs_dir)?);
    if options.take_down {
        return takedown::run(kernel, &options.state_dir, &options.runtime_dir).await;
    }
    let opened = Store::open(&options.state_dir)?;
    for aside in &opened.aside {
        tracing::error!(
            file = %aside.display(),
            "a damaged store was moved aside: its labs run on but are not looked after; restore it, or remove the file, and restart netlabd"
        );
    }
    let (manager, looks) = Manager::start(kernel.clone(), opened.store.clone())?;
    watch(&kernel, &manager)?;
    if opened.aside.is_empty() {
        let purging = manager.clone();
        tokio::task::spawn_blocking(move || {
            if let Err(error) = purging.purge_strays() {
                tracing::warn!(%error, "strays are left");
            }
        })
        .await?;
    }
    let metrics = metrics::start(&policy.config().metrics, manager.clone(), policy.clone());
    // Labs are worth more than figures about them: netlabd goes on without.
    let metrics_socket = metrics.unwrap_or_else(|error| {
        tracing::error!(%error, "no metrics are served");
        None
    });
    // Before the first client can see that netlabd runs, and stop it.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (listener, own_socket) = server::open(&options.runtime_dir.join("netlabd.sock"))?;
    let remote = match remote {
        Some(remote) => Some((remote, listen(&addresses)?)),
        None => None,
    };
    let vitals = Vitals { manager: manager.clone(), store: opened.store, kernel: kernel.clone() };
    let (services, reporter) = server::services(manager, kernel, policy.clone())?;
    // The store was opened and the kernel looked at: it is well until found otherwise.
    health::say(&reporter, None).await;
    let telling = tokio::spawn(health::tell(vitals.clone(), reporter.clone()));
    tokio::spawn(async move {
        let all = async {
            for look in looks {
                // An actor that is gone has nothing left to look at.
                let _ = look.await;
            }
        };
        if tokio::time::timeout(FIRST_LOOK, all).await.is_err() {
            tracing::warn!("some labs have not been looked at yet");
        }
        tracing::info!("ready");
        notify(&[sd_notify::NotifyState::Ready]);
        health::watchdog(vitals).await;
    });
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping; labs run on");
        telling.abort();
        health::say(&reporter, Some("netlabd stops")).await;
        notify(&[sd_notify::NotifyState::Stopping]);
    };
    let (stopped, grace) = tokio::sync::oneshot::channel();
    let limits = policy.config().limits;
    let serving = server::serve(services, listener, remote, &limits, async move {
        stop.await;
        // Nobody waits if serving has failed.
        let _ = stopped.send(());
    });
    let overdue = async {
        if grace.await.is_ok() {
            // Watches have no end of their own.
            tokio::time::sleep(Duration::from_secs(1)).await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        done = serving => done?,
        () = overdue => {}
    }
    // Own sockets go with the daemon; a failure leaves a file that the next start replaces.
    for socket in own_socket.into_iter().chain(metrics_socket) {
        let _ = fs::remove_file(socket);
    }
    Ok(())
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

/// Reads the configuration again at each SIGHUP, as `systemctl reload` sends it.
async fn reload(mut hangup: Signal, policy: Policy, remote: Option<tls::Remote>) {
    while hangup.recv().await.is_some() {
        match sd_notify::NotifyState::monotonic_usec_now() {
            Ok(now) => notify(&[sd_notify::NotifyState::Reloading, now]),
            Err(error) => tracing::warn!(%error, "the time is not known"),
        }
        let before = policy.config();
        match renew(&policy, remote.as_ref()) {
            Ok(()) if restarts(&policy.config()) == restarts(&before) => {
                tracing::info!("the configuration was read again");
            }
            Ok(()) => {
                tracing::warn!(
                    "the configuration was read again; what changed in [limits], [metrics] or listen of [tls] needs a \
                     restart"
                );
            }
            Err(error) => {
                tracing::error!(%error, "the configuration stays as it was: the file cannot be used");
            }
        }
        notify(&[sd_notify::NotifyState::Ready]);
    }
}

/// Reads and uses the configuration and what it names; all of it or, on an error, nothing.
fn renew(policy: &Policy, remote: Option<&tls::Remote>) -> Result<(), Error> {
    let config = policy.read()?;
    let ready = remote.map(|remote| Ok::<_, Error>((remote, remote.read(&config.tls)?))).transpose()?;
    policy.put(config);
    if let Some((remote, ready)) = ready {
        remote.put(ready);
    }
    Ok(())
}

/// What of the configuration takes effect at a start only.
fn restarts(config: &Config) -> (Limits, &MetricsConfig, &[SocketAddr]) {
    (config.limits, &config.metrics, &config.tls.listen)
}

/// What remote clients at `address` are served with. Without it anybody could call.
fn remote(address: SocketAddr, policy: &Policy) -> Result<tls::Remote, Error> {
    tls::Remote::open(policy).map_err(|error| {
        format!(
            "listening at {address} needs TLS, and that is not complete: {error}. Make certificates (netlabctl pki) \
             and name them in [tls] of the configuration, or do without: netlabctl --host ssh://USER@HOST"
        )
        .into()
    })
}

fn listen(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, Error> {
    let mut listeners = Vec::new();
    for address in addresses {
        listeners.push(tls::listen(*address)?);
        tracing::info!(%address, "remote clients are served, by mutual TLS");
    }
    Ok(listeners)
}

fn make_dir(path: &Path, mode: u32) -> Result<(), Error> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .map_err(|error| format!("cannot make {}: {error}; netlabd must run as root", path.display()).into())
}

/// Every node is held open: as many files as the kernel allows.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    const WANTED: u64 = 1 << 20;
    let limit = getrlimit(Resource::Nofile);
    let maximum = limit.maximum.map_or(WANTED, |maximum| maximum.max(WANTED));
    let raised = Rlimit { current: Some(WANTED.max(limit.current.unwrap_or(0))), maximum: Some(maximum) };
    if setrlimit(Resource::Nofile, raised).is_err() {
        let allowed = Rlimit { current: limit.maximum, maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, allowed) {
            tracing::warn!(%error, "the limit of open files stays low; large labs may fail");
        }
    }
}
