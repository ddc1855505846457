//! The Linux kernel, driven by netlink, `/proc/sys` and nftables.
//!
//! Everything blocks. A netlink socket belongs to the namespace in which it was opened; work inside
//! a node is done by a thread that enters it and ends afterwards ([`crate::sys::netns`]).

mod advice;
mod cache;
mod commands;
mod detached;
mod dirty;
mod execute;
mod firewall;
mod genl;
mod inflight;
mod inspect;
mod mounts;
mod namespaces;
mod netlink;
pub mod nft;
mod nodes;
mod observe;
mod occupied;
mod probe;
mod rtnl;
mod sysctl;
mod teardown;
mod watch;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    os::fd::OwnedFd,
    path::PathBuf,
    sync::{Mutex, OnceLock, PoisonError},
    time::Duration,
};

use crate::{
    feature::Feature,
    model::{LabName, Place, SysctlKey, observed::Observed},
    plan::Plan,
    platform::{Failure, Firewall, HostLink, HostState, Kernel, Nodes as _, Scope},
    sandbox::{Ceilings, Limits},
};

use commands::Commands;
use inflight::Busy;
use namespaces::Namespaces;
use rtnl::RouteSocket;
pub use watch::{Wake, read_route_events};

/// The kernel that netlabd runs on.
#[derive(Debug)]
pub struct Linux {
    /// The host: the network namespace in which netlabd was started.
    host: OwnedFd,
    namespaces: Namespaces,
    busy: Busy,
    commands: Commands,
    /// Those that the kernel has shown to have.
    features: Mutex<BTreeSet<Feature>>,
    /// What labs want of the host, for the events there.
    wanted: watch::HostInterest,
    silent: watch::Silent,
    pins: watch::Pins,
    mounts: mounts::Mounts,
    firewall: firewall::RulesetCache,
    /// Whence events come; empty until they are asked for.
    events: OnceLock<watch::Events>,
    /// Where events, or our own work, have changed something.
    marks: dirty::Marks,
    cache: cache::Cache,
}

impl Linux {
    /// Takes the calling thread's network namespace for the host. Namespaces of nodes are pinned in
    /// `netns_dir` as `LAB.NODE`, what else a lab holds in `labs_dir/LAB`.
    pub fn new(netns_dir: PathBuf, labs_dir: PathBuf) -> std::io::Result<Self> {
        let host = File::open("/proc/thread-self/ns/net")?.into();
        Ok(Self {
            host,
            commands: Commands::new(netns_dir.clone(), labs_dir.clone()),
            namespaces: Namespaces::new(netns_dir, labs_dir),
            busy: Busy::default(),
            features: Mutex::default(),
            wanted: watch::HostInterest::default(),
            silent: watch::Silent::default(),
            pins: watch::Pins::new()?,
            mounts: mounts::Mounts::new(),
            firewall: firewall::RulesetCache::default(),
            events: OnceLock::new(),
            marks: dirty::Marks::default(),
            cache: cache::Cache::default(),
        })
    }

    /// For how long labs' work in the kernel has made no progress; zero where there is none under way.
    pub fn busy_for(&self) -> Duration {
        self.busy.longest()
    }

    /// Bounds what the processes of labs may use, of those that run too; `ceilings` are of labs that are made from
    /// now on.
    pub fn limit(&self, limits: Limits, ceilings: Ceilings) {
        let processes = if self.bounds().is_ok() { u64::MAX } else { limits.processes.into() };
        self.namespaces.limit(Ceilings { processes, ..ceilings });
        if let Err(error) = self.commands.limit(limits) {
            tracing::warn!(%error, "the bounds of labs' processes stay as they were");
        }
    }

    /// Ends the processes in nodes that a plan takes out of a lab which stays.
    fn end_in_removed(&self, scope: Scope<'_>, plan: &Plan) -> Result<(), Failure> {
        for op in plan.ops() {
            if let Some(node) = op.deletes_node()
                && let Some(namespace) = self.namespaces.of(scope.lab)?.nodes().get(node)
            {
                self.commands.end_in(scope.lab, node, namespace.fd())?;
            }
        }
        Ok(())
    }
}

impl Kernel for Linux {
    fn observe(&self, scope: Scope<'_>) -> Result<Observed, Failure> {
        let _call = self.busy.call();
        // Before looking, so that what happens after the look is heard. A lab without ids is only planned.
        if scope.first_id != 0 {
            self.wanted.note(scope.lab, scope.target);
            self.silent.note(scope.lab, scope.target);
            self.hear_neighbours(scope.target);
            self.pins.watch(self.namespaces.netns_dir());
        }
        cache::observe(self, scope)
    }

    fn catch_up(&self) {
        self.hear();
    }

    fn execute(&self, scope: Scope<'_>, plan: &Plan, done: &mut dyn FnMut(usize)) -> Vec<Failure> {
        let call = self.busy.call();
        // Processes first: they would keep the namespaces alive.
        let nothing_stays = scope.target.nodes().is_empty();
        let ended =
            if nothing_stays { self.commands.end(scope.lab) } else { self.end_in_removed(scope, plan) };
        if let Err(failure) = ended {
            return vec![failure];
        }
        let failures = execute::execute(&self.namespaces, scope, plan, &mut |steps| {
            call.progress();
            done(steps);
        });
        // Events tell the same, but the look that follows must not depend on them: that the other end has got a carrier
        // or lost it is told up to a second later.
        self.marks.mark(scope.lab, plan.ops().flat_map(|op| op.nodes().chain(op.peer_node(scope.target))));
        failures
    }

    fn hurry(&self, lab: &LabName, links: Vec<(Place, u32)>) -> Vec<(Place, u32)> {
        let (Ok(namespaces), Ok(mut socket)) = (self.namespaces.identified(lab), RouteSocket::open()) else {
            return links;
        };
        let waits = |(place, index): &(Place, u32)| {
            let nsid = match place {
                Place::Host => None,
                // What is gone is no longer waited for.
                Place::Node(node) => match namespaces.nodes().get(node) {
                    Some(namespace) => namespace.id,
                    None => return false,
                },
            };
            rtnl::hurry(&mut socket, nsid, *index).ok().flatten() == Some(false)
        };
        let mut waits = waits;
        links.into_iter().filter(|link| waits(link)).collect()
    }

    fn host(&self) -> Result<HostState, Failure> {
        host().map_err(|error| Failure::os("host", "observing the host", &error))
    }

    fn pins(&self) -> Result<BTreeSet<String>, Failure> {
        self.namespaces.pins().map_err(|error| Failure::os("host", "listing namespaces", &error))
    }

    fn firewall(&self) -> Result<Firewall, Failure> {
        self.firewall.look()
    }

    fn probe(&self, feature: Feature) -> Result<(), Failure> {
        let mut known = self.features.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains(&feature) {
            return Ok(());
        }
        // What is missing may come: a module is loaded, a shortage passes.
        probe::probe(feature)?;
        known.insert(feature);
        Ok(())
    }

    fn sockets(&self) -> Result<Vec<crate::platform::HostSocket>, Failure> {
        occupied::sockets().map_err(|error| Failure::os("host", "listing the host's sockets", &error))
    }

    fn host_sysctl(&self, key: &SysctlKey) -> Option<String> {
        sysctl::Sysctls::default().read(key)
    }

    fn host_sysctl_folder(&self, path: &str) -> Vec<String> {
        sysctl::folder(path)
    }

    fn set_host_sysctl(&self, key: &SysctlKey, value: &str) -> Result<(), Failure> {
        sysctl::Sysctls::default()
            .write(key, value)
            .map_err(|error| Failure::os("host", format!("setting {key} = {value}"), &error))
    }

    fn fresh_sysctls(&self, keys: &BTreeSet<SysctlKey>) -> Result<BTreeMap<SysctlKey, String>, Failure> {
        sysctl::fresh(keys).map_err(|error| Failure::os("host", "reading sysctls of a new namespace", &error))
    }

    fn marked_labs(&self) -> Result<BTreeSet<LabName>, Failure> {
        let failure = |error: std::io::Error| Failure::os("host", "looking for labs", &error);
        let mut labs: BTreeSet<LabName> = self.namespaces.labs().map_err(failure)?.into_iter().collect();
        let mut socket = RouteSocket::open().map_err(failure)?;
        let links = rtnl::links(&mut socket, None).map_err(failure)?.unwrap_or_default();
        labs.extend(links.iter().filter_map(|link| observe::marked_by(link)?.parse().ok()));
        let chains = nft::list_labs_on_host().map_err(|error| Failure::new("host", error))?;
        labs.extend(chains.iter().filter_map(|name| name.parse().ok()));
        Ok(labs)
    }

    fn ids_in_use(&self) -> Result<BTreeSet<u32>, Failure> {
        let failure = |error: std::io::Error| Failure::os("host", "looking for ids of labs", &error);
        Ok(self
            .namespaces
            .labs()
            .map_err(failure)?
            .iter()
            .filter_map(|lab| self.namespaces.first_id(lab))
            .collect())
    }

    fn release(&self, lab: &LabName) -> Result<(), Failure> {
        self.namespaces.release(lab)?;
        self.wanted.forget(lab);
        self.cache.forget(lab);
        self.marks.take(lab);
        self.silent.forget(lab);
        Ok(())
    }
}

/// What numbers stand for among the interfaces of the host, for whom other places do not matter.
struct OnHost<'a>(&'a BTreeMap<u32, String>);

impl rtnl::Neighbours for OnHost<'_> {
    fn name(&self, index: u32) -> Option<&str> {
        self.0.get(&index).map(String::as_str)
    }

    fn place(&self, _: i32) -> Option<Place> {
        None
    }

    fn name_on_host(&self, _: u32) -> Option<&str> {
        None
    }

    fn here(&self) -> &Place {
        &Place::Host
    }
}

fn host() -> std::io::Result<HostState> {
    let refused = |refusal: rtnl::NetlinkError| std::io::Error::from_raw_os_error(refusal.errno);
    let mut socket = RouteSocket::open()?;
    let dump = rtnl::links(&mut socket, None)?.map_err(refused)?;
    let names: BTreeMap<u32, String> = dump.iter().map(|link| (link.index, link.name.clone())).collect();
    let mut links: BTreeMap<String, HostLink> = dump
        .iter()
        .map(|link| {
            let lab = observe::marked_by(link).map(ToOwned::to_owned);
            let seen = HostLink {
                lab,
                addresses: Vec::new(),
                mtu: link.mtu,
                master: link.master.and_then(|index| names.get(&index).cloned()),
                other_names: link.other_names.clone(),
                bridge: link.bridge(),
                up: link.up,
                kind: link.form(&OnHost(&names)).kind().cloned(),
            };
            (link.name.clone(), seen)
        })
        .collect();
    for (index, address) in rtnl::addresses(&mut socket)?.map_err(refused)? {
        let rtnl::DumpedAddress::Other(address) = address else { continue };
        if let Some(link) = names.get(&index).and_then(|name| links.get_mut(name)) {
            link.addresses.push(address.address);
        }
    }
    Ok(HostState {
        links,
        routes: rtnl::host_routes(&mut socket, &names)?,
        nameservers: occupied::nameservers(),
        sockets: Vec::new(),
        ipv6_by_advertisement: rtnl::has_advertised_default(&mut socket)?,
        pins: BTreeSet::new(),
    })
}
