//! What the processes of a lab may take, and that nobody else notices when they take it.

use std::{fs, time::Duration};

use super::{Test, apply::SMALL};
use crate::{
    command::wait_until,
    feature::Feature,
    host::TestHost,
    toll::Toll,
    users::{self, ALICE, BOB, CAROL},
};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("bounds::memory_and_processes", cgroup).needs(&[Feature::Cgroup]),
    Test::new("bounds::a_fork_bomb", fork_bomb),
    Test::new("bounds::detached_commands", detached),
    Test::new("bounds::detached_commands_count_for_their_lab", monitors).needs(&[Feature::Cgroup]),
    Test::new("bounds::no_process_left_for_netlabd", starved).needs(&[Feature::Cgroup]),
];

const PATIENCE: Duration = Duration::from_secs(30);

/// Two labs, and netlabd with this configuration, whose file is returned.
fn with_labs(config: &str) -> (TestHost, String) {
    let mut host = TestHost::here();
    let config = host.file("config.toml", config);
    host.start_with(&["--config", &config]);
    for name in ["small", "other"] {
        let file = host.file("lab.yaml", SMALL.replace("small", name));
        host.ctl(&["create-lab", &file]).ok();
    }
    (host, config)
}

fn exec(host: &TestHost, lab: &str, line: &str) -> crate::command::Output {
    host.ctl(&["exec", lab, "ns1", "--", "sh", "-c", line])
}

fn cgroup() {
    let (host, config) = with_labs("[lab]\nmemory_max = \"64M\"\npids_max = 40\n");
    // 200 MiB that `tail` has to keep.
    let _ = exec(&host, "small", "head -c 200M /dev/zero | tail -n 1 | wc -c").says("0");
    let _ = exec(&host, "small", "for i in $(seq 100); do sleep 60 & done").complains("fork");
    let bound = |file: &str| {
        let path = format!("/sys/fs/cgroup/netlab/lab-small/{file}");
        fs::read_to_string(path).unwrap_or_default().trim().to_owned()
    };
    assert_eq!((bound("memory.max"), bound("pids.max")), ("67108864".to_owned(), "40".to_owned()));
    let killed = bound("memory.events");
    assert!(killed.lines().any(|line| line.starts_with("oom_kill ") && line != "oom_kill 0"), "{killed}");
    exec(&host, "other", "true").ok();
    host.ctl(&["ping", "small", "ns1", "ns2", "-c", "1"]).ok();
    fs::write(&config, "[lab]\nmemory_max = \"128M\"\npids_max = 60\n").expect("writing the configuration");
    host.reload();
    wait_until("running labs have the new bounds", PATIENCE, || bound("pids.max") == "60");
    assert_eq!(bound("memory.max"), "134217728");
    host.ctl(&["delete-lab", "small", "other"]).ok();
    assert!(!fs::exists("/sys/fs/cgroup/netlab").unwrap_or(true), "a cgroup is left");
}

fn fork_bomb() {
    let (host, _) = with_labs("[lab]\npids_max = 100\n");
    let toll = Toll::begin(&host, "a fork bomb in a node");
    // User-mode Linux itself may panic under a real bomb; there processes are started without end, one by one.
    let uml = Feature::OwnKernel.works(&host);
    let bomb = if uml { "while :; do sleep 4322 & done" } else { "f() { f | f & }; f; sleep 4322" };
    host.ctl(&["exec", "--detach", "small", "ns1", "--", "bash", "-c", bomb]).ok();
    let processes =
        || host.sh("ps -eo args | grep -cE '[s]leep 4322|[f]\\(\\) ' || true").trim().parse().unwrap_or(0);
    wait_until("the bomb has gone off", PATIENCE, || processes() >= 20);
    for _ in 0..5 {
        let seen = processes();
        assert!(seen <= 101, "{seen} processes of 100");
        exec(&host, "other", "true").ok();
        host.ctl(&["ping", "small", "ns1", "ns2", "-c", "1"]).ok();
    }
    host.ctl(&["delete-lab", "small"]).ok();
    assert_eq!(processes(), 0, "the bomb outlives its lab");
    toll.end("bounded by `pids_max`; other labs go on; it ends with its lab");
}

/// Users with two labs of Alice's, and netlabd with this configuration.
fn with_users(config: &str) -> TestHost {
    let mut host = TestHost::here();
    users::move_in(&host);
    let config = host.file("config.toml", config);
    host.start_with(&["--config", &config]);
    for name in ["small", "other"] {
        let file = host.file("lab.yaml", SMALL.replace("small", name));
        ALICE.ctl(&host, &["create-lab", &file]).ok();
    }
    host
}

fn detached() {
    let mut host =
        with_users("[quotas]\ndetached_commands = 3\ndetached_commands_per_lab = 2\nexec_sessions = 1\n");
    let detach = |host: &TestHost, lab: &str| {
        ALICE.ctl(host, &["exec", "--detach", lab, "ns1", "--", "sleep", "4323"])
    };
    detach(&host, "small").ok();
    detach(&host, "small").ok();
    let _ = detach(&host, "small").code(125).complains("quota detached_commands_per_lab: 2 of 2");
    detach(&host, "other").ok();
    let _ = detach(&host, "other").code(125).complains("quota detached_commands: 3 of 3");
    // They are known after a restart too, and administrators have no quotas.
    host.kill();
    host.start_with(&["--config", &host.scratch("config.toml").display().to_string()]);
    let _ = detach(&host, "other").code(125).complains("quota detached_commands: 3 of 3");
    CAROL.ctl(&host, &["exec", "--detach", "small", "ns1", "--", "sleep", "4323"]).ok();
    ALICE.ctl(&host, &["exec", "small", "ns1", "--", "true"]).ok();
    // Whose command has ended may have another one.
    ALICE.ctl(&host, &["exec", "other", "ns1", "--", "pkill", "-f", "sleep 4323"]).ok();
    wait_until("room for another command", PATIENCE, || detach(&host, "other").code == 0);
}

/// The processes in a cgroup.
fn members(cgroup: &str) -> Vec<u32> {
    let text = fs::read_to_string(format!("/sys/fs/cgroup/{cgroup}/cgroup.procs")).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

fn monitors() {
    let host = with_users("[lab]\npids_max = 20\n");
    let status = |pid: u32, field: &str| {
        let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix(field).map(str::trim).map(str::to_owned));
        line.unwrap_or_default()
    };
    let before = members("netlab/lab-small").len();
    assert_eq!(before, 0, "nothing runs yet");
    ALICE.ctl(&host, &["exec", "--detach", "small", "ns1", "--", "sleep", "4324"]).ok();
    let inside = members("netlab/lab-small");
    assert_eq!(inside.len(), 3, "init, the command and who watches over it: {inside:?}");
    for pid in &inside {
        let (uid, power) = (status(*pid, "Uid:"), status(*pid, "CapEff:"));
        assert!(!uid.starts_with("0\t"), "{pid} is the host's root: {uid}");
        let name = status(*pid, "Name:");
        // What watches may send signals, and nothing else; that in the lab only.
        let most = if name == "netlabd-sandbox" { 1 << 5 } else { 0x434eb };
        assert_eq!(u64::from_str_radix(&power, 16).expect("a mask") & !most, 0, "{name}: {power}");
    }
    let full = (0..20).find_map(|_| {
        let run = ALICE.ctl(&host, &["exec", "--detach", "small", "ns1", "--", "sleep", "4324"]);
        (run.code != 0).then_some(run)
    });
    let _ = full.expect("a full lab takes no more").code(125).complains("pids_max");
    assert!(members("netlab/lab-small").len() <= 20);
    // Whoever has a client gets in, to make room.
    ALICE.ctl(&host, &["exec", "small", "ns1", "--", "/bin/sh", "-c", "kill -9 -1"]).ok();
    wait_until("all are gone", PATIENCE, || members("netlab/lab-small").len() == 1);
    ALICE.ctl(&host, &["exec", "other", "ns1", "--", "true"]).ok();
}

fn starved() {
    let mut host = TestHost::here();
    users::move_in(&host);
    host.start();
    let small = host.file("small.yaml", SMALL);
    ALICE.ctl(&host, &["create-lab", &small]).ok();
    let service = "/sys/fs/cgroup/svc";
    let daemon = host.daemon_pid();
    host.sh(&format!(
        "mkdir {service}; for p in {daemon} $(pgrep -P {daemon}); do echo $p >{service}/cgroup.procs; done"
    ));
    let limit = |text: &str| fs::write(format!("{service}/pids.max"), text).expect("setting pids.max");
    // The threads that netlabd keeps for a while are waited for, so that there is really none left.
    let threads = || fs::read_dir(format!("/proc/{daemon}/task")).map_or(0, Iterator::count);
    let mut least = threads();
    wait_until("netlabd is idle", PATIENCE, || {
        let now = threads();
        let same = now >= least;
        least = least.min(now);
        std::thread::sleep(Duration::from_secs(11));
        same
    });
    limit("1");
    let two = host.file("two.yaml", SMALL.replace("small", "two"));
    let created = BOB.ctl(&host, &["create-lab", "--timeout", "15s", &two]);
    assert_ne!(created.code, 0, "there is no thread to be had");
    let run = ALICE.ctl(&host, &["exec", "small", "ns1", "--", "true"]);
    assert_eq!(run.code, 125, "{}", run.stderr);
    host.sh("ip -n small.ns1 link set eth0 down");
    limit("max");
    host.wait_ready("small");
    wait_until("the link is up again", PATIENCE, || {
        host.run("sh", &["-c", "ip -n small.ns1 -br link show up dev eth0 | grep -q eth0"]).code == 0
    });
    BOB.ctl(&host, &["apply-lab", &two]).ok();
    ALICE.ctl(&host, &["exec", "small", "ns1", "--", "true"]).ok();
    let log = host.log();
    assert!(
        log.contains("no thread can be started; waiting for one") || log.contains("no more processes"),
        "{log}"
    );
    assert!(!log.contains("crashed") && !log.contains("panicked"), "{log}");
    host.stop();
}
