//! A lab in the host's own network: VLANs on interfaces that the host has, and ports of its bridges.

use std::time::Duration;

use super::Test;
use crate::{command::wait_until, feature::Feature, host::TestHost};

/// How long a repair may take.
const LIMIT: Duration = Duration::from_secs(30);

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("office::port_of_a_bridge", port),
    Test::new("office::bridge_comes_and_goes", bridge_comes_and_goes),
    Test::new("office::bridges_that_cannot_be_used", refused_bridges),
    Test::new("office::vlans_of_a_bridge", vlans_of_a_bridge).needs(&[Feature::BridgeVlan]),
    Test::new("office::vlan_of_an_interface", vlan).needs(&[Feature::Kind("vlan"), Feature::Kind("macvlan")]),
    Test::new("office::vlans_that_cannot_be_had", refused_vlans).needs(&[Feature::Kind("vlan")]),
];

/// A bridge with an own port, behind which is the office.
const OFFICE: &str = "\
ip netns add lan
ip link add br-office type bridge
ip link add uplink address 02:00:00:00:00:01 type veth peer name far netns lan
ip link set uplink master br-office up
ip link set br-office up
ip -n lan link set far up
ip -n lan addr add 192.0.2.1/24 dev far
";

const PORT: &str = "\
name: office
nodes:
  pc: { interfaces: { eth0: { addresses: [192.0.2.9/24] } } }
host:
  interfaces:
    lab1: { port: { bridge: br-office, cost: 7 } }
links:
  - endpoints: [\"pc:eth0\", \"host:lab1\"]
";

/// What `ip` tells of one interface, without what changes by itself.
fn told(host: &TestHost, link: &str) -> String {
    host.sh(&format!("ip -d -j addr show dev {link} | sed -E 's/\"[a-z_]*_timer\": ?[0-9.]+,//g'"))
}

fn condition(host: &TestHost) -> String {
    host.lab("office")["status"]["conditions"].to_string()
}

fn port() {
    let host = TestHost::started();
    host.sh(OFFICE);
    let (before, bridge) = (host.inventory(), told(&host, "br-office"));
    let file = host.file("office.yaml", PORT);
    let _ = host.ctl(&["show-commands", &file]).code(0).says("ip link set lab1 master br-office");
    let _ = host.ctl(&["graph", &file]).code(0).says("br-office");
    host.ctl(&["create-lab", &file]).ok();
    assert!(host.pings("office.pc", "192.0.2.1"), "the lab is on the office's wire");
    assert!(host.pings("lan", "192.0.2.9"), "and the office reaches it");
    assert_eq!(told(&host, "br-office"), bridge, "the bridge is what it was, its MAC address too");
    let _ = host.ctl(&["apply-lab", "--dry-run", &file]).code(0);
    for damage in ["nomaster", "type bridge_slave cost 9", "mtu 1400"] {
        host.sh(&format!("ip link set lab1 {damage}"));
        wait_until("it is mended", LIMIT, || {
            let seen = host.sh("ip -d link show lab1");
            seen.contains("master br-office") && seen.contains("cost 7 ") && seen.contains("mtu 1500 ")
        });
        host.wait_ready("office");
        assert!(host.pings("office.pc", "192.0.2.1"), "after {damage}");
    }
    host.ctl(&["delete-lab", "office"]).ok();
    before.assert_unchanged();
}

/// What is not the lab's is not made by it: it waits.
fn bridge_comes_and_goes() {
    let host = TestHost::started();
    host.sh(OFFICE);
    host.ctl(&["create-lab", &host.file("office.yaml", PORT)]).ok();
    host.sh("ip link delete br-office");
    wait_until("it is told", LIMIT, || condition(&host).contains("there is no interface br-office"));
    // Whatever has the name now: the lab does not join it.
    host.sh("ip link add br-office type veth peer name other");
    wait_until("it is told", LIMIT, || {
        condition(&host).contains("br-office, of which the lab is to have ports, is no bridge")
    });
    assert!(!host.sh("ip link show lab1").contains("master"));
    host.sh("ip link delete br-office; ip link add br-office type bridge");
    host.sh("ip link set uplink master br-office; ip link set br-office up");
    host.wait_ready("office");
    assert!(host.pings("office.pc", "192.0.2.1"), "it is a port of the new one");
    host.ctl(&["delete-lab", "office"]).ok();
    assert!(!host.sh("ip -br link").contains("lab1"));
}

fn refused_bridges() {
    let host = TestHost::started();
    host.sh(OFFICE);
    host.sh("ip link add br-wide mtu 9000 type bridge");
    let before = host.inventory();
    let own = "name: own\nnodes: { n: {} }\nhost: { interfaces: { labbr: { bridge: {} } } }\n";
    host.ctl(&["create-lab", &host.file("own.yaml", own)]).ok();
    let refused = |text: &str, code: i32, words: &[&str]| {
        let file = host.file("office.yaml", text);
        let said = words.iter().fold(host.ctl(&["create-lab", &file]), |said, words| said.complains(words));
        let _ = said.code(code);
    };
    let on = |bridge: &str| PORT.replace("br-office", bridge);
    refused(
        &on("br-none"),
        1,
        &["office.yaml:6:", "has a bridge br-none", "of the host: br-office, br-wide"],
    );
    refused(&on("uplink"), 1, &["uplink is no bridge"]);
    refused(&on("br-wide"), 1, &["MTU of 1500 would lower that of the host's br-wide, which is 9000"]);
    refused(&on("labbr"), 5, &["the host's labbr is lab own's"]);
    refused(&PORT.replace("cost: 7", "access: 5"), 1, &["br-office filters no VLANs"]);
    // Twice on one bridge, and joined in the lab.
    let twice = PORT
        .replace(
            "eth0: { addresses: [192.0.2.9/24] }",
            "br0: { bridge: {} }, a: { port: { bridge: br0 } }, b: { port: { bridge: br0 } }",
        )
        .replace(
            "links:\n",
            "    lab2: { port: { bridge: br-office } }\nlinks:\n  - endpoints: [\"pc:b\", \"host:lab2\"]\n",
        )
        .replace("pc:eth0", "pc:a");
    refused(&twice, 2, &["office.yaml:7:", "lab2 and lab1 are joined within the lab", "loop"]);
    let spanned = twice.replace("bridge: {}", "bridge: { stp: true }");
    let _ = host.ctl(&["apply-lab", "--dry-run", &host.file("stp.yaml", spanned)]).code(8);
    host.ctl(&["delete-lab", "own"]).ok();
    before.assert_unchanged();
}

fn vlans_of_a_bridge() {
    let host = TestHost::started();
    host.sh(OFFICE);
    host.sh("ip link set br-office type bridge vlan_filtering 1 vlan_default_pvid 7
        bridge vlan add vid 102 dev uplink
        ip -n lan link add link far name far.102 type vlan id 102
        ip -n lan link set far.102 up
        ip -n lan addr add 198.51.100.1/24 dev far.102");
    let (before, bridge) =
        (host.inventory(), host.sh("bridge vlan show dev br-office; bridge vlan show dev uplink"));
    let vlans =
        || host.sh("bridge -j vlan show dev lab1 | grep -o '\"vlan\": *[0-9]*' | grep -o '[0-9]*$' | xargs");
    host.ctl(&["create-lab", &host.file("office.yaml", PORT)]).ok();
    assert_eq!(vlans().trim(), "7", "what the bridge gives new ports");
    assert!(host.pings("office.pc", "192.0.2.1"));
    let access = PORT
        .replace("cost: 7", "access: 102, fdb: [\"02:00:00:00:00:77\"]")
        .replace("192.0.2.9", "198.51.100.9");
    let file = host.file("access.yaml", access);
    host.ctl(&["apply-lab", &file]).ok();
    assert_eq!(vlans().trim(), "102");
    assert!(host.pings("office.pc", "198.51.100.1"), "in VLAN 102");
    let _ =
        host.ctl(&["show-commands", &file]).code(0).says("bridge vlan add vid 102 dev lab1 pvid untagged");
    let mends = |damage: &str| {
        host.sh(damage);
        wait_until("it is mended", LIMIT, || {
            vlans().trim() == "102"
                && host.sh("bridge fdb show dev lab1").contains("02:00:00:00:00:77 vlan 102")
        });
        host.wait_ready("office");
        assert!(host.pings("office.pc", "198.51.100.1"), "after {damage}");
    };
    mends("bridge vlan del vid 102 dev lab1");
    mends("bridge vlan add vid 103 dev lab1");
    mends("bridge fdb del 02:00:00:00:00:77 dev lab1 master vlan 102; ip link set lab1 nomaster");
    host.ctl(&["apply-lab", &host.file("office.yaml", PORT)]).ok();
    assert_eq!(vlans().trim(), "7");
    assert_eq!(
        host.sh("bridge vlan show dev br-office; bridge vlan show dev uplink"),
        bridge,
        "not the lab's"
    );
    host.ctl(&["delete-lab", "office"]).ok();
    before.assert_unchanged();
}

/// An interface of the host, a network behind it in VLAN 102, and one without a tag.
const TRUNK: &str = "\
ip netns add lan
ip link add eth9 type veth peer name far netns lan
ip link set eth9 up
ip -n lan link set far up
ip -n lan link add link far name far.102 type vlan id 102
ip -n lan link set far.102 up
ip -n lan addr add 192.0.2.1/24 dev far.102
ip -n lan addr add 198.51.100.1/24 dev far
";

const VLAN: &str = "\
name: office
nodes:
  phone: { interfaces: { eth0: { macvlan: { parent: eth9.102 }, addresses: [192.0.2.9/24, 198.51.100.9/24] } } }
host:
  interfaces:
    eth9.102: { vlan: { parent: eth9, id: 102 } }
";

fn vlan() {
    let host = TestHost::started();
    host.sh(TRUNK);
    let (before, parent) = (host.inventory(), host.sh("ip -j link show eth9"));
    let file = host.file("office.yaml", VLAN);
    let _ =
        host.ctl(&["show-commands", &file]).code(0).says("ip link add eth9.102 link eth9 type vlan id 102");
    let _ = host.ctl(&["graph", &file]).code(0).says("VLAN 102");
    host.ctl(&["create-lab", &file]).ok();
    assert!(host.pings("office.phone", "192.0.2.1"), "in VLAN 102");
    assert!(!host.pings("office.phone", "198.51.100.1"), "and in no other");
    assert_eq!(host.sh("ip -j link show eth9"), parent, "the parent is what it was");
    let _ = host.ctl(&["apply-lab", "--dry-run", &file]).code(0);
    let repaired = |what: &str| {
        host.wait_ready("office");
        assert!(host.pings("office.phone", "192.0.2.1"), "after {what}");
    };
    for damage in [
        "delete eth9.102",
        "set eth9.102 down",
        "set eth9.102 mtu 1400",
        "set eth9.102 address 02:00:00:00:00:07",
    ] {
        host.sh(&format!("ip link {damage}"));
        let seen = || host.sh("ip -br link show eth9.102 2>&1 || :; ip link show eth9.102 2>&1 || :");
        let mac = host.sh("cat /sys/class/net/eth9/address");
        wait_until("it is mended", LIMIT, || {
            let seen = seen();
            seen.contains(",UP") && seen.contains("mtu 1500") && seen.contains(mac.trim())
        });
        repaired(damage);
    }
    // Another MTU, and back to the parent's.
    let smaller = VLAN.replace("id: 102 }", "id: 102 }, mtu: 1400");
    host.ctl(&["apply-lab", &host.file("smaller.yaml", smaller)]).ok();
    assert!(host.sh("ip link show eth9.102").contains("mtu 1400"));
    host.ctl(&["apply-lab", &file]).ok();
    assert!(host.sh("ip link show eth9.102").contains("mtu 1500"));
    // The parent is the host's: it is waited for.
    host.sh("ip link set eth9 down");
    wait_until("it is told", LIMIT, || condition(&host).contains("the interface that carries it is down"));
    host.sh("ip link set eth9 up");
    repaired("the parent was down");
    host.ctl(&["delete-lab", "office"]).ok();
    before.assert_unchanged();
    host.ctl(&["create-lab", &file]).ok();
    host.sh("ip link delete eth9");
    wait_until("it is told", LIMIT, || condition(&host).contains("there is no interface eth9 "));
    host.sh(TRUNK.split_once('\n').expect("lines").1);
    repaired("the parent was gone");
    host.ctl(&["delete-lab", "office"]).ok();
    assert!(!host.sh("ip -br link").contains("eth9.102"));
}

fn refused_vlans() {
    let host = TestHost::started();
    host.sh(TRUNK);
    host.sh("ip link add link eth9 name office7 type vlan id 7; ip link add eth8 type dummy");
    let other = VLAN.replace("name: office", "name: other").replace("eth9.102", "lab102");
    host.ctl(&["create-lab", &host.file("other.yaml", other)]).ok();
    let before = host.inventory();
    let refused = |text: &str, code: i32, words: &[&str]| {
        let file = host.file("office.yaml", text);
        let said = words.iter().fold(host.ctl(&["create-lab", &file]), |said, words| said.complains(words));
        let _ = said.code(code);
    };
    refused(VLAN, 5, &["office.yaml:6:", "VLAN 102 on eth9", "lab other (yours) has it already: lab102"]);
    refused(&VLAN.replace("id: 102", "id: 7"), 5, &["VLAN 7 on eth9", "the host has it already, office7"]);
    let on = |parent: &str| VLAN.replace("parent: eth9,", &format!("parent: {parent},"));
    refused(&on("eth7"), 1, &["the host has no interface eth7 for the vlan host:eth9.102"]);
    refused(&on("eth8"), 1, &["the host's eth8 is down", "ip link set dev eth8 up"]);
    refused(&on("lab102"), 5, &["the host's lab102 is lab other's"]);
    refused(&VLAN.replace("id: 102 }", "id: 103 }, mtu: 9000"), 1, &["9000 does not fit", "MTU of 1500"]);
    before.assert_unchanged();
    host.ctl(&["delete-lab", "other"]).ok();
}
