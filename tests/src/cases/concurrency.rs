//! Many clients and many labs at once.

use std::thread;

use super::{Test, apply::SMALL};
use crate::{
    command::Output,
    host::TestHost,
    rng::{Rng, seed},
    traffic::Traffic,
};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("concurrency::many_labs_at_once", many),
    Test::new("concurrency::create_and_delete_race", create_and_delete),
    Test::new("concurrency::two_clients_change_one_lab", two_clients),
    Test::new("concurrency::delete_by_many_clients", delete_by_many),
    Test::new("concurrency::no_change_is_lost_where_clients_say_what_they_have_seen", no_lost_change),
    Test::new("concurrency::clients_do_this_and_that_to_many_labs", this_and_that),
];

/// How many labs are made at once.
const MANY: usize = 12;

/// All of them at once take their time on a busy machine, for links are made one at a time by the whole kernel. Who
/// gives up says what it waited for, before it counts as hung.
const PATIENT: &str = "--timeout 110s";

/// Runs netlabctl with each of several lists of arguments at once.
fn at_once(host: &TestHost, commands: &[Vec<String>]) -> Vec<Output> {
    thread::scope(|scope| {
        let run = |args: &Vec<String>| host.ctl(&args.iter().map(String::as_str).collect::<Vec<_>>());
        let running: Vec<_> = commands.iter().map(|args| scope.spawn(move || run(args))).collect();
        running.into_iter().map(|one| one.join().expect("netlabctl ends")).collect()
    })
}

/// Fails the test unless every command ended with 0.
fn all_well(outputs: Vec<Output>) {
    for output in outputs {
        output.ok();
    }
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

/// The small lab under another name; gives the path of its file.
fn named(host: &TestHost, name: &str) -> String {
    host.file(&format!("{name}.yaml"), SMALL.replace("name: small", &format!("name: {name}")))
}

fn many() {
    let host = TestHost::started();
    let quiet = named(&host, "quiet");
    host.ctl(&["create-lab", &quiet]).ok();
    let before = host.inventory();
    let traffic = Traffic::start(&host, "quiet.ns1", "203.0.113.1");
    let names: Vec<String> = (0..MANY).map(|n| format!("lab{n}")).collect();
    let creates: Vec<_> =
        names.iter().map(|name| words(&format!("create-lab {} {PATIENT}", named(&host, name)))).collect();
    all_well(at_once(&host, &creates));
    let checks: Vec<_> = names.iter().map(|name| words(&format!("check-lab {name}"))).collect();
    all_well(at_once(&host, &checks));
    let list = host.ctl(&["list-labs"]).ok();
    assert!(names.iter().all(|name| list.contains(name.as_str())), "{list}");
    let deletes: Vec<_> = names.iter().map(|name| words(&format!("delete-lab {name} {PATIENT}"))).collect();
    all_well(at_once(&host, &deletes));
    traffic.lost_nothing();
    before.assert_unchanged();
}

fn create_and_delete() {
    let host = TestHost::started();
    let before = host.inventory();
    let file = named(&host, "racer");
    for _ in 0..8 {
        let create = words(&format!("create-lab {file}"));
        let delete = words("delete-lab racer");
        for output in at_once(&host, &[create.clone(), delete.clone(), create, delete]) {
            // Done, deleted while waiting for it, not there (yet), there already.
            assert!([0, 1, 4, 5].contains(&output.code), "{output}");
            assert!(!output.stderr.contains("panicked"), "{output}");
        }
    }
    let last = host.ctl(&["delete-lab", "racer"]);
    assert!([0, 4].contains(&last.code), "{last}");
    before.assert_unchanged();
}

fn two_clients() {
    let host = TestHost::started();
    let file = named(&host, "shared");
    host.ctl(&["create-lab", &file]).ok();
    let text = std::fs::read_to_string(&file).expect("reading a file of this test");
    let versions = ["192.0.2.11/24", "192.0.2.12/24"];
    let files =
        versions.map(|address| host.file(&address.replace('/', "-"), text.replace("192.0.2.1/24", address)));
    for _ in 0..4 {
        let applies: Vec<_> = files.iter().map(|file| words(&format!("apply-lab {file}"))).collect();
        for output in at_once(&host, &applies) {
            assert!([0, 1, 5].contains(&output.code), "{output}");
        }
        host.wait_ready("shared");
        host.ctl(&["check-lab", "shared"]).ok();
        let seen = host.sh("ip -n shared.ns1 addr show eth0");
        let found: Vec<_> = versions.iter().filter(|address| seen.contains(*address)).collect();
        assert_eq!(found.len(), 1, "one version and nothing of the other: {seen}");
        let wanted = host.lab("shared")["spec"].to_string();
        assert!(wanted.contains(found[0]), "what is, is what is wanted: {wanted}");
    }
}

fn delete_by_many() {
    let host = TestHost::started();
    let before = host.inventory();
    let file = named(&host, "doomed");
    host.ctl(&["create-lab", &file]).ok();
    let deletes = vec![words("delete-lab doomed"); 6];
    let outputs = at_once(&host, &deletes);
    assert!(outputs.iter().any(|output| output.code == 0), "one of them deletes it: {outputs:?}");
    assert!(outputs.iter().all(|output| [0, 4].contains(&output.code)), "{outputs:?}");
    before.assert_unchanged();
}

/// Clients that each look at the lab, change it and say which generation they have changed: each generation is
/// changed once.
fn no_lost_change() {
    let host = TestHost::started();
    let file = named(&host, "shared");
    host.ctl(&["create-lab", &file]).ok();
    let text = std::fs::read_to_string(&file).expect("reading a file of this test");
    let client = |number: usize| {
        let mut accepted = 0;
        for round in 0..6 {
            let lab = host.lab("shared");
            let generation = lab["generation"].as_str().expect("a lab has a generation").to_owned();
            let name = format!("name: shared\ndescription: client {number} round {round}");
            let file = host.file(&format!("{number}-{round}.yaml"), text.replace("name: shared", &name));
            let output = host.ctl(&["apply-lab", "--no-wait", "--expected-generation", &generation, &file]);
            match output.code {
                0 => accepted += 1,
                5 => assert!(output.stderr.contains("it was changed meanwhile"), "{output}"),
                _ => panic!("{output}"),
            }
        }
        accepted
    };
    let accepted: u32 = thread::scope(|scope| {
        let running: Vec<_> = (0..4).map(|number| scope.spawn(move || client(number))).collect();
        running.into_iter().map(|one| one.join().expect("a client ends")).sum()
    });
    assert!(accepted >= 6, "in each round somebody is first");
    host.wait_ready("shared");
    assert_eq!(host.lab("shared")["generation"], (1 + accepted).to_string(), "no change is lost");
}

/// Each client does random things to labs that all of them use.
fn this_and_that() {
    let host = TestHost::started();
    let before = host.inventory();
    let seed = seed();
    println!("NETLAB_SEED={seed}");
    let names = ["one", "two", "three"];
    let files = names.map(|name| named(&host, name));
    let client = |number: u64| {
        let mut rng = Rng::new(seed + number);
        for _ in 0..12 {
            let lab = rng.below(names.len());
            let (name, file) = (names[lab], files[lab].as_str());
            let args: &[&str] = match rng.below(8) {
                0 | 1 => &["create-lab", file],
                2 | 3 => &["apply-lab", file],
                4 | 5 => &["delete-lab", name],
                6 => &["pause-lab", name],
                _ => &["resume-lab", name],
            };
            let output = host.ctl(args);
            // Done, overtaken by another while it waited, not there, there already or on its way out.
            assert!([0, 1, 4, 5].contains(&output.code), "{output}");
            assert!(output.code != 1 || output.stderr.contains("delet"), "{output}");
        }
    };
    thread::scope(|scope| {
        for number in 0..4 {
            scope.spawn(move || client(number));
        }
    });
    for name in names {
        if host.ctl(&["get-lab", name]).code == 0 {
            let _ = host.ctl(&["resume-lab", name]);
            host.wait_ready(name);
            host.ctl(&["check-lab", name]).ok();
            host.ctl(&["delete-lab", name]).ok();
        }
    }
    before.assert_unchanged();
}
