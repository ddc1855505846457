//! netlabd's own services over its kernel in memory: what labs do is real, but for packets and processes.

use std::{path::Path, sync::Arc, sync::mpsc, thread};

use netlabd::{
    api::server,
    platform::fake::FakeKernel,
    policy::{Caller, Owner, Policy, Role},
    reconcile::Manager,
    store::Store,
};
use tokio::{net::UnixListener, runtime::Runtime};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::{service::Routes, transport::Server};
use tower::util::MapRequestLayer;

/// The socket of a member who owns nothing yet; at the other one, `netlabd.sock`, calls an administrator.
pub(crate) const ALICE: &str = "alice.sock";

/// A daemon that runs until the test ends.
pub(crate) struct Daemon {
    /// The kernel in which its labs are.
    pub(crate) kernel: Arc<FakeKernel>,
    manager: Manager,
}

impl Daemon {
    /// Serves in a folder, where it keeps its labs too.
    pub(crate) fn start(dir: &Path) -> Self {
        let dir = dir.to_owned();
        let (ready, started) = mpsc::channel();
        thread::spawn(move || {
            let runtime = Runtime::new().unwrap();
            runtime.block_on(async move {
                let kernel = Arc::new(FakeKernel::new());
                let state = dir.join("state");
                std::fs::create_dir(&state).unwrap();
                let store = Store::open(&state).unwrap().store;
                let (manager, _) = Manager::start(kernel.clone(), store).unwrap();
                let policy = Policy::open(dir.join("policy.toml"), false).unwrap();
                let (routes, _) = server::services(manager.clone(), kernel.clone(), policy).unwrap();
                let root = UnixListener::bind(dir.join("netlabd.sock")).unwrap();
                let alice = UnixListener::bind(dir.join(ALICE)).unwrap();
                ready.send(Self { kernel, manager }).unwrap();
                tokio::join!(
                    serve(routes.clone(), root, caller("ada", 0, Role::Admin)),
                    serve(routes, alice, caller("alice", 1007, Role::Member))
                );
            });
        });
        started.recv().unwrap()
    }

    /// Does something to a lab behind the daemon's back, and has it look.
    #[track_caller]
    pub(crate) fn damage(&self, lab: &str, what: &str) {
        let lab = lab.parse().unwrap();
        assert!(self.kernel.damage(&lab, what), "{what}");
        self.manager.wake(&lab);
    }
}

/// Who calls. The kernel would say so of a process that runs as that user; tests run as whoever started them.
fn caller(name: &str, uid: u32, role: Role) -> Caller {
    Caller { owner: Owner::Local(uid), pid: None, user: Some(name.into()), role, remote: None }
}

async fn serve(routes: Routes, listener: UnixListener, caller: Caller) {
    let says = move |mut request: tonic::codegen::http::Request<_>| {
        request.extensions_mut().insert(caller.clone());
        request
    };
    let server = Server::builder().layer(MapRequestLayer::new(says)).add_routes(routes);
    server.serve_with_incoming(UnixListenerStream::new(listener)).await.unwrap();
}
