//! The store: a full disk, damage, and stores of older netlabds.

use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom, Write},
    path::PathBuf,
    time::Duration,
};

use super::{Test, apply::SMALL};
use crate::{
    command::wait_until,
    daemon::Daemon,
    host::{TestHost, repository},
    traffic::Traffic,
};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("store::full_disk_refuses_and_loses_nothing", full_disk),
    Test::new("store::labs_until_the_disk_is_full", labs_until_full),
    Test::new("store::damaged_store_is_moved_aside", damaged),
    Test::new("store::killed_while_migrating", migrating),
];

/// A host whose state folder is a file system of its own, of a size that mount(8) understands.
fn with_disk(size: &str) -> TestHost {
    let mut host = TestHost::here();
    let state = host.folders().state.display().to_string();
    host.sh(&format!("mkdir -p {state} && mount -t tmpfs -o size={size} tmpfs {state}"));
    host.start();
    host
}

/// The small lab under another name; gives the path of its file.
fn named(host: &TestHost, name: &str, description: &str) -> String {
    let text = SMALL.replace("name: small", &format!("name: {name}\ndescription: \"{description}\""));
    host.file(&format!("{name}.yaml"), text)
}

fn full_disk() {
    let mut host = with_disk("4m");
    let before = host.inventory();
    let kept = named(&host, "kept", "");
    let doomed = named(&host, "doomed", "");
    host.ctl(&["create-lab", &kept]).ok();
    let with_one = host.inventory();
    host.ctl(&["create-lab", &doomed]).ok();
    let traffic = Traffic::start(&host, "kept.ns1", "203.0.113.1");
    let junk = host.folders().state.join("junk");
    host.sh(&format!("! dd if=/dev/zero of={} bs=4k 2>/dev/null", junk.display()));
    let left = host.sh(&format!("df --output=avail {} | tail -n 1", host.folders().state.display()));
    assert_eq!(left.trim(), "0", "the disk is full");

    // New work is refused, and nothing of it is there.
    let late = named(&host, "late", "");
    let _ = host.ctl(&["create-lab", &late]).code(1).complains("is full");
    let _ = host.ctl(&["get-lab", "late"]).code(4);
    let changed = named(&host, "kept", "changed");
    let _ = host.ctl(&["apply-lab", &changed]).code(1).complains("is full");
    let lab = host.lab("kept");
    assert_eq!((lab["generation"].as_str(), lab["spec"]["description"].as_str()), (Some("1"), Some("")));

    // What is there is looked after, and can be deleted.
    for _ in 0..3 {
        host.sh("ip -n kept.ns2 link set eth0 mtu 1300");
        wait_until("damage is repaired on a full disk", Duration::from_secs(20), || {
            host.run("sh", &["-c", "ip -n kept.ns2 link show eth0 | grep -q 'mtu 1500'"]).code == 0
        });
    }
    host.ctl(&["pause-lab", "kept"]).ok();
    host.ctl(&["resume-lab", "kept"]).ok();
    host.ctl(&["delete-lab", "doomed"]).ok();
    let _ = host.ctl(&["get-lab", "doomed"]).code(4);
    for stopped in [true, false] {
        if stopped {
            host.stop();
        } else {
            host.kill();
        }
        host.start();
        host.wait_ready("kept");
        host.ctl(&["check-lab", "kept"]).ok();
        let _ = host.ctl(&["create-lab", &late]).code(1).complains("is full");
        let _ = host.ctl(&["get-lab", "doomed"]).code(4);
    }

    // With room again all goes on by itself.
    fs::remove_file(&junk).expect("removing a file of this test");
    host.ctl(&["create-lab", &late]).ok();
    host.ctl(&["delete-lab", "late"]).ok();
    host.kill();
    host.start();
    host.wait_ready("kept");
    assert_eq!(host.lab("kept")["generation"], "1");
    traffic.lost_nothing();
    with_one.assert_unchanged();
    host.ctl(&["delete-lab", "kept"]).ok();
    before.assert_unchanged();
}

/// The labs themselves fill the disk.
fn labs_until_full() {
    let mut host = with_disk("1900k");
    let before = host.inventory();
    let names: Vec<String> = (0..200).map(|number| format!("lab{number}")).collect();
    let mut made = 0;
    for name in &names {
        // No nodes: what is wanted is the filling of the disk.
        let text = format!("{{ name: {name}, description: \"{}\" }}", "x".repeat(4_000));
        let file = host.file("one.yaml", text);
        let output = host.ctl(&["create-lab", &file]);
        if output.code != 0 {
            let _ = output.code(1).complains("is full");
            break;
        }
        made += 1;
    }
    assert!((3..200).contains(&made), "{made} labs filled the disk");
    host.kill();
    host.start();
    for name in &names[..made] {
        host.wait_ready(name);
        host.ctl(&["delete-lab", name]).ok();
    }
    before.assert_unchanged();
    let file = named(&host, "small", "");
    host.ctl(&["create-lab", &file]).ok();
    host.ctl(&["delete-lab", "small"]).ok();
    println!("{made} labs filled the disk");
}

/// One way to damage a file.
type Damage = (&'static str, fn(&mut File));

const DAMAGES: &[Damage] = &[
    ("emptied", |file| file.set_len(0).expect("truncating")),
    ("cut in half", |file| {
        let length = file.metadata().expect("looking").len();
        file.set_len(length / 2).expect("truncating");
    }),
    ("garbage for a header", |file| file.write_all(&[0x5a; 4096]).expect("writing")),
    ("flipped bytes", |file| {
        // Every page but the header.
        let length = file.metadata().expect("looking").len();
        for place in (4096 + 16..length).step_by(4096) {
            let mut byte = [0];
            file.seek(SeekFrom::Start(place)).expect("seeking");
            file.read_exact(&mut byte).expect("reading");
            file.seek(SeekFrom::Start(place)).expect("seeking");
            file.write_all(&[!byte[0]]).expect("writing");
        }
    }),
];

fn aside(host: &TestHost) -> Vec<PathBuf> {
    let entries = fs::read_dir(&host.folders().state).expect("reading the state folder").flatten();
    let paths = entries.map(|entry| entry.path());
    paths.filter(|path| path.to_string_lossy().contains(".damaged-")).collect()
}

fn damaged() {
    let mut host = TestHost::started();
    let before = host.inventory();
    let file = named(&host, "small", "");
    host.ctl(&["create-lab", &file]).ok();
    let traffic = Traffic::start(&host, "small.ns1", "203.0.113.1");
    let store = host.folders().state.join("labs.redb");
    for (what, damage) in DAMAGES {
        host.stop();
        let good = fs::read(&store).expect("reading the store");
        let mut open = File::options().read(true).write(true).open(&store).expect("opening the store");
        damage(&mut open);
        let bad = fs::read(&store).expect("reading the store");
        for _ in 0..2 {
            // The second start finds a store that is whole, and still must not take the labs for strays.
            host.start();
            let [moved] = &aside(&host)[..] else { panic!("{what}: one file is moved aside") };
            assert!(fs::read(moved).expect("reading") == bad, "{what}: it is what it was");
            assert!(host.log().contains(moved.to_str().expect("a path of ours")), "{what}: the log names it");
            let _ = host.ctl(&["get-lab", "small"]).code(4);
            // The name is still in use.
            let _ = host.ctl(&["create-lab", &file]).code(5);
            traffic.continues(2);
            host.stop();
        }
        // Restored from a copy, as the message says.
        fs::remove_file(&aside(&host)[0]).expect("removing");
        fs::write(&store, good).expect("restoring the store");
        host.start();
        host.wait_ready("small");
        host.ctl(&["check-lab", "small"]).ok();
    }
    traffic.lost_nothing();
    host.ctl(&["delete-lab", "small"]).ok();
    before.assert_unchanged();
}

/// A store of format 1 with the lab `small` in it, and netlabd killed at each step of its start.
fn migrating() {
    let mut host = TestHost::here();
    let fixture = repository().join("netlabd/tests/store/format-1.redb");
    let state = host.folders().state.clone();
    fs::create_dir_all(&state).expect("making the state folder");
    let mut deaths = 0;
    for step in 1..30 {
        fs::copy(&fixture, state.join("labs.redb")).expect("copying the fixture");
        let mut daemon = Daemon::start_to_die(host.folders(), step);
        wait_until("the lab is made or netlabd dead", Duration::from_secs(30), || {
            !daemon.runs() || host.ctl(&["check-lab", "small"]).code == 0
        });
        let survived = daemon.runs();
        daemon.kill();
        deaths += u32::from(!survived);
        host.start();
        host.wait_ready("small");
        host.ctl(&["check-lab", "small"]).ok();
        assert_eq!(host.lab("small")["generation"], "1");
        assert!(aside(&host).is_empty(), "nothing is damaged");
        host.stop();
        if survived {
            break;
        }
    }
    assert!(host.log().contains("killed at step: before a migration is kept"), "{}", host.log());
    assert!(host.log().contains("killed at step: after a migration is kept"), "{}", host.log());
    println!("killed at {deaths} steps of a start with a migration");
}
