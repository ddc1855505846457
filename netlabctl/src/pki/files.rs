//! Files of an authority.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
};

use super::about;
use crate::error::{CONFLICT, FAILED, Failure};

/// The folder of all certificates.
pub(super) const ISSUED: &str = "issued";

/// The mode of what everybody may read.
pub(super) const PUBLIC: u32 = 0o644;
/// The mode of a key.
pub(super) const PRIVATE: u32 = 0o600;

/// Makes a folder and those above it, closed to others.
pub(super) fn folder(path: &Path) -> Result<(), Failure> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| about(path, FAILED, error))
}

/// Writes a file that must not exist yet.
pub(super) fn create(path: &Path, mode: u32, text: &str) -> Result<(), Failure> {
    let write = || -> io::Result<()> {
        let mut file = fs::File::options().create_new(true).write(true).mode(mode).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => about(path, CONFLICT, "exists already, and is not overwritten"),
        _ => about(path, FAILED, error),
    })
}

/// Writes a file in the place of an old one, at once for who reads it.
pub(super) fn replace(path: &Path, mode: u32, text: &str) -> Result<(), Failure> {
    let new = path.with_extension(format!("new.{}", std::process::id()));
    create(&new, mode, text)?;
    fs::rename(&new, path).map_err(|error| about(path, FAILED, error))
}

/// Reads a file.
pub(super) fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| about(path, FAILED, error))
}
