//! Commands in nodes: the lab's init and cgroup are made with the first one, and end with the lab.

use std::{
    collections::BTreeMap,
    fs::File,
    os::fd::{AsFd, BorrowedFd},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::namespaces::Namespaces;
use crate::{
    model::{LabName, NodeName},
    platform::Failure,
    sandbox::{self, Cgroup, Cgroups, Child, Command, IdRange, LabContext, LabInit, Limits},
};

/// How long a lab's processes may take to die of SIGKILL.
const END: Duration = Duration::from_secs(10);

/// Runs commands in the nodes of labs.
#[derive(Debug)]
pub(super) struct Commands {
    netns_dir: PathBuf,
    labs_dir: PathBuf,
    cgroups: Result<Cgroups, String>,
    inits: Mutex<BTreeMap<LabName, Arc<Mutex<Option<LabInit>>>>>,
}

impl Commands {
    /// Process namespaces are pinned as `labs_dir/LAB/pid`.
    pub(super) fn new(netns_dir: PathBuf, labs_dir: PathBuf) -> Self {
        // A mount of its own, so that a command can let go of all pins at once.
        if let Err(error) = sandbox::prepare_directory(&labs_dir) {
            tracing::warn!(%error, "commands in nodes start slowly");
        }
        let cgroups = Cgroups::prepare();
        if let Err(reason) = &cgroups {
            tracing::warn!(reason, "lab processes have no limits of memory and number");
        }
        Self { netns_dir, labs_dir, cgroups, inits: Mutex::default() }
    }

    fn pin(&self, lab: &LabName) -> PathBuf {
        self.labs_dir.join(lab.as_str()).join("pid")
    }

    /// Where the `/run` of each node is mounted.
    fn runtime_dir(&self, lab: &LabName) -> PathBuf {
        self.labs_dir.join(lab.as_str()).join("run")
    }

    /// Where a lab's detached commands are noted.
    pub(super) fn detached_dir(&self, lab: &LabName) -> PathBuf {
        self.labs_dir.join(lab.as_str()).join("commands")
    }

    /// Where labs' processes are bounded, or why they are not.
    pub(super) fn bounds(&self) -> Result<&Path, &str> {
        self.cgroups.as_ref().map(Cgroups::parent).map_err(String::as_str)
    }

    /// Bounds the processes of all labs anew.
    pub(super) fn limit(&self, limits: Limits) -> std::io::Result<()> {
        self.cgroups.as_ref().map_or(Ok(()), |cgroups| cgroups.bound_all(limits))
    }

    /// Runs a command in a node. `ids` are those of the lab's user namespace.
    pub(super) fn run(
        &self,
        namespaces: &Namespaces,
        lab: &LabName,
        node: &NodeName,
        ids: IdRange,
        limits: Limits,
        command: Command,
    ) -> Result<Child, Failure> {
        let failed = |error: sandbox::Error| Failure::sandbox(node, &error);
        let open = namespaces.of(lab)?;
        let (Some(namespace), Some(user)) = (open.nodes().get(node), open.user()) else {
            return Err(Failure::new(node, "its namespace is gone"));
        };
        let cgroup = match self.cgroups.as_ref().ok().map(|cgroups| cgroups.create(lab.as_str(), limits)) {
            Some(Err(reason)) => return Err(Failure::new(lab, reason)),
            made => made.and_then(Result::ok),
        };
        let slot = self.slot(lab);
        let mut init = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if !init.as_ref().is_some_and(LabInit::runs) {
            *init = Some(LabInit::ensure(&self.pin(lab), user, cgroup.as_ref()).map_err(failed)?);
        }
        let Some(init) = init.as_ref() else { return Err(Failure::new(lab, "it has no init")) };
        let rings = self.rings(lab).map_err(|error| {
            Failure::new(lab, format!("cannot open the budget of its packet rings: {error}"))
        })?;
        // Below one mount, which takes all of them along when the lab goes.
        let folder = self.runtime_dir(lab);
        let run = sandbox::mount_folder(&folder)
            .and_then(|()| sandbox::runtime_directory(&folder.join(node.as_str()), ids.base))
            .map_err(failed)?;
        let context = LabContext {
            user,
            ids,
            init,
            network: namespace.fd(),
            run: run.as_fd(),
            cgroup: cgroup.as_ref(),
            processes: limits.processes,
            tun: limits.tun,
            rings: rings.as_fd(),
            ring_limit: limits.rings(),
            pins: &[&self.netns_dir, &self.labs_dir],
        };
        sandbox::spawn(&context, command).map_err(failed)
    }

    /// Opens a lab's budget of packet rings, anew for each command: its locks are an open file's.
    fn rings(&self, lab: &LabName) -> std::io::Result<File> {
        use std::os::unix::fs::OpenOptionsExt;
        let directory = self.labs_dir.join(lab.as_str());
        File::options().write(true).create(true).truncate(false).mode(0o600).open(directory.join("rings"))
    }

    fn slot(&self, lab: &LabName) -> Arc<Mutex<Option<LabInit>>> {
        self.inits.lock().unwrap_or_else(PoisonError::into_inner).entry(lab.clone()).or_default().clone()
    }

    /// Ends the processes of a node that leaves a lab which stays, and takes its `/run` away.
    pub(super) fn end_in(
        &self,
        lab: &LabName,
        node: &NodeName,
        network: BorrowedFd<'_>,
    ) -> Result<(), Failure> {
        sandbox::end_in(&self.pin(lab), network, END)
            .and_then(|()| sandbox::unmount_folder(&self.runtime_dir(lab).join(node.as_str())))
            .map_err(|error| Failure::sandbox(node, &error))
    }

    /// Ends all processes of a lab, and takes the `/run` of each node away.
    pub(super) fn end(&self, lab: &LabName) -> Result<(), Failure> {
        let slot = self.slot(lab);
        let mut init = slot.lock().unwrap_or_else(PoisonError::into_inner);
        *init = None;
        let cgroup: Option<Cgroup> = self.cgroups.as_ref().ok().map(|cgroups| cgroups.find(lab.as_str()));
        sandbox::end_all(&self.pin(lab), cgroup.as_ref(), END)
            .and_then(|()| sandbox::unmount_folder(&self.runtime_dir(lab)))
            .map_err(|error| Failure::sandbox(lab, &error))?;
        self.inits.lock().unwrap_or_else(PoisonError::into_inner).remove(lab);
        Ok(())
    }
}
