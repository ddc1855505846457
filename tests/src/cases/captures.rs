//! Packets at interfaces of a lab.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use super::{Test, apply::SMALL};
use crate::{
    command::{exit_code, run, wait_until},
    daemon::{memory, program},
    feature::Feature,
    host::TestHost,
    remote::{laptop, laptop_command, laptop_program, plug_in},
    sshd::{self, Sshd},
    users,
};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("captures::files", files),
    Test::new("captures::filters", filters),
    Test::new("captures::several_interfaces_in_the_order_of_time", several),
    Test::new("captures::lines", lines),
    Test::new("captures::tags", tags).needs(&[Feature::BridgeVlan, Feature::Kind("vlan")]),
    Test::new("captures::a_bridge_shows_what_it_forwards", bridge),
    Test::new("captures::end_with_what_they_watch", ends),
    Test::new("captures::a_reader_that_stands_still", slow_reader),
    Test::new("captures::in_wireshark", wireshark)
        // Its kernel starts the many programs of Wireshark too slowly.
        .lacks(&[Feature::OwnKernel]),
];

/// Captures started: several run at once, each with files of its own.
static STARTED: AtomicUsize = AtomicUsize::new(0);

/// How long what is expected may take.
const LIMIT: Duration = Duration::from_secs(30);

/// A running `netlabctl capture`.
struct Running {
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

impl Running {
    /// Starts it and waits until it listens.
    fn start(host: &TestHost, args: &[&str]) -> Self {
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let file = |kind| host.scratch(&format!("capture-{number}.{kind}"));
        let (out, err) = (file("out"), file("err"));
        let child = host
            .ctl_command(&[&["capture"], args].concat())
            .stdin(Stdio::null())
            .stdout(File::create(&out).expect("making a file"))
            .stderr(File::create(&err).expect("making a file"))
            .spawn()
            .expect("starting netlabctl");
        let running = Self { child, out, err };
        wait_until("the capture listens", LIMIT, || running.told().contains("listening on"));
        running
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.out).unwrap_or_default()
    }

    fn told(&self) -> String {
        fs::read_to_string(&self.err).unwrap_or_default()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("netlabctl runs");
    }

    /// Waits for its own end; gives the exit code and what it said.
    fn ended(&mut self) -> (i32, String) {
        let mut code = None;
        wait_until("the capture ends", LIMIT, || {
            code = self.child.try_wait().expect("waiting for netlabctl").map(exit_code);
            code.is_some()
        });
        (code.unwrap_or(-1), self.told())
    }
}

fn with_small() -> TestHost {
    let host = TestHost::started();
    let file = host.file("small.yaml", SMALL);
    host.ctl(&["create-lab", &file]).ok();
    host
}

fn files() {
    let host = with_small();
    let file = host.scratch("packets.pcapng").display().to_string();
    let args = ["small", "ns2:eth0", "-f", "icmp", "-c", "4", "-s", "60", "-w", &file];
    let mut capture = Running::start(&host, &args);
    wait_until("four packets are captured", LIMIT, || {
        host.pings("small.ns1", "203.0.113.1");
        capture.child.try_wait().expect("waiting for netlabctl").is_some()
    });
    let (code, told) = capture.ended();
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("4 packets captured\n"), "{told}");
    let text = host.sh(&format!("tcpdump -nr {file} 2>/dev/null"));
    assert_eq!(text.lines().count(), 4, "{text}");
    assert!(text.contains("192.0.2.1 > 203.0.113.1: ICMP echo request"), "{text}");
    let bytes = fs::read(&file).expect("reading the capture");
    let statistics = bytes.windows(8).any(|bytes| bytes == [5, 0, 0, 0, 76, 0, 0, 0]);
    assert!(statistics, "no interface statistics block in the file");
}

fn filters() {
    let host = with_small();
    let bad = host.ctl(&["capture", "small", "ns2:eth0", "-f", "icmp and and", "-c", "1"]);
    let _ = bad.code(2).complains("syntax error");
    let _ = host.ctl(&["capture", "small", "ns2:eth9", "-c", "1"]).code(4);
    let _ = host.ctl(&["capture", "small", "host:any", "-c", "1"]).code(4);
    // What libpcap only knows of a living interface.
    let capture = Running::start(&host, &["small", "ns1:eth0", "-f", "outbound and icmp"]);
    host.pings("small.ns1", "192.0.2.254");
    wait_until("a request is shown", LIMIT, || capture.text().contains("echo request"));
    assert!(!capture.text().contains("echo reply"), "{}", capture.text());
    capture.signal(Signal::INT);
}

fn several() {
    let host = with_small();
    let args = ["small", "ns1:eth0,router:any", "ns2:eth0", "-f", "icmp", "-c", "8"];
    let mut capture = Running::start(&host, &args);
    host.exec("small.ns1", "ping -c 1 -W 5 203.0.113.1").ok();
    assert_eq!(capture.ended().0, 0);
    let text = capture.text();
    let seen: Vec<_> = text.lines().filter_map(|line| line.split_once(' ')).collect();
    let times: Vec<_> = seen.iter().map(|(time, _)| *time).collect();
    assert!(times.is_sorted(), "{text}");
    let there = ["ns1:eth0", "router:eth0", "router:eth1", "ns2:eth0"];
    let back = ["ns2:eth0", "router:eth1", "router:eth0", "ns1:eth0"];
    let expected = [there, back].concat();
    assert_eq!(seen.len(), expected.len(), "{text}");
    // Of packets in one microsecond nobody knows the order.
    for instant in seen.chunk_by(|a, b| a.0 == b.0) {
        let from = seen.iter().position(|one| one.0 == instant[0].0).unwrap_or_default();
        let mut places: Vec<_> = instant.iter().filter_map(|(_, line)| line.split(' ').next()).collect();
        let mut wanted = expected[from..from + instant.len()].to_vec();
        places.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(places, wanted, "{text}");
    }
}

/// Lines without the time in front of them.
fn without_times(text: &str) -> String {
    let bare =
        |line: &'_ str| line.trim_start_matches(|c: char| c.is_ascii_digit() || ":. ".contains(c)).to_owned();
    text.lines().map(bare).collect::<Vec<_>>().join("\n")
}

fn lines() {
    let host = TestHost::started();
    host.ctl(&["create-lab", "labs/vxlan.yaml"]).ok();
    let file = host.scratch("vxlan.pcapng").display().to_string();
    let filter = "udp port 4789 or arp";
    let shown = Running::start(&host, &["vxlan", "ns2:eth0", "-f", filter]);
    let kept = Running {
        out: host.scratch("kept.out"),
        err: host.scratch("kept.err"),
        ..{
            let child = host
                .ctl_command(&["capture", "vxlan", "ns2:eth0", "-f", filter, "-w", &file])
                .stderr(File::create(host.scratch("kept.err")).expect("making a file"))
                .spawn()
                .expect("starting netlabctl");
            Running { child, out: PathBuf::new(), err: PathBuf::new() }
        }
    };
    wait_until("the second capture listens", LIMIT, || kept.told().contains("listening on"));
    host.exec("vxlan.ns1", "ping -c 2 -i 0.2 -W 5 198.51.100.2").ok();
    wait_until("the replies are shown", LIMIT, || shown.text().matches("echo reply").count() >= 2);
    let tcpdump = || host.sh(&format!("tcpdump -nr {file} 2>/dev/null || true"));
    // The second began later, and a kernel may give each of them a time of its own.
    wait_until("both have seen the same", LIMIT, || {
        let second = without_times(&tcpdump());
        second.matches("echo reply").count() >= 2 && without_times(&shown.text()).ends_with(&second)
    });
    assert!(shown.text().contains("VXLAN, flags [I] (0x08), vni 100\nIP 198.51.100."), "{}", shown.text());
    shown.signal(Signal::INT);
    kept.signal(Signal::INT);
}

/// Two nodes at a bridge.
const SWITCHED: &str = "\
name: switched
nodes:
  ns1: { interfaces: { eth0: { addresses: [192.0.2.1/24] } } }
  ns2: { interfaces: { eth0: { addresses: [192.0.2.2/24] } } }
  sw:
    interfaces:
      br0: { bridge: {} }
      p1: { port: { bridge: br0 } }
      p2: { port: { bridge: br0 } }
links:
  - endpoints: [\"ns1:eth0\", \"sw:p1\"]
  - endpoints: [\"ns2:eth0\", \"sw:p2\"]
";

fn bridge() {
    let host = TestHost::started();
    let file = host.file("switched.yaml", SWITCHED);
    host.ctl(&["create-lab", &file]).ok();
    let ping = "ping -c 2 -i 0.2 -W 5 192.0.2.2";
    let mut all = Running::start(&host, &["switched", "sw:br0", "-f", "icmp", "-c", "4"]);
    host.exec("switched.ns1", ping).ok();
    let (code, told) = all.ended();
    assert!(code == 0 && all.text().matches("echo reply").count() == 2, "{}{told}", all.text());
    // By now the bridge knows where both are, and nothing of it is for the bridge's own node, once the capture
    // that ended has let go of it.
    wait_until("nobody listens to all on the bridge", LIMIT, || {
        host.exec("switched.sw", "ip -d link show br0").ok().contains("promiscuity 0")
    });
    let port = Running::start(&host, &["switched", "sw:p1", "-f", "icmp"]);
    let mut own = Running::start(&host, &["switched", "sw:br0", "-p", "-f", "icmp"]);
    host.exec("switched.ns1", ping).ok();
    wait_until("the port shows the pings", LIMIT, || port.text().matches("echo reply").count() == 2);
    port.signal(Signal::INT);
    own.signal(Signal::INT);
    let (code, told) = own.ended();
    assert!(code == 0 && told.ends_with("0 packets captured\n"), "{}{told}", own.text());
    // That somebody listens is no drift.
    let lab = host.lab("switched");
    let status = (lab["status"]["phase"].as_str(), lab["status"]["drift_repaired"].as_str());
    assert_eq!(status, (Some("PHASE_READY"), Some("0")), "{lab}");
}

fn tags() {
    let host = TestHost::started();
    host.ctl(&["create-lab", "labs/vlan.yaml"]).ok();
    // What the test adds would be taken away as drift.
    host.ctl(&["pause-lab", "vlan"]).ok();
    let capture = Running::start(&host, &["vlan", "bridge:br0", "-f", "vlan 100 and icmp"]);
    host.sh("ip netns exec vlan.bridge ip link add link br0 name v100 type vlan id 100");
    host.sh("ip netns exec vlan.bridge bridge vlan add vid 100 dev br0 self");
    host.sh("ip netns exec vlan.bridge sh -c 'ip addr add 192.0.2.9/24 dev v100; ip link set v100 up'");
    wait_until("a tag is shown", LIMIT, || {
        let _ = host.exec("vlan.bridge", "ping -c 1 -W 1 192.0.2.1");
        let text = capture.text();
        text.contains("vlan 100, p 0, IP 192.0.2.9 > 192.0.2.1: ICMP echo request")
            && text.contains("vlan 100, p 0, IP 192.0.2.1 > 192.0.2.9: ICMP echo reply")
    });
    capture.signal(Signal::INT);
}

fn ends() {
    let host = with_small();
    host.ctl(&["pause-lab", "small"]).ok();
    let mut capture = Running::start(&host, &["small", "ns1:eth0"]);
    // Down is not gone.
    host.sh("ip -n small.ns1 link set eth0 down; ip -n small.ns1 link set eth0 up");
    wait_until("packets are shown again", LIMIT, || {
        let _ = host.exec("small.ns1", "ping -c 1 -W 1 192.0.2.254");
        capture.text().contains("echo reply")
    });
    host.sh("ip -n small.ns1 link del eth0");
    let (code, told) = capture.ended();
    assert!(code == 1 && told.contains("ns1:eth0 is gone"), "{code}: {told}");
    host.ctl(&["resume-lab", "small"]).ok();
    // It is Ready until the repair begins.
    wait_until("the link is repaired", LIMIT, || host.pings("small.ns1", "203.0.113.1"));
    for at in ["ns1:eth0", "ns1:any"] {
        let mut capture = Running::start(&host, &["small", at]);
        host.ctl(&["delete-lab", "small"]).ok();
        let (code, told) = capture.ended();
        assert!(code == 1 && told.contains("gone"), "{code}: {told}");
        let file = host.file("small.yaml", SMALL);
        host.ctl(&["create-lab", &file]).ok();
    }
}

fn slow_reader() {
    const PACKETS: u64 = 60_000;
    let host = with_small();
    let before = memory(host.daemon_pid(), "VmHWM");
    let file = host.scratch("flood.pcapng").display().to_string();
    let args = ["small", "ns1:eth0", "-f", "udp dst port 9", "-w", &file];
    let mut capture = Running::start(&host, &args);
    capture.signal(Signal::STOP);
    let script = format!(
        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
         for _ in range({PACKETS}): s.sendto(bytes(1400), ('192.0.2.254', 9))\n"
    );
    let script = host.file("flood.py", script);
    host.exec("small.ns1", &format!("python3 {script}")).ok();
    capture.signal(Signal::CONT);
    // Its end makes the daemon hand on all that it has.
    host.ctl(&["delete-lab", "small"]).ok();
    let (_, told) = capture.ended();
    let number = |after: &str| {
        let words: Vec<_> = told.split_whitespace().collect();
        let at = words.iter().position(|word| *word == after).unwrap_or_else(|| panic!("{told}"));
        words[at - if after == "lost" { 1 } else { 2 }].parse::<u64>().unwrap_or_else(|_| panic!("{told}"))
    };
    let (captured, lost) = (number("captured,"), number("lost"));
    let growth = memory(host.daemon_pid(), "VmHWM") - before;
    println!("{captured} captured, {lost} lost of {PACKETS}; netlabd grew by {growth} KiB");
    assert_eq!(captured + lost, PACKETS, "{told}");
    assert!(lost > 0, "the reader was not slow: {told}");
    // The ring of 16 MiB is mapped; the flood is five times as much.
    assert!(growth < 40 << 10, "netlabd grew by {growth} KiB");
}

/// tshark on the laptop, with the lab host's daemon as its own and as a context that ssh reaches.
fn tshark(host: &TestHost, sshd: &Sshd, args: &[&str]) -> Command {
    let mut command = laptop_program("tshark", args);
    command.env("PATH", sshd.path()).env("TMPDIR", "/run/test").stdin(Stdio::null());
    command.env("NETLAB_HOST", format!("unix://{}", host.folders().socket().display()));
    command
}

fn wireshark() {
    let mut host = TestHost::here();
    users::move_in(&host);
    plug_in(&host);
    let sshd = Sshd::start(&host);
    host.start();
    let file = host.file("small.yaml", SMALL);
    let alice =
        |args: &[&str]| run(laptop_command(args).env("NETLAB_HOST", sshd::URL).env("PATH", sshd.path()));
    alice(&["create-lab", &file]).ok();
    laptop(&["context", "set", "far", "--host", sshd::URL]).ok();
    // Root's tshark looks into the system's folder only.
    let folder = host.scratch("extcap");
    fs::create_dir(&folder).expect("making a folder");
    std::os::unix::fs::symlink(program("netlabctl"), folder.join("netlab-extcap")).expect("linking");
    host.sh(&format!("mount --bind {} /usr/lib/*/wireshark/extcap", folder.display()));
    let list = run(&mut tshark(&host, &sshd, &["-D"])).ok();
    for line in [
        "netlab:small:ns2:eth0 (netlab small ns2:eth0)",
        "netlab:far:small:router:any (netlab small router:any on far)",
    ] {
        assert!(list.contains(line), "{line}: {list}");
    }
    for at in ["netlab:small:ns2:eth0", "netlab:far:small:router:any"] {
        let out = host.scratch("tshark");
        let mut command = tshark(&host, &sshd, &["-n", "-i", at, "-f", "icmp", "-c", "2"]);
        command.stdout(File::create(&out).expect("making a file"));
        command.stderr(File::create(host.scratch("tshark.err")).expect("making a file"));
        let mut child = command.spawn().expect("starting tshark");
        let mut code = None;
        wait_until("tshark has two packets", LIMIT * 4, || {
            host.pings("small.ns1", "203.0.113.1");
            code = child.try_wait().expect("waiting for tshark").map(exit_code);
            code.is_some()
        });
        let text = fs::read_to_string(&out).unwrap_or_default();
        let told = fs::read_to_string(host.scratch("tshark.err")).unwrap_or_default();
        assert_eq!((code, text.lines().count()), (Some(0), 2), "{text}{told}");
        assert!(text.contains("192.0.2.1 → 203.0.113.1 "), "{text}{told}");
        // What it started ends with it.
        wait_until("no capture is left", LIMIT, || host.run("pgrep", &["-f", "netlab-extcap"]).code == 1);
    }
}
