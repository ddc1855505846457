//! Random work on many labs, with damage and kills in between: what was accepted comes true, an untouched
//! lab loses nothing, and at the end nothing is left.

use std::{
    fs,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    command::{exit_code, wait_until},
    daemon::memory,
    damage::{self, Damage, repairs},
    design::{self, Designer},
    feature::Feature,
    foreign,
    host::TestHost,
    inventory::Inventory,
    results::RunResults,
    rng::Rng,
    traffic::Traffic,
};

/// How long anything may take on a busy machine.
const LONG: Duration = Duration::from_secs(60);

/// Steps between two looks at all labs.
const LOOK: usize = 10;

/// A ping's numbers end after 21 minutes: begin anew before that.
const TRAFFIC: Duration = Duration::from_secs(300);

/// The lab that nobody touches.
const BYSTANDER: &str = "\
name: bystander
nodes:
  a: { interfaces: { e: { addresses: [192.0.2.1/24] } } }
  b: { interfaces: { e: { addresses: [192.0.2.2/24] } } }
links: [ { endpoints: ['a:e', 'b:e'] } ]
";

/// A host under random work.
#[derive(Debug)]
pub struct Soak {
    host: TestHost,
    designer: Designer,
    rng: Rng,
    labs: Vec<String>,
    /// Whether the daemon may be killed.
    kills: bool,
    traffic: Option<(Instant, Traffic)>,
    empty: Inventory,
    results: RunResults,
}

impl Soak {
    /// In this private host, with as many labs, by a seed.
    pub fn new(labs: usize, seed: u64) -> Self {
        println!("NETLAB_SEED={seed}");
        let mut host = TestHost::here();
        let designer = Designer::new(&host);
        design::prepare(&host);
        if designer.can(Feature::Nat) {
            foreign::create(&host);
        }
        host.start();
        let empty = host.inventory();
        let file = host.file("bystander.yaml", BYSTANDER);
        host.ctl(&["create-lab", &file]).ok();
        let labs = (0..labs).map(|number| format!("lab{number}")).collect();
        let rng = Rng::new(seed);
        let mut soak = Self {
            host,
            designer,
            rng,
            labs,
            kills: true,
            traffic: None,
            empty,
            results: RunResults::new(seed),
        };
        soak.renew_traffic();
        soak
    }

    /// Works until the time is over, half of it with kills and half without, and ends.
    pub fn run_for(mut self, time: Duration) -> RunResults {
        let start = Instant::now();
        while start.elapsed() < time / 2 {
            self.steps(LOOK);
        }
        self.kills = false;
        self.delete_all();
        self.results.usage_before = Some(self.usage());
        while start.elapsed() < time {
            self.steps(LOOK);
        }
        self.delete_all();
        self.results.usage_after = Some(self.usage());
        self.results.time = start.elapsed();
        self.end()
    }

    /// Does so many steps, with or without kills, and ends.
    pub fn run_steps(mut self, steps: usize, kills: bool) -> RunResults {
        self.kills = kills;
        let start = Instant::now();
        for _ in 0..steps / LOOK {
            self.steps(LOOK);
        }
        self.delete_all();
        self.results.time = start.elapsed();
        self.end()
    }

    fn steps(&mut self, count: usize) {
        for _ in 0..count {
            self.step();
        }
        for lab in &self.labs {
            // A resume may have been lost to a kill.
            if self.settle(lab).is_some_and(|state| state["status"]["paused"] == true) {
                self.host.ctl(&["resume-lab", lab]).ok();
                self.settle(lab);
            }
        }
        if self.traffic.as_ref().is_none_or(|(since, _)| since.elapsed() > TRAFFIC) {
            self.renew_traffic();
        }
    }

    fn step(&mut self) {
        let number = self.rng.below(self.labs.len());
        let lab = self.labs[number].clone();
        match self.rng.below(10) {
            0..=3 => self.apply(&lab, number),
            4 => {
                self.results.count("delete");
                self.command(&["delete-lab", &lab], &[0, 4]);
            }
            5..=7 => self.damage(&lab),
            8 if self.kills => self.kill(),
            _ => self.pause(&lab),
        }
    }

    fn apply(&mut self, lab: &str, number: usize) {
        let text = self.designer.lab(&mut self.rng, lab, number);
        let file = self.host.file(&format!("{lab}.json"), text);
        let mut args = vec!["apply-lab", &file];
        if self.rng.one_in(6) {
            args.extend(["--rollback-after", "1s"]);
            self.results.count("apply that is put back");
        } else {
            self.results.count("create or apply");
        }
        self.command(&args, &[0]);
    }

    /// Runs netlabctl; in one of some times netlabd is killed meanwhile.
    fn command(&mut self, args: &[&str], codes: &[i32]) {
        if !self.kills || !self.rng.one_in(3) {
            let output = self.host.ctl(args);
            assert!(codes.contains(&output.code), "{output}");
            return;
        }
        let mut command = self.host.ctl_command(args);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut client = command.spawn().expect("starting netlabctl");
        // During the request, the work, or after it.
        thread::sleep(Duration::from_millis(self.rng.below(120) as u64));
        self.kill();
        let mut code = None;
        wait_until("netlabctl ends", LONG, || {
            code = client.try_wait().expect("waiting for netlabctl").map(exit_code);
            code.is_some()
        });
        let code = code.unwrap_or(-1);
        // Not reached, or the lab was put back, gone or on its way out when it was reached again.
        assert!(codes.contains(&code) || [1, 3, 4, 5].contains(&code), "{args:?} ended with {code}");
    }

    fn kill(&mut self) {
        self.host.kill();
        self.host.start();
        self.results.count("kill -9");
    }

    fn pause(&mut self, lab: &str) {
        if !self.exists(lab) {
            return;
        }
        self.results.count("pause and resume");
        self.command(&["pause-lab", lab], &[0, 4]);
        self.damage(lab);
        self.command(&["resume-lab", lab], &[0, 4]);
    }

    /// Damages something of a lab, and waits until it is mended.
    fn damage(&mut self, lab: &str) {
        let Some(state) = self.settle(lab) else { return };
        let Some(Damage { kind, script }) = damage::of(&self.host, lab, &state["spec"], &mut self.rng) else {
            return;
        };
        let (paused, before) = (state["status"]["paused"] == true, repairs(&state));
        let at = damage::now_us();
        // What is gone already needs no damage.
        let _ = self.host.run("sh", &["-c", &script]);
        self.results.count("damage");
        if paused {
            return;
        }
        if self.settle(lab).is_none() {
            return;
        }
        // What was looked at before the repair may be older than it.
        let state = self.host.lab(lab);
        if repairs(&state) == before + 1 {
            let repair = &state["status"]["repairs"][0];
            self.results.repaired(kind, damage::time_us(&repair["time"]).saturating_sub(at));
        }
    }

    fn exists(&self, lab: &str) -> bool {
        self.host.ctl(&["get-lab", lab]).code == 0
    }

    /// Waits until a lab is what it should be, by netlabd's word and by a look of our own; `None` if there is
    /// no such lab.
    fn settle(&self, lab: &str) -> Option<Value> {
        let start = Instant::now();
        loop {
            let output = self.host.ctl(&["get-lab", lab, "-o", "json"]);
            if output.code == 4 {
                return None;
            }
            let state: Value = serde_json::from_str(&output.ok()).expect("get-lab speaks JSON");
            let phase = state["status"]["phase"].as_str().unwrap_or_default();
            assert!(phase != "PHASE_FAILED", "{lab} failed: {state:#}");
            // What is paused may stay as it is.
            if state["status"]["paused"] == true {
                return Some(state);
            }
            if phase == "PHASE_READY" {
                let file = self.host.file(&format!("{lab}.wanted.json"), state["spec"].to_string());
                // Between the look and this, a change may have been put back.
                if [0, 4].contains(&self.host.ctl(&["apply-lab", "--dry-run", &file]).code) {
                    return Some(state);
                }
            }
            assert!(start.elapsed() < LONG, "{lab} does not settle: {state:#}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn renew_traffic(&mut self) {
        if let Some((_, traffic)) = self.traffic.take() {
            self.results.packets += traffic.lost_nothing();
        }
        self.traffic = Some((Instant::now(), Traffic::start(&self.host, "bystander.a", "192.0.2.2")));
    }

    fn delete_all(&mut self) {
        for lab in &self.labs {
            let output = self.host.ctl(&["delete-lab", lab]);
            assert!([0, 4].contains(&output.code), "{output}");
        }
    }

    /// The daemon's resident memory in KiB and its open descriptors.
    fn usage(&self) -> (u64, usize) {
        let pid = self.host.daemon_pid();
        let open = fs::read_dir(format!("/proc/{pid}/fd")).expect("reading netlabd's descriptors").count();
        (memory(pid, "VmRSS"), open)
    }

    fn end(mut self) -> RunResults {
        if let Some((_, traffic)) = self.traffic.take() {
            self.results.packets += traffic.lost_nothing();
        }
        self.host.ctl(&["delete-lab", "bystander"]).ok();
        self.empty.assert_soon_unchanged();
        if let (Some((_, before)), Some((_, after))) = (self.results.usage_before, self.results.usage_after) {
            assert!(after <= before + 4, "netlabd has {after} descriptors open, {before} before");
        }
        self.results
    }
}
