//! Sysctls of the calling thread's network namespace.

use std::{fs, io};

use crate::model::{IfName, SysctlKey};

fn path(key: &SysctlKey) -> String {
    format!("/proc/sys/{}", key.path())
}

/// Reads a value, its final newline left out; `None` if there is no such sysctl, or none that can
/// be read.
pub(super) fn read(key: &SysctlKey) -> Option<String> {
    let value = fs::read_to_string(path(key)).ok()?;
    Some(value.trim_end().to_owned())
}

/// The names in a folder below `/proc/sys`.
pub(super) fn folder(path: &str) -> Vec<String> {
    let entries = fs::read_dir(format!("/proc/sys/{path}")).into_iter().flatten();
    entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Keeps the other addresses of an IPv4 network on an interface while the first one of them is deleted.
/// The kernel takes them for followers that go with it, unless `promote_secondaries` is set.
#[must_use]
pub(super) struct Followers(Option<String>);

impl Followers {
    /// From now on they stay.
    pub(super) fn keep(interface: &IfName) -> Self {
        let path = format!("/proc/sys/net/ipv4/conf/{interface}/promote_secondaries");
        let off = fs::read_to_string(&path).is_ok_and(|value| value.trim() == "0");
        // Without it they are missed for a moment, until the next look.
        Self(Some(path).filter(|path| off && fs::write(path, "1").is_ok()))
    }

    /// As it was before.
    pub(super) fn let_go(self) {
        if let Some(path) = self.0 {
            // The interface may be gone.
            let _ = fs::write(path, "0");
        }
    }
}

/// Writes a value. A kernel without IPv6 forwards none: turning that off there is no error.
pub(super) fn write(key: &SysctlKey, value: &str) -> io::Result<()> {
    match fs::write(path(key), value) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && value == "0" => {
            if fs::exists("/proc/sys/net/ipv6")? || !key.as_str().starts_with("net.ipv6.") {
                return Err(error);
            }
            Ok(())
        }
        done => done,
    }
}
