//! A kernel in memory, for tests: it refuses, cascades and forgets as Linux does, and fails when told.

mod bond;
mod damage;
mod labels;
mod look;
mod nodes;
mod ops;
mod world;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use super::{Failure, Firewall, HostLink, HostSocket, HostState, Kernel, Scope};
use crate::{
    feature::Feature,
    model::{LabName, Place, SysctlKey, observed::Observed},
    plan::{Op, Plan, item::Item},
};
use ops::Lab;
use world::{HOST, World};

/// The fake.
#[derive(Debug)]
pub struct FakeKernel(Mutex<State>, Gate);

#[derive(Debug)]
struct State {
    world: World,
    /// First ids of user namespaces.
    ids: BTreeMap<LabName, u32>,
    fault: Option<InjectedFailure>,
    /// Operations tried so far.
    tried: usize,
    /// What keeps failing once it has failed.
    broken: BTreeSet<String>,
    /// What is refused whenever it is tried: a word of the operation, and the error number.
    refused: Option<(String, i32)>,
}

/// What lets plans pass, or holds them back.
#[derive(Debug, Default)]
struct Gate(Mutex<bool>, Condvar);

impl Gate {
    fn set(&self, held: bool) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = held;
        self.1.notify_all();
    }

    fn pass(&self) {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.1.wait_while(held, |held| *held));
    }
}

/// A failure to come.
#[derive(Debug, Clone, Copy)]
pub struct InjectedFailure {
    /// How many operations from now go well before one fails.
    pub after: usize,
    /// The error number.
    pub errno: i32,
    /// Whether the same operation fails again whenever it is tried, or only once.
    pub lasting: bool,
}

/// The host as it is, to be compared later; numbers that only grow are left out.
#[derive(Debug, PartialEq, Eq)]
pub struct Snapshot(String);

impl Default for FakeKernel {
    fn default() -> Self {
        Self::new()
    }
}

impl FakeKernel {
    /// A host with nothing but `lo`.
    pub fn new() -> Self {
        let (world, ids, broken) = (World::new(), BTreeMap::new(), BTreeSet::new());
        let state = State { world, ids, fault: None, tried: 0, broken, refused: None };
        Self(Mutex::new(state), Gate::default())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes an operation fail, counted from now on; `None`: all goes well again.
    pub fn fail(&self, fault: Option<InjectedFailure>) {
        let mut state = self.state();
        state.fault = fault;
        state.tried = 0;
        state.broken.clear();
    }

    /// Refuses each operation in whose description a text stands, with an error number; `None`: none any more.
    pub fn refuse(&self, refused: Option<(&str, i32)>) {
        self.state().refused = refused.map(|(text, errno)| (text.to_owned(), errno));
    }

    /// Holds plans back until they are let go on.
    pub fn hold(&self, held: bool) {
        self.1.set(held);
    }

    /// Whether the failure that was asked for has come.
    pub fn has_failed(&self) -> bool {
        let state = self.state();
        state.fault.is_some_and(|fault| state.tried > fault.after)
    }

    /// The sysctls of a lab's nodes that are not 0.
    pub fn sysctls(&self, lab: &LabName) -> Vec<String> {
        let world = &self.state().world;
        let nodes = world.labs.get(lab).into_iter().flatten();
        let values = nodes.flat_map(|(node, id)| {
            let values = world.namespaces[id].sysctls.iter().filter(|(_, value)| *value != "0");
            values.map(move |(key, value)| format!("{node}: {key} = {value}"))
        });
        values.collect()
    }

    /// All there is: labs, pins, and the host with what others have on it.
    pub fn snapshot(&self) -> Snapshot {
        let world = &self.state().world;
        let mut namespaces: Vec<_> =
            world.namespaces.values().map(|namespace| format!("{namespace:?}")).collect();
        namespaces[1..].sort();
        Snapshot(format!("{:?}\n{:?}\n{}", world.labs, world.pins, namespaces.join("\n")))
    }
}

impl State {
    /// Counts an operation, and fails it if its time has come.
    fn attempt(&mut self, object: &str, what: &str) -> Result<(), Failure> {
        let number = self.tried;
        self.tried += 1;
        if let Some((text, errno)) = &self.refused
            && what.contains(text)
        {
            return Err(Failure::os(object, what, &std::io::Error::from_raw_os_error(*errno)));
        }
        let Some(fault) = self.fault else { return Ok(()) };
        if number == fault.after && fault.lasting {
            self.broken.insert(what.to_owned());
        }
        if number == fault.after || self.broken.contains(what) {
            return Err(Failure::os(object, what, &std::io::Error::from_raw_os_error(fault.errno)));
        }
        Ok(())
    }

    fn run(&mut self, lab: &LabName, op: &Op) -> Result<(), Failure> {
        self.attempt(&op.object(), &op.to_string())?;
        Lab { name: lab, world: &mut self.world }.run(op)
    }
}

impl Kernel for FakeKernel {
    fn observe(&self, scope: Scope<'_>) -> Result<Observed, Failure> {
        let mut state = self.state();
        state.attempt(scope.lab.as_str(), "looking")?;
        Ok(state.world.observe(scope))
    }

    fn execute(&self, scope: Scope<'_>, plan: &Plan, done: &mut dyn FnMut(usize)) -> Vec<Failure> {
        self.1.pass();
        let mut count = 0;
        if scope.first_id != 0 {
            self.state().ids.insert(scope.lab.clone(), scope.first_id);
        }
        for stage in &plan.stages {
            let is_gone = |op: &&Op| op.deletes_node().is_some();
            let is_new = |op: &&Op| matches!(op.item, Item::Namespace(_)) && !is_gone(op);
            let run = |op: &Op| self.state().run(scope.lab, op).err();
            let mut failures: Vec<_> = stage.ops.iter().filter(is_new).filter_map(run).collect();
            if failures.is_empty() {
                // The host first, then place by place; each goes on past its failures.
                let mut settings: Vec<_> =
                    stage.ops.iter().filter(|op| !is_new(op) && !is_gone(op)).collect();
                settings.sort_by_key(
                    |op| if matches!(op.item, Item::Veth(_)) { Place::Host } else { op.place() },
                );
                failures.extend(settings.into_iter().filter_map(run));
            }
            failures.extend(stage.ops.iter().filter(is_gone).filter_map(run));
            if !failures.is_empty() {
                return failures;
            }
            count += stage.ops.len();
            done(count);
        }
        Vec::new()
    }

    fn pins(&self) -> Result<BTreeSet<String>, Failure> {
        let mut state = self.state();
        state.attempt("host", "listing namespaces")?;
        Ok(state.world.pins.keys().cloned().collect())
    }

    fn host(&self) -> Result<HostState, Failure> {
        let mut state = self.state();
        state.attempt("host", "observing the host")?;
        let links = state.world.namespaces[&HOST].links.values().map(|link| {
            let addresses = link.addresses.iter().map(|state| state.address).collect();
            let lab = link.mark.as_ref().map(ToString::to_string);
            let (mtu, up, kind) = (link.mtu, link.up, link.form.kind().cloned());
            let bridge = link.form.ports().of_bridge().then(Default::default);
            (link.name.clone(), HostLink { lab, addresses, mtu, bridge, up, kind, ..HostLink::default() })
        });
        Ok(HostState { links: links.collect(), pins: BTreeSet::new(), ..HostState::default() })
    }

    fn sockets(&self) -> Result<Vec<HostSocket>, Failure> {
        Ok(Vec::new())
    }

    fn firewall(&self) -> Result<Firewall, Failure> {
        Ok(Firewall::default())
    }

    fn probe(&self, _: Feature) -> Result<(), Failure> {
        Ok(())
    }

    fn host_sysctl(&self, key: &SysctlKey) -> Option<String> {
        self.state().world.sysctl(HOST, key)
    }

    fn host_sysctl_folder(&self, path: &str) -> Vec<String> {
        if !path.ends_with("/conf") {
            return Vec::new();
        }
        let state = self.state();
        state.world.namespaces[&HOST].links.values().map(|link| link.name.clone()).collect()
    }

    fn set_host_sysctl(&self, key: &SysctlKey, value: &str) -> Result<(), Failure> {
        let mut state = self.state();
        let what = format!("setting {key} = {value}");
        state.attempt("host", &what)?;
        let set = state.world.set_sysctl(HOST, key, value);
        set.map_err(|errno| Failure::os("host", what, &std::io::Error::from_raw_os_error(errno)))
    }

    fn fresh_sysctls(&self, keys: &BTreeSet<SysctlKey>) -> Result<BTreeMap<SysctlKey, String>, Failure> {
        let mut state = self.state();
        state.attempt("host", "reading sysctls of a new namespace")?;
        let mut world = state.world.clone();
        let id = world.add_space();
        Ok(keys.iter().filter_map(|key| Some((key.clone(), world.sysctl(id, key)?))).collect())
    }

    fn marked_labs(&self) -> Result<BTreeSet<LabName>, Failure> {
        let mut state = self.state();
        state.attempt("host", "looking for marks")?;
        Ok(state.world.marked().cloned().collect())
    }

    fn ids_in_use(&self) -> Result<BTreeSet<u32>, Failure> {
        let state = self.state();
        let ids = state.ids.iter().filter(|(lab, _)| state.world.labs.contains_key(*lab));
        Ok(ids.map(|(_, id)| *id).collect())
    }

    fn release(&self, lab: &LabName) -> Result<(), Failure> {
        let mut state = self.state();
        state.attempt(lab.as_str(), "releasing")?;
        if let Some(nodes) = state.world.labs.remove(lab) {
            assert!(nodes.is_empty(), "{lab} is released with nodes left");
        }
        Ok(())
    }
}
