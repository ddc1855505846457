//! What is said and shown, and files that do not say what they seem to.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, net::UnixStream},
    process::Stdio,
    thread,
    time::Duration,
};

use rustix::{
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with},
    process::{Pid, Resource, Rlimit, Signal, kill_process, setrlimit},
};

use super::{Test, apply::SMALL};
use crate::{
    command::{exit_code, wait_until},
    host::TestHost,
};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("words::a_file_with_nul_bytes", nul_bytes),
    Test::new("words::names_that_hide_text", hidden),
    Test::new("words::long_texts_are_cut", long_texts),
    Test::new("words::one_reading_of_a_number", numbers),
    Test::new("words::a_full_backlog_is_waited_for", backlog),
    Test::new("words::an_empty_file_is_no_namespace", empty_pin),
    Test::new("words::files_are_for_root_alone", modes),
    Test::new("words::sysctls_that_are_read_only", read_only),
];

/// A part of the file that a parser takes for its end must not pass for the whole.
fn nul_bytes() {
    let host = TestHost::started();
    let good = host.file("f.yaml", "name: cut\nnodes:\n  a: {}\n  b: {}\n");
    host.ctl(&["create-lab", &good]).ok();
    for (name, text, place) in [
        ("a.yaml", "name: cut\nnodes:\n  a: {}\n\0  b: {}\nlinks: []\n", ":4:1: a NUL byte"),
        ("b.yaml", "name: cut\nnodes:\n  a: {}\n\0\0\0\0", ":4:1: the file ends with NUL bytes"),
        ("c.json", "{\"name\": \"cut\", \"nodes\": {\"a\": {}}}\0garbage", ":1:36: a NUL byte"),
    ] {
        let file = host.file(name, text);
        for verb in ["apply-lab", "create-lab", "graph", "show-commands"] {
            let _ = host.ctl(&[verb, &file]).code(2).complains(&format!("{name}{place}"));
        }
    }
    assert!(fs::exists("/run/netns/cut.b").expect("looking"), "node b is still there");
}

/// Interfaces with such names in a node, made by its root, and all that is said of them.
fn hidden() {
    let host = TestHost::started();
    let file = host.file("small.yaml", SMALL);
    host.ctl(&["create-lab", &file]).ok();
    for name in ["c\u{9b}1", "d\u{7f}l", "b\u{202e}i", "z\u{200b}w"] {
        let _ = host.run("ip", &["-n", "small.ns1", "link", "add", "name", name, "type", "bridge"]).code(0);
    }
    wait_until("they are seen", Duration::from_secs(20), || {
        host.lab("small")["status"]["extras"].to_string().contains("interface z")
    });
    for format in ["json", "yaml", "table"] {
        for verb in [&["get-lab", "small"][..], &["list-labs"], &["doctor"]] {
            let said = host.ctl(&[verb, &["-o", format]].concat()).ok();
            let raw = |c: &char| {
                *c != '\n'
                    && (c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'))
            };
            assert_eq!(said.chars().find(raw), None, "{verb:?} -o {format}: {said:?}");
        }
    }
    // Nothing is lost by it.
    assert!(host.lab("small")["status"]["extras"].to_string().contains("b\u{202e}i"), "JSON tells the name");
    // In a file they are refused, and told by their number.
    let bad = SMALL.replace("eth0", "e\u{200b}0");
    let file = host.file("bad.yaml", bad);
    let _ = host.ctl(&["apply-lab", &file]).code(2).complains("U+200B, a character that cannot be seen");
}

/// What repeats a request is cut, so that it arrives.
fn long_texts() {
    let host = TestHost::started();
    let file = host.file("small.yaml", SMALL);
    host.ctl(&["create-lab", &file]).ok();
    for bytes in [3_000, 100_000] {
        let long = "a".repeat(bytes);
        for args in [
            &["capture", "small", "ns1:eth0", "-c", "1", "-f", &long][..],
            &["get-lab", &long],
            &["ping", "small", "ns1", &long],
            &["exec", "small", &long, "--", "true"],
        ] {
            let said = host.ctl(args);
            let wrong = said.stderr.len() > 2_048 || said.stderr.contains("lost netlabd") || said.code == 0;
            assert!(!wrong, "{}: exit {}: {:.300}", args[0], said.code, said.stderr);
        }
    }
    let _ = host.ctl(&["capture", "small", "ns1:eth0", "-c", "1", "-f", &"a".repeat(100_000)]).code(2);
}

fn numbers() {
    let host = TestHost::started();
    let why = "begins with 0, which some programs read as octal";
    for (from, to) in [
        ("192.0.2.1/24", "192.0.2.01/24"),
        ("192.0.2.1/24", "192.0.2.1/024"),
        ("via: 192.0.2.254", "via: 192.0.2.0254"),
    ] {
        assert!(SMALL.contains(from), "{from}");
        let file = host.file("zeros.yaml", SMALL.replacen(from, to, 1));
        let _ = host.ctl(&["create-lab", &file]).code(2).complains(why).complains("zeros.yaml:");
        let _ = host.ctl(&["show-commands", &file]).code(2).complains(why);
    }
    let file = host.file(
        "zeros.json",
        "{\"name\": \"z\", \"nodes\": {\"a\": {\"interfaces\": {\"d\": {\"mtu\": 01500}}}}}",
    );
    let _ = host.ctl(&["create-lab", &file]).code(2).complains(why);
    let file = host.file("small.yaml", SMALL);
    host.ctl(&["create-lab", &file]).ok();
    let _ = host.ctl(&["ping", "small", "ns1", "192.0.2.0254"]).code(2).complains(why);
}

/// Longer is no queue of connections (`net.core.somaxconn` is 4,096).
const QUEUE_LIMIT: u64 = 10_000;

/// Others' connections fill the queue of a daemon that is busy for a moment.
fn backlog() {
    let host = TestHost::started();
    let pid = Pid::from_raw(host.daemon_pid().cast_signed()).expect("a process id");
    kill_process(pid, Signal::STOP).expect("netlabd is there");
    // The queue may be longer than a process may have files open.
    let limit = Some(QUEUE_LIMIT + 100);
    setrlimit(Resource::Nofile, Rlimit { current: limit, maximum: limit })
        .expect("root may raise its limits");
    let mut queue = Vec::new();
    let socket = SocketAddrUnix::new(host.folders().socket()).expect("a path of ours is short");
    loop {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let fd = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).expect("a socket");
        match connect(&fd, &socket) {
            Ok(()) => queue.push(UnixStream::from(fd)),
            Err(rustix::io::Errno::AGAIN) => break,
            Err(error) => panic!("connecting: {error}"),
        }
        assert!((queue.len() as u64) < QUEUE_LIMIT, "the queue has an end");
    }
    let waits = host
        .ctl_command(&["list-labs"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("netlabctl");
    thread::sleep(Duration::from_millis(200));
    drop(queue);
    kill_process(pid, Signal::CONT).expect("netlabd is there");
    let done = waits.wait_with_output().expect("netlabctl ends");
    assert_eq!(exit_code(done.status), 0, "{}", String::from_utf8_lossy(&done.stderr));
}

/// What a pin leaves where its namespace is gone keeps nobody from having the name.
fn empty_pin() {
    let host = TestHost::started();
    fs::write("/run/netns/small.ns1", "").expect("making a plain file");
    let file = host.file("small.yaml", SMALL);
    host.ctl(&["create-lab", &file]).ok();
    host.ctl(&["delete-lab", "small"]).ok();
    assert!(!fs::exists("/run/netns/small.ns1").expect("looking"), "the pin is gone");
    // A namespace of others does.
    host.sh("ip netns add small.ns1");
    let _ = host.ctl(&["create-lab", &file]).code(5).complains("small.ns1 exists and is not netlab's");
}

fn modes() {
    let mut host = TestHost::here();
    let state = host.folders().state.clone();
    fs::create_dir_all(&state).expect("making a folder");
    fs::set_permissions(&state, fs::Permissions::from_mode(0o755)).expect("opening it to others");
    let check = || {
        for entry in fs::read_dir(&state).expect("reading it") {
            let path = entry.expect("an entry").path();
            let mode = fs::metadata(&path).expect("a file").permissions().mode();
            assert_eq!(mode & 0o077, 0, "{}: {mode:o}", path.display());
        }
    };
    host.start();
    check();
    host.stop();
    // As an older netlabd has left them.
    let store = state.join("labs.redb");
    fs::set_permissions(&store, fs::Permissions::from_mode(0o644)).expect("opening it to others");
    host.start();
    check();
}

/// A container's read-only /proc/sys is no missing feature of the kernel.
fn read_only() {
    let mut host = TestHost::here();
    host.sh("mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys");
    host.start();
    let file = host.file("small.yaml", SMALL);
    let said = host.ctl(&["create-lab", &file]);
    if said.code != 0 {
        assert!(!said.stderr.contains("lacks"), "{said}");
        let _ = said.complains("ead-only");
    }
    let doctor = host.ctl(&["doctor"]);
    assert!(!doctor.stdout.contains("lacks CONFIG_USER_NS"), "{doctor}");
}
