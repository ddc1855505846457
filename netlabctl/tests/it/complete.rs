//! Completion on the command line: what is proposed, and in real shells.

use std::{
    io::{Read as _, Write as _},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use crate::run::{Ground, Ran, arg};

/// A daemon with two labs.
fn two_labs() -> Ground {
    let ground = Ground::new();
    ground.create("vxlan");
    ground.create("fails");
    ground
}

/// What is proposed for the last word of a line, and whether files are too.
fn answered(ground: &Ground, line: &[&str]) -> (bool, Vec<String>) {
    let mut command = ground.command(&["--", "netlabctl"]);
    command.args(line).env("NETLABCTL_COMPLETE", "bash").env("XDG_CONFIG_HOME", ground.path("config"));
    let ran = Ran::from(command.stdin(Stdio::null()).output().unwrap());
    assert_eq!(ran.code, 0, "{ran:?}");
    let mut lines = ran.out.lines();
    (lines.next() == Some("files"), lines.map(str::to_owned).collect())
}

/// The same without files.
#[track_caller]
fn proposed(ground: &Ground, line: &[&str]) -> Vec<String> {
    let (files, words) = answered(ground, line);
    assert!(!files, "{line:?} is no place for files");
    words
}

#[test]
fn labs_nodes_and_interfaces_are_proposed() {
    let ground = two_labs();
    assert_eq!(proposed(&ground, &["get-lab", ""]), ["fails", "vxlan"]);
    assert_eq!(proposed(&ground, &["get-lab", "v"]), ["vxlan"]);
    assert_eq!(proposed(&ground, &["get", "v"]), ["vxlan"], "the same for another tool's word");
    assert_eq!(proposed(&ground, &["delete-lab", "fails", "v"]), ["vxlan"]);
    assert_eq!(proposed(&ground, &["exec", "vxlan", ""]), ["ns1", "router"]);
    assert_eq!(proposed(&ground, &["exec", "-w", "/tmp", "vxlan", ""]), ["ns1", "router"]);
    assert_eq!(proposed(&ground, &["-o", "json", "ping", "vxlan", "ns1", "r"]), ["router", "router:eth0"]);
    assert_eq!(proposed(&ground, &["ping", "vxlan", "h"]), ["host"]);
    assert_eq!(proposed(&ground, &["capture", "vxlan", "ns1:"]), ["ns1:eth0", "ns1:any"]);
    assert_eq!(
        proposed(&ground, &["capture", "vxlan", "ns1:any,rou"]),
        ["ns1:any,router:eth0", "ns1:any,router:any"]
    );
    assert!(proposed(&ground, &["wat"]).contains(&"watch-lab".to_owned()));
    // Nothing, and no noise, where there is nothing to be had.
    let nowhere = ["--host", "unix:///nonexistent", "get-lab", "v"];
    assert_eq!(proposed(&ground, &nowhere), [""; 0]);
    assert_eq!(proposed(&ground, &["exec", "nope", ""]), [""; 0]);
}

#[test]
fn files_are_proposed_where_they_are_meant() {
    let ground = two_labs();
    for line in [
        &["create-lab", "la"][..],
        &["apply-lab", ""],
        &["show-commands", "x"],
        &["capture", "vxlan", "ns1:any", "-w", ""],
        &["--tls-cert", "me"],
    ] {
        assert_eq!(answered(&ground, line), (true, vec![]), "{line:?}");
    }
    assert_eq!(answered(&ground, &["graph", "v"]), (true, vec!["vxlan".to_owned()]));
}

#[test]
fn contexts_generations_and_values_are_proposed() {
    let ground = two_labs();
    std::fs::create_dir_all(ground.path("config/netlab")).unwrap();
    std::fs::write(ground.path("config/netlab/config.toml"), "[contexts.box]\nhost = \"unix:///x\"\n")
        .unwrap();
    assert_eq!(proposed(&ground, &["context", "use", ""]), ["box", "default"]);
    assert_eq!(proposed(&ground, &["--context", "b"]), ["box"]);
    assert_eq!(proposed(&ground, &["get-lab", "vxlan", "--revision", ""]), ["1"]);
    assert_eq!(proposed(&ground, &["graph", "x", "-f", "m"]), ["mermaid"]);
    assert_eq!(proposed(&ground, &["completions", "z"]), ["zsh"]);
}

#[test]
fn options_are_proposed_after_a_dash_only() {
    let ground = two_labs();
    assert_eq!(proposed(&ground, &["list-labs", ""]), [""; 0]);
    assert!(proposed(&ground, &["list-labs", "--out"]).contains(&"--output".to_owned()));
    assert!(proposed(&ground, &["apply-lab", "--"]).contains(&"--dry-run".to_owned()));
}

/// A shell at a terminal, in the ground's folder, that has read its completions.
struct Terminal {
    child: Child,
    keys: ChildStdin,
    screen: Arc<Mutex<String>>,
}

impl Terminal {
    fn open(ground: &Ground, shell: &str, setup: &str) -> Self {
        let program = env!("CARGO_BIN_EXE_netlabctl");
        ground.program("netlabctl", &format!("exec {program} \"$@\""));
        ground.file("lab one.yaml", "name: x\n");
        ground.file("other.yaml", "name: x\n");
        // script(1) makes the terminal.
        let mut child = Command::new("script")
            .args(["-qec", shell, "/dev/null"])
            .current_dir(ground.path(""))
            .env("PATH", format!("{}:/usr/bin:/bin", ground.path("").display()))
            .env("HOME", ground.path(""))
            .env("TERM", "dumb")
            .env("NETLAB_HOST", format!("unix://{}", arg(&ground.socket())))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("script(1) is there");
        let (screen, mut out) = (Arc::new(Mutex::new(String::new())), child.stdout.take().unwrap());
        let shown = Arc::clone(&screen);
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = out.read(&mut bytes) {
                shown.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..read]));
            }
        });
        let mut terminal = Self { keys: child.stdin.take().unwrap(), child, screen };
        terminal.types(&format!("{setup}; echo re''ady\n"));
        terminal.shows("ready");
        terminal
    }

    fn types(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Waits until something is on the screen that was not there before it was typed.
    #[track_caller]
    fn shows(&self, text: &str) {
        let begin = Instant::now();
        while !self.screen.lock().unwrap().contains(text) {
            let screen = self.screen.lock().unwrap().clone();
            assert!(begin.elapsed() < Duration::from_secs(20), "{text:?} never comes:\n{screen:?}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Types a line with a tab in it, waits for what comes of it, and takes the line away again.
    #[track_caller]
    fn completes(&mut self, line: &str, into: &str) {
        self.screen.lock().unwrap().clear();
        self.types(line);
        self.shows(into);
        self.types("\u{15}");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.keys.write_all(b"\x15exit\n");
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether a shell is installed: `tests/setup` does so, a machine that only builds may lack it.
fn installed(shell: &str) -> bool {
    Command::new(shell).arg("--version").stdout(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// What each shell makes of the same keys.
fn same_in_all(terminal: &mut Terminal) {
    terminal.completes("netlabctl create-lab oth\t", "create-lab other.yaml");
    terminal.completes("netlabctl apply-lab lab\t", "apply-lab lab\\ one.yaml");
    terminal.completes("netlabctl graph oth\t", "graph other.yaml");
    terminal.completes("netlabctl capture vxlan ns1:any -w oth\t", "-w other.yaml");
    terminal.completes("netlabctl get-lab vx\t", "get-lab vxlan");
    terminal.completes("netlabctl capture vxlan ns1:a\t", "vxlan ns1:any");
    terminal.completes("netlabctl capture vxlan ns1:any,router:a\t", "ns1:any,router:any");
    terminal.completes("netlabctl ping vxlan ns1 router\t", "ns1 router");
    terminal.completes("netlabctl completions fi\t", "completions fish");
}

#[test]
fn bash_completes() {
    let ground = two_labs();
    let mut bash =
        Terminal::open(&ground, "bash --norc --noprofile -i", "eval \"$(netlabctl completions bash)\"");
    same_in_all(&mut bash);
    // With the cursor inside of the line.
    bash.completes("netlabctl capture vxlan ns1:a -c 5\u{1b}b\u{1b}b\u{2}\u{2}\t", "ny -c 5");
}

#[test]
fn zsh_completes() {
    if !installed("zsh") {
        return;
    }
    let ground = two_labs();
    let setup = "autoload -U compinit; compinit -u -D; eval \"$(netlabctl completions zsh)\"";
    let mut zsh = Terminal::open(&ground, "zsh -f -i", setup);
    same_in_all(&mut zsh);
}

#[test]
fn zsh_completes_by_the_file_of_the_package() {
    if !installed("zsh") {
        return;
    }
    let ground = two_labs();
    std::fs::create_dir(ground.path("functions")).unwrap();
    let script = ground.run(&["completions", "zsh"]).out;
    ground.file("functions/_netlabctl", &script);
    let setup = "fpath=(~/functions $fpath); autoload -U compinit; compinit -u -D";
    let mut zsh = Terminal::open(&ground, "zsh -f -i", setup);
    zsh.completes("netlabctl get-lab vx\t", "get-lab vxlan");
}

#[test]
fn fish_completes() {
    if !installed("fish") {
        return;
    }
    let ground = two_labs();
    let program = env!("CARGO_BIN_EXE_netlabctl");
    ground.program("netlabctl", &format!("exec {program} \"$@\""));
    ground.file("other.yaml", "name: x\n");
    let completed = |line: &str| {
        let mut fish = Command::new("fish");
        fish.args(["-c", &format!("netlabctl completions fish | source; complete -C '{line}'")]);
        fish.env("PATH", format!("{}:/usr/bin:/bin", ground.path("").display()));
        fish.env("HOME", ground.path("")).env("TERM", "dumb").current_dir(ground.path(""));
        fish.env("NETLAB_HOST", format!("unix://{}", arg(&ground.socket()))).stdin(Stdio::null());
        let ran = Ran::from(fish.output().unwrap());
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.out.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(completed("netlabctl get-lab vx"), ["vxlan"]);
    assert_eq!(completed("netlabctl create-lab oth"), ["other.yaml"]);
    assert_eq!(completed("netlabctl graph o"), ["other.yaml"]);
    assert_eq!(completed("netlabctl capture vxlan ns1:a"), ["ns1:any"]);
    assert_eq!(completed("netlabctl ping vxlan ns1 rou"), ["router", "router:eth0"]);
    assert_eq!(completed("netlabctl capture vxlan ns1:any -w oth"), ["other.yaml"]);
}
