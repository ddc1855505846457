//! A lab's control group: bounds on memory and processes, where the host offers cgroup v2.
//!
//! Without it a lab's processes are bounded in number alone, by its user namespace, and the reason is told. See
//! `cgroups(7)`, the kernel's admin-guide/cgroup-v2 and systemd's `CGROUP_DELEGATION`: netlabd writes only to
//! cgroups that are its own.

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
    /// Whether its commands may make tun and tap interfaces.
    pub tun: bool,
}

impl Limits {
    /// MiB of packet rings of all its commands: an eighth of its memory, which does not count them. At least four of
    /// what libpcap asks for.
    pub fn rings(self) -> u32 {
        u32::try_from((self.memory / 8) >> 20).unwrap_or(u32::MAX).max(8)
    }
}

/// A lab's cgroup.
#[derive(Debug)]
pub struct Cgroup {
    directory: PathBuf,
    /// What goes with the last lab, where that is netlabd's.
    parent: Option<PathBuf>,
}

/// The cgroup that systemd gives to labs (`systemd/netlab-labs.service`), below the root of the tree.
const GIVEN: &str = "netlab.slice/netlab-labs.service";
/// Where systemd runs: `sd_booted(3)`.
const SYSTEMD: &str = "/run/systemd/system";

/// Where labs' cgroups can be made.
#[derive(Debug, Clone)]
pub struct Cgroups {
    parent: PathBuf,
    /// Whether the parent is netlabd's own too, and not only what is below it.
    own: bool,
}

impl Cgroups {
    /// Chooses the parent of the labs' cgroups. An `Err` says why there are none.
    ///
    /// Under systemd it is a cgroup that systemd has given away (`Delegate=`): the service's own where netlabd is in
    /// its subgroup `netlabd` (`DelegateSubgroup=`, systemd 254), otherwise that of `netlab-labs.service`, which
    /// outlives netlabd: a service that restarts while its own cgroup has children cannot be put into it again.
    /// Without systemd the tree is nobody's, and it is `netlab` at the root.
    pub fn prepare() -> Result<Self, String> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").map_err(|e| e.to_string())?;
        let root = mount_point(&mounts).ok_or("no writable cgroup v2 file system is mounted")?;
        let own = fs::read_to_string("/proc/self/cgroup").map_err(|e| e.to_string())?;
        let own = own.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
        let service = own.strip_suffix("/netlabd").map(|service| root.join(service));
        let given = service.into_iter().chain([root.join(GIVEN)]).find(|cgroup| delegated(cgroup));
        if let Some(parent) = given {
            return vacate(&parent).and_then(|()| enable(&parent)).map(|()| Self { parent, own: false });
        }
        if Path::new(SYSTEMD).is_dir() {
            return Err("the tree of cgroups is systemd's, which has given none to labs (systemctl start netlab-labs.service)".into());
        }
        enable(&root).map(|()| Self { parent: root.join("netlab"), own: true })
    }

    /// The cgroup below which labs have theirs.
    pub fn parent(&self) -> &Path {
        &self.parent
    }

    /// Makes (or finds) a lab's cgroup and sets its bounds.
    pub fn create(&self, lab: &str, limits: Limits) -> Result<Cgroup, String> {
        let cgroup = self.find(lab);
        if self.own {
            make(&self.parent).map_err(|e| format!("cannot create {}: {e}", self.parent.display()))?;
            enable(&self.parent)?;
            self.leave_room().map_err(|e| format!("cannot bound {}: {e}", self.parent.display()))?;
        }
        make(&cgroup.directory)
            .and_then(|()| cgroup.bound(limits))
            .map_err(|e| format!("cannot bound {}: {e}{}", cgroup.directory.display(), self.advice()))?;
        Ok(cgroup)
    }

    fn advice(&self) -> &'static str {
        let gone = !self.own && !self.parent.exists();
        if gone { "; systemctl start netlab-labs.service" } else { "" }
    }

    /// Bounds all labs together, as `netlab.slice` does under systemd: half of the host's processes and three
    /// quarters of its memory.
    fn leave_room(&self) -> io::Result<()> {
        let number = |file: &str| fs::read_to_string(file).ok()?.trim().parse::<u64>().ok();
        let most =
            ["/proc/sys/kernel/pid_max", "/proc/sys/kernel/threads-max"].into_iter().filter_map(number);
        if let Some(most) = most.min() {
            fs::write(self.parent.join("pids.max"), (most / 2).to_string())?;
        }
        let info = fs::read_to_string("/proc/meminfo")?;
        if let Some(total) = total_memory(&info) {
            fs::write(self.parent.join("memory.max"), (total / 4 * 3).to_string())?;
        }
        Ok(())
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
            match if lab { (Cgroup { directory, parent: None }).bound(limits) } else { Ok(()) } {
                // A lab that ends meanwhile needs no bounds.
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// A lab's cgroup, which may not exist.
    pub fn find(&self, lab: &str) -> Cgroup {
        let parent = self.own.then(|| self.parent.clone());
        Cgroup { directory: self.parent.join(format!("lab-{lab}")), parent }
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
                    // Fails while another lab is there.
                    self.parent.as_ref().map(rustix::fs::rmdir);
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

/// `MemTotal` of `/proc/meminfo`, in bytes.
fn total_memory(info: &str) -> Option<u64> {
    let total = info.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    total.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1_024)
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

/// Puts the process that keeps a given cgroup alive (systemd takes an empty one away) into one below it: a cgroup that
/// hands controllers down has no processes of its own (cgroups(7), "no internal processes").
fn vacate(cgroup: &Path) -> Result<(), String> {
    let failed = |e: io::Error| format!("cannot move what keeps {}: {e}", cgroup.display());
    let keepers = fs::read_to_string(cgroup.join("cgroup.procs")).map_err(failed)?;
    let below = cgroup.join("keeper");
    for keeper in keepers.lines() {
        make(&below).map_err(failed)?;
        fs::write(below.join("cgroup.procs"), keeper).map_err(failed)?;
    }
    Ok(())
}

/// Hands the two controllers down to a cgroup's children, and `cpu` where it is there: then labs share the processors
/// evenly, and all of them together weigh no more than the host's other groups do.
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
    if has(&there, "cpu") && !has(&enabled, "cpu") {
        // Refused where realtime processes run (admin-guide/cgroup-v2, "CPU"); labs do without.
        fs::write(cgroup.join("cgroup.subtree_control"), "+cpu").unwrap_or_default();
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
    fn the_memory_of_the_host() {
        assert_eq!(total_memory("MemTotal:       16318436 kB\nMemFree: 1 kB\n"), Some(16_318_436 << 10));
        assert_eq!(total_memory("MemFree: 1 kB\n"), None);
    }

    #[test]
    fn a_missing_controller_is_the_reason() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("cgroup.controllers"), "cpu memory\n").unwrap();
        fs::write(directory.path().join("cgroup.subtree_control"), "memory\n").unwrap();
        assert!(enable(directory.path()).unwrap_err().contains("no pids controller"));
    }
}
