//! Continuous echo requests, to see whether a change touched what it should not.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{command::wait_until, host::TestHost};

/// Echo requests from a namespace, fifty a second, until it is stopped; see [`crate::pinger`].
#[derive(Debug)]
pub struct Traffic {
    child: Child,
    output: PathBuf,
    dropped: u64,
}

impl Traffic {
    /// Starts them in a namespace and waits for the first answer.
    pub fn start(host: &TestHost, namespace: &str, target: &str) -> Self {
        let output = host.scratch(&format!("ping-{namespace}-{target}"));
        let file = File::create(&output).expect("making a file for ping");
        let child = Command::new("ip")
            .args(["netns", "exec", namespace])
            .arg(std::env::current_exe().expect("the path of this program"))
            .args(["--ping", target])
            .stdin(Stdio::null())
            .stderr(file.try_clone().expect("cloning a descriptor"))
            .stdout(file)
            .spawn()
            .expect("starting ping");
        let traffic = Self { child, output, dropped: dropped() };
        wait_until("ping gets a first answer", Duration::from_secs(20), || !traffic.answered().is_empty());
        traffic
    }

    /// Waits until this many more answers have come.
    pub fn continues(&self, more: usize) {
        let before = self.answered().len();
        wait_until("ping goes on", Duration::from_secs(20), || self.answered().len() >= before + more);
    }

    /// Stops it and fails the test if an answer is missing. Gives how many there were.
    #[allow(clippy::must_use_candidate)]
    pub fn lost_nothing(mut self) -> usize {
        self.continues(3);
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        self.child.wait().expect("waiting for ping");
        let answered = self.answered();
        let newest = answered.last().copied().unwrap_or(0);
        let lost: Vec<u16> = (1..=newest).filter(|sequence| !answered.contains(sequence)).collect();
        let dropped = dropped() - self.dropped;
        if !lost.is_empty() && lost.len() as u64 <= dropped {
            println!(
                "{} of {newest} echo replies are missing; others made this kernel drop {dropped}",
                lost.len()
            );
            return answered.len();
        }
        assert!(lost.is_empty(), "lost {} of {newest} echo replies: {lost:?}", lost.len());
        answered.len()
    }

    fn answered(&self) -> BTreeSet<u16> {
        let text = fs::read_to_string(&self.output).unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).collect()
    }
}

/// Packets that this kernel has dropped because a processor's queue was full: it is one for all namespaces,
/// also those of others on this machine (`softnet_stat`, the second column, hexadecimal).
fn dropped() -> u64 {
    let text = fs::read_to_string("/proc/net/softnet_stat").unwrap_or_default();
    text.lines().filter_map(|line| u64::from_str_radix(line.split_whitespace().nth(1)?, 16).ok()).sum()
}
