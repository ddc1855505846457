//! The daemon.

use std::{
    fs,
    io::{Read as _, Write as _},
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use clap::Parser;
use netlabd::{
    api::{self, server, tls},
    capabilities,
    config::Options,
    health::{self, Vitals},
    kernel::{Linux, Wake},
    lock::Lock,
    log, memory, metrics,
    policy::{ConfigError, Policy},
    reconcile::Manager,
    sandbox, service,
    store::Store,
    takedown,
};
use tokio::signal::unix::{SignalKind, signal};

type Error = Box<dyn std::error::Error>;

/// How long the first look at all labs may take before the daemon says that it is up.
const FIRST_LOOK: Duration = Duration::from_secs(60);

/// The exit code for a configuration that cannot be used.
const CONFIG: u8 = 78;

fn main() -> ExitCode {
    // Before anything else: helpers are this program run again, and must have one thread.
    sandbox::dispatch();
    memory::bound();
    let options = Options::parse();
    if options.plan {
        return plan();
    }
    log::start();
    if !options.check_config {
        // All before there are other threads: they inherit it.
        raise_file_limit();
        raise_core_limit();
        if let Err(error) = capabilities::drop_unneeded() {
            return failed(&error.into());
        }
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    // Where there is one thread, work that finds none is queued; where there is none, tokio panics
    // (`Spawner::spawn_blocking`).
    let (kept, released) = std::sync::mpsc::channel::<()>();
    runtime.spawn_blocking(move || released.recv());
    let done = runtime.block_on(run(&options));
    drop(kept);
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

/// Plans without a daemon: from standard input to standard output.
fn plan() -> ExitCode {
    /// What the API takes, 8 MiB, and a little.
    const MOST: u64 = 9 << 20;
    let mut request = Vec::new();
    if let Err(error) = std::io::stdin().lock().take(MOST).read_to_end(&mut request) {
        return failed(&error.into());
    }
    let (answer, code) = match api::plan::offline(&request) {
        Ok(answer) => (answer, ExitCode::SUCCESS),
        Err(status) => (status, ExitCode::FAILURE),
    };
    match std::io::stdout().lock().write_all(&answer) {
        Ok(()) => code,
        Err(error) => failed(&error.into()),
    }
}

/// Says why netlabd ends. A configuration that cannot be used has an exit code of its own, `EX_CONFIG` of
/// sysexits(3): to start again would not help (`RestartPreventExitStatus=` of the unit).
fn failed(error: &Error) -> ExitCode {
    eprintln!("netlabd: {error}");
    if error.is::<ConfigError>() { ExitCode::from(CONFIG) } else { ExitCode::FAILURE }
}

async fn run(options: &Options) -> Result<(), Error> {
    let (file, named) = options.config_file();
    let policy = Policy::open(file, named)?;
    let addresses = options.addresses(&policy.config().tls.listen);
    let remote = if options.take_down {
        None
    } else {
        tls::Remote::open(&policy, &addresses).map_err(ConfigError::Unusable)?
    };
    if options.check_config {
        return Ok(());
    }
    // From now on, so that one that comes early does not end netlabd.
    let hangup = signal(SignalKind::hangup())?;
    make_dir(&options.runtime_dir, 0o755)?;
    make_dir(&options.state_dir, 0o700)?;
    let _runtime_lock = Lock::take(&options.runtime_dir)?;
    let _state_lock = Lock::take(&options.state_dir)?;
    let labs_dir = options.runtime_dir.join("labs");
    make_dir(&labs_dir, 0o700)?;
    let kernel = Arc::new(Linux::new(options.netns_dir.clone(), labs_dir.clone())?);
    if options.take_down {
        return takedown::run(kernel, &options.state_dir, &options.runtime_dir).await;
    }
    kernel.limit(policy.config().lab.into(), policy.config().lab.into());
    let opened = Store::open(&options.state_dir)?;
    for aside in &opened.aside {
        tracing::error!(
            file = %aside.display(),
            "a damaged store was moved aside: its labs run on but are not looked after; restore it, or remove the file, and restart netlabd"
        );
    }
    let (manager, looks) = Manager::start(kernel.clone(), opened.store.clone())?;
    watch(&kernel, &manager).map_err(|error| {
        format!("the kernel's events cannot be heard: {error}; netlabd needs CAP_NET_ADMIN and CAP_SYS_ADMIN")
    })?;
    if opened.aside.is_empty() {
        purge_strays(manager.clone()).await?;
    }
    let metrics = metrics::start(&policy.config().metrics, manager.clone(), policy.clone());
    // Labs are worth more than figures about them: netlabd goes on without.
    let metrics_socket = metrics.unwrap_or_else(|error| {
        tracing::error!(%error, "no metrics are served");
        None
    });
    if let Err(error) = sandbox::prepare_commands() {
        tracing::warn!(%error, "the first command in a node will take longer to start");
    }
    // Before the first client can see that netlabd runs, and stop it.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (listener, own_socket) = server::open(&options.runtime_dir.join("netlabd.sock"))?;
    let listeners = tls::listen(&addresses)?;
    let at_the_end = manager.clone();
    let vitals = Vitals { manager: manager.clone(), store: opened.store, kernel: kernel.clone() };
    let (services, reporter) = server::services(manager, kernel, policy.clone())?;
    // The store was opened and the kernel looked at: it is well until found otherwise.
    health::say(&reporter, None).await;
    let telling = tokio::spawn(health::tell(vitals.clone(), reporter.clone()));
    let (told, renewing) = (policy.clone(), remote.clone());
    tokio::spawn(async move {
        first_look(looks).await;
        tokio::join!(
            service::serve(hangup, told, renewing, vitals.manager.clone(), vitals.kernel.clone()),
            health::watchdog(vitals)
        );
    });
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        service::stopping();
        telling.abort();
        health::say(&reporter, Some("netlabd stops")).await;
    };
    let (stopped, grace) = tokio::sync::oneshot::channel();
    let limits = policy.config().limits;
    let serving =
        server::serve(services, listener, remote.map(|remote| (remote, listeners)), &limits, async move {
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
    sandbox::end_preparations();
    // Own sockets go with the daemon; a failure leaves a file that the next start replaces.
    for socket in own_socket.into_iter().chain(metrics_socket) {
        let _ = fs::remove_file(socket);
    }
    // A mount of its own, which only labs need. Where one is left, it stays with the lab.
    let empty = fs::read_dir(&labs_dir).is_ok_and(|mut entries| entries.next().is_none());
    if empty && at_the_end.names().is_empty() {
        sandbox::remove_directory(&labs_dir)?;
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
        tracing::warn!("some labs have not been looked at yet");
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

/// Commands in nodes get a core limit of 1: with it, and not with 0, the kernel does not start the program of
/// `core_pattern` (core(5)), which is host root's.
fn raise_core_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    if getrlimit(Resource::Core).maximum == Some(0)
        && let Err(error) = setrlimit(Resource::Core, Rlimit { current: Some(1), maximum: Some(1) })
    {
        tracing::warn!(
            %error,
            "the core limit is 0: what crashes in a node starts the host's core_pattern program; start netlabd with a limit of 1 or more (LimitCORE=1)"
        );
    }
}
