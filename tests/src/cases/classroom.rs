//! A classroom on one machine: every member's lab tries all that one can at once, and others work on.

use std::{
    fs,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use super::{Test, apply::SMALL};
use crate::{
    command::wait_until,
    feature::Feature,
    host::TestHost,
    users::{self, BOB, MEMBERS, User},
};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[Test::new("classroom::everybody_at_once", everybody_at_once)
    .needs(&[Feature::OwnKernel, Feature::Cgroup])];

/// How many members, each with a lab.
const PUPILS: u32 = 20;
/// How often the others' work is measured.
const ROUNDS: usize = 3;
/// How long any of it may take on a machine as busy as that.
const LIMIT: Duration = Duration::from_secs(100);

/// What each lab may use; 20 times that is more than half of what the machine has.
const CONFIG: &str = "[lab]\nmemory_max = \"32M\"\npids_max = 40\n";

/// What the root of each lab does: terminals, inotify, timers until there are no more; processes and memory without
/// end; the lab's own interfaces again and again.
const ABUSE: &str = r#"
perl -e 'my @all; while (open(my $fh, "+<", "/dev/ptmx")) { push @all, $fh } sleep 600' &
perl -e '1 while syscall(294, 0) >= 0; my $id = pack "q", 0; 1 while syscall(222, 0, 0, $id) == 0; sleep 600' &
(while :; do ip link set eth0 down; ip address flush dev eth0; sleep 5; done) &
(while :; do head -c 200M /dev/zero | tail -n 1 >/dev/null; sleep 10; done) &
while :; do sleep 4327 & done 2>/dev/null
"#;

fn pupil(number: u32) -> User {
    User { uid: 5001 + number, groups: &[MEMBERS] }
}

/// What the others' work took.
#[derive(Debug, Default)]
struct Times {
    terminal: Vec<Duration>,
    create: Vec<Duration>,
    exec: Vec<Duration>,
    repair: Vec<Duration>,
    delete: Vec<Duration>,
}

impl Times {
    /// Once: the host's root opens a terminal, forks, and has inotify and a timer; Bob creates a lab, runs a command
    /// in it, has it repaired, and deletes it.
    fn measure(&mut self, host: &TestHost, number: usize) {
        let name = format!("bobs{number}");
        let file = host.file("bobs.yaml", SMALL.replace("small", &name));
        let took = |what: &str, work: &dyn Fn() -> bool| {
            let started = Instant::now();
            wait_until(what, LIMIT, work);
            started.elapsed()
        };
        let probe = "open(my $p, \"+<\", \"/dev/ptmx\") or die \"no terminal: $!\"; \
                     syscall(294, 0) >= 0 or die \"no inotify: $!\"; my $id = pack \"q\", 0; \
                     syscall(222, 0, 0, $id) == 0 or die \"no timer: $!\"; system(\"true\") == 0 or die \"no fork\"";
        let started = Instant::now();
        host.run("perl", &["-e", probe]).ok();
        self.terminal.push(started.elapsed());
        self.create.push(took("Bob creates a lab", &|| BOB.ctl(host, &["apply-lab", &file]).code == 0));
        self.exec.push(took("Bob runs a command", &|| {
            BOB.ctl(host, &["exec", &name, "ns1", "--", "true"]).code == 0
        }));
        host.sh(&format!("ip -n {name}.ns1 link set eth0 down"));
        let up = format!("ip -n {name}.ns1 -br link show up dev eth0 | grep -q eth0");
        self.repair.push(took("Bob's lab is repaired", &|| host.run("sh", &["-c", &up]).code == 0));
        self.delete.push(took("Bob deletes it", &|| BOB.ctl(host, &["delete-lab", &name]).code == 0));
    }

    /// Lines of the table in docs/abuse.md: at the median and at most, in milliseconds.
    fn tell(mut self, when: &str) {
        let all = [
            ("the host's root opens a terminal, forks, has inotify and a timer", &mut self.terminal),
            ("a member creates a lab of two nodes", &mut self.create),
            ("runs a command in it", &mut self.exec),
            ("has it repaired", &mut self.repair),
            ("deletes it", &mut self.delete),
        ];
        for (what, times) in all {
            times.sort_unstable();
            let (median, most) = (times[times.len() / 2].as_millis(), times[times.len() - 1].as_millis());
            println!("| {what} | {when} | {median} | {most} |");
        }
    }
}

/// Pupils that detach commands as fast as they can; each loop ends by itself.
fn detach(host: &TestHost, number: u32) -> Child {
    let script = format!("for i in $(seq 20); do netlabctl exec --detach c{number} ns2 -- sleep 4328; done");
    pupil(number)
        .shell(host, &script)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("starting a shell")
}

fn everybody_at_once() {
    let mut host = TestHost::here();
    users::move_in(&host);
    let config = host.file("config.toml", CONFIG);
    host.start_with(&["--config", &config]);
    for number in 0..PUPILS {
        let file = host.file("pupil.yaml", SMALL.replace("small", &format!("c{number}")));
        pupil(number).ctl(&host, &["create-lab", &file]).ok();
    }
    let mut before = Times::default();
    (0..ROUNDS).for_each(|round| before.measure(&host, round));
    before.tell("before");

    for number in 0..PUPILS {
        let lab = format!("c{number}");
        pupil(number).ctl(&host, &["exec", "--detach", &lab, "ns1", "--", "sh", "-c", ABUSE]).ok();
    }
    let mut loops: Vec<Child> = (0..4).map(|number| detach(&host, number)).collect();
    let count = |file: &str| {
        let labs = fs::read_dir("/sys/fs/cgroup/netlab").into_iter().flatten().flatten();
        let of =
            |lab: fs::DirEntry| fs::read_to_string(lab.path().join(file)).ok()?.trim().parse::<u64>().ok();
        labs.filter_map(of).collect::<Vec<_>>()
    };
    wait_until("it has begun in every lab", LIMIT, || {
        count("pids.current").iter().filter(|now| **now >= 10).count() >= PUPILS as usize
    });
    let mut meanwhile = Times::default();
    (0..ROUNDS).for_each(|round| meanwhile.measure(&host, round));
    meanwhile.tell("meanwhile");
    let (processes, memory) = (count("pids.current"), count("memory.peak"));
    let killed = host.sh(
        "cat /sys/fs/cgroup/netlab/lab-*/memory.events | grep '^oom_kill ' | awk '{n += $2} END {print n}'",
    );
    let terminals = fs::read_to_string("/proc/sys/kernel/pty/nr").unwrap_or_default();
    println!(
        "{} labs: {} processes, at most {} in one; {} MiB at most in one; {} processes killed for want of memory; {} \
         terminals in use",
        processes.len(),
        processes.iter().sum::<u64>(),
        processes.iter().max().copied().unwrap_or_default(),
        memory.iter().max().copied().unwrap_or_default() >> 20,
        killed.trim(),
        terminals.trim()
    );
    for child in &mut loops {
        let _ = child.kill();
        child.wait().expect("waiting");
    }
    let log = host.log();
    assert!(!log.contains("crashed") && !log.contains("panicked"), "{log}");
    for number in 0..PUPILS {
        let lab = format!("c{number}");
        wait_until("a lab is deleted", LIMIT, || pupil(number).ctl(&host, &["delete-lab", &lab]).code == 0);
    }
    assert_eq!(host.sh("pgrep -cf '^sleep 432[78]' || true").trim(), "0", "what they ran outlives the labs");
    host.stop();
}
