//! A test host: network, mount and process namespaces of the test's own.
#![allow(dead_code, reason = "each test file uses a part")]

use std::{
    io::Read,
    os::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use netlabd::sandbox::{self, Cgroup, Child, Exit, IdRange, LabContext, LabInit, Streams, UserNamespace};

/// Ids that no user of a test machine has.
pub(crate) const IDS: IdRange = IdRange { base: 1_900_000_000, count: 65_536 };

/// Whether this process is the test inside its test host. Otherwise it runs the test `name` there,
/// fails if that fails, and answers false. Only root can make a test host.
pub(crate) fn inside(name: &str) -> bool {
    if is_test_host() {
        return true;
    }
    if !rustix::process::geteuid().is_root() {
        eprintln!("{name} is not run: it needs root to make a test host");
        return false;
    }
    let status = test_host().args(["--exact", name, "--nocapture", "--test-threads", "1"]).status().unwrap();
    assert!(status.success(), "{name} failed in its test host: {status}");
    false
}

const MARK: &str = "NETLAB_TEST_HOST";

/// Whether this process runs in a test host, which is then made ready.
pub(crate) fn is_test_host() -> bool {
    if std::env::var_os(MARK).is_none() {
        return false;
    }
    // By descriptor: its path may lie below a directory that a test covers.
    let program = std::fs::File::open(env!("CARGO_BIN_EXE_netlabd")).unwrap().into_raw_fd();
    netlabd::sandbox::set_helper_program(format!("/proc/self/fd/{program}"));
    std::fs::create_dir_all("/run/netns").unwrap();
    run("mount -t tmpfs -o size=64m netlab-test /run/netns");
    run("ip link set lo up");
    true
}

/// A command that runs this program in a test host, for three minutes at most.
pub(crate) fn test_host() -> Command {
    let mut command = Command::new("timeout");
    command
        .args(["-k", "5", "180", "unshare", "--net", "--mount", "--pid", "--uts", "--ipc", "--fork"])
        .args(["--kill-child", "--mount-proc", "--propagation", "private"])
        .arg(std::env::current_exe().unwrap())
        .env(MARK, "1");
    command
}

/// Runs a command line that must succeed, and answers its output.
pub(crate) fn run(line: &str) -> String {
    let output = Command::new("sh").args(["-c", line]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{line}: {}{text}", String::from_utf8_lossy(&output.stderr));
    text
}

/// A fresh directory on a file system of the test's own, gone with the test host.
pub(crate) fn scratch() -> PathBuf {
    let path = PathBuf::from("/run/netns/scratch");
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// A lab's user namespace.
pub(crate) fn user_namespace() -> UserNamespace {
    UserNamespace::create(IDS).unwrap()
}

/// A lab of one node, `node1`.
pub(crate) struct TestLab {
    pub(crate) user: UserNamespace,
    pub(crate) init: LabInit,
    pub(crate) network: OwnedFd,
    pid_pin: PathBuf,
    pub(crate) cgroup: Option<Cgroup>,
    /// Whether commands may open /dev/net/tun.
    pub(crate) tun: bool,
}

impl TestLab {
    pub(crate) fn new() -> Self {
        Self::with_cgroup(None)
    }

    pub(crate) fn with_cgroup(cgroup: Option<Cgroup>) -> Self {
        let user = user_namespace();
        let pid_pin = scratch().join(format!("pid{}", user.as_fd().as_raw_fd()));
        let init = LabInit::ensure(&pid_pin, &user, cgroup.as_ref()).unwrap();
        let network = user.create_network_namespaces(1).unwrap().remove(0);
        Self { user, init, network, pid_pin, cgroup, tun: false }
    }

    /// Where the process namespace is pinned.
    pub(crate) fn pid_pin(&self) -> &Path {
        &self.pid_pin
    }

    pub(crate) fn command(args: &[&str], streams: Streams) -> sandbox::Command {
        sandbox::Command {
            args: args.iter().map(ToString::to_string).collect(),
            environment: [].into(),
            working_directory: String::new(),
            streams,
            hostname: "node1".into(),
            hosts: "127.0.0.1 localhost\n".into(),
            resolv_conf: "nameserver 198.18.0.1\n".into(),
        }
    }

    pub(crate) fn context<T>(&self, f: impl FnOnce(&LabContext<'_>) -> T) -> T {
        let budget = std::fs::File::create(scratch().join("rings")).unwrap();
        let run = sandbox::runtime_directory(&scratch().join("run"), IDS.base).unwrap();
        f(&LabContext {
            user: &self.user,
            ids: IDS,
            init: &self.init,
            network: self.network.as_fd(),
            run: run.as_fd(),
            cgroup: self.cgroup.as_ref(),
            processes: 512,
            tun: self.tun,
            rings: budget.as_fd(),
            ring_limit: 8,
            pins: &[Path::new("/run/netns")],
        })
    }

    pub(crate) fn spawn(&self, args: &[&str], streams: Streams) -> Child {
        self.context(|context| sandbox::spawn(context, Self::command(args, streams)).unwrap())
    }

    /// Runs a shell script, and answers all its output and its exit.
    pub(crate) fn output(&self, script: &str) -> (String, Exit) {
        let mut child = self.spawn(&["sh", "-c", &format!("exec 2>&1; {script}")], Streams::Pipes);
        let mut text = String::new();
        std::fs::File::from(child.stdout.take().unwrap()).read_to_string(&mut text).unwrap();
        (text, block_on(child.wait()).unwrap())
    }

    /// Processes in the lab's process namespace, zombies not counted.
    pub(crate) fn count_processes(&self) -> usize {
        use std::os::unix::fs::MetadataExt;
        let namespace = rustix::fs::fstat(self.init.namespace()).unwrap().st_ino;
        let inside = |entry: &std::fs::DirEntry| {
            std::fs::metadata(entry.path().join("ns/pid")).is_ok_and(|found| found.ino() == namespace)
                && !std::fs::read_to_string(entry.path().join("stat")).is_ok_and(|stat| stat.contains(") Z"))
        };
        std::fs::read_dir("/proc").unwrap().flatten().filter(inside).count()
    }

    pub(crate) fn wait_for_processes(&self, n: usize, limit: Duration) {
        let deadline = Instant::now() + limit;
        while self.count_processes() != n {
            assert!(Instant::now() < deadline, "{} processes, not {n}", self.count_processes());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// How long anything may take that is only waited for: machines are busy.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Waits for a future, for a minute at most.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(LIMIT, future).await }).unwrap()
}

/// /proc/PID/status of the only lab's init, as the host sees it.
pub(crate) fn init_status() -> String {
    let first = |status: &String| {
        status.lines().any(|line| line.starts_with("NSpid:") && line.ends_with("\t1"))
            && status.contains(&format!("Uid:\t{}", IDS.base))
    };
    let statuses = std::fs::read_dir("/proc").unwrap().flatten();
    let mut statuses = statuses.filter_map(|entry| std::fs::read_to_string(entry.path().join("status")).ok());
    statuses.find(first).unwrap()
}
