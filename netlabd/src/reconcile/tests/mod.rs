//! The reconciler on the fake kernel: failures at every step, and requests that race.

mod faults;
mod preconditions;
mod races;
mod standing;
mod unreadable;
mod watching;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use netlab_proto::v1 as proto;
use proto::Phase;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::*;
use crate::{
    plan::diff,
    platform::{Scope, fake::FakeKernel},
    policy::{Caller, Owner, Policy, Role},
};

/// How long anything may take on a busy machine.
const LONG: Duration = Duration::from_secs(30);

/// A host with a manager of its own.
struct Bed {
    kernel: Arc<FakeKernel>,
    manager: Manager,
    policy: Policy,
    access: Access,
    // The actors end before the store's folder goes.
    _runtime: Runtime,
    _dir: TempDir,
}

/// A lab to ask for.
fn wanted(spec: &proto::Lab) -> Specification {
    Specification { spec: spec.clone(), kept: store::encode(spec), lab: convert::lab(spec).unwrap().into() }
}

impl Bed {
    fn new() -> Self {
        Self::with(Arc::new(FakeKernel::new()), tempfile::tempdir().unwrap())
    }

    /// Another netlabd on the same host, with the store of a folder.
    fn restarted(self, dir: TempDir) -> Self {
        let kernel = self.kernel.clone();
        drop(self);
        Self::with(kernel, dir)
    }

    fn with(kernel: Arc<FakeKernel>, dir: TempDir) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let _context = runtime.enter();
        let opened = Store::open(dir.path()).unwrap();
        let (manager, _) = Manager::start(kernel.clone(), opened.store).unwrap();
        let policy = Policy::open(dir.path().join("config.toml"), false).unwrap();
        let access = policy
            .access(Caller { owner: Owner::Local(0), pid: None, user: None, role: Role::Admin, remote: None })
            .unwrap();
        Self { kernel, manager, policy, access, _runtime: runtime, _dir: dir }
    }

    fn create(&self, spec: &proto::Lab) -> Result<proto::LabResource, Error> {
        self.manager.create(wanted(spec), "", &self.access)
    }

    fn apply(&self, spec: &proto::Lab) -> Result<proto::LabResource, Error> {
        self.manager
            .apply(wanted(spec), &Expected::default(), None, &self.access)
            .map(|(resource, _)| resource)
    }

    fn delete(&self, name: &LabName) -> Result<proto::LabResource, Error> {
        self.manager.delete(name, &Expected::default(), &self.access)
    }

    fn get(&self, name: &LabName) -> Option<proto::LabResource> {
        self.manager.get(name, &self.access).ok()
    }

    /// Waits until a lab is as `enough` wants it.
    #[track_caller]
    fn wait(&self, name: &LabName, enough: impl Fn(Option<&proto::LabResource>) -> bool) {
        let end = Instant::now() + LONG;
        loop {
            let lab = self.get(name);
            if enough(lab.as_ref()) {
                return;
            }
            assert!(Instant::now() < end, "it stays {lab:#?}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    #[track_caller]
    fn wait_for_phase(&self, name: &LabName, phase: Phase) {
        self.wait(name, |lab| lab.is_some_and(|lab| phase_of(lab) == phase && is_current(lab)));
    }

    /// Checks that what is there of a lab is what its specification says.
    #[track_caller]
    fn check(&self, name: &LabName) {
        let lab = self.get(name).expect("it is there");
        let target = Target::new(&convert::lab(&lab.spec.unwrap()).unwrap(), &lab.uid);
        let scope = Scope { lab: name, first_id: 1, target: &target };
        let plan = diff(&target, &self.kernel.observe(scope).unwrap());
        assert!(plan.is_empty(), "{name} is Ready and differs: {plan:#?}");
    }
}

fn status(lab: &proto::LabResource) -> &proto::LabStatus {
    lab.status.as_ref().unwrap()
}

fn phase_of(lab: &proto::LabResource) -> Phase {
    status(lab).phase()
}

/// Whether the status is about the newest specification.
fn is_current(lab: &proto::LabResource) -> bool {
    status(lab).observed_generation == lab.generation
}

/// A lab of the planner's examples.
fn example(text: &str) -> proto::Lab {
    serde_json::from_str(text).unwrap()
}

/// Examples that change into one another: before and after.
fn changes() -> [(proto::Lab, proto::Lab); 3] {
    let pair = |a, b| (example(a), example(b));
    [
        pair(
            include_str!("../../../tests/golden/vxlan/lab.json"),
            include_str!("../../../tests/golden/vxlan/node-less.next.json"),
        ),
        pair(
            include_str!("../../../tests/golden/vlan-segments/lab.json"),
            include_str!("../../../tests/golden/vlan-segments/trunk-and-vlan.next.json"),
        ),
        pair(
            include_str!("../../../tests/golden/internet-router/lab.json"),
            include_str!("../../../tests/golden/internet-router/nat.next.json"),
        ),
    ]
}

fn name_of(spec: &proto::Lab) -> LabName {
    spec.name.parse().unwrap()
}
