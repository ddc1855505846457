//! Files of /proc.

use rustix::{
    fs::{Mode, OFlags, open},
    io::Errno,
};

/// Writes `text` to a file of /proc in a single write, as id maps want it.
pub(crate) fn write_once(path: &str, text: &str) -> Result<(), Errno> {
    let file = open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    match rustix::io::write(&file, text.as_bytes())? {
        n if n == text.len() => Ok(()),
        _ => Err(Errno::IO),
    }
}
