//! Where the namespaces of nodes are pinned.
//!
//! A lab has a tmpfs of its own, `<runtime-dir>/labs/LAB/net`: there a namespace is pinned as `NODE`, and
//! `<netns-dir>/LAB.NODE` is a symbolic link to the pin, which `ip netns` and systemd follow. So one umount(2) takes all
//! pins of a lab away; with one for each, each would wait for a grace period of RCU (`namespace_unlock` in
//! `fs/namespace.c`).
//!
//! What is pinned tells which nodes there are, links only follow from it: a pin is made before its link and goes
//! after it, so that whatever a netlabd leaves that is killed meanwhile is found by its pins.
//!
//! Earlier releases pinned namespaces as `<netns-dir>/LAB.NODE` themselves. Such pins are as good, and go one by one.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    os::{
        fd::{BorrowedFd, OwnedFd},
        unix::fs::symlink,
    },
    path::{Path, PathBuf},
};

use crate::{
    failpoint,
    model::{LabName, NodeName},
    platform::Failure,
    sandbox,
    sys::{netns, nsfs::Inode},
};

/// Most pins taken away at once where each is unmounted by itself: those who wait for a grace period together share it.
const AT_ONCE: usize = 64;
/// Pins for which another thread pays.
const EACH: usize = 4;

/// Where a node's namespace is pinned.
#[derive(Debug, Clone, Copy)]
enum Pinned {
    /// In the lab's folder.
    InFolder,
    /// At its name, by an earlier release.
    ByName,
}

/// The folders of pins.
#[derive(Debug)]
pub(super) struct Pins {
    netns_dir: PathBuf,
    labs_dir: PathBuf,
}

impl Pins {
    /// Pins below `labs_dir`, links to them in `netns_dir`.
    pub(super) fn new(netns_dir: PathBuf, labs_dir: &Path) -> Self {
        // Links say the whole way.
        let labs_dir = std::path::absolute(labs_dir).unwrap_or_else(|_| labs_dir.to_owned());
        Self { netns_dir, labs_dir }
    }

    /// The folder of names, which all labs share.
    pub(super) fn netns_dir(&self) -> &Path {
        &self.netns_dir
    }

    fn folder(&self, lab: &LabName) -> PathBuf {
        self.labs_dir.join(lab.as_str()).join("net")
    }

    fn pin(&self, lab: &LabName, node: &NodeName) -> PathBuf {
        self.folder(lab).join(node.as_str())
    }

    fn link(&self, lab: &LabName, node: &NodeName) -> PathBuf {
        self.netns_dir.join(format!("{lab}.{node}"))
    }

    /// Makes both folders, unless they are there.
    pub(super) fn prepare(&self, lab: &LabName) -> sandbox::Result<()> {
        sandbox::prepare_directory(&self.netns_dir)?;
        sandbox::mount_folder(&self.folder(lab))
    }

    /// All that is pinned as a node of a lab, whosever it is. What an earlier run has left half made or half taken away
    /// goes: only for a lab of which nothing is in the making.
    pub(super) fn find(&self, lab: &LabName) -> io::Result<BTreeMap<NodeName, OwnedFd>> {
        let mut found = BTreeMap::new();
        let folder = self.folder(lab);
        for name in super::list(&folder)? {
            let path = folder.join(&name);
            match (sandbox::open_pin(&path).map_err(io::Error::other)?, name.parse()) {
                (Some(fd), Ok(node)) => drop(found.insert(node, fd)),
                (None, _) if sandbox::is_bare(&path) => fs::remove_file(&path)?,
                _ => {}
            }
        }
        for (node, path) in self.names_of(lab)? {
            match fs::read_link(&path) {
                Ok(to) if to == self.pin(lab, &node) && !found.contains_key(&node) => fs::remove_file(&path)?,
                Ok(_) => {}
                Err(_) => match sandbox::open_pin(&path).map_err(io::Error::other)? {
                    Some(fd) => drop(found.entry(node).or_insert(fd)),
                    None if sandbox::is_left_over(&path) => fs::remove_file(&path)?,
                    None => {}
                },
            }
        }
        Ok(found)
    }

    /// The names of a lab's nodes that are taken, and where.
    fn names_of(&self, lab: &LabName) -> io::Result<Vec<(NodeName, PathBuf)>> {
        let node = |name: &str| name.strip_prefix(lab.as_str())?.strip_prefix('.')?.parse().ok();
        let names = super::list(&self.netns_dir)?;
        Ok(names.iter().filter_map(|name| Some((node(name)?, self.netns_dir.join(name)))).collect())
    }

    /// Pins a new node's namespace, unless its name is that of somebody else's.
    pub(super) fn put_new(
        &self,
        lab: &LabName,
        node: &NodeName,
        namespace: BorrowedFd<'_>,
    ) -> Result<(), Failure> {
        let link = self.link(lab, node);
        let other = match fs::read_link(&link) {
            Ok(to) => to != self.pin(lab, node) && leads_to_namespace(&link),
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(_) => sandbox::open_pin(&link).map_err(|error| Failure::sandbox(node, &error))?.is_some(),
        };
        if other {
            let what = format!(
                "{} is a namespace that is not netlab's; ip netns delete {lab}.{node}, or rename the node",
                link.display()
            );
            return Err(Failure { errno: Some(libc::EADDRINUSE), ..Failure::new(node, what) });
        }
        self.put(lab, node, namespace)
    }

    /// Pins a node's namespace, whatever has its name.
    pub(super) fn put(
        &self,
        lab: &LabName,
        node: &NodeName,
        namespace: BorrowedFd<'_>,
    ) -> Result<(), Failure> {
        let pin = self.pin(lab, node);
        match sandbox::pin(namespace, &pin) {
            Err(sandbox::Error::PinTaken(_)) => {
                sandbox::unpin(&pin).and_then(|()| sandbox::pin(namespace, &pin))
            }
            pinned => pinned,
        }
        .map_err(|error| Failure::sandbox(node, &error))?;
        failpoint::step("before a pin is linked");
        self.put_link(lab, node)?;
        failpoint::step("after a node is pinned");
        Ok(())
    }

    fn put_link(&self, lab: &LabName, node: &NodeName) -> Result<(), Failure> {
        let (pin, link) = (self.pin(lab, node), self.link(lab, node));
        let mut made = symlink(&pin, &link);
        let taken = |made: &io::Result<()>| {
            made.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::AlreadyExists)
        };
        if taken(&made) {
            if fs::read_link(&link).is_ok_and(|to| to == pin) {
                return Ok(());
            }
            sandbox::unpin(&link).map_err(|error| Failure::sandbox(node, &error))?;
            made = symlink(&pin, &link);
        }
        made.map_err(|error| Failure::os(node, format!("linking {} to its pin", link.display()), &error))
    }

    /// Whether a node's name leads to its namespace by a pin of ours.
    pub(super) fn holds(&self, lab: &LabName, node: &NodeName, namespace: Inode) -> bool {
        let link = self.link(lab, node);
        // No link: a pin of an earlier release.
        fs::read_link(&link).map_or(true, |to| to == self.pin(lab, node))
            && Inode::at(&link).is_ok_and(|there| there == namespace)
    }

    /// Takes pins away with their names, unless these are somebody else's by now; `all`: the lab has no other node.
    /// Each comes with the namespace that is known of the node, if any; what became of each is returned in order.
    pub(super) fn remove(
        &self,
        lab: &LabName,
        nodes: &[(&NodeName, Option<Inode>)],
        all: bool,
    ) -> io::Result<Vec<Result<(), Failure>>> {
        let mut results = Vec::with_capacity(nodes.len());
        let mut single = Vec::new();
        for (number, (node, known)) in nodes.iter().enumerate() {
            let found = self.unlink(lab, node, *known);
            match &found {
                Ok(Pinned::ByName) => single.push((number, self.link(lab, node))),
                Ok(Pinned::InFolder) if !all => single.push((number, self.pin(lab, node))),
                _ => {}
            }
            results.push(found.map(drop));
        }
        let unpin = |(_, path): &(usize, PathBuf)| {
            let done = sandbox::unpin(path);
            failpoint::step("after a node is unpinned");
            done
        };
        let unpinned =
            netns::on_threads(AT_ONCE.min(single.len() / EACH), &single, || (), |(), path| unpin(path))?;
        for ((number, _), done) in single.into_iter().zip(unpinned) {
            results[number] = done.map_err(|error| Failure::sandbox(nodes[number].0, &error));
        }
        if all && let Err(failure) = self.unmount(lab) {
            results
                .iter_mut()
                .filter(|result| result.is_ok())
                .for_each(|result| *result = Err(failure.clone()));
        }
        Ok(results)
    }

    /// Takes the link to a pin away, if there is one of ours.
    fn unlink(&self, lab: &LabName, node: &NodeName, known: Option<Inode>) -> Result<Pinned, Failure> {
        let link = self.link(lab, node);
        match fs::read_link(&link) {
            Ok(to) if to == self.pin(lab, node) => {
                fs::remove_file(&link)
                    .map_err(|error| Failure::os(node, format!("removing {}", link.display()), &error))?;
                failpoint::step("after the link to a pin is removed");
                Ok(Pinned::InFolder)
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                let own = known.is_some_and(|known| self.holds(lab, node, known)) || sandbox::is_bare(&link);
                Ok(if own { Pinned::ByName } else { Pinned::InFolder })
            }
            _ => Ok(Pinned::InFolder),
        }
    }

    fn unmount(&self, lab: &LabName) -> Result<(), Failure> {
        failpoint::step("before all pins of a lab are unmounted");
        sandbox::unmount_folder(&self.folder(lab)).map_err(|error| Failure::sandbox(lab, &error))
    }

    /// Takes away whatever there is of a lab's pins.
    pub(super) fn release(&self, lab: &LabName) -> Result<(), Failure> {
        let failed = |error: io::Error| Failure::os(lab, "removing links to its pins", &error);
        for (node, path) in self.names_of(lab).map_err(failed)? {
            if fs::read_link(&path).is_ok_and(|to| to == self.pin(lab, &node)) {
                fs::remove_file(&path).map_err(failed)?;
            }
        }
        self.unmount(lab)
    }

    /// The names of namespaces, without those that stand for none any more: plain empty files, and links of ours whose
    /// pin is gone. Those of `ours` are taken for what they are known to be.
    pub(super) fn names(&self, ours: &BTreeSet<String>) -> io::Result<BTreeSet<String>> {
        let stale = |path: &Path| match fs::read_link(path) {
            Ok(to) => to.starts_with(&self.labs_dir) && !leads_to_namespace(path),
            Err(_) => sandbox::is_bare(path),
        };
        let names = super::list(&self.netns_dir)?.into_iter();
        Ok(names.filter(|name| ours.contains(name) || !stale(&self.netns_dir.join(name))).collect())
    }
}

/// Whether a namespace is found by following a link.
fn leads_to_namespace(link: &Path) -> bool {
    fs::canonicalize(link).is_ok_and(|path| sandbox::open_pin(&path).is_ok_and(|pin| pin.is_some()))
}
