//! tcpdump in a namespace while something happens.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{command::wait_until, host::TestHost};

/// How long tcpdump may take to begin and to see what it waits for.
const LIMIT: Duration = Duration::from_secs(30);

/// A running tcpdump that prints a line for each packet, with the link-level header.
#[derive(Debug)]
pub struct Capture {
    child: Child,
    output: PathBuf,
}

impl Capture {
    /// Starts it at an interface and waits until it listens.
    pub fn start(host: &TestHost, namespace: &str, interface: &str, filter: &str) -> Self {
        let output = host.scratch(&format!("tcpdump-{namespace}-{interface}"));
        let file = File::create(&output).expect("making a file for tcpdump");
        let child = Command::new("ip")
            .args([
                "netns",
                "exec",
                namespace,
                "tcpdump",
                "-nel",
                "--immediate-mode",
                "-i",
                interface,
                filter,
            ])
            .stdin(Stdio::null())
            .stderr(file.try_clone().expect("cloning a descriptor"))
            .stdout(file)
            .spawn()
            .expect("starting tcpdump");
        let capture = Self { child, output };
        wait_until("tcpdump listens", LIMIT, || capture.text().contains("listening on"));
        capture
    }

    /// Waits until a line has all of `words` in it, and ends.
    pub fn sees(mut self, words: &[&str]) {
        let found = |text: &str| text.lines().any(|line| words.iter().all(|word| line.contains(word)));
        let what = format!("tcpdump shows {words:?}; it printed:");
        let start = std::time::Instant::now();
        while !found(&self.text()) {
            assert!(start.elapsed() < LIMIT, "waited in vain: {what}\n{}", self.text());
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        self.child.wait().expect("waiting for tcpdump");
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.output).unwrap_or_default()
    }
}
