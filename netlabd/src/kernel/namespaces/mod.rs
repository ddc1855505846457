//! The namespaces of labs: made, held open, pinned, found again, given back.
//!
//! - `pins`: where they are pinned.
//! - `removal`: namespaces are let go.
//!
//! Every node's namespace is held open, so that a pin taken away can be put back, and gets an
//! identifier in the host's namespace (`RTM_NEWNSID`) before it is first looked at: by those link dumps
//! name the other end of a veth pair, and one socket hears the events of all.

mod pins;
mod removal;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::rtnl::{self, RouteSocket};
use crate::{
    failpoint,
    model::{LabName, NodeName, Place},
    platform::Failure,
    policy::EACH,
    sandbox::{self, Ceilings, IdRange, UserNamespace},
    sys::{netns, nsfs::Inode},
};
use pins::Pins;

/// The namespaces of all labs.
#[derive(Debug)]
pub(super) struct Namespaces {
    pins: Pins,
    labs_dir: PathBuf,
    labs: Mutex<BTreeMap<LabName, Arc<LabNamespaces>>>,
    /// What labs that are made from now on may take.
    ceilings: Mutex<Ceilings>,
    /// Whose a namespace is by its identifier. Apart from `labs`, which may be locked for long: events
    /// must not wait.
    owners: Mutex<BTreeMap<i32, Arc<NodeRef>>>,
}

/// Whose a namespace is.
#[derive(Debug)]
pub(super) struct NodeRef {
    pub(super) lab: LabName,
    pub(super) node: NodeName,
}

/// The namespaces of one lab.
#[derive(Debug, Clone, Default)]
pub(super) struct LabNamespaces {
    user: Option<Arc<UserNamespace>>,
    nodes: BTreeMap<NodeName, NodeNamespace>,
    by_id: BTreeMap<i32, NodeName>,
}

/// A node's namespace.
#[derive(Debug, Clone)]
pub(super) struct NodeNamespace {
    fd: Arc<OwnedFd>,
    inode: Inode,
    /// The host's identifier of it; `None` until the first look.
    pub(super) id: Option<i32>,
}

impl NodeNamespace {
    fn new(fd: OwnedFd) -> io::Result<Self> {
        Ok(Self { inode: Inode::of(fd.as_fd())?, fd: Arc::new(fd), id: None })
    }

    /// The namespace.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl LabNamespaces {
    /// The user namespace.
    pub(super) fn user(&self) -> Option<&UserNamespace> {
        self.user.as_deref()
    }

    /// The nodes that exist.
    pub(super) fn nodes(&self) -> &BTreeMap<NodeName, NodeNamespace> {
        &self.nodes
    }

    /// The node whose namespace has that identifier.
    pub(super) fn node_of(&self, id: i32) -> Option<&NodeName> {
        self.by_id.get(&id)
    }

    fn insert(&mut self, node: NodeName, namespace: NodeNamespace) {
        if let Some(id) = namespace.id {
            self.by_id.insert(id, node.clone());
        }
        self.nodes.insert(node, namespace);
    }

    /// The namespace of a place; `None` for the host and for a node that is not there.
    pub(super) fn fd(&self, place: &Place) -> Option<BorrowedFd<'_>> {
        match place {
            Place::Host => None,
            Place::Node(node) => self.nodes.get(node).map(NodeNamespace::fd),
        }
    }
}

impl Namespaces {
    /// Namespaces found below `netns_dir`, pinned below `labs_dir`.
    pub(super) fn new(netns_dir: PathBuf, labs_dir: PathBuf) -> Self {
        let (labs, ceilings, owners) = Default::default();
        Self { pins: Pins::new(netns_dir, &labs_dir), labs_dir, labs, ceilings, owners }
    }

    /// What labs that are made from now on may take.
    pub(super) fn limit(&self, ceilings: Ceilings) {
        *self.ceilings.lock().unwrap_or_else(PoisonError::into_inner) = ceilings;
    }

    /// The namespaces of a lab; those of an earlier run are found by their pins.
    pub(super) fn of(&self, lab: &LabName) -> Result<Arc<LabNamespaces>, Failure> {
        let mut labs = self.labs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = labs.get(lab) {
            return Ok(known.clone());
        }
        let found = self.find(lab).map_err(|error| Failure::os(lab, "looking for its namespaces", &error))?;
        let found = Arc::new(found);
        // Labs that are only asked about must not pile up.
        if found.user.is_some() {
            labs.insert(lab.clone(), found.clone());
        }
        Ok(found)
    }

    fn find(&self, lab: &LabName) -> io::Result<LabNamespaces> {
        let mut namespaces = LabNamespaces::default();
        let Some(user) = UserNamespace::open(&self.user_pin(lab)).map_err(io::Error::other)? else {
            return Ok(namespaces);
        };
        // Once the lab is known here, none of its pins is in the making.
        for (node, fd) in self.pins.find(lab)? {
            if user.owns(fd.as_fd()).map_err(io::Error::other)? {
                namespaces.insert(node, NodeNamespace::new(fd)?);
            }
        }
        namespaces.user = Some(Arc::new(user));
        Ok(namespaces)
    }

    /// The namespaces of a lab, each with an identifier: from here on the events of all are heard. Those
    /// of the work before are not, and cost nothing: to tell who listens to an event, the kernel looks
    /// through all identifiers that the listener has (`do_one_broadcast` in `net/netlink/af_netlink.c`).
    pub(super) fn identified(&self, lab: &LabName) -> Result<Arc<LabNamespaces>, Failure> {
        let namespaces = self.of(lab)?;
        let new: Vec<_> = namespaces.nodes.iter().filter(|(_, namespace)| namespace.id.is_none()).collect();
        if new.is_empty() {
            return Ok(namespaces);
        }
        let failed = |error: io::Error| Failure::os(lab, "giving its namespaces identifiers", &error);
        let mut socket = RouteSocket::open().map_err(failed)?;
        // Locked, so that no event of a namespace is read before its owner is known.
        let mut owners = self.owners();
        let ids = rtnl::namespace_ids(&mut socket, new.iter().map(|(_, namespace)| namespace.fd()))
            .map_err(failed)?;
        for ((node, _), id) in new.iter().zip(&ids) {
            owners.insert(*id, Arc::new(NodeRef { lab: lab.clone(), node: (*node).clone() }));
        }
        drop(owners);
        self.edit(lab, |spaces_now| {
            for ((node, namespace), id) in new.iter().zip(ids) {
                // Unless the node went, or came anew, meanwhile.
                let same = |now: &&mut NodeNamespace| Arc::ptr_eq(&now.fd, &namespace.fd);
                if let Some(now) = spaces_now.nodes.get_mut(*node).filter(same) {
                    now.id = Some(id);
                    spaces_now.by_id.insert(id, (*node).clone());
                }
            }
        });
        self.of(lab)
    }

    /// Makes and pins the namespaces of new nodes.
    pub(super) fn add(&self, lab: &LabName, first_id: u32, nodes: &[&NodeName]) -> Result<(), Vec<Failure>> {
        let made = self.make(lab, first_id, nodes).map_err(|failure| vec![failure])?;
        self.pins.prepare(lab).map_err(|error| vec![Failure::sandbox(lab, &error)])?;
        let mut failures = Vec::new();
        for (node, fd) in nodes.iter().zip(made) {
            match self.settle(lab, node, fd) {
                Ok(namespace) => self.edit(lab, |namespaces| namespaces.insert((*node).clone(), namespace)),
                Err(failure) => failures.push(failure),
            }
        }
        if failures.is_empty() { Ok(()) } else { Err(failures) }
    }

    fn make(&self, lab: &LabName, first_id: u32, nodes: &[&NodeName]) -> Result<Vec<OwnedFd>, Failure> {
        let failed = |error: sandbox::Error| Failure::sandbox(lab, &error);
        let known = self.of(lab)?.user.clone();
        if let Some(user) = known {
            return user.create_network_namespaces(nodes.len()).map_err(failed);
        }
        let ids = IdRange { base: first_id, count: EACH };
        let ceilings = *self.ceilings.lock().unwrap_or_else(PoisonError::into_inner);
        let (user, made) = UserNamespace::create_with(ids, ceilings, nodes.len()).map_err(failed)?;
        self.pin_user(lab, &user, first_id)?;
        self.edit(lab, |namespaces| namespaces.user = Some(Arc::new(user)));
        Ok(made)
    }

    fn pin_user(&self, lab: &LabName, user: &UserNamespace, first_id: u32) -> Result<(), Failure> {
        let failed = |error: sandbox::Error| Failure::sandbox(lab, &error);
        let dir = self.labs_dir.join(lab.as_str());
        fs::create_dir_all(&dir)
            .map_err(|error| Failure::os(lab, format!("making {}", dir.display()), &error))?;
        failpoint::step("after a lab's folder is made");
        let file = self.ids_file(lab);
        fs::write(&file, first_id.to_string())
            .map_err(|error| Failure::os(lab, format!("writing {}", file.display()), &error))?;
        let path = self.user_pin(lab);
        sandbox::unpin(&path).map_err(failed)?;
        failpoint::step("before the user namespace is pinned");
        sandbox::pin(user.as_fd(), &path).map_err(failed)?;
        failpoint::step("after the user namespace is pinned");
        Ok(())
    }

    fn settle(&self, lab: &LabName, node: &NodeName, fd: OwnedFd) -> Result<NodeNamespace, Failure> {
        self.pins.put_new(lab, node, fd.as_fd())?;
        NodeNamespace::new(fd).map_err(|error| Failure::os(node, "asking for its namespace", &error))
    }

    /// Nodes whose pin is gone or shows something else.
    pub(super) fn unpinned(&self, lab: &LabName, namespaces: &LabNamespaces) -> Vec<NodeName> {
        let lost = |(node, namespace): (&NodeName, &NodeNamespace)| {
            let pinned = self.pins.holds(lab, node, namespace.inode);
            (!pinned).then(|| node.clone())
        };
        namespaces.nodes.iter().filter_map(lost).collect()
    }

    /// The labs of which a node has lost its pin. Holds no namespace meanwhile: one that is let go would live longer.
    pub(super) fn labs_unpinned(&self) -> Vec<LabName> {
        let inodes = |(lab, namespaces): (&LabName, &Arc<LabNamespaces>)| {
            let nodes = namespaces.nodes.iter().map(|(node, namespace)| (node.clone(), namespace.inode));
            (lab.clone(), nodes.collect::<Vec<_>>())
        };
        let labs: Vec<_> =
            self.labs.lock().unwrap_or_else(PoisonError::into_inner).iter().map(inodes).collect();
        let is_lost = |(lab, nodes): &(LabName, Vec<(NodeName, Inode)>)| {
            nodes.iter().any(|(node, inode)| !self.pins.holds(lab, node, *inode))
        };
        labs.into_iter().filter(is_lost).map(|(lab, _)| lab).collect()
    }

    /// Pins a node's living namespace again.
    pub(super) fn pin(&self, lab: &LabName, node: &NodeName) -> Result<(), Failure> {
        let namespaces = self.of(lab)?;
        let Some(namespace) = namespaces.nodes.get(node) else {
            return Err(Failure::new(node, "its namespace is gone"));
        };
        let fresh = netns::open_anew(namespace.fd())
            .map_err(|error| Failure::os(node, "reopening its namespace", &error))?;
        self.pins.prepare(lab).map_err(|error| Failure::sandbox(node, &error))?;
        self.pins.put(lab, node, fresh.as_fd())
    }

    /// Gives back a lab's pins, user namespace and folder.
    pub(super) fn release(&self, lab: &LabName) -> Result<(), Failure> {
        self.pins.release(lab)?;
        sandbox::unpin(&self.user_pin(lab)).map_err(|error| Failure::sandbox(lab, &error))?;
        failpoint::step("after the user namespace is unpinned");
        let dir = self.labs_dir.join(lab.as_str());
        match fs::remove_file(self.ids_file(lab)) {
            Err(error) if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Err(Failure::os(lab, format!("removing {}", self.ids_file(lab).display()), &error));
            }
            _ => {}
        }
        failpoint::step("before a lab's folder is removed");
        match fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Failure::os(lab, format!("removing {}", dir.display()), &error));
            }
            _ => {}
        }
        self.labs.lock().unwrap_or_else(PoisonError::into_inner).remove(lab);
        self.owners().retain(|_, owner| owner.lab != *lab);
        Ok(())
    }

    /// Whose a namespace is, by the host's identifier of it.
    pub(super) fn owner_of(&self, id: i32) -> Option<Arc<NodeRef>> {
        self.owners().get(&id).cloned()
    }

    fn owners(&self) -> MutexGuard<'_, BTreeMap<i32, Arc<NodeRef>>> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The folder of pins.
    pub(super) fn netns_dir(&self) -> &Path {
        self.pins.netns_dir()
    }

    /// The names of network namespaces, ours and others'.
    pub(super) fn pins(&self) -> io::Result<BTreeSet<String>> {
        let ours: BTreeSet<String> = {
            let labs = self.labs.lock().unwrap_or_else(PoisonError::into_inner);
            let names = |(lab, namespaces): (&LabName, &Arc<LabNamespaces>)| {
                namespaces.nodes.keys().map(|node| format!("{lab}.{node}")).collect::<Vec<_>>()
            };
            labs.iter().flat_map(names).collect()
        };
        // In its own words ENOTDIR would name nothing.
        self.pins.names(&ours).map_err(|error| {
            let text = format!("{} cannot be read as a folder of pins: {error}", self.netns_dir().display());
            io::Error::new(error.kind(), text)
        })
    }

    /// The labs that hold a user namespace.
    pub(super) fn labs(&self) -> io::Result<Vec<LabName>> {
        Ok(list(&self.labs_dir)?.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// The first id of a lab's user namespace, of an earlier run too; `None` where that is not known. The
    /// kernel tells the ids of a user namespace only to who is in it.
    pub(super) fn first_id(&self, lab: &LabName) -> Option<u32> {
        fs::read_to_string(self.ids_file(lab)).ok()?.trim().parse().ok()
    }

    fn edit(&self, lab: &LabName, change: impl FnOnce(&mut LabNamespaces)) {
        let mut labs = self.labs.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever holds what was there keeps that; it is copied at most once for each of them.
        change(Arc::make_mut(labs.entry(lab.clone()).or_default()));
    }

    fn user_pin(&self, lab: &LabName) -> PathBuf {
        self.labs_dir.join(lab.as_str()).join("user")
    }

    fn ids_file(&self, lab: &LabName) -> PathBuf {
        self.labs_dir.join(lab.as_str()).join("first-id")
    }
}

fn list(dir: &Path) -> io::Result<Vec<String>> {
    match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect(),
    }
}
