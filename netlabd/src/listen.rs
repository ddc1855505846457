//! Unix sockets that a group may connect to.

use std::{
    fs, io,
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt},
    path::Path,
};

use tokio::net::UnixListener;

use crate::policy::group_id;

/// Makes a socket, mode 0660, of a group where that exists. One that nobody listens at any more is
/// replaced.
pub(crate) fn listen(path: &Path, name: &str) -> io::Result<UnixListener> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => {
            if std::os::unix::net::UnixStream::connect(path).is_ok() {
                let text = format!("{} is in use by another netlabd", path.display());
                return Err(io::Error::new(io::ErrorKind::AddrInUse, text));
            }
            fs::remove_file(path)?;
        }
        Ok(_) => {
            let text = format!("{} exists and is not a socket", path.display());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
        }
        Err(_) => {}
    }
    // Of its group from the start, which takes no right to give files away.
    let group = group_id(name);
    let own = group.map(file_group);
    // Nobody may connect before the mode is set.
    let before = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o177));
    let listener = UnixListener::bind(path);
    rustix::process::umask(before);
    own.map(file_group);
    let listener = listener?;
    match group {
        None => tracing::warn!(
            group = name,
            "the group does not exist: only root can connect to {}; make it (groupadd --system {name}) and \
             restart netlabd",
            path.display()
        ),
        Some(group) if fs::metadata(path)?.gid() != group => {
            let text = format!("{} cannot be made for its group; netlabd needs CAP_SETGID", path.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
        }
        Some(_) => {}
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}

/// Chooses the group of files that this thread makes (`setfsgid(2)`), and answers the one before.
#[expect(unsafe_code, reason = "no safe wrapper exists")]
fn file_group(group: u32) -> u32 {
    // SAFETY: no pointers. It is this thread's alone.
    unsafe { libc::setfsgid(group) }.cast_unsigned()
}
