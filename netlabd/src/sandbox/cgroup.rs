//! A lab's control group: bounds on memory and processes, where the host offers cgroup v2.
//!
//! Without it a lab's processes are bounded by `RLIMIT_NPROC` alone, which counts those of a user id, and the reason is told. See
//! `cgroups(7)` and the kernel's admin-guide/cgroup-v2.

use std::{
    fs, io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::io::Errno;

use super::error::{Result, Step, errno};

/// Bounds of a lab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory of all its processes and temporary files (`memory.max`).
    pub memory: u64,
    /// Processes and threads (`pids.max`).
    pub processes: u32,
}

/// A lab's cgroup.
#[derive(Debug)]
pub struct Cgroup {
    directory: PathBuf,
}

/// Where labs' cgroups can be made, or why they cannot.
#[derive(Debug, Clone)]
pub struct Cgroups {
    parent: PathBuf,
}

impl Cgroups {
    /// Chooses the parent of the labs' cgroups. An `Err` says why there are none.
    ///
    /// Under systemd with `Delegate=` and `DelegateSubgroup=netlabd` (systemd 254) it is the service's
    /// cgroup, otherwise `netlab` at the root: without a subgroup, a service that restarts while its
    /// cgroup has children cannot be put into it again.
    pub fn prepare() -> Result<Self, String> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").map_err(|e| e.to_string())?;
        let root = mount_point(&mounts).ok_or("no writable cgroup v2 file system is mounted")?;
        let own = fs::read_to_string("/proc/self/cgroup").map_err(|e| e.to_string())?;
        let own = own.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
        match own.strip_suffix("/netlabd").map(|service| root.join(service)) {
            Some(service) if delegated(&service) => Ok(Self { parent: service }),
            _ => enable(&root).map(|()| Self { parent: root.join("netlab") }),
        }
    }

    /// The cgroup below which labs have theirs.
    pub fn parent(&self) -> &Path {
        &self.parent
    }

    /// Makes (or finds) a lab's cgroup and sets its bounds.
    pub fn create(&self, lab: &str, limits: Limits) -> Result<Cgroup, String> {
        let cgroup = self.find(lab);
        make(&self.parent).map_err(|e| format!("cannot create {}: {e}", self.parent.display()))?;
        enable(&self.parent)?;
        make(&cgroup.directory)
            .and_then(|()| cgroup.bound(limits))
            .map_err(|e| format!("cannot bound {}: {e}", cgroup.directory.display()))?;
        Ok(cgroup)
    }

    /// Sets the bounds of all labs that have a cgroup. What they use above a bound stays until the kernel
    /// reclaims or kills it; see `memory.max`.
    pub fn bound_all(&self, limits: Limits) -> io::Result<()> {
        let entries = match fs::read_dir(&self.parent) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let directory = entry?.path();
            let lab = directory.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"lab-"));
            match if lab { (Cgroup { directory }).bound(limits) } else { Ok(()) } {
                // A lab that ends meanwhile needs no bounds.
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// A lab's cgroup, which may not exist.
    pub fn find(&self, lab: &str) -> Cgroup {
        Cgroup { directory: self.parent.join(format!("lab-{lab}")) }
    }
}

impl Cgroup {
    fn bound(&self, limits: Limits) -> io::Result<()> {
        let set = |file: &str, value: String| fs::write(self.directory.join(file), value);
        set("memory.max", limits.memory.to_string())?;
        // Swap would let a lab take twice as much; absent where the kernel has none.
        if self.directory.join("memory.swap.max").exists() {
            set("memory.swap.max", "0".into())?;
        }
        set("pids.max", limits.processes.to_string())
    }

    /// The file that a process writes to in order to join.
    pub(super) fn procs(&self) -> Result<OwnedFd> {
        let path = self.directory.join("cgroup.procs");
        fs::OpenOptions::new()
            .write(true)
            .open(&path)
            .map(Into::into)
            .map_err(|error| Step::JoinCgroup.path(&path, errno(error)))
    }

    /// Kills every process in it (`cgroup.kill`, Linux 5.14). Best effort: init does the rest.
    pub(super) fn kill(&self) {
        fs::write(self.directory.join("cgroup.kill"), "1").ok();
    }

    /// Removes it, once its processes are gone, for `limit` at most; and its parent after the last lab.
    /// Absent: nothing happens.
    pub(super) fn remove(&self, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        loop {
            match rustix::fs::rmdir(&self.directory) {
                Ok(()) | Err(Errno::NOENT) => {
                    // Fails while another lab, or the daemon itself, is there.
                    self.directory.parent().map(rustix::fs::rmdir);
                    return Ok(());
                }
                // A killed process leaves it a moment after it is reaped.
                Err(Errno::BUSY) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(2));
                }
                Err(errno) => return Err(Step::EndInit.path(&self.directory, errno)),
            }
        }
    }
}

/// The first writable cgroup2 mount of a mountinfo file (`proc_pid_mountinfo(5)`).
fn mount_point(mounts: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let (mount, file_system) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(4);
        let (path, options) = (mount.next()?, mount.next()?);
        let writable = options.split(',').any(|option| option == "rw");
        (writable && file_system.starts_with("cgroup2 ")).then(|| PathBuf::from(path))
    })
}

/// Whether systemd gave the cgroup away (its `user.delegate` or `trusted.delegate` attribute).
fn delegated(cgroup: &Path) -> bool {
    ["user.delegate", "trusted.delegate"].iter().any(|name| {
        let mut value = [0; 8];
        rustix::fs::getxattr(cgroup, *name, &mut value[..]).is_ok_and(|n| &value[..n] == b"1")
    })
}

/// Hands the two controllers down to a cgroup's children.
fn enable(cgroup: &Path) -> Result<(), String> {
    let read = |file: &str| fs::read_to_string(cgroup.join(file)).unwrap_or_default();
    let has = |list: &str, name| list.split_whitespace().any(|word| word == name);
    let (there, enabled) = (read("cgroup.controllers"), read("cgroup.subtree_control"));
    for name in ["memory", "pids"] {
        if !has(&there, name) {
            return Err(format!("{} has no {name} controller", cgroup.display()));
        }
        if !has(&enabled, name) {
            fs::write(cgroup.join("cgroup.subtree_control"), format!("+{name}"))
                .map_err(|e| format!("cannot enable {name} in {}: {e}", cgroup.display()))?;
        }
    }
    Ok(())
}

/// Makes a cgroup that may exist already.
fn make(cgroup: &Path) -> io::Result<()> {
    match fs::create_dir(cgroup) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_writable_second_version_counts() {
        let line =
            |options, kind| format!("31 24 0:27 / /sys/fs/cgroup {options} shared:9 - {kind} none rw\n");
        assert_eq!(mount_point(&line("ro,nosuid", "cgroup2")), None);
        assert_eq!(mount_point(&line("rw,nosuid", "cgroup")), None);
        let both = line("rw", "cgroup") + &line("rw,nosuid", "cgroup2");
        assert_eq!(mount_point(&both), Some("/sys/fs/cgroup".into()));
    }

    #[test]
    fn a_missing_controller_is_the_reason() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("cgroup.controllers"), "cpu memory\n").unwrap();
        fs::write(directory.path().join("cgroup.subtree_control"), "memory\n").unwrap();
        assert!(enable(directory.path()).unwrap_err().contains("no pids controller"));
    }
}
