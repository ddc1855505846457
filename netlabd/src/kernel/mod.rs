//! The Linux kernel, driven by netlink, `/proc/sys` and nftables.
//!
//! Everything blocks. A netlink socket belongs to the namespace in which it was opened; work inside
//! a node is done by a thread that enters it and ends afterwards ([`enter`]).

mod busy;
mod enter;
mod look;
pub mod nft;
mod probe;
mod rtnl;
mod spaces;
mod sysctl;
mod work;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    os::fd::{AsFd, OwnedFd},
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::{
    exec::{Failure, Feature, HostLink, HostState, Kernel, Scope},
    model::{LabName, NodeName, SysctlKey, observed::Observed},
    plan::Plan,
};

use busy::Busy;
use rtnl::RouteSocket;
use spaces::Spaces;

/// The kernel that netlabd runs on.
#[derive(Debug)]
pub struct Linux {
    /// The host: the network namespace in which netlabd was started.
    host: OwnedFd,
    spaces: Spaces,
    busy: Busy,
    features: Mutex<BTreeMap<Feature, Result<(), String>>>,
}

impl Linux {
    /// Takes the calling thread's network namespace for the host. Namespaces of nodes are pinned in
    /// `netns_dir` as `LAB.NODE`, what else a lab holds in `labs_dir/LAB`.
    pub fn new(netns_dir: PathBuf, labs_dir: PathBuf) -> std::io::Result<Self> {
        let host = File::open("/proc/thread-self/ns/net")?.into();
        let spaces = Spaces::new(netns_dir, labs_dir);
        Ok(Self { host, spaces, busy: Busy::default(), features: Mutex::default() })
    }

    /// For how long labs' work in the kernel has made no progress; zero where there is none under way.
    pub fn busy_for(&self) -> Duration {
        self.busy.longest()
    }

    /// The network namespace of a node, or of the host; `None` if there is no such node.
    pub fn namespace(&self, lab: &LabName, node: Option<&NodeName>) -> Result<Option<OwnedFd>, Failure> {
        let copy = |fd: std::os::fd::BorrowedFd<'_>| {
            fd.try_clone_to_owned().map_err(|error| Failure::os(lab, "opening a namespace", &error))
        };
        match node {
            None => copy(self.host.as_fd()).map(Some),
            Some(node) => self.spaces.of(lab)?.nodes().get(node).map(|space| copy(space.fd())).transpose(),
        }
    }
}

impl Kernel for Linux {
    fn observe(&self, scope: Scope<'_>) -> Result<Observed, Failure> {
        let _call = self.busy.call();
        let spaces = self.spaces.of(scope.lab)?;
        let mut observed = look::observe(scope, &spaces, self.host.as_fd())?;
        observed.unpinned = self.spaces.unpinned(scope.lab, &spaces).into_iter().collect();
        Ok(observed)
    }

    fn execute(&self, scope: Scope<'_>, plan: &Plan, done: &mut dyn FnMut(usize)) -> Vec<Failure> {
        let call = self.busy.call();
        work::execute(&self.spaces, scope, plan, &mut |steps| {
            call.progress();
            done(steps);
        })
    }

    fn host(&self) -> Result<HostState, Failure> {
        host(&self.spaces).map_err(|error| Failure::os("host", "looking at the host", &error))
    }

    fn probe(&self, feature: Feature) -> Result<(), String> {
        let mut known = self.features.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(feature).or_insert_with(|| probe::probe(feature)).clone()
    }

    fn host_sysctl(&self, key: &SysctlKey) -> Option<String> {
        sysctl::read(key)
    }

    fn host_sysctl_folder(&self, path: &str) -> Vec<String> {
        sysctl::folder(path)
    }

    fn set_host_sysctl(&self, key: &SysctlKey, value: &str) -> Result<(), Failure> {
        sysctl::write(key, value)
            .map_err(|error| Failure::os("host", format!("setting {key} = {value}"), &error))
    }

    fn marked_labs(&self) -> Result<BTreeSet<LabName>, Failure> {
        let failure = |error: std::io::Error| Failure::os("host", "looking for labs", &error);
        let mut labs: BTreeSet<LabName> = self.spaces.labs().map_err(failure)?.into_iter().collect();
        let mut socket = RouteSocket::open().map_err(failure)?;
        let links = rtnl::links(&mut socket, None).map_err(failure)?.unwrap_or_default();
        labs.extend(links.iter().filter_map(|link| look::marked_by(link)?.parse().ok()));
        let chains = nft::list_labs_on_host().map_err(|error| Failure::new("host", error))?;
        labs.extend(chains.iter().filter_map(|name| name.parse().ok()));
        Ok(labs)
    }

    fn release(&self, lab: &LabName) -> Result<(), Failure> {
        self.spaces.release(lab)
    }
}

fn host(spaces: &Spaces) -> std::io::Result<HostState> {
    let refused = |refusal: rtnl::Refusal| std::io::Error::from_raw_os_error(refusal.errno);
    let mut socket = RouteSocket::open()?;
    let dump = rtnl::links(&mut socket, None)?.map_err(refused)?;
    let names: BTreeMap<u32, String> =
        dump.iter().map(|link| (link.state.index, link.name.clone())).collect();
    let mut links: BTreeMap<String, HostLink> = dump
        .iter()
        .map(|link| {
            let lab = look::marked_by(link).map(ToOwned::to_owned);
            (link.name.clone(), HostLink { lab, addresses: Vec::new() })
        })
        .collect();
    for (index, address) in rtnl::addresses(&mut socket)?.map_err(refused)? {
        if let Some(link) = names.get(&index).and_then(|name| links.get_mut(name)) {
            link.addresses.push(address.address);
        }
    }
    Ok(HostState {
        links,
        ipv6_by_advertisement: rtnl::has_advertised_default(&mut socket)?,
        pins: spaces.pins()?.into_iter().collect(),
    })
}
