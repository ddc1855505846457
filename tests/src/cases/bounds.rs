//! What the processes of a lab may take, and that nobody else notices when they take it.

use std::{fs, time::Duration};

use super::{Test, apply::SMALL};
use crate::{command::wait_until, feature::Feature, host::TestHost, toll::Toll};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("bounds::memory_and_processes", cgroup).needs(&[Feature::Cgroup]),
    Test::new("bounds::a_fork_bomb", fork_bomb),
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
