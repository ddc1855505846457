//! Each kind of interface, as docs/kinds.md shows it: what the file says, the commands, what the kernel has, and how long
//! it is gone when somebody deletes it. `make kinds` writes that page.

use std::{
    fs,
    time::{Duration, Instant},
};

use netlabd::link::Kind;
use serde_json::Value;

use super::Test;
use crate::{
    command::wait_until,
    feature::Feature,
    host::{TestHost, example, repository},
};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[Test::new("shown::kinds", kinds)];

/// How long a repair may take.
const LIMIT: Duration = Duration::from_secs(60);

/// A line of the document.
fn line(line: &str) {
    println!("doc: {line}");
}

/// A block of the document.
fn block(language: &str, text: &str) {
    line(&format!("```{language}"));
    text.lines().map(str::trim_end).for_each(line);
    line("```");
    line("");
}

/// The example labs with a kind, by name.
fn examples(kind: &str) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(repository().join("labs")).expect("the folder of example labs") {
        let path = entry.expect("reading the folder of example labs").path();
        let text = fs::read_to_string(&path).expect("an example lab");
        if text.contains(&format!(" {kind}:")) {
            names.push(path.file_stem().expect("a file").to_str().expect("plain names").to_owned());
        }
    }
    names.sort();
    names
}

/// A node's interface of a kind: node and name.
fn interface(lab: &Value, kind: &str) -> Option<(String, String)> {
    for (node, it) in lab["spec"]["nodes"].as_object()? {
        for (name, interface) in it["interfaces"].as_object().into_iter().flatten() {
            if interface[kind].is_object() {
                return Some((node.clone(), name.clone()));
            }
        }
    }
    None
}

/// The lines of a lab file that say an interface of a kind: from its name on, as far as they are further in.
fn said(text: &str, name: &str, kind: &str) -> String {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let lines: Vec<&str> = text.lines().collect();
    let blocks = (0..lines.len()).filter(|at| lines[*at].contains(&format!("{name}:"))).map(|at| {
        let below = lines[at + 1..].iter().take_while(|line| indent(line) > indent(lines[at]));
        let all = std::iter::once(&lines[at]).chain(below);
        all.map(|line| line.get(indent(lines[at])..).unwrap_or_default()).collect::<Vec<_>>().join("\n")
    });
    let mut of_it = blocks.filter(|block| block.contains(&format!("{kind}:")));
    of_it.next().unwrap_or_else(|| panic!("{name} with {kind} is nowhere in\n{text}"))
}

fn kinds() {
    let host = TestHost::started();
    for kind in Kind::KEYS {
        let feature = Feature::Kind(kind);
        if !feature.works(&host) {
            println!("{kind}: this kernel lacks {}", feature.option());
            continue;
        }
        let shown = examples(kind).iter().any(|lab| show(&host, kind, lab));
        // Another kernel has what the labs need beside the kind.
        assert!(shown || !Feature::OwnKernel.works(&host), "no example lab shows {kind}");
    }
}

/// Shows a kind by a lab; false where the lab cannot be, or has none in a node.
fn show(host: &TestHost, kind: &str, lab: &str) -> bool {
    let file = format!("labs/{lab}.yaml");
    if host.ctl(&["create-lab", &file]).code != 0 {
        return false;
    }
    let seen = interface(&host.lab(lab), kind);
    if let Some((node, name)) = &seen {
        let space = format!("{lab}.{node}");
        line(&format!("## {kind}"));
        line("");
        line(&format!("`{node}:{name}` of [`labs/{lab}.yaml`](../labs/{lab}.yaml):"));
        line("");
        block("yaml", &said(&example(lab), name, kind));
        let commands = host.ctl(&["show-commands", &file]).ok();
        let of_it = |line: &&str| {
            let words: Vec<&str> = line.split(' ').collect();
            words.contains(&space.as_str()) && words.contains(&name.as_str())
        };
        let commands: Vec<&str> = commands.lines().filter(of_it).collect();
        line("Its commands:");
        line("");
        block("sh", &commands.join("\n"));
        let details = || host.run("ip", &["-n", &space, "-d", "link", "show", "dev", name]);
        let there = details().ok();
        block("text", &format!("$ ip -n {space} -d link show dev {name}\n{}", there.trim_end()));
        let start = Instant::now();
        host.sh(&format!("ip -n {space} link delete {name}"));
        wait_until(&format!("{space} has its {name} again"), LIMIT, || details().code == 0);
        host.wait_ready(lab);
        line(&format!(
            "Deleted by hand, it was there again, and the lab ready, after {} ms.",
            start.elapsed().as_millis()
        ));
        line("");
    }
    host.ctl(&["delete-lab", lab]).ok();
    seen.is_some()
}
