//! netlabd from other programs: what docs/api.md shows works as it stands there, and abuse of the API
//! from another language harms nobody.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::Command,
    time::Duration,
};

use super::Test;
use crate::{
    command::{Output, run_within, wait_until},
    feature::Feature,
    host::{TestHost, repository},
};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("programs::python_as_documented", documented).needs(PYTHON),
    Test::new("programs::grpcurl_lines_by_reflection", grpcurl).needs(PYTHON),
    Test::new("programs::following_from_python", following).needs(PYTHON),
    Test::new("programs::abuse_from_python", abuse).needs(PYTHON),
    Test::new("programs::health_tells_the_truth", health).needs(PYTHON),
];

/// What they all need.
const PYTHON: &[Feature] = &[Feature::Python];

/// How long a program may take.
const LIMIT: Duration = Duration::from_secs(90);

/// Python with gRPC, and the API's stubs made by the documented command.
struct Python {
    program: String,
    stubs: PathBuf,
}

impl Python {
    /// The environment was made before the tests: a private host reaches no package registry.
    fn set_up(host: &TestHost) -> Self {
        let program = host.sh(&repository().join("tests/python/environment --cached").display().to_string());
        let python = Self { program: program.trim().to_owned(), stubs: host.scratch("stubs") };
        let sh = block("## Python", "sh");
        let protoc = sh.lines().find_map(|line| line.strip_prefix("python3 ")).expect("the command is shown");
        fs::create_dir_all(&python.stubs).expect("making a folder");
        // Where a user stands in the repository's top folder, we stand in a folder with a link to it.
        std::os::unix::fs::symlink(repository().join("proto"), python.stubs.join("proto")).expect("linking");
        let make = format!("cd {} && {} {protoc}", python.stubs.display(), python.program);
        host.sh(&make);
        python
    }

    fn run(&self, script: &str, args: &[&str]) -> Output {
        let mut command = Command::new(&self.program);
        command.arg(script).args(args).env("PYTHONPATH", &self.stubs);
        run_within(&mut command, LIMIT)
    }
}

/// A code block of docs/api.md: the first of a language in a section.
fn block(section: &str, language: &str) -> String {
    let text = fs::read_to_string(repository().join("docs/api.md")).expect("the docs are there");
    let section = text.split_once(&format!("\n{section}\n")).expect("the section is there").1;
    let section = section.split("\n## ").next().unwrap_or_default();
    let block = section.split_once(&format!("```{language}\n")).expect("the block is there").1;
    block.split("```").next().unwrap_or_default().to_owned()
}

/// netlabd where the docs say that it is.
fn started() -> TestHost {
    let host = TestHost::started();
    let usual = "/run/netlabd";
    std::os::unix::fs::symlink(&host.folders().runtime, usual).expect("linking the usual folder");
    host
}

fn documented() {
    let host = started();
    let python = Python::set_up(&host);
    let before = host.inventory();
    let script = host.file("example.py", block("## Python", "python"));
    let said = python.run(&script, &[]).ok();
    let told: Vec<&str> = said.lines().collect();
    for line in [
        "netlab.v1.LabService SERVING",
        "netlab.v1.NodeService SERVING",
        "netlab.v1.HostService SERVING",
        "netlabd 0.1.0",
        "everything is as asked for",
        "exit code 0",
        "answer from 192.0.2.2",
        "ns1 -> ns2 passed",
        "nothing of it is left",
    ] {
        assert!(told.contains(&line), "expected {line:?} in:\n{said}");
    }
    let begins = |what: &str| told.iter().any(|line| line.starts_with(what));
    assert!(begins("eth0") && said.contains("192.0.2.1/24"), "what the command printed:\n{said}");
    assert!(begins("INVALID_ARGUMENT nodes.ns1.interfaces.eth0.addresses[0] "), "the fault:\n{said}");
    before.assert_unchanged();
}

fn grpcurl() {
    let host = started();
    let python = Python::set_up(&host);
    let here = repository();
    let script = here.join("tests/python/grpcurl.py").display().to_string();
    let said = python.run(&script, &[&here.join("docs/api.md").display().to_string()]).ok();
    for text in [
        "netlab.v1.NodeService\n",
        "grpc.health.v1.Health\n",
        "netlab.v1.LabService.WatchLab\n",
        "drift_repaired = 6\n",
        "\"status\": \"SERVING\"",
        "\"daemon_version\": \"0.1.0\"",
        "\"name\": \"hello-curl\"",
        "\"phase\": \"PHASE_DELETING\"",
    ] {
        assert!(said.contains(text), "expected {text:?} in:\n{said}");
    }
}

fn following() {
    let host = started();
    let python = Python::set_up(&host);
    let script = repository().join("tests/python/following.py").display().to_string();
    let socket = host.folders().socket().display().to_string();
    let _ = python.run(&script, &[&socket]).code(0).says("all as documented");
}

fn abuse() {
    let host = started();
    let python = Python::set_up(&host);
    let script = repository().join("tests/python/abuse.py").display().to_string();
    let socket = host.folders().socket().display().to_string();
    let _ = python.run(&script, &[&socket]).code(0).says("all refused, and well");
    assert!(!host.log().contains("panicked"), "{}", host.log());
    wait_until("the lab is gone", LIMIT, || host.ctl(&["get-lab", "abused"]).code == 4);
}

/// Whoever watches a netlabd that stops is told before the connection ends.
fn health() {
    let mut host = started();
    let python = Python::set_up(&host);
    let script = repository().join("tests/python/health.py").display().to_string();
    let seen = host.scratch("health");
    let mut watching = Command::new(&python.program)
        .args([&script, &host.folders().socket().display().to_string()])
        .stdout(File::create(&seen).expect("making a file"))
        .spawn()
        .expect("starting Python");
    let text = || fs::read_to_string(&seen).unwrap_or_default();
    wait_until("all services serve", LIMIT, || text().contains("watching"));
    host.stop();
    let ended = watching.wait().expect("waiting for Python");
    assert!(ended.success(), "all services tell that they stop: {ended}");
}
