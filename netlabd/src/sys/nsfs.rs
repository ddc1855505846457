//! Namespaces as files.

use std::{
    fs, io,
    os::{fd::BorrowedFd, unix::fs::MetadataExt},
    path::Path,
};

use rustix::{fs::fstat, io::Errno};

/// Which namespace a file stands for: device and inode (`namespaces(7)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Inode(u64, u64);

impl Inode {
    /// The namespace that a descriptor is of.
    pub(crate) fn of(namespace: BorrowedFd<'_>) -> Result<Self, Errno> {
        let stat = fstat(namespace)?;
        Ok(Self(stat.st_dev, stat.st_ino))
    }

    /// The namespace that is pinned at a path or where a link there leads to.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        fs::metadata(path).map(|file| Self(file.dev(), file.ino()))
    }
}
