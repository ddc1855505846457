//! What the probes aim at, made by the suite for itself.

use std::{
    fs,
    io::Read,
    os::{
        fd::{AsFd, OwnedFd},
        linux::net::SocketAddrExt,
        unix::{
            fs::{MetadataExt, PermissionsExt, chown},
            net::{SocketAddr, UnixListener},
        },
    },
    path::Path,
    process::{Child, Command, Stdio},
};

use netlabd::sandbox::{Streams, pin, spawn};

use rustix::{
    pty::{OpenptFlags, openpt, ptsname, unlockpt},
    thread::{LinkNameSpaceType, move_into_link_name_space},
};

use crate::{
    sandbox_common::{TestLab, block_on, run},
    sockets::ABSTRACT,
};

/// A decoy host: links, files, a process, System V memory, sockets, a user's terminal; and two labs.
pub(crate) struct Decoys {
    lab: TestLab,
    other: TestLab,
    process: Child,
    links: String,
    terminal: (OwnedFd, String),
    /// Kept open.
    _sockets: Vec<UnixListener>,
}

/// Names of all links on the decoy host and in the other lab.
fn links() -> String {
    let names = "ip -o link | cut -d: -f2";
    run(&format!("({names}; nsenter --net=/srv/pins/other sh -c '{names}') | sort"))
}

/// Sockets of the host, and an abstract one of the other lab.
fn sockets(other: &TestLab) -> Vec<UnixListener> {
    let name = || SocketAddr::from_abstract_name(ABSTRACT).unwrap();
    let network = other.network.try_clone().unwrap();
    let inside = std::thread::spawn(move || {
        move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
        UnixListener::bind_addr(&name()).unwrap()
    });
    let sockets = vec![
        UnixListener::bind_addr(&name()).unwrap(),
        UnixListener::bind("/srv/socket").unwrap(),
        UnixListener::bind("/run/netns/socket").unwrap(),
        UnixListener::bind("/dev/log").unwrap(),
        inside.join().unwrap(),
    ];
    run("chmod 600 /srv/socket; chmod 666 /run/netns/socket /dev/log");
    sockets
}

/// A `/dev` like a desktop's: tun for everybody, as udev has it, a macvtap, what somebody has put there. And a device
/// elsewhere. Only in memory: the machine's own stays as it is.
fn devices() {
    run("mkdir /srv/dev && mount -t tmpfs -o mode=755 decoy /srv/dev && cd /srv/dev && mkdir pts shm net");
    run("cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty /dev/ptmx /srv/dev/");
    run("cp -a /dev/kmsg /srv/dev/ || true");
    run("cd /srv/dev && mknod -m 666 net/tun c 10 200 && mknod -m 666 tap9 c 1 5 && mkfifo -m 666 fifo");
    run("mount --rbind /dev/pts /srv/dev/pts && mount --move /srv/dev /dev");
    run("mount -t tmpfs -o size=128m decoy /dev/shm");
    run("mknod -m 666 /srv/device c 1 5");
}

/// A terminal of user 12345, and its path.
fn terminal() -> (OwnedFd, String) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    unlockpt(&master).unwrap();
    let path = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    chown(&path, Some(12345), None).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o620)).unwrap();
    (master, path)
}

impl Decoys {
    pub(crate) fn new() -> Self {
        for directory in ["/srv", "/tmp", "/var/tmp"] {
            run(&format!("mount -t tmpfs -o size=128m decoy {directory}"));
        }
        devices();
        run("mkdir /srv/pins /srv/mount /srv/umount && mount -t tmpfs decoy /srv/umount");
        run(
            "for f in /srv/secret /dev/shm/secret /tmp/secret /run/netns/secret; do echo secret > $f; chmod 600 $f; done",
        );
        run("echo open > /srv/open && chmod 644 /srv/open && mknod -m 600 /srv/zero c 1 5");
        run("cp /usr/bin/id /srv/id && chown 12345 /srv/id && chmod 4755 /srv/id");
        run("ipcmk --shmem 4096 --mode 0600 && echo decoy > /proc/sys/kernel/domainname");
        // Not below /sys, where a lab has one of its own.
        run("mkdir /srv/cgroup && { mount -t cgroup2 decoy /srv/cgroup || true; }");
        // Not by its path, which may lie below a directory that is covered now.
        fs::copy("/proc/self/exe", "/srv/probe").unwrap();
        fs::set_permissions("/srv/probe", fs::Permissions::from_mode(0o755)).unwrap();
        let (lab, other) = (TestLab::new(), TestLab::new());
        let own = fs::File::open("/proc/self/ns/net").unwrap();
        for (fd, name) in [
            (lab.network.as_fd(), "node"),
            (own.as_fd(), "host"),
            (other.network.as_fd(), "other"),
            (other.user.as_fd(), "other-user"),
            (other.init.namespace(), "other-pid"),
            (fs::File::open("/proc/self/ns/uts").unwrap().as_fd(), "uts"),
            (fs::File::open("/proc/self/ns/ipc").unwrap().as_fd(), "ipc"),
        ] {
            pin(fd, format!("/srv/pins/{name}").as_ref()).unwrap();
        }
        // An uplink like a lab's, which also gives the host an nsid in the node and back.
        run("ip link add victim0 type veth peer name victim1");
        run("ip link add uplink0 type veth peer name eth0 netns /srv/pins/node");
        run("ip link set uplink0 up && nsenter --net=/srv/pins/node ip link set eth0 up");
        // A number that no process of a lab will have, or a probe might find itself.
        run("for i in $(seq 1500); do (:); done");
        // Its secrets: an environment variable, and a descriptor that others may not open.
        let process = Command::new("sleep")
            .arg("1000")
            .env("SECRET", "secret")
            .stdin(fs::File::open("/srv/secret").unwrap())
            .spawn()
            .unwrap();
        let sockets = sockets(&other);
        Self { lab, other, process, links: links(), terminal: terminal(), _sockets: sockets }
    }

    fn environment(&self) -> [(String, String); 4] {
        let maps = fs::read_to_string(format!("/proc/{}/maps", self.process.id())).unwrap();
        let stack = maps.lines().find(|line| line.ends_with("[stack]")).unwrap();
        let lowest = usize::from_str_radix(stack.split('-').next().unwrap(), 16).unwrap();
        [
            ("DECOY_PID".into(), self.process.id().to_string()),
            ("DECOY_STACK".into(), lowest.to_string()),
            ("DECOY_TERMINAL".into(), self.terminal.1.clone()),
            ("DECOY_TERMINALS".into(), fs::metadata("/dev/pts").unwrap().dev().to_string()),
        ]
    }

    /// Runs a probe as the lab's root: its exit code and what it says.
    pub(crate) fn in_lab(&self, probe: &str) -> (u32, String) {
        let mut command = TestLab::command(&["/srv/probe", "probe", probe], Streams::Pipes);
        command.environment.extend(self.environment());
        let mut child = self.lab.context(|context| spawn(context, command)).unwrap();
        let mut text = String::new();
        fs::File::from(child.stdout.take().unwrap()).read_to_string(&mut text).unwrap();
        (block_on(child.wait()).unwrap().code, text.trim().to_owned())
    }

    /// Runs a probe as host root in the node's network namespace.
    pub(crate) fn as_host_root(&self, probe: &str) -> (u32, String) {
        let output = Command::new("nsenter")
            .args(["--net=/srv/pins/node", "/srv/probe", "probe", probe])
            .envs(self.environment())
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        let code = output.status.code().map_or(255, i32::unsigned_abs);
        (code, String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Checks that the decoys still are what they were.
    pub(crate) fn unharmed(&self) {
        assert!(self.other.init.runs() && self.lab.init.runs(), "inits run");
        assert_eq!(fs::read_to_string("/srv/open").unwrap(), "open\n");
        assert!(Path::new("/srv/umount").is_dir() && !Path::new("/srv/created").exists());
        // Process 1 of a lab is its init, in a network namespace that belongs to the lab alone.
        self.lab.output("ip link add x type veth peer name y netns 1");
        assert_eq!(links(), self.links, "links of the host and of the other lab");
    }
}

impl Drop for Decoys {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
