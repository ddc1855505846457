//! What is there of a lab: told as the kernel has it, also while the lab is damaged, paused or others'.

use std::{fs, time::Duration};

use serde_json::Value;

use super::{Test, apply::SMALL};
use crate::{
    command::wait_until,
    feature::Feature,
    host::TestHost,
    users::{self, ALICE, BOB},
};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("inside::as_the_kernel_has_it", as_the_kernel_has_it),
    Test::new("inside::tunnels_and_vlans", tunnels_and_vlans)
        .needs(&[Feature::Kind("vxlan"), Feature::BridgeVlan]),
    Test::new("inside::what_is_damaged_while_paused", damaged),
    Test::new("inside::of_another_user", of_another),
];

/// How long something may take that is not measured here.
const SOON: Duration = Duration::from_secs(20);

/// A switch, two nodes and the host.
const LAB: &str = "\
name: in
nodes:
  a: { interfaces: { eth0: { addresses: [192.0.2.1/24, \"2001:db8::1/64\"], mac: \"02:00:00:00:00:0a\" } } }
  b: { interfaces: { eth0: { addresses: [192.0.2.2/24], mtu: 1400 }, d0: { bridge: {}, up: false } } }
  sw:
    interfaces:
      br0: { bridge: {} }
      p1: { port: { bridge: br0 } }
      p2: { port: { bridge: br0 } }
host: { interfaces: { lab0: { addresses: [198.51.100.254/24] } } }
links:
  - endpoints: [\"a:eth0\", \"sw:p1\"]
  - endpoints: [\"b:eth0\", \"sw:p2\"]
  - endpoints: [\"b:eth1\", \"host:lab0\"]
";

/// The interface of a node as netlabd tells it.
fn interface<'a>(lab: &'a Value, node: &str, name: &str) -> &'a Value {
    let nodes = lab["status"]["nodes"].as_array().expect("nodes are told");
    let node = nodes.iter().find(|one| one["name"] == node).unwrap_or_else(|| panic!("no {node}: {lab}"));
    let all = node["interfaces"].as_array().expect("interfaces are told");
    all.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("no {name}: {node}"))
}

/// What ip-address(8) tells of a node's interfaces.
fn by_ip(host: &TestHost, namespace: &str) -> Vec<Value> {
    let text = host.sh(&format!("ip -n {namespace} -j -d -s addr show"));
    serde_json::from_str(&text).expect("ip speaks JSON")
}

/// Compares what netlabd tells of an interface with what ip(8) tells. Counters only grow.
fn compare(told: &Value, before: &Value, after: &Value) {
    assert_eq!(told["index"], before["ifindex"], "{told}");
    assert_eq!(told["mtu"], before["mtu"], "{told}");
    if before["link_type"] == "ether" {
        assert_eq!(told["mac"], before["address"], "{told}");
    }
    let state = format!("OPER_STATE_{}", before["operstate"].as_str().expect("a state"));
    assert_eq!(told["oper_state"].as_str(), Some(state.as_str()), "{told}");
    let flags = before["flags"].as_array().expect("flags");
    assert_eq!(told["up"].as_bool().unwrap_or(false), flags.contains(&"UP".into()), "{told}");
    assert_eq!(told["carrier"].as_bool().unwrap_or(false), flags.contains(&"LOWER_UP".into()), "{told}");
    let addresses: Vec<String> = before["addr_info"]
        .as_array()
        .expect("addresses")
        .iter()
        .map(|one| format!("{}/{}", one["local"].as_str().expect("an address"), one["prefixlen"]))
        .collect();
    let none = Vec::new();
    let told_addresses: Vec<_> = told["addresses"]
        .as_array()
        .unwrap_or(&none)
        .iter()
        .map(|one| one.as_str().unwrap_or_default())
        .collect();
    assert_eq!(told_addresses, addresses, "{told}");
    for (ours, way, theirs) in
        [("rx_packets", "rx", "packets"), ("tx_bytes", "tx", "bytes"), ("rx_bytes", "rx", "bytes")]
    {
        let told: u64 =
            told["counters"][ours].as_str().and_then(|count| count.parse().ok()).unwrap_or_default();
        let of = |all: &Value| all["stats64"][way][theirs].as_u64().expect("a counter");
        assert!((of(before)..=of(after)).contains(&told), "{ours}: {told} is not from {before} to {after}");
    }
}

fn as_the_kernel_has_it() {
    let host = TestHost::started();
    let file = host.file("in.yaml", LAB);
    host.ctl(&["create-lab", &file]).ok();
    let _ = host.ctl(&["ping", "in", "a", "192.0.2.2"]).code(0);
    // The kernel's link watch, and duplicate address detection, may take a second.
    wait_until("all is settled", SOON, || {
        ["in.a", "in.b"].iter().all(|node| !host.sh(&format!("ip -n {node} addr")).contains("tentative"))
            && interface(&host.lab("in"), "sw", "p2")["oper_state"] == "OPER_STATE_UP"
            && interface(&host.lab("in"), "host", "lab0")["oper_state"] == "OPER_STATE_UP"
    });
    let nodes = ["a", "b", "sw"];
    let before = nodes.map(|node| by_ip(&host, &format!("in.{node}")));
    let lab = host.lab("in");
    let after = nodes.map(|node| by_ip(&host, &format!("in.{node}")));
    for (node, (before, after)) in nodes.iter().zip(before.iter().zip(&after)) {
        for (before, after) in before.iter().zip(after) {
            let name = before["ifname"].as_str().expect("a name");
            let told = interface(&lab, node, name);
            assert_eq!(told["presence"], "PRESENCE_PRESENT", "{told}");
            compare(told, before, after);
        }
    }
    let told = |node: &str, name: &str, field: &str| interface(&lab, node, name)[field].clone();
    assert_eq!(told("a", "eth0", "mac"), "02:00:00:00:00:0a");
    assert_eq!(told("a", "eth0", "peer"), "sw:p1");
    assert_eq!(told("sw", "p1", "peer"), "a:eth0");
    assert_eq!(told("sw", "p1", "master"), "br0");
    assert_eq!(told("sw", "p1", "port_state"), "PORT_STATE_FORWARDING");
    assert_eq!(told("b", "eth1", "peer"), "host:lab0");
    assert_eq!(told("host", "lab0", "peer"), "b:eth1");
    assert_eq!(told("host", "lab0", "addresses")[0], "198.51.100.254/24");
    assert_eq!(told("b", "d0", "kind"), "bridge");
    assert_eq!(told("sw", "br0", "kind"), "bridge");
    tables(&host);
    host.ctl(&["delete-lab", "in"]).ok();
}

/// The tables for people.
fn tables(host: &TestHost) {
    let words = |text: &str| {
        text.lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect::<Vec<_>>()
            .join("\n")
    };
    let text = words(&host.ctl(&["get-lab", "in"]).ok());
    for line in [
        "NODE INTERFACE KIND PEER ADDRESSES STATE",
        "a eth0 veth sw:p1 192.0.2.1/24 2001:db8::1/64 up",
        "b d0 bridge - - down",
        "b eth1 veth host:lab0 - up",
        "sw p1 veth a:eth0 - forwarding in br0",
        "host lab0 veth b:eth1 198.51.100.254/24 up",
    ] {
        assert!(text.lines().any(|seen| seen == line), "{line:?} is not in\n{text}");
    }
    assert!(!text.contains("a lo "), "{text}");
    let wide = words(&host.ctl(&["get-lab", "in", "-o", "wide"]).ok());
    assert!(wide.contains("a eth0 veth sw:p1 up 02:00:00:00:00:0a 1500 "), "{wide}");
    assert!(wide.contains("a lo loopback - up - 65536 "), "{wide}");
    let light = host.ctl(&["list-labs", "-o", "json"]).ok();
    assert!(!light.contains("interfaces"), "a list asks no kernel: {light}");
}

fn tunnels_and_vlans() {
    let host = TestHost::started();
    let lab = "\
name: tv
nodes:
  a:
    interfaces:
      eth0: { addresses: [192.0.2.1/24] }
      vx0: { vxlan: { vni: 7, remote: 192.0.2.2, dev: eth0 } }
      br0: { bridge: { vlan_filtering: true } }
      p1: { port: { bridge: br0, access: 5 } }
      br0.5: { vlan: { parent: br0, id: 5 } }
  b: { interfaces: { eth0: { addresses: [192.0.2.2/24] } } }
links:
  - endpoints: [\"a:eth0\", \"b:eth0\"]
  - endpoints: [\"a:p1\", \"b:eth1\"]
";
    let file = host.file("tv.yaml", lab);
    host.ctl(&["create-lab", &file]).ok();
    let lab = host.lab("tv");
    let tunnel = interface(&lab, "a", "vx0");
    assert_eq!((&tunnel["remote"], &tunnel["lower"]), (&"192.0.2.2".into(), &"eth0".into()), "{tunnel}");
    let vlan = interface(&lab, "a", "br0.5");
    assert_eq!((&vlan["kind"], &vlan["lower"]), (&"vlan".into(), &"br0".into()), "{vlan}");
}

fn damaged() {
    let host = TestHost::started();
    let file = host.file("in.yaml", LAB);
    host.ctl(&["create-lab", &file]).ok();
    host.ctl(&["pause-lab", "in"]).ok();
    host.sh("ip -n in.a link del eth0; ip -n in.a link add x0 type bridge; ip -n in.sw link set p2 down;
         ip -n in.b link set d0 up; ip link set lab0 down");
    let lab = host.lab("in");
    let told = |node: &str, name: &str, field: &str| interface(&lab, node, name)[field].clone();
    assert_eq!(told("a", "eth0", "presence"), "PRESENCE_MISSING");
    assert_eq!(told("a", "x0", "presence"), "PRESENCE_EXTRA");
    assert_eq!(told("sw", "p1", "presence"), "PRESENCE_MISSING", "it went with its other end");
    assert_eq!(told("sw", "p2", "port_state"), "PORT_STATE_DISABLED");
    assert_eq!(told("b", "d0", "up"), true);
    assert_ne!(told("b", "eth0", "carrier"), true);
    let text = host.ctl(&["get-lab", "in"]).ok();
    let row = |node: &str, name: &str| {
        let starts = |line: &&str| line.split_whitespace().take(2).eq([node, name]);
        text.lines().find(starts).unwrap_or_else(|| panic!("no {node}:{name} in\n{text}"))
    };
    assert!(row("a", "eth0").ends_with(" missing"), "{text}");
    assert!(row("a", "x0").ends_with(" down (extra)"), "{text}");
    assert!(row("sw", "p2").ends_with(" down in br0"), "{text}");
    assert!(row("host", "lab0").ends_with(" down"), "{text}");
    // A namespace that cannot be reached by name is still there, and is looked into.
    host.sh("umount /run/netns/in.b");
    assert_eq!(interface(&host.lab("in"), "b", "d0")["presence"], "PRESENCE_PRESENT");
    host.ctl(&["delete-lab", "in"]).ok();
}

/// Another user's lab: that it exists, whose it is and its phase; nothing is refused, so nothing is logged.
fn of_another() {
    let mut host = TestHost::here();
    users::move_in(&host);
    host.start();
    let file = host.file("small.yaml", SMALL);
    ALICE.ctl(&host, &["create-lab", &file]).ok();
    let before = host.log().len();
    let text = BOB.ctl(&host, &["get-lab", "small"]).ok();
    assert!(text.contains("alice") && text.contains("Ready"), "{text}");
    assert!(!text.contains("Generation") && !text.contains("eth0"), "{text}");
    let list = BOB.ctl(&host, &["list-labs"]).ok();
    let row = list.lines().find(|line| line.starts_with("small ")).expect("the lab is listed");
    let row: Vec<_> = row.split_whitespace().collect();
    assert_eq!(row, ["small", "Ready", "alice", "-", "-", "-", "-"], "{list}");
    let log = host.log();
    assert!(!log[before..].contains("denied"), "{}", &log[before..]);
    drop(fs::remove_file(file));
}
