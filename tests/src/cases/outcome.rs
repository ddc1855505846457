//! One file, one outcome: whichever way a lab has come to a file, the kernel shows the same.
//!
//! A pair of random labs goes every way there is: the second applied to the first, as created, a change that fails and
//! one that nobody confirms, random damage, a restart. `make outcome` does `PAIRS` of them, `NETLAB_SEED` does the same
//! ones again.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::Test;
use crate::{
    command::wait_until,
    damage,
    design::{self, Designer},
    feature::Feature,
    host::TestHost,
    outcome::{difference, enrich, has_dummies, lacking, show},
    rng::{self, Rng},
};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("outcome::of_the_loopback_interface", loopback).once(),
    Test::new("outcome::of_interfaces_that_lose_their_carrier", carriers).once(),
    Test::new("outcome::of_a_declared_link_local_address", declared).once(),
    Test::new("outcome::of_bonds", bonds).needs(&[Feature::Kind("bond")]),
    Test::new("outcome::of_random_pairs", pairs),
];

/// Pairs where nobody asks for another number, or fewer where they take longer than [`ENOUGH`].
const PAIRS: usize = 3;
/// Labs that are drawn until one is taken.
const DRAWS: usize = 50;
/// See [`PAIRS`].
const ENOUGH: Duration = Duration::from_secs(45);
/// How long the kernel may take until it shows what it comes to: link-local addresses and ports of bridges take their
/// time.
const SETTLES: Duration = Duration::from_secs(45);
/// The group of all interfaces of labs.
const LINK_GROUP: u32 = 1_852_142_700;
/// How long a pause is between two looks.
const PAUSE: Duration = Duration::from_millis(300);

/// A lab of two nodes with a link, and more in the first node.
fn lab(first: &Value, second: &Value) -> Value {
    let links = json!([{ "endpoints": ["a:e0", "b:e0"] }]);
    json!({ "name": "p", "nodes": { "a": first, "b": second }, "links": links })
}

/// From one lab to the other and back: each time it must be as if it had been created.
fn there_and_back(first: &Value, second: &Value) {
    let mut host = TestHost::started();
    let mut created = Vec::new();
    for lab in [first, second] {
        let file = host.file("lab.json", lab.to_string());
        host.ctl(&["create-lab", &file]).ok();
        created.push(settled(&host, lab));
        host.ctl(&["delete-lab", "p"]).ok();
    }
    let file = host.file("lab.json", first.to_string());
    host.ctl(&["create-lab", &file]).ok();
    let mut faults = Vec::new();
    for (lab, wanted) in [(second, &created[1]), (first, &created[0]), (second, &created[1])] {
        let file = host.file("lab.json", lab.to_string());
        host.ctl(&["apply-lab", &file]).ok();
        compare(&host, lab, "applied", wanted, &mut faults);
    }
    host.kill();
    reboot(&mut host);
    compare(&host, second, "after a reboot", &created[1], &mut faults);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// What `lo` has of IPv4 is what the default says, whatever was said of it before.
fn loopback() {
    let node = |sysctls: Value| lab(&json!({ "sysctls": sysctls }), &json!({}));
    let first = node(json!({
        "net.ipv4.conf.default.rp_filter": "1",
        "net.ipv4.conf.lo.rp_filter": "1",
        "net.ipv4.conf.lo.forwarding": "1",
        "net.ipv4.conf.default.proxy_arp": "1",
    }));
    let second = node(json!({
        "net.ipv4.conf.default.rp_filter": "2",
        "net.ipv4.conf.default.forwarding": "1",
        "net.ipv4.conf.default.accept_redirects": "0",
    }));
    there_and_back(&first, &second);
}

/// Members come and go, and all of them at once; what leaves is as what never was one.
fn bonds() {
    let first = lab(
        &json!({ "interfaces": {
            "bond0": { "bond": { "mode": "active-backup", "primary": "e0" }, "addresses": ["192.0.2.1/24", "2001:db8::1/64"] },
            "e0": { "master": "bond0" },
            "e1": { "master": "bond0" },
            "e2": { "addresses": ["198.51.100.1/24", "2001:db8:1::1/64"] },
        } }),
        &json!({ "interfaces": {
            "br0": { "bridge": {}, "addresses": ["192.0.2.2/24"] },
            "e0": { "port": { "bridge": "br0" } },
            "e1": { "port": { "bridge": "br0" } },
        } }),
    );
    let second = lab(
        &json!({ "interfaces": {
            "br0": { "bridge": {} },
            "bond0": { "bond": { "mode": "active-backup", "miimon": "50ms" }, "mtu": 1400, "port": { "bridge": "br0" } },
            "e0": { "addresses": ["192.0.2.1/24", "2001:db8::1/64"] },
            "e1": { "port": { "bridge": "br0" } },
            "e2": { "master": "bond0" },
        } }),
        &json!({ "interfaces": { "e0": { "addresses": ["192.0.2.2/24"] } } }),
    );
    let with = |mut lab: Value| {
        lab["links"] =
            [0, 1, 2].map(|n| json!({ "endpoints": [format!("a:e{n}"), format!("b:e{n}")] })).into();
        lab
    };
    there_and_back(&with(first), &with(second));
}

/// What has lost its carrier is as what never had one: bridges without ports, ends of links whose other end is down. And
/// the MTU of IPv6 is that of the interface, not the default.
fn carriers() {
    let first = lab(
        &json!({ "sysctls": { "net.ipv6.conf.default.mtu": "1400" }, "interfaces": {
            "br0": { "bridge": {} },
            "br1": { "bridge": {}, "addresses": ["2001:db8::1/64"] },
            "e0": { "port": { "bridge": "br0" } },
            "e1": { "port": { "bridge": "br1" }, "mtu": 1400 },
        } }),
        &json!({ "interfaces": { "e1": { "mtu": 1400 } } }),
    );
    let second = lab(
        &json!({ "sysctls": { "net.ipv6.conf.default.addr_gen_mode": "1" }, "interfaces": {
            "br0": { "bridge": {}, "mac": "02:00:00:00:00:01" },
            "br1": { "bridge": {}, "addresses": ["2001:db8::1/64"] },
            "e0": { "addresses": ["192.0.2.1/24"] },
            "e1": { "port": { "bridge": "br1" } },
        } }),
        &json!({ "interfaces": { "e0": { "up": false }, "e1": { "up": false } } }),
    );
    let with = |mut lab: Value| {
        lab["links"] = json!([{ "endpoints": ["a:e0", "b:e0"] }, { "endpoints": ["a:e1", "b:e1"] }]);
        lab
    };
    there_and_back(&with(first), &with(second));
}

/// A link-local address of the file comes before the one that the kernel makes, whichever came later.
fn declared() {
    let second = json!({ "interfaces": { "e0": { "addresses": ["fe80::1/64", "fe80::2/64"] } } });
    let plain = lab(&json!({}), &json!({}));
    there_and_back(&plain, &lab(&second, &json!({})));
    let host = TestHost::here();
    let shown = || host.exec("p.a", "ip -6 -o addr show dev e0 scope link").ok();
    let in_order = |text: &str| {
        let addresses: Vec<&str> = text.lines().filter_map(|line| line.split_whitespace().nth(3)).collect();
        addresses.len() == 3 && addresses[..2] == ["fe80::2/64", "fe80::1/64"]
    };
    wait_until("those of the file come first", SETTLES, || in_order(&shown()));
    let text = shown();
    let made = text.lines().last().and_then(|line| line.split_whitespace().nth(3)).expect("the kernel's own");
    // It is made again, and the kernel puts the latest first.
    host.sh(&format!("ip -n p.a addr del {made} dev e0"));
    wait_until("they do so again", SETTLES, || in_order(&shown()));
}

fn pairs() {
    let asked: Option<usize> = std::env::var("NETLAB_PAIRS").ok().and_then(|text| text.parse().ok());
    let count = asked.unwrap_or(PAIRS);
    let seed = if asked.is_some() { rng::new_seed() } else { rng::seed() };
    println!("NETLAB_SEED={seed} NETLAB_PAIRS={count}");
    let mut host = TestHost::here();
    let designer = Designer::new(&host);
    let (dummies, lacks) = (has_dummies(&host), lacking(&host));
    design::prepare(&host);
    host.start();
    let (mut wrong, mut done, begin) = (Vec::new(), 0, Instant::now());
    for number in 0..count {
        if asked.is_none() && begin.elapsed() > ENOUGH {
            break;
        }
        done += 1;
        let mut rng = Rng::new(seed.wrapping_add(number as u64));
        let mut drawn = |with_stp: bool| {
            let mut lab = enrich(&designer.lab(&mut rng, "p", 0), &mut rng, dummies, &lacks);
            if !with_stp {
                without_stp(&mut lab);
            }
            lab
        };
        let (first, second) = (fitting(&host, || drawn(true)), fitting(&host, || drawn(false)));
        let start = Instant::now();
        let faults = Pair { host: &mut host, first, second }.run(&mut rng);
        let seed = seed.wrapping_add(number as u64);
        println!("pair {number} (NETLAB_SEED={seed} NETLAB_PAIRS=1), {:.1} s", start.elapsed().as_secs_f64());
        for fault in &faults {
            println!("  {fault}");
        }
        if !faults.is_empty() {
            wrong.push(number);
        }
    }
    println!("{done} pairs, {} with differences", wrong.len());
    assert!(wrong.is_empty(), "{} of {done} pairs differ: {wrong:?}", wrong.len());
}

/// A lab that netlabd takes: what is drawn for one interface may not fit what is drawn for another.
fn fitting(host: &TestHost, mut draw: impl FnMut() -> Value) -> Value {
    for _ in 0..DRAWS {
        let lab = draw();
        if runs_over_nothing(&lab) {
            continue;
        }
        let file = host.file("drawn.json", lab.to_string());
        let planned = host.ctl(&["apply-lab", "--dry-run", &file]);
        if planned.code != 2 {
            return lab;
        }
        println!("drawn again: {}", planned.stderr.lines().next().unwrap_or_default());
    }
    panic!("no lab of {DRAWS} is taken");
}

/// Whether a node has a VXLAN over IPv6 and IPv6 turned off, which no plan foresees and the kernel refuses.
fn runs_over_nothing(lab: &Value) -> bool {
    let of = |node: &Value, what: &str| node[what].as_object().cloned().unwrap_or_default();
    lab["nodes"].as_object().into_iter().flat_map(|nodes| nodes.values()).any(|node| {
        let off =
            of(node, "sysctls").iter().any(|(key, value)| key.ends_with("disable_ipv6") && value == "1");
        let over = |it: &Value| it["vxlan"]["remote"].as_str().is_some_and(|remote| remote.contains(':'));
        off && of(node, "interfaces").values().any(over)
    })
}

struct Pair<'a> {
    host: &'a mut TestHost,
    first: Value,
    second: Value,
}

impl Pair<'_> {
    /// All ways to the second lab; gives what differs from a create of it.
    fn run(mut self, rng: &mut Rng) -> Vec<String> {
        let first = self.host.file("first.json", self.first.to_string());
        let second = self.host.file("second.json", self.second.to_string());
        let bad = self.host.file("bad.json", spoilt(&self.first).to_string());
        let mut faults = Vec::new();
        let created = self.host.ctl(&["create-lab", &second]);
        if created.code != 0 {
            return vec![format!("the second cannot be created: {}\n{}", created.stderr, self.second)];
        }
        let wanted = settled(self.host, &self.second);
        self.host.ctl(&["delete-lab", "p"]).ok();
        let created = self.host.ctl(&["create-lab", &first]);
        if created.code != 0 {
            return vec![format!("the first cannot be created: {}\n{}", created.stderr, self.first)];
        }
        let applied = self.host.ctl(&["apply-lab", &second]);
        if applied.code != 0 {
            faults.push(format!("apply: {}", applied.stderr));
        }
        self.compare("applied", &wanted, &mut faults);
        if spoilt(&self.first) != self.first {
            let failed = self.host.ctl(&["apply-lab", &bad]);
            if failed.code != 1 || !failed.stderr.contains("rp_filter") {
                faults.push(format!("a change that fails: exit {} {}", failed.code, failed.stderr));
            }
            // netlabctl ends when it is put back, not before.
            self.compare("rolled back after a failure", &wanted, &mut faults);
        }
        let generation = |lab: &Value| lab["generation"].as_str().and_then(|text| text.parse::<u64>().ok());
        let before = generation(&self.host.lab("p")).unwrap_or(0);
        self.host.ctl(&["apply-lab", "--rollback-after", "1s", &first]);
        wait_until("the change is rolled back", SETTLES, || {
            let lab = self.host.lab("p");
            generation(&lab) == Some(before + 2) && lab["status"]["phase"] == "PHASE_READY"
        });
        self.compare("rolled back", &wanted, &mut faults);
        self.damage(rng, &wanted, &mut faults);
        self.host.kill();
        self.host.start();
        self.compare("after a restart", &wanted, &mut faults);
        self.host.kill();
        reboot(self.host);
        self.compare("after a reboot", &wanted, &mut faults);
        self.host.ctl(&["delete-lab", "p"]).ok();
        if !faults.is_empty() {
            faults.push(format!("first: {}\n  second: {}", self.first, self.second));
        }
        faults
    }

    fn compare(&self, way: &str, wanted: &[String], faults: &mut Vec<String>) {
        compare(self.host, &self.second, way, wanted, faults);
    }

    fn damage(&mut self, rng: &mut Rng, wanted: &[String], faults: &mut Vec<String>) {
        for _ in 0..3 {
            let Some(damage) = damage::of(self.host, "p", &self.second, rng) else { continue };
            let done = self.host.run("sh", &["-c", &damage.script]);
            if done.code == 0 {
                self.compare(damage.kind, wanted, faults);
            }
        }
    }
}

/// Leaves nothing of the lab but what netlabd has on its disk, as a boot does.
fn reboot(host: &mut TestHost) {
    let id = host.scratch("boot_id").display().to_string();
    let runtime = host.folders().runtime.display().to_string();
    host.sh(&format!(
        "ip -all netns del
        awk '$2 ~ \"^{runtime}/\" {{ print $2 }}' /proc/mounts | tac | xargs -r -n 1 umount -l
        rm -rf {runtime}
        for link in $(ip -o link show group {LINK_GROUP} | sed -E 's/^[0-9]+: ([^:@]+)[:@].*/\\1/'); do
            ip link del $link 2>/dev/null || true
        done
        nft delete table inet netlab 2>/dev/null || true
        sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0
        [ ! -e {id} ] || umount /proc/sys/kernel/random/boot_id
        cat /proc/sys/kernel/random/uuid >{id}
        mount --bind {id} /proc/sys/kernel/random/boot_id"
    ));
    host.start();
}

/// What is shown once it shows the same for a while.
fn settled(host: &TestHost, lab: &Value) -> Vec<String> {
    let mut before = show(host, lab);
    for _ in 0..20 {
        thread::sleep(Duration::from_secs(2));
        let now = show(host, lab);
        if now == before {
            break;
        }
        before = now;
    }
    before
}

fn compare(host: &TestHost, lab: &Value, way: &str, wanted: &[String], faults: &mut Vec<String>) {
    let start = Instant::now();
    loop {
        let lines = difference(wanted, &show(host, lab));
        if lines.is_empty() {
            return;
        }
        // What differs once differs again.
        let limit = if faults.is_empty() { SETTLES } else { PAUSE };
        if start.elapsed() > limit {
            faults.push(format!("{way}:"));
            faults.extend(lines.into_iter().take(20).map(|line| format!("  {line}")));
            return;
        }
        thread::sleep(PAUSE);
    }
}

/// Ports of a bridge that runs STP forward after 30 seconds only: what is waited for again and again has none.
fn without_stp(lab: &mut Value) {
    let nodes = lab["nodes"].as_object_mut().into_iter().flat_map(|nodes| nodes.values_mut());
    for node in nodes {
        for interface in node["interfaces"].as_object_mut().into_iter().flat_map(|own| own.values_mut()) {
            if let Some(bridge) = interface.get_mut("bridge").and_then(Value::as_object_mut) {
                bridge.remove("stp");
            }
        }
    }
}

/// A lab with a sysctl that the kernel refuses once interfaces are there.
fn spoilt(lab: &Value) -> Value {
    let mut spoilt = lab.clone();
    let nodes = spoilt["nodes"].as_object_mut().expect("nodes");
    for node in nodes.values_mut() {
        let name = node["interfaces"].as_object().and_then(|own| own.keys().next().cloned());
        if let Some(name) = name {
            let key = format!("net.ipv4.conf.{}.rp_filter", name.replace('.', "/"));
            node["sysctls"][key] = "nonsense".into();
            break;
        }
    }
    spoilt
}
