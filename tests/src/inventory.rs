//! Everything that a lab could leave behind on a host, as text to compare.

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{command::run, daemon::Folders};

/// How long the kernel may take to free what a delete has cut off (namespace ids, processes).
const SETTLE: Duration = Duration::from_secs(10);

/// One look at a host: by subject, the text of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    /// What a finished delete must have put back.
    now: BTreeMap<&'static str, String>,
    /// What the kernel frees in the background.
    soon: BTreeMap<&'static str, String>,
    folders: [std::path::PathBuf; 3],
}

impl Inventory {
    /// Looks at the host that this process is in, until two looks agree: links come up, and addresses and
    /// routes appear on them, a little after the command that asked for it.
    pub fn take(folders: &Folders) -> Self {
        let dirs = [folders.runtime.clone(), folders.state.clone(), folders.netns.clone()];
        let start = Instant::now();
        let mut seen = Self::look(dirs.clone());
        loop {
            thread::sleep(Duration::from_millis(100));
            let again = Self::look(dirs.clone());
            if again == seen {
                return again;
            }
            assert!(start.elapsed() < SETTLE, "the host does not come to rest");
            seen = again;
        }
    }

    fn look(folders: [std::path::PathBuf; 3]) -> Self {
        let ip = |args: &str| command(&format!("ip {args}"));
        let now = BTreeMap::from([
            ("links and addresses", links()),
            ("routes", ip("-d route show table all") + &ip("-d -6 route show table all")),
            ("rules", ip("-d rule") + &ip("-d -6 rule")),
            // Fails on a kernel whose bridges know no VLANs; its complaint is part of the look then.
            ("VLANs of bridges", command("bridge -d vlan 2>&1 || :")),
            ("nftables", command("nft -s -a list ruleset")),
            ("sysctls", tree(Path::new("/proc/sys/net"), true)),
            ("files", folders.iter().map(|dir| tree(dir, false)).collect()),
            ("mounts", mounts()),
        ]);
        let soon = BTreeMap::from([("namespace ids", ip("netns list-id")), ("processes", processes())]);
        Self { now, soon, folders }
    }

    /// Fails the test unless the host is byte for byte what it was.
    pub fn assert_unchanged(&self) {
        let start = Instant::now();
        let mut seen = Self::look(self.folders.clone());
        assert_same(&self.now, &seen.now);
        while seen.soon != self.soon && start.elapsed() < SETTLE {
            thread::sleep(Duration::from_millis(100));
            seen = Self::look(self.folders.clone());
        }
        assert_same(&self.soon, &seen.soon);
    }
}

impl Inventory {
    /// The same after work that has cut namespaces off without a delete: the kernel frees these in the
    /// background, one after the other for the whole machine, and what they hold goes with them.
    pub fn assert_soon_unchanged(&self) {
        let start = Instant::now();
        while start.elapsed() < 6 * SETTLE {
            let seen = Self::look(self.folders.clone());
            if seen.now == self.now && seen.soon == self.soon {
                return;
            }
            thread::sleep(Duration::from_millis(200));
        }
        self.assert_unchanged();
    }
}

fn assert_same(before: &BTreeMap<&str, String>, after: &BTreeMap<&str, String>) {
    let mut report = String::new();
    for (subject, old) in before {
        let new = &after[subject];
        if old != new {
            let _ = writeln!(report, "{subject} (- before, + after):");
            report += &difference(old, new);
        }
    }
    assert!(report.is_empty(), "the host is not what it was:\n{report}");
}

/// The lines of one text that the other lacks, both ways.
fn difference(old: &str, new: &str) -> String {
    let mut count: BTreeMap<&str, i32> = BTreeMap::new();
    for line in new.lines() {
        *count.entry(line).or_default() += 1;
    }
    for line in old.lines() {
        *count.entry(line).or_default() -= 1;
    }
    let mut report = String::new();
    for (line, n) in count {
        let sign = if n > 0 { '+' } else { '-' };
        for _ in 0..n.abs() {
            let _ = writeln!(report, "  {sign} {line}");
        }
    }
    if report.is_empty() { "  the same lines in another order\n".into() } else { report }
}

fn command(line: &str) -> String {
    run(Command::new("sh").args(["-c", line])).ok()
}

/// `ip -d addr`, one line a link, without the bridges' running timers.
fn links() -> String {
    let text = command("ip -d -j addr");
    let mut links: Vec<Value> = serde_json::from_str(&text).expect("ip speaks JSON");
    links.iter_mut().for_each(drop_timers);
    links.iter().fold(String::new(), |all, link| all + &link.to_string() + "\n")
}

fn drop_timers(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !name.ends_with("_timer"));
            fields.values_mut().for_each(drop_timers);
        }
        Value::Array(all) => all.iter_mut().for_each(drop_timers),
        _ => {}
    }
}

/// The files below a folder by name, with what they hold where asked.
fn tree(dir: &Path, contents: bool) -> String {
    let mut lines = Vec::new();
    walk(dir, contents, &mut lines);
    lines.sort();
    lines.concat()
}

fn walk(dir: &Path, contents: bool, lines: &mut Vec<String>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            lines.push(format!("{}/\n", path.display()));
            walk(&path, contents, lines);
        } else if contents && !changes_by_itself(&path) {
            // Some sysctls can only be written.
            let content = fs::read_to_string(&path).unwrap_or_default();
            lines.push(format!("{} = {}\n", path.display(), content.trim_end()));
        } else {
            lines.push(format!("{}\n", path.display()));
        }
    }
}

/// Sysctls that count what is going on.
fn changes_by_itself(path: &Path) -> bool {
    path.ends_with("nf_conntrack_count") || path.ends_with("tcp_fastopen_key")
}

/// The mounts that this process sees: root, place, kind, source and options of each.
fn mounts() -> String {
    let text = fs::read_to_string("/proc/self/mountinfo").expect("reading mountinfo");
    let mut lines: Vec<String> = text
        .lines()
        .filter_map(|line| {
            let (mount, kind) = line.split_once(" - ")?;
            let place: Vec<&str> = mount.split(' ').skip(3).take(2).collect();
            Some(format!("{} {kind}\n", place.join(" ")))
        })
        .collect();
    lines.sort();
    lines.concat()
}

/// The names of all processes of the private host, save those that a look itself starts.
fn processes() -> String {
    let own = std::process::id().to_string();
    let mut names: Vec<String> = fs::read_dir("/proc")
        .expect("reading /proc")
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().bytes().all(|b| b.is_ascii_digit()))
        .filter(|entry| *entry.file_name() != *own)
        .filter_map(|entry| fs::read_to_string(entry.path().join("comm")).ok())
        .collect();
    names.sort();
    names.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences() {
        assert_eq!(difference("a\nb\n", "b\nc\nc\n"), "  - a\n  + c\n  + c\n");
        assert_eq!(difference("a\nb\n", "b\na\n"), "  the same lines in another order\n");
    }

    #[test]
    fn timers() {
        let mut value = serde_json::json!({"linkinfo": {"gc_timer": 1.5, "ageing_time": 30000}});
        drop_timers(&mut value);
        assert_eq!(value, serde_json::json!({"linkinfo": {"ageing_time": 30000}}));
    }
}
