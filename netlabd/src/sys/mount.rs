//! File systems of their own.

use rustix::{
    io::Errno,
    mount::{MountFlags, mount},
};

/// Mounts a file system of a kind that needs no source.
pub(crate) fn mount_new(kind: &str, path: &str, flags: MountFlags, options: &str) -> Result<(), Errno> {
    let options = std::ffi::CString::new(options).map_err(|_| Errno::INVAL)?;
    mount(kind, path, kind, flags, Some(options.as_c_str()))
}
