//! Every kind of damage, and how long it takes from before the damage to the end of its repair.
//!
//! A test does each once. `make faults` does each `NETLAB_REPEAT` times, with nothing beside it, for the table in
//! docs/faults.md.

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use super::{Test, drift};
use crate::{
    damage::{now_us, repairs, time_us},
    feature::Feature,
    host::TestHost,
    results::{self, TestResults},
};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("repairs::by_kind", by_kind).needs(&[Feature::Nat]),
    Test::new("repairs::of_vlans", of_vlans).needs(&[Feature::BridgeVlan]),
];

/// How long a repair may take: a loaded machine must not matter here.
const LIMIT: Duration = Duration::from_secs(60);
/// Labs that are damaged by turns, where each damage is done once and where it is repeated...
const LABS: [usize; 2] = [3, 6];
/// ... each lab after this time only, or netlabd would hold its repairs back as it does in a storm.
const PAUSE: Duration = Duration::from_secs(2);
/// Between two damages, so that the repair of one is not timed while the one before is still told.
const QUIET: Duration = Duration::from_millis(250);

/// A switch with VLANs.
const VLANS: &str = "\
name: LAB
nodes:
  sw:
    interfaces:
      br0: { bridge: { vlan_filtering: true } }
      p1: { port: { bridge: br0, access: 100 } }
      p2: { port: { bridge: br0, trunk: [100, 200] } }
  ns1: { interfaces: { eth0: {} } }
  ns2: { interfaces: { eth0: {} } }
links:
  - endpoints: [\"ns1:eth0\", \"sw:p1\"]
  - endpoints: [\"ns2:eth0\", \"sw:p2\"]
";

/// One way to break the lab `LAB`: what it is, the script that does it, and one that succeeds once it is mended.
type Damage = (&'static str, &'static str, &'static str);

/// Older kernels rename only what is down, and netlabd may be quicker in setting it up again.
const RENAME: &str =
    "until ip -n LAB.ns1 link set eth0 down && ip -n LAB.ns1 link set eth0 name oops; do sleep 0.01; done";

/// Whether the first node has its interface, its address and its route.
const ETH0: &str = "ip -n LAB.ns1 route | grep -q '^default via 192.0.2.254 dev eth0'";

const DAMAGES: &[Damage] = &[
    ("interface deleted", "ip -n LAB.ns1 link del eth0", ETH0),
    ("interface set down", "ip -n LAB.ns1 link set eth0 down", ETH0),
    ("interface renamed", RENAME, ETH0),
    ("interface moved to another node", "ip -n LAB.ns1 link set eth0 netns LAB.ns2 name oops", ETH0),
    (
        "MTU changed",
        "ip -n LAB.ns1 link set eth0 mtu 1300",
        "ip -n LAB.ns1 link show eth0 | grep -q 'mtu 1500'",
    ),
    (
        "MAC address changed",
        "ip -n LAB.ns1 link set eth0 address 02:00:00:00:00:99",
        "! ip -n LAB.ns1 link show eth0 | grep -q 02:00:00:00:00:99",
    ),
    (
        "taken off its bridge",
        "ip -n LAB.sw link set p1 nomaster",
        "ip -n LAB.sw link show p1 | grep -q 'master br0'",
    ),
    ("bridge deleted", "ip -n LAB.sw link del br0", "ip -n LAB.sw link show p2 | grep -q 'master br0'"),
    ("IPv4 address deleted", "ip -n LAB.ns1 addr del 192.0.2.1/24 dev eth0", ETH0),
    (
        "IPv6 address deleted",
        "ip -n LAB.ns1 addr del 2001:db8::1/64 dev eth0",
        "ip -n LAB.ns1 addr | grep -q 2001:db8::1/64",
    ),
    ("route deleted", "ip -n LAB.ns1 route del default", ETH0),
    ("route changed", "ip -n LAB.ns1 route replace default via 192.0.2.77", ETH0),
    (
        "kernel's route to a network deleted",
        "ip -n LAB.ns2 route del 203.0.113.0/24",
        "ip -n LAB.ns2 route | grep -q '^203.0.113.0/24 dev eth0'",
    ),
    (
        "forwarding switched off",
        "ip netns exec LAB.router sysctl -qw net.ipv4.ip_forward=0",
        "[ \"$(ip netns exec LAB.router sysctl -n net.ipv4.ip_forward)\" = 1 ]",
    ),
    (
        "sysctl rp_filter changed",
        "ip netns exec LAB.ns1 sysctl -qw net.ipv4.conf.all.rp_filter=1",
        "[ \"$(ip netns exec LAB.ns1 sysctl -n net.ipv4.conf.all.rp_filter)\" = 2 ]",
    ),
    (
        "sysctl without events changed",
        "ip netns exec LAB.ns1 sysctl -qw net.ipv4.ip_default_ttl=5",
        "[ \"$(ip netns exec LAB.ns1 sysctl -n net.ipv4.ip_default_ttl)\" = 99 ]",
    ),
    (
        "nft rules flushed",
        "ip netns exec LAB.router nft flush ruleset",
        "ip netns exec LAB.router nft list ruleset | grep -q masquerade",
    ),
    ("namespace deleted", "ip netns del LAB.ns1", ETH0),
    ("pin unmounted", "umount /run/netns/LAB.sw", "ip -n LAB.sw link show br0"),
];

const VLAN_DAMAGES: &[Damage] = &[
    (
        "bridge VLAN deleted",
        "bridge -n LAB.sw vlan del vid 100 dev p1",
        "bridge -n LAB.sw vlan show dev p1 | grep -q '100 PVID'",
    ),
    (
        "bridge VLAN added",
        "bridge -n LAB.sw vlan add vid 300 dev p2",
        "! bridge -n LAB.sw vlan show dev p2 | grep -q 300",
    ),
    (
        "VLAN filtering switched off",
        "ip -n LAB.sw link set br0 type bridge vlan_filtering 0",
        "ip -n LAB.sw -d link show br0 | grep -q 'vlan_filtering 1'",
    ),
];

fn by_kind() {
    // Something of everything.
    let nat =
        "    forwarding: true\n    nat: { masquerade: [ { source: 192.0.2.0/24, out_interface: eth1 } ] }\n";
    let lab = drift::LAB.replace("name: d\n", "name: LAB\n").replace("    forwarding: true\n", nat);
    each_kind(&lab, DAMAGES);
}

fn of_vlans() {
    each_kind(VLANS, VLAN_DAMAGES);
}

fn each_kind(lab: &str, damages: &[Damage]) {
    let host = TestHost::started();
    let rounds = std::env::var("NETLAB_REPEAT").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let repeats = rounds > 1;
    let labs: Vec<String> = (0..LABS[usize::from(repeats)]).map(|number| format!("r{number}")).collect();
    for name in &labs {
        let file = host.file(&format!("{name}.yaml"), lab.replace("LAB", name));
        host.ctl(&["create-lab", &file]).ok();
    }
    let mut times: BTreeMap<&'static str, Vec<u64>> = BTreeMap::new();
    let mut rested: BTreeMap<&String, Instant> = BTreeMap::new();
    let mut by_turns = labs.iter().cycle();
    for damage in (0..rounds).flat_map(|_| damages) {
        let name = by_turns.next().expect("there are labs");
        if let Some(since) = rested.get(name).filter(|_| repeats) {
            thread::sleep(PAUSE.saturating_sub(since.elapsed()));
        }
        times.entry(damage.0).or_default().push(time(&host, name, damage));
        rested.insert(name, Instant::now());
        if repeats {
            thread::sleep(QUIET);
        }
    }
    for name in &labs {
        let _ = host
            .ctl(&["apply-lab", "--dry-run", &host.scratch(&format!("{name}.yaml")).display().to_string()])
            .code(0);
        host.ctl(&["delete-lab", name]).ok();
    }
    assert_eq!(host.sh("ls /run/netns"), "", "no namespace is left");
    let figure =
        TestResults { damage: times.values().map(Vec::len).sum(), repairs: times, ..TestResults::default() };
    results::tell("each kind of damage in turn, in a quiet lab", &figure);
}

/// Breaks a lab; how many microseconds later the repair was verified.
fn time(host: &TestHost, name: &str, (kind, damage, mended): &Damage) -> u64 {
    let before = repairs(&host.lab(name));
    let (damage, mended) = (damage.replace("LAB", name), mended.replace("LAB", name));
    let (at, start) = (now_us(), Instant::now());
    host.sh(&damage);
    loop {
        // Seldom enough that looking does not matter for what is timed.
        thread::sleep(Duration::from_millis(100));
        let lab = host.lab(name);
        let is_ready = lab["status"]["phase"] == "PHASE_READY";
        if is_ready && repairs(&lab) > before && host.run("sh", &["-ec", &mended]).code == 0 {
            return time_us(&lab["status"]["repairs"][0]["time"]).saturating_sub(at);
        }
        assert!(start.elapsed() < LIMIT, "{kind} is not repaired within {LIMIT:?}: {lab:#}");
    }
}
