//! The private host that each test runs in.
//!
//! A test is a process in network, mount and process namespaces of its own, so it simply runs commands:
//! what they see is the private host. When it ends, in whatever way, the kernel ends every process of it
//! and takes the namespaces, mounts and files away.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use rustix::{
    mount::{MountFlags, mount},
    process::{Pid, Signal, kill_process},
};
use serde_json::Value;

use crate::{
    command::{Output, run, wait_until},
    daemon::{Daemon, Folders, program},
    inventory::Inventory,
};

/// A private host, and netlabd on it once started.
#[derive(Debug)]
pub struct TestHost {
    folders: Folders,
    daemon: Option<Daemon>,
}

/// Mounts a private host's own `/run` and `/sys`. Only inside fresh namespaces.
pub fn prepare() {
    let none = MountFlags::empty();
    mount("tmpfs", "/run", "tmpfs", none, None).expect("mounting /run");
    fs::create_dir_all("/run/netns").expect("making /run/netns");
    fs::create_dir_all("/run/test").expect("making /run/test");
    mount("sysfs", "/sys", "sysfs", none, None).expect("mounting /sys");
    // Hosts without the unified hierarchy have nothing to mount here, and no test needs it.
    let _ = mount("cgroup2", "/sys/fs/cgroup", "cgroup2", none, None);
    run(Command::new("ip").args(["link", "set", "lo", "up"])).ok();
    // The host gets an id for itself, as it would from the first netlink listener for all namespaces.
    let itself = "ip netns attach itself $$; ip netns set itself auto; ip netns del itself";
    run(Command::new("sh").args(["-ec", itself])).ok();
    // A new namespace takes some of its settings from the machine's first one: begin with known ones.
    fs::write("/proc/sys/net/ipv4/ip_forward", "0").expect("setting ip_forward");
    // Addresses are usable at once instead of being tentative for a second, so that two looks agree.
    fs::write("/proc/sys/net/ipv6/conf/default/accept_dad", "0").expect("setting accept_dad");
}

impl TestHost {
    /// The private host that this process is in, see [`prepare`].
    pub fn here() -> Self {
        let dir = Path::new("/run/test");
        let folders = Folders {
            runtime: dir.join("runtime"),
            state: dir.join("state"),
            netns: "/run/netns".into(),
            log: dir.join("netlabd.log"),
        };
        Self { folders, daemon: None }
    }

    /// The same with netlabd running.
    pub fn started() -> Self {
        let mut host = Self::here();
        host.start();
        host
    }

    /// Starts netlabd.
    pub fn start(&mut self) {
        self.start_with(&[]);
    }

    /// Starts netlabd with more arguments.
    pub fn start_with(&mut self, args: &[&str]) {
        assert!(self.daemon.is_none(), "netlabd runs already");
        self.daemon = Some(Daemon::start_with(&self.folders, args));
    }

    /// Starts netlabd by another command, which takes it as its arguments.
    pub fn start_under(&mut self, command: &[&str]) {
        assert!(self.daemon.is_none(), "netlabd runs already");
        self.daemon = Some(Daemon::start_under(&self.folders, command));
    }

    /// Stops netlabd in good order.
    pub fn stop(&mut self) {
        self.running().stop();
    }

    /// Kills netlabd.
    pub fn kill(&mut self) {
        self.running().kill();
    }

    fn running(&mut self) -> Daemon {
        self.daemon.take().expect("netlabd runs")
    }

    /// netlabd's process id.
    pub fn daemon_pid(&self) -> u32 {
        self.daemon.as_ref().expect("netlabd runs").pid()
    }

    /// Tells netlabd to read its configuration again (SIGHUP).
    pub fn reload(&self) {
        let pid = Pid::from_raw(self.daemon_pid().cast_signed()).expect("a process id");
        kill_process(pid, Signal::HUP).expect("netlabd is there");
    }

    /// netlabd's folders.
    pub fn folders(&self) -> &Folders {
        &self.folders
    }

    /// What all daemons of this host have logged.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.folders.log).unwrap_or_default()
    }

    /// netlabctl, ready to be run against this host's netlabd.
    pub fn ctl_command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(program("netlabctl"));
        command.env("NETLAB_HOST", format!("unix://{}", self.folders.socket().display()));
        command.current_dir(repository()).args(args);
        command
    }

    /// Runs netlabctl in the repository's top folder.
    pub fn ctl(&self, args: &[&str]) -> Output {
        run(&mut self.ctl_command(args))
    }

    /// Runs a command.
    pub fn run(&self, command: &str, args: &[&str]) -> Output {
        run(Command::new(command).args(args))
    }

    /// Runs a shell script that must succeed; gives its standard output.
    pub fn sh(&self, script: &str) -> String {
        self.run("sh", &["-ec", script]).ok()
    }

    /// Runs a command in a namespace, as `ip netns exec` does.
    pub fn exec(&self, namespace: &str, command: &str) -> Output {
        self.run("sh", &["-c", &format!("exec ip netns exec {namespace} {command}")])
    }

    /// Whether one of three echo requests from a namespace is answered.
    pub fn pings(&self, namespace: &str, target: &str) -> bool {
        self.exec(namespace, &format!("ping -n -c 3 -i 0.2 -W 2 {target}")).code == 0
    }

    /// `get-lab` as JSON.
    pub fn lab(&self, name: &str) -> Value {
        let text = self.ctl(&["get-lab", name, "-o", "json"]).ok();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("get-lab -o json: {error}:\n{text}"))
    }

    /// Waits until a lab is Ready, and so after drift: until it has been repaired.
    pub fn wait_ready(&self, name: &str) {
        wait_until(&format!("{name} is Ready"), Duration::from_secs(30), || {
            self.lab(name)["status"]["phase"] == "PHASE_READY"
        });
    }

    /// Writes a file for this test; gives its path.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.scratch(name);
        fs::write(&path, content).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
        path.to_str().expect("a path of ours is UTF-8").to_owned()
    }

    /// A path for a file of this test.
    pub fn scratch(&self, name: &str) -> PathBuf {
        Path::new("/run/test").join(name)
    }

    /// Everything that a lab could leave behind.
    pub fn inventory(&self) -> Inventory {
        Inventory::take(&self.folders)
    }
}

/// The repository's top folder.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the repository is still there")
}

/// The text of one of the example labs.
pub fn example(name: &str) -> String {
    let path = repository().join("labs").join(format!("{name}.yaml"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}
