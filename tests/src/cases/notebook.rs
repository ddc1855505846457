//! docs/notebook.md: each of its commands is run and prints what the page says; the Japanese page has the same ones.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use super::Test;
use crate::{
    command::{LIMIT, run, wait_until},
    daemon::program,
    feature::Feature,
    host::{TestHost, repository},
    internet::Internet,
};

/// The tests of this subject: one a section.
pub(super) const TESTS: &[Test] = &[
    Test::new("notebook::both_languages_hold_the_same", same),
    Test::new("notebook::vxlan", || section("VXLAN")).needs(&[Feature::Kind("vxlan")]),
    Test::new("notebook::vlan", || section("VLAN")).needs(&[Feature::BridgeVlan]),
    Test::new("notebook::vlan_segments", || section("VLAN: two segments")).needs(&[Feature::BridgeVlan]),
    Test::new("notebook::internet", || section("To the internet")).needs(&[Feature::Nat]),
    Test::new("notebook::internet_router", || section("To the internet through a router"))
        .needs(&[Feature::Nat]),
    Test::new("notebook::macvlan", || section("macvlan")).needs(&[Feature::Kind("macvlan")]),
    Test::new("notebook::internet_bridge", || section("To the internet from a bridge"))
        .needs(&[Feature::Nat]),
];

/// A command of the page, and what it shows of its output.
#[derive(Debug, Default)]
struct Step {
    command: String,
    code: i32,
    shown: Vec<String>,
}

/// A capture that goes on while other commands are run.
struct Background {
    command: String,
    child: Child,
    said: PathBuf,
}

/// What is in the blocks of a language, block by block, of a page's part.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let begin = format!("\n```{language}\n");
    let after = text.split(begin.as_str()).skip(1);
    after.map(|rest| rest.split("\n```").next().unwrap_or_default().to_owned()).collect()
}

fn page(name: &str) -> String {
    fs::read_to_string(repository().join("docs").join(name)).expect("reading the page")
}

/// A page's part below a heading.
fn part<'a>(page: &'a str, heading: &str) -> &'a str {
    let (_, part) = page.split_once(&format!("\n## {heading}\n")).expect("the heading is there");
    part.split("\n## ").next().unwrap_or_default()
}

fn steps(part: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in blocks(part, "console").iter().flat_map(|block| block.lines()) {
        if let Some(command) = line.strip_prefix("$ ") {
            let (command, code) = command.split_once(" # exit code ").unwrap_or((command, "0"));
            steps.push(Step {
                // The private host has an internet of its own, and its root needs no sudo.
                command: command.replace("8.8.8.8", Internet::SERVER).replace("sudo ", ""),
                code: code.parse().expect("a number"),
                shown: Vec::new(),
            });
        } else {
            steps.last_mut().expect("output has a command").shown.push(line.to_owned());
        }
    }
    steps
}

/// Whether a line that is shown, `...` standing for anything, is one of those that were printed.
fn printed(shown: &str, output: &str) -> bool {
    output.lines().any(|line| {
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut rest = line.as_str();
        shown.split("...").map(str::trim).all(|part| match rest.split_once(part) {
            Some((_, after)) => {
                rest = after;
                true
            }
            None => false,
        })
    })
}

fn shell(host: &TestHost, folder: &Path, command: &str) -> Command {
    let programs = program("netlabctl").parent().expect("it is in a folder").display().to_string();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut shell = Command::new("bash");
    shell.args(["-c", command]).current_dir(folder).stdin(Stdio::null());
    shell.env("PATH", format!("{programs}:{path}"));
    shell.env("NETLAB_HOST", format!("unix://{}", host.folders().socket().display()));
    shell
}

fn begin(host: &TestHost, folder: &Path, command: &str) -> Background {
    let said = host.scratch("background");
    let out = File::create(&said).expect("making a file");
    let both = out.try_clone().expect("one more of it");
    let mut shell = shell(host, folder, &format!("exec {}", command.trim_end_matches(" &")));
    let child = shell.stdout(out).stderr(both).spawn().expect("starting a shell");
    wait_until("the capture listens", LIMIT, || {
        fs::read_to_string(&said).unwrap_or_default().contains("listening on")
    });
    Background { command: command.to_owned(), child, said }
}

/// What a command in the background said, once it has ended.
fn ended(mut background: Background) -> String {
    let what = format!("this ends: {}", background.command);
    wait_until(&what, LIMIT, || background.child.try_wait().expect("waiting").is_some());
    fs::read_to_string(&background.said).expect("what it said")
}

fn section(heading: &str) {
    let mut host = TestHost::here();
    let _internet = Internet::connect(&host);
    host.start();
    let before = host.inventory();
    let text = page("notebook.md");
    let part = part(&text, heading);
    let folder = host.scratch("notebook");
    fs::create_dir(&folder).expect("making a folder");
    std::os::unix::fs::symlink(repository().join("labs"), folder.join("labs")).expect("linking the labs");
    for file in blocks(part, "yaml") {
        let name = file.lines().next().and_then(|line| line.strip_prefix("# ")).expect("it says its name");
        fs::write(folder.join(name), &file).expect("writing a lab file");
    }
    let mut background = None;
    let steps = steps(part);
    assert!(steps.len() > 2, "the section has commands");
    for Step { command, code, shown } in steps {
        println!("$ {command}");
        if command.ends_with(" &") {
            background = Some(begin(&host, &folder, &command));
            continue;
        }
        let output = match background.take() {
            Some(background) if command == "wait" => ended(background),
            other => {
                background = other;
                let output = run(&mut shell(&host, &folder, &command));
                assert_eq!(output.code, code, "{command}: {output}");
                format!("{}{}", output.stdout, output.stderr)
            }
        };
        for line in shown {
            assert!(printed(&line, &output), "{command}: {line:?} is not in\n{output}");
        }
    }
    before.assert_unchanged();
}

fn same() {
    let (english, japanese) = (page("notebook.md"), page("notebook.ja.md"));
    for language in ["console", "yaml"] {
        let ours = blocks(&english, language);
        assert!(!ours.is_empty());
        assert_eq!(blocks(&japanese, language), ours, "{language} blocks of both pages");
    }
    let headings = |page: &str| page.lines().filter(|line| line.starts_with("## ")).count();
    assert_eq!(headings(&english), headings(&japanese));
}
