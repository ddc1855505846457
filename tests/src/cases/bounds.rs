//! What the processes of a lab may take, and that nobody else notices when they take it.

use std::{fs, time::Duration};

use super::{Test, apply::SMALL};
use crate::{
    command::wait_until,
    cost::Cost,
    feature::Feature,
    host::TestHost,
    users::{self, ALICE, BOB, CAROL},
};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("bounds::memory_and_processes", cgroup).needs(&[Feature::Cgroup]),
    Test::new("bounds::a_fork_bomb", fork_bomb),
    Test::new("bounds::detached_commands", detached),
    Test::new("bounds::detached_commands_count_for_their_lab", monitors).needs(&[Feature::Cgroup]),
    Test::new("bounds::no_process_left_for_netlabd", starved).needs(&[Feature::Cgroup]),
    Test::new("bounds::processes_of_many_users", many_users),
    Test::new("bounds::what_is_counted_by_user", by_user).needs(&[Feature::OwnKernel]),
    Test::new("bounds::message_queues", queues),
    Test::new("bounds::fanotify", fanotify).needs(&[Feature::Fanotify]),
    Test::new("bounds::ids_that_somebody_has", ids),
    Test::new("bounds::captures_share_memory", captures),
    Test::new("bounds::pings_from_the_host", pings),
    Test::new("bounds::plans_have_quotas", plans),
    Test::new("bounds::connections_that_say_nothing", silent),
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
    let cost = Cost::begin(&host, "a fork bomb in a node");
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
    cost.end("bounded by `pids_max`; other labs go on; it ends with its lab");
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
    // What watches gives up its power while the command begins.
    let powerless = |pid: u32| {
        let power = u64::from_str_radix(&status(pid, "CapEff:"), 16).unwrap_or(u64::MAX);
        // It may send signals and read memory, and nothing else; that in the lab only.
        let most = if status(pid, "Name:") == "netlabd-sandbox" { 1 << 5 | 1 << 19 } else { 0x434eb };
        !status(pid, "Uid:").starts_with("0\t") && power & !most == 0
    };
    wait_until(
        "init, the command and what watches it are in the lab, none the host's root",
        PATIENCE,
        || {
            let inside = members("netlab/lab-small");
            inside.len() == 3 && inside.into_iter().all(powerless)
        },
    );
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

fn many_users() {
    let host = with_users("[lab]\npids_max = 60\n");
    let many = "for user in 0 1 2 3 4; do setpriv --reuid $user sh -c 'for i in $(seq 50); do sleep 4325 & done' & done; wait";
    ALICE.ctl(&host, &["exec", "--detach", "small", "ns1", "--", "sh", "-c", many]).ok();
    let count = || host.sh("pgrep -cf '^sleep 4325' || true").trim().parse().unwrap_or(0);
    wait_until("it has made as many as it can", PATIENCE, || count() >= 40);
    for _ in 0..5 {
        let count: u32 = count();
        assert!(count <= 60, "{count} processes of 60");
        ALICE.ctl(&host, &["exec", "other", "ns1", "--", "true"]).ok();
    }
    ALICE.ctl(&host, &["delete-lab", "small"]).ok();
    assert_eq!(count(), 0, "they outlive their lab");
}

/// Takes as many as there are of something: a Perl expression that is true as long as there are more.
fn take(host: &TestHost, user: u32, what: &str) -> (std::process::Child, u32) {
    let seen = host.scratch("taken");
    let script = format!("$| = 1; my $n = 0; $n++ while {what}; print $n; sleep 600");
    let user = user.to_string();
    let child = ALICE
        .command(
            host,
            "netlabctl",
            &["exec", "small", "ns1", "--", "setpriv", "--reuid", &user, "perl", "-e", &script],
        )
        .stdout(fs::File::create(&seen).expect("making a file"))
        .spawn()
        .expect("starting netlabctl");
    let taken = || fs::read_to_string(&seen).unwrap_or_default();
    wait_until("all are taken", PATIENCE, || !taken().is_empty());
    (child, taken().parse().expect("a number"))
}

fn by_user() {
    let host = with_users("[lab]\ninotify_instances = 40\npending_signals = 200\n");
    let (inotify, timer) = ("syscall(294, 0) >= 0", "(my $id = pack 'q', 0) && syscall(222, 0, 0, $id) == 0");
    let has = |what: &str| host.run("perl", &["-e", &format!("exit(({what}) ? 0 : 1)")]).code == 0;
    assert!(has(inotify) && has(timer), "the control");
    for (what, most) in [(inotify, 40), (timer, 200)] {
        let (mut first, taken) = take(&host, 0, what);
        assert_eq!(taken, most, "{what}");
        assert!(has(what), "the host's root has none left: {what}");
        let (mut second, more) = take(&host, 7, what);
        // Signals are counted for the lab as a whole; of inotify the lab has no more than a user of the host.
        assert!(taken + more <= 200, "{what}: {more} more by another user of the lab");
        assert!(has(what), "the host's root has none left: {what}");
        for child in [&mut first, &mut second] {
            child.kill().expect("it runs");
            child.wait().expect("waiting");
        }
    }
}

/// Message queues are counted in bytes for the lab as a whole, whoever in it has them.
fn queues() {
    let host = with_users("[lab]\nmessage_queues = \"200K\"\n");
    // mq_open(2), with ten messages of 8 KiB: some 81 KiB for the kernel.
    let open = "($a = pack('q8', 0, 10, 8192, 0, 0, 0, 0, 0)) && syscall(240, \"q$n\", 66, 384, $a) >= 0";
    let has = || {
        let line = format!("exit(({open}) && syscall(241, \"q$n\") == 0 ? 0 : 1)");
        host.run("perl", &["-e", &line]).code == 0
    };
    assert!(has(), "the control");
    let (mut first, taken) = take(&host, 0, open);
    assert_eq!(taken, 2);
    let (mut second, more) = take(&host, 7, open);
    assert_eq!(more, 0, "another user of the lab, and another command");
    assert!(has(), "the host's root has none left");
    for child in [&mut first, &mut second] {
        child.kill().expect("it runs");
        child.wait().expect("waiting");
    }
    wait_until("what they had is given back", PATIENCE, || {
        let (mut again, taken) = take(&host, 0, open);
        again.kill().expect("it runs");
        again.wait().expect("waiting");
        taken == 2
    });
}

fn fanotify() {
    let host = with_users("[lab]\nfanotify_groups = 5\nfanotify_marks = 70\n");
    // fanotify_init(2) with FAN_REPORT_FID, as who has no power over the host may; fanotify_mark(2).
    let group = "syscall(300, 512, 0) >= 0";
    let mark = "($g ||= syscall(300, 512, 0)) > 0 && open(F, \">/tmp/m$n\") && syscall(301, $g, 1, 2, -100, \"/tmp/m$n\") == 0";
    let has = || host.run("perl", &["-e", &format!("exit(({group}) ? 0 : 1)")]).code == 0;
    assert!(has(), "the control");
    for (what, most) in [(group, 5), (mark, 70)] {
        let (mut first, taken) = take(&host, 0, what);
        assert_eq!(taken, most, "{what}");
        let (mut second, more) = take(&host, 7, what);
        assert_eq!(more, most, "each user id of the lab has as many: {what}");
        assert!(has(), "the host's root has none left");
        for child in [&mut first, &mut second] {
            child.kill().expect("it runs");
            child.wait().expect("waiting");
        }
    }
}

/// The first id of Alice's lab on the host.
fn first_id(host: &TestHost, lab: &str) -> u64 {
    let map = ALICE.ctl(host, &["exec", lab, "ns1", "--", "cat", "/proc/self/uid_map"]).ok();
    map.split_whitespace().nth(1).and_then(|id| id.parse().ok()).unwrap_or_else(|| panic!("{map}"))
}

fn ids() {
    let mut host = TestHost::here();
    users::move_in(&host);
    let config = host.file("config.toml", "[ids]\nfirst = 1048576\nlabs = 4\n");
    let passwd = fs::read_to_string("/etc/passwd").expect("reading passwd");
    fs::write("/etc/passwd", format!("{passwd}zoe:x:1048600:1048600::/:/bin/sh\n")).expect("writing passwd");
    let subuid = host.file("subuid", "carl:1114112:65536\n");
    if fs::exists("/etc/subuid").unwrap_or(false) {
        rustix::mount::mount_bind(&subuid, "/etc/subuid").expect("mounting over subuid");
    } else {
        fs::write(
            "/etc/passwd",
            format!("{passwd}zoe:x:1048600:1::/:/bin/sh\ncarl:x:1114112:1::/:/bin/sh\n"),
        )
        .expect("writing passwd");
    }
    host.start_with(&["--config", &config]);
    let create = |name: &str| {
        let file = host.file("lab.yaml", SMALL.replace("small", name));
        ALICE.ctl(&host, &["create-lab", &file])
    };
    create("one").ok();
    create("two").ok();
    let _ = create("three").code(1).complains("all 4 ranges of ids").complains("[ids]");
    let (one, two) = (first_id(&host, "one"), first_id(&host, "two"));
    assert_eq!(
        (one, two),
        (1_048_576 + 2 * 65_536, 1_048_576 + 3 * 65_536),
        "zoe's and carl's are passed over"
    );
    let told = host.ctl(&["doctor"]);
    assert!(told.stdout.contains("zoe") && told.stdout.contains("carl"), "{}", told.stdout);
    // Somebody is given an id that a lab has.
    fs::write("/etc/passwd", format!("{passwd}yan:x:{one}:1::/:/bin/sh\n")).expect("writing passwd");
    let told = host.ctl(&["doctor"]);
    assert!(told.stdout.contains("a lab has ids of user yan"), "{}", told.stdout);
}

fn captures() {
    let host = with_users("[quotas]\ncapture_memory = \"3M\"\n");
    let capture = |host: &TestHost| {
        ALICE
            .command(host, "netlabctl", &["capture", "small", "ns1:eth0", "-w", "/dev/null"])
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("starting netlabctl")
    };
    let listening =
        || host.sh("ip netns exec small.ns1 cat /proc/net/packet | tail -n +2 | wc -l").trim().parse();
    let mut all: Vec<_> = (0..3).map(|_| capture(&host)).collect();
    wait_until("three captures listen", PATIENCE, || listening() == Ok(3));
    let _ = ALICE
        .ctl(&host, &["capture", "small", "ns1:eth0", "-c", "1", "-w", "/dev/null"])
        .code(1)
        .complains("quota capture_memory (MiB): 3 of 3 are in use and 1 more");
    for capture in &mut all {
        capture.kill().expect("it runs");
        capture.wait().expect("waiting");
    }
    wait_until("they are gone", PATIENCE, || listening() == Ok(0));
    let mut another = capture(&host);
    wait_until("their memory is given back", PATIENCE, || listening() == Ok(1));
    another.kill().expect("it runs");
    another.wait().expect("waiting");
}

fn pings() {
    let mut host = TestHost::here();
    users::move_in(&host);
    let config = host.file("config.toml", "[policy]\nhost_addresses = [\"10.9.0.0/24\"]\n");
    host.start_with(&["--config", &config]);
    let up = "name: up\nnodes: { n: { interfaces: { eth0: { addresses: [10.9.0.2/24] } } } }\n\
              host: { interfaces: { lab0: { addresses: [10.9.0.1/24] } } }\n\
              links: [ { endpoints: [\"n:eth0\", \"host:lab0\"] } ]\n";
    let file = host.file("up.yaml", up);
    ALICE.ctl(&host, &["create-lab", &file]).ok();
    host.sh(
        "ip link add wan0 type veth peer name wan1; ip addr add 198.18.0.1/24 dev wan0; ip link set wan0 up",
    );
    ALICE.ctl(&host, &["ping", "up", "host", "n", "-c", "1"]).ok();
    ALICE.ctl(&host, &["ping", "up", "host", "10.9.0.2", "-c", "1"]).ok();
    ALICE.ctl(&host, &["ping", "up", "host", "10.9.0.1", "-c", "1"]).ok();
    for elsewhere in ["198.18.0.1", "127.0.0.1", "10.9.1.1"] {
        let _ = ALICE
            .ctl(&host, &["ping", "up", "host", elsewhere, "-c", "1"])
            .code(6)
            .complains("members may ping their labs only");
    }
    CAROL.ctl(&host, &["ping", "up", "host", "198.18.0.1", "-c", "1"]).ok();
}

fn plans() {
    let host = with_users("[quotas]\nnodes = 8\n");
    let nodes = "  n0: {}\n  n1: {}\n  n2: {}\n  n3: {}\n  n4: {}\n  n5: {}\n  n6: {}\n  n7: {}\n  n8: {}\n";
    let file = host.file("large.yaml", format!("name: large\nnodes:\n{nodes}"));
    let _ = ALICE.ctl(&host, &["show-commands", &file]).code(1).complains("quota nodes");
    CAROL.ctl(&host, &["show-commands", &file]).ok();
}

fn silent() {
    let host = with_users("[limits]\nmax_connections_per_user = 4\n");
    let socket = host.folders().socket();
    let open = || std::os::unix::net::UnixStream::connect(&socket).expect("connecting");
    let waiting: Vec<_> = (0..4).map(|_| open()).collect();
    let started = std::time::Instant::now();
    for mut stream in waiting {
        stream.set_read_timeout(Some(PATIENCE)).expect("setting a limit");
        // netlabd says a word first; then it hangs up.
        let mut all = Vec::new();
        std::io::Read::read_to_end(&mut stream, &mut all).expect("it is ended in time");
    }
    assert!(started.elapsed() >= Duration::from_secs(8), "a slow client has its time");
    host.ctl(&["list-labs"]).ok();
}
