//! What a run of random work came to, as a table; and what tests came to, for docs/faults.md.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde_json::json;

/// What a test has to say for docs/faults.md. That no lab was in between, nothing was left and no packet lost, it has
/// asserted itself.
#[derive(Debug, Default)]
pub struct TestResults {
    /// How often netlabd was killed.
    pub kills: usize,
    /// How often something that netlabd asked for was refused.
    pub injected: usize,
    /// How often a lab was damaged.
    pub damage: usize,
    /// By kind of damage, from before the damage to the end of its repair in microseconds.
    pub repairs: BTreeMap<&'static str, Vec<u64>>,
    /// Echo requests through the untouched lab, all of them answered.
    pub packets: usize,
}

/// Prints the line that `tests/fault-table` reads.
pub fn tell(work: &str, figure: &TestResults) {
    let TestResults { kills, injected, damage, repairs, packets } = figure;
    let fields = json!({
        "work": work, "kills": kills, "injected": injected, "damage": damage, "repairs": repairs, "packets": packets,
    });
    println!("figures: {fields}");
}

/// The results of a run that went well.
#[derive(Debug)]
pub struct RunResults {
    seed: u64,
    counts: BTreeMap<&'static str, usize>,
    /// By kind of damage, from the damage to the end of its repair in microseconds.
    repairs: BTreeMap<&'static str, Vec<u64>>,
    /// Echo requests that the untouched lab answered, all of them.
    pub packets: usize,
    /// How long the run took.
    pub time: Duration,
    /// Memory in KiB and descriptors of one netlabd without random labs, before much work...
    pub usage_before: Option<(u64, usize)>,
    /// ... and after it.
    pub usage_after: Option<(u64, usize)>,
}

impl RunResults {
    /// Of a run with this seed.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            counts: BTreeMap::new(),
            repairs: BTreeMap::new(),
            packets: 0,
            time: Duration::ZERO,
            usage_before: None,
            usage_after: None,
        }
    }

    /// Counts something done.
    pub fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// How often something was done.
    pub fn counted(&self, what: &str) -> usize {
        self.counts.get(what).copied().unwrap_or(0)
    }

    /// The same for docs/faults.md.
    pub fn tell(&self, work: &str) {
        let figure = TestResults {
            kills: self.counted("kill -9"),
            injected: 0,
            damage: self.counted("damage"),
            repairs: self.repairs.clone(),
            packets: self.packets,
        };
        tell(work, &figure);
    }

    /// Notes how long a repair took.
    pub fn repaired(&mut self, kind: &'static str, us: u64) {
        self.repairs.entry(kind).or_default().push(us);
    }
}

/// Milliseconds with one decimal.
fn ms(us: u64) -> String {
    format!("{}.{}", us / 1_000, us % 1_000 / 100)
}

impl fmt::Display for RunResults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}, {} s\n\n| what | times |\n|---|---|", self.seed, self.time.as_secs())?;
        for (what, times) in &self.counts {
            writeln!(f, "| {what} | {times} |")?;
        }
        writeln!(f, "| labs neither in the old nor the new state | 0 |")?;
        writeln!(f, "| left behind at the end | nothing |")?;
        writeln!(f, "| echo requests through an untouched lab | {} |", self.packets)?;
        writeln!(f, "| of these lost | 0 |")?;
        if let (Some(before), Some(after)) = (self.usage_before, self.usage_after) {
            writeln!(
                f,
                "| netlabd's memory, second half without kills | {} KiB, then {} KiB |",
                before.0, after.0
            )?;
            writeln!(f, "| netlabd's descriptors | {}, then {} |", before.1, after.1)?;
        }
        writeln!(f, "\n| damage | repairs | median ms | worst ms |\n|---|---|---|---|")?;
        let mut all: Vec<u64> = self.repairs.values().flatten().copied().collect();
        let line = |f: &mut fmt::Formatter<'_>, kind: &str, times: &mut [u64]| {
            times.sort_unstable();
            let Some(worst) = times.last() else { return Ok(()) };
            writeln!(f, "| {kind} | {} | {} | {} |", times.len(), ms(times[times.len() / 2]), ms(*worst))
        };
        for (kind, times) in &self.repairs {
            line(f, kind, &mut times.clone())?;
        }
        line(f, "all", &mut all)
    }
}
