//! Settings of bridges and their ports, static stations, tags in tags.

use std::time::Duration;

use super::Test;
use crate::{
    capture::Capture,
    command::wait_until,
    feature::Feature,
    host::{TestHost, example},
};

/// How long a repair, or a spanning tree, may take.
const LIMIT: Duration = Duration::from_secs(30);

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("switching::bridge_and_ports", bridge_and_ports),
    Test::new("switching::tags_in_tags", tags_in_tags).needs(&[Feature::BridgeVlan, Feature::Kind("vlan")]),
];

/// The example lab, repaired setting by setting, and changed in place.
fn bridge_and_ports() {
    let host = TestHost::started();
    let before = host.inventory();
    host.ctl(&["create-lab", "labs/switching.yaml"]).ok();
    host.ctl(&["check-lab", "switching"]).ok();
    let _ = host.ctl(&["apply-lab", "--dry-run", "labs/switching.yaml"]).code(0);
    stations(&host);
    repairs(&host);
    spanning_tree(&host);
    let index = || host.exec("switching.sw", "cat /sys/class/net/br0/ifindex").ok();
    let was = index();
    let text = example("switching").replace(", isolated: true", "").replace("60s", "120s");
    host.ctl(&["apply-lab", &host.file("open.yaml", text.replace(", reachable: false", ""))]).ok();
    host.ctl(&["check-lab", "switching"]).ok();
    assert_eq!(index(), was, "changed in place");
    let _ = host.exec("switching.sw", "ip -d link show br0").says("ageing_time 12000 ");
    host.ctl(&["delete-lab", "switching"]).ok();
    before.assert_unchanged();
}

/// What is for a station leaves by its port, whoever pretends to be it, and before it has sent anything.
fn stations(host: &TestHost) {
    let _ = host
        .exec("switching.sw", "bridge fdb show dev p1")
        .says("02:00:00:00:00:0a ")
        .says("sticky master br0 static");
    let capture = Capture::start(host, "switching.a", "eth0", "icmp");
    host.exec("switching.b", "ip link set eth0 address 02:00:00:00:00:0a").ok();
    let _ = host.exec("switching.b", "ping -n -c 1 -W 1 192.0.2.254");
    let _ = host.exec("switching.gw", "ping -n -c 1 -W 5 192.0.2.1").code(0);
    capture.sees(&["192.0.2.254 > 192.0.2.1", "echo request"]);
    host.wait_ready("switching");
}

/// Each setting comes back, by an event or by the next look.
fn repairs(host: &TestHost) {
    for (damage, look, expected) in [
        ("ip link set br0 type bridge ageing_time 100", "ip -d link show br0", "ageing_time 6000 "),
        ("ip link set br0 type bridge mcast_snooping 1", "ip -d link show br0", "mcast_snooping 0 "),
        ("ip link set br0 type bridge group_fwd_mask 0", "ip -d link show br0", "group_fwd_mask 0x4000 "),
        ("ip link set p2 type bridge_slave isolated off", "ip -d link show p2", "isolated on "),
        ("ip link set p1 type bridge_slave learning on", "ip -d link show p1", "learning off "),
        (
            "bridge fdb del 02:00:00:00:00:0a dev p1 master",
            "bridge fdb show dev p1",
            "sticky master br0 static",
        ),
        ("ip link set p1 nomaster", "bridge fdb show dev p1", "sticky master br0 static"),
        ("true", "ip -d link show p1", "isolated on "),
    ] {
        let shown = || host.exec("switching.sw", look).stdout;
        host.exec("switching.sw", damage).ok();
        wait_until(&format!("{expected:?} after {damage}"), LIMIT, || shown().contains(expected));
    }
    host.wait_ready("switching");
    // What somebody else says of a station is left alone.
    host.exec("switching.sw", "bridge fdb add 02:00:00:00:00:0c dev p2 master static").ok();
    wait_until("another's station is told", LIMIT, || {
        let extras = host.lab("switching")["status"]["extras"].to_string();
        extras.contains("sw: forwarding entry station 02:00:00:00:00:0c on p2")
    });
}

/// The bridge with the least priority is the root, and the other one leaves the dearer way alone. The root's times hold for
/// both, and are nobody's drift.
fn spanning_tree(host: &TestHost) {
    wait_until("the dearer way waits", LIMIT, || {
        let ports = host.exec("switching.r2", "bridge link").stdout;
        let is = |port: &str, state: &str| {
            let names = [format!(" {port}@"), format!(" {port}: ")];
            let of = |line: &&str| names.iter().any(|name| line.contains(name));
            ports.lines().find(of).is_some_and(|line| line.contains(state))
        };
        is("t1", "state forwarding") && is("t2", "state blocking")
    });
    let _ = host.exec("switching.r2", "ip -d link show br0").says("hello_time 100 max_age 600 ");
    let drift = host.lab("switching")["status"]["conditions"].to_string();
    assert_eq!(host.lab("switching")["status"]["phase"], "PHASE_READY", "{drift}");
}

/// Two customers with the same VLAN over one provider.
fn tags_in_tags() {
    let host = TestHost::started();
    let before = host.inventory();
    host.ctl(&["create-lab", "labs/qinq.yaml"]).ok();
    host.ctl(&["check-lab", "qinq"]).ok();
    let _ = host.ctl(&["apply-lab", "--dry-run", "labs/qinq.yaml"]).code(0);
    let _ = host.exec("qinq.pe2", "ip -d link show s100").says("vlan protocol 802.1ad id 100 ");
    let own = host.exec("qinq.pe2", "bridge vlan show dev br0").ok();
    assert!(own.contains("100") && !own.contains(" 10 "), "{own}");
    let capture = Capture::start(&host, "qinq.pe2", "core", "");
    let _ = host.exec("qinq.a1", "ping -n -c 1 -W 5 -M do -s 1472 192.0.2.2").code(0);
    capture.sees(&["802.1Q-QinQ", "vlan 100", "vlan 10,", "192.0.2.1 > 192.0.2.2"]);
    host.exec("qinq.pe2", "ip link delete s100").ok();
    host.exec("qinq.pe1", "ip link set br0 type bridge vlan_protocol 802.1Q").ok();
    let shown = |node: &str, link: &str| host.exec(node, &format!("ip -d link show {link}")).stdout;
    wait_until("the tags are repaired", LIMIT, || {
        shown("qinq.pe2", "s100.10").contains("id 10 ")
            && shown("qinq.pe1", "br0").contains("vlan_protocol 802.1ad ")
    });
    host.wait_ready("qinq");
    host.ctl(&["check-lab", "qinq"]).ok();
    host.ctl(&["delete-lab", "qinq"]).ok();
    before.assert_unchanged();
}
