//! Sysctls of the calling thread's network namespace.
//!
//! The kernel keeps what was looked up below `/proc/sys/net` by name, for all network namespaces in one
//! place: among a thousand namespaces, opening one file there takes it through a thousand entries of the
//! same name (`proc_sys_compare` in `fs/proc/proc_sysctl.c`), some 0.1 ms. So work in nodes goes through
//! instances of `/proc` of its own, each for a few namespaces and then thrown away with its entries.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{self, Read, Write},
    os::fd::OwnedFd,
    thread,
};

use rustix::{
    fs::{CWD, Mode, OFlags, openat},
    io::Errno,
    mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen},
};

use crate::{
    model::{IfName, SysctlKey},
    sys::netns,
};

/// Namespaces for which one instance of `/proc` serves: to make one costs about as much as to look
/// through this many entries a few times.
const SERVES: u32 = 16;

/// A way to sysctls.
#[derive(Debug, Default)]
pub(super) struct Sysctls {
    /// An instance of `/proc`; `None`: the one at `/proc`.
    proc: Option<OwnedFd>,
    /// How many more namespaces it serves; `None`: any number.
    left: Option<u32>,
}

impl Sysctls {
    /// For many namespaces in turn; [`Self::enter`] is called for each.
    pub(super) fn of_many() -> Self {
        Self { proc: None, left: Some(0) }
    }

    /// Tells that the thread has entered another namespace.
    pub(super) fn enter(&mut self) {
        self.left = match self.left {
            Some(0) => {
                // Where that is refused, the one at `/proc` does, only slower.
                self.proc = instance().ok();
                Some(SERVES - 1)
            }
            left => left.map(|left| left - 1),
        };
    }

    fn open(&self, key: &SysctlKey, flags: OFlags) -> io::Result<File> {
        self.open_path(&key.path(), flags)
    }

    /// Opens a file below `/proc/sys`.
    fn open_path(&self, path: &str, flags: OFlags) -> io::Result<File> {
        let open = |path: &str| match &self.proc {
            Some(proc) => openat(proc, path, flags | OFlags::CLOEXEC, Mode::empty()),
            None => openat(CWD, format!("/proc/{path}"), flags | OFlags::CLOEXEC, Mode::empty()),
        };
        Ok(open(&format!("sys/{path}"))?.into())
    }

    /// Reads a value, its final newline left out; `None` if there is no such sysctl, or none that can
    /// be read.
    pub(super) fn read(&self, key: &SysctlKey) -> Option<String> {
        let mut value = String::new();
        self.open(key, OFlags::RDONLY).ok()?.read_to_string(&mut value).ok()?;
        value.truncate(value.trim_end().len());
        Some(value)
    }

    /// Writes a value. A kernel without IPv6 forwards none: turning that off there is no error.
    pub(super) fn write(&self, key: &SysctlKey, value: &str) -> io::Result<()> {
        // To write nothing at all would leave the value as it is.
        let text = if value.is_empty() { "\n" } else { value };
        let written = self.open(key, OFlags::WRONLY).and_then(|mut file| file.write_all(text.as_bytes()));
        match written {
            Err(error) if error.kind() == io::ErrorKind::NotFound && value == "0" => {
                // What has no IPv6 has nothing of it to turn off.
                let folder =
                    key.interface().map_or("net/ipv6".to_owned(), |name| format!("net/ipv6/conf/{name}"));
                if fs::exists(format!("/proc/sys/{folder}"))? || !key.as_str().starts_with("net.ipv6.") {
                    return Err(error);
                }
                Ok(())
            }
            done => done,
        }
    }
}

impl Sysctls {
    /// Lets the kernel make an interface's link-local address: it does so when the way to make it changes to `eui64`
    /// (`addrconf_sysctl_addr_gen_mode` in net/ipv6/addrconf.c).
    pub(super) fn make_link_local(&self, interface: &IfName) -> io::Result<()> {
        // No key: interfaces have names that sysctls cannot have in a lab file.
        let path = format!("net/ipv6/conf/{interface}/addr_gen_mode");
        ["1", "0"]
            .into_iter()
            .try_for_each(|mode| self.open_path(&path, OFlags::WRONLY)?.write_all(mode.as_bytes()))
    }
}

/// The values in a new network namespace; what does not exist there is left out.
pub(super) fn fresh(keys: &BTreeSet<SysctlKey>) -> io::Result<BTreeMap<SysctlKey, String>> {
    let read = || {
        netns::leave()?;
        let sysctls = Sysctls::default();
        Ok(keys.iter().filter_map(|key| Some((key.clone(), sysctls.read(key)?))).collect())
    };
    let read = thread::scope(|scope| scope.spawn(read).join());
    read.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// An instance of `/proc` that is mounted nowhere.
fn instance() -> Result<OwnedFd, Errno> {
    let context = fsopen("proc", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(&context)?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_namespace_has_values_of_its_own() {
        let keys: BTreeSet<SysctlKey> =
            ["net.ipv4.ip_default_ttl", "net.ipv4.conf.lo.rp_filter", "net.ipv4.nothing"]
                .iter()
                .map(|key| key.parse().unwrap())
                .collect();
        // Where it may make one.
        if let Ok(values) = fresh(&keys) {
            assert_eq!(values.len(), 2, "{values:?}");
        }
    }

    #[test]
    fn values_read_the_same_whichever_way() {
        let key: SysctlKey = "net.ipv4.ip_forward".parse().unwrap();
        let plain = Sysctls::default().read(&key);
        let mut many = Sysctls::of_many();
        for _ in 0..=SERVES {
            many.enter();
            assert_eq!(many.read(&key), plain);
        }
        assert!(plain.is_some());
        let error = Sysctls::default().write(&"net.ipv4.nothing".parse().unwrap(), "1").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
