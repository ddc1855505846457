//! Events: whatever is done to a lab wakes that lab, and nothing else does.

mod sandbox_common;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    time::{Duration, Instant},
};

use netlab_proto::v1 as proto;
use netlabd::{
    convert,
    kernel::{Linux, Wake},
    model::{LabName, observed::Observed},
    plan::{Plan, Target, diff},
    platform::{Kernel, Scope},
};
use sandbox_common::{inside, run, scratch};

/// How long an event may take on a busy machine.
const SOON: Duration = Duration::from_secs(5);
/// Carrier changes are told up to a second late (`net/core/link_watch.c`), and new IPv6 addresses are
/// tried out as long.
const NEW: Duration = Duration::from_millis(2_500);
/// Nothing is heard for this long: nothing more comes.
const QUIET: Duration = Duration::from_millis(300);

/// A test host with two labs alike, `a` and `b`, and what is heard of them.
struct Host {
    linux: Arc<Linux>,
    heard: Receiver<Wake>,
}

/// A lab; with or without a bridge, which speaks up by itself when its forward delay is over.
fn spec(name: &str, subnet: u8, bridge: bool) -> proto::Lab {
    let (bridge, port) =
        if bridge { (r#""br0": { "bridge": {} },"#, r#""port": { "bridge": "br0" }"#) } else { ("", "") };
    let text = format!(
        r#"{{ "name": "{name}",
          "nodes": {{
            "n1": {{ "forwarding": true,
              "interfaces": {{
                "eth0": {{ "addresses": ["192.0.2.1/24"] }},
                {bridge}
                "p0": {{ {port} }} }},
              "routes": [{{ "to": "default", "via": "192.0.2.2" }}],
              "nat": {{ "masquerade": [{{ "source": "198.51.100.0/24" }}] }} }},
            "n2": {{ "interfaces": {{ "eth0": {{ "addresses": ["192.0.2.2/24"] }} }} }} }},
          "host": {{ "forwarding": true,
            "interfaces": {{ "{name}0": {{ "addresses": ["198.18.{subnet}.1/24"] }} }},
            "nat": {{ "masquerade": [{{ "source": "198.18.{subnet}.0/24" }}] }} }},
          "links": [
            {{ "endpoints": ["n1:eth0", "n2:eth0"] }},
            {{ "endpoints": ["n1:p0", "host:{name}0"] }}] }}"#
    );
    serde_json::from_str(&text).unwrap()
}

fn lab(name: &str) -> LabName {
    name.parse().unwrap()
}

impl Host {
    /// Lab `a` has a bridge on demand.
    fn new(bridge: bool) -> Self {
        let linux = Arc::new(Linux::new(PathBuf::from("/run/netns"), scratch().join("labs")).unwrap());
        let (sender, heard) = channel();
        linux.watch(move |wake| drop(sender.send(wake))).unwrap();
        let host = Self { linux, heard };
        host.build(&spec("a", 1, bridge), 1_900_000_000);
        host.build(&spec("b", 2, false), 1_900_065_536);
        while host.heard.recv_timeout(NEW).is_ok() {}
        host
    }

    fn build(&self, spec: &proto::Lab, first_id: u32) {
        let target = Target::new(&convert::lab(spec).unwrap(), &spec.name);
        let (lab, mut rounds) = (lab(&spec.name), 0);
        loop {
            let scope = Scope { lab: &lab, first_id, target: &target };
            let plan = diff(&target, &self.linux.observe(scope).unwrap());
            if plan.is_empty() {
                return;
            }
            rounds += 1;
            assert!(rounds < 4, "it does not settle: {plan:?}");
            assert_eq!(self.linux.execute(scope, &plan, &mut |_| ()), []);
        }
    }

    fn observe(&self, spec: &proto::Lab) -> Observed {
        let target = Target::new(&convert::lab(spec).unwrap(), &spec.name);
        self.linux.observe(Scope { lab: &lab(&spec.name), first_id: 1, target: &target }).unwrap()
    }

    fn plan(&self, spec: &proto::Lab) -> Plan {
        diff(&Target::new(&convert::lab(spec).unwrap(), &spec.name), &self.observe(spec))
    }

    /// Waits until no more events come of what was done before.
    fn settle(&self) {
        while self.heard.recv_timeout(QUIET).is_ok() {}
    }

    /// Does `damage` and expects that lab `a` is woken soon, and nothing else.
    fn wakes_a(&self, damage: &str) {
        self.settle();
        run(damage);
        match self.heard.recv_timeout(SOON) {
            Ok(wake) => assert_eq!(wake, Wake::Lab(lab("a")), "{damage}"),
            Err(error) => panic!("{damage}: nothing was heard: {error}"),
        }
        let end = Instant::now() + QUIET;
        while let Ok(wake) = self.heard.recv_timeout(end.saturating_duration_since(Instant::now())) {
            assert_eq!(wake, Wake::Lab(lab("a")), "{damage}");
        }
    }

    fn wakes_nobody(&self, deed: &str) {
        self.settle();
        run(deed);
        assert_eq!(self.heard.recv_timeout(QUIET), Err(RecvTimeoutError::Timeout), "{deed}");
    }
}

#[test]
fn damage_in_a_node_wakes_its_lab() {
    if !inside("damage_in_a_node_wakes_its_lab") {
        return;
    }
    let host = Host::new(true);
    for damage in [
        "ip -n a.n1 link set eth0 mtu 1400",
        "ip -n a.n1 link set br0 address 02:00:00:00:00:07",
        "ip -n a.n1 link set p0 nomaster",
        "ip -n a.n1 address delete 192.0.2.1/24 dev eth0",
        "ip -n a.n1 address add 192.0.2.1/24 dev eth0",
        "ip -n a.n1 route replace default via 192.0.2.2",
        "ip -n a.n1 route delete default",
        "ip -n a.n1 link set br0 down",
        "ip -n a.n1 link set br0 name stray",
        "ip -n a.n1 link add stranger type veth peer name stranger2",
        "ip netns exec a.n1 sysctl -qw net.ipv4.ip_forward=0",
        "ip netns exec a.n1 sysctl -qw net.ipv6.conf.all.forwarding=0",
        "ip netns exec a.n1 nft flush chain inet netlab postrouting",
        "ip netns exec a.n1 nft flush ruleset",
        "ip netns exec a.n1 nft add table inet other",
        "ip netns exec a.n1 nft delete table inet other",
        "ip netns delete a.n2",
        "ip -n a.n1 link delete eth0",
    ] {
        host.wakes_a(damage);
    }
}

#[test]
fn damage_on_the_host_wakes_the_lab_concerned() {
    if !inside("damage_on_the_host_wakes_the_lab_concerned") {
        return;
    }
    let host = Host::new(false);
    for damage in [
        "ip link set a0 mtu 1400",
        "ip link set a0 down",
        "ip link set a0 up",
        "ip address delete 198.18.1.1/24 dev a0",
        "ip link set a0 name taken",
        "ip link set taken name a0",
        "ip link set a0 alias mine",
        "ip link set a0 alias netlab:a",
        "nft flush chain inet netlab a-postrouting",
        "nft delete chain inet netlab a-prerouting",
        "ip link delete a0",
        "ip link add a0 type bridge",
    ] {
        host.wakes_a(damage);
    }
    host.settle();
    for damage in ["sysctl -qw net.ipv4.ip_forward=0", "nft delete table inet netlab"] {
        run(damage);
        let mut heard = Vec::new();
        while let Ok(wake) = host.heard.recv_timeout(SOON.min(QUIET)) {
            heard.push(wake);
        }
        assert!(heard.contains(&Wake::Lab(lab("b"))), "{damage}: {heard:?}");
    }
}

#[test]
fn what_concerns_no_lab_wakes_none() {
    if !inside("what_concerns_no_lab_wakes_none") {
        return;
    }
    let host = Host::new(false);
    for deed in [
        "ip link add stranger type veth peer name stranger2",
        "ip link set stranger up",
        "ip address add 198.18.9.1/24 dev stranger",
        "ip route add 198.18.10.0/24 dev stranger",
        "ip link delete stranger",
        "ip netns add stranger",
        "ip -n stranger link set lo up",
        "ip netns delete stranger",
        "ip netns exec a.n1 true",
    ] {
        host.wakes_nobody(deed);
    }
}

/// They may drop what a lab sends through the host.
#[test]
fn rules_of_others_on_the_host_wake_who_uses_it() {
    if !inside("rules_of_others_on_the_host_wake_who_uses_it") {
        return;
    }
    let host = Host::new(false);
    for deed in ["nft add table inet other", "nft add chain inet other netlab", "nft delete table inet other"]
    {
        host.settle();
        run(deed);
        let mut heard = Vec::new();
        while let Ok(wake) = host.heard.recv_timeout(QUIET) {
            heard.push(wake);
        }
        assert!(heard.contains(&Wake::Lab(lab("a"))), "{deed}: {heard:?}");
        assert!(!heard.contains(&Wake::All), "{deed}: {heard:?}");
    }
}

#[test]
fn a_storm_in_one_lab_is_few_wakes_and_hides_no_other() {
    if !inside("a_storm_in_one_lab_is_few_wakes_and_hides_no_other") {
        return;
    }
    let host = Host::new(false);
    host.settle();
    let routes = (0..20_000).map(|n| format!("route add 203.0.{}.{}/32 dev lo", n / 250, n % 250));
    let batch = routes.collect::<Vec<_>>().join("\n");
    let file = scratch().join("batch");
    std::fs::write(&file, batch).unwrap();
    run(&format!(
        "ip -n b.n1 -batch {} & sleep 0.05; ip -n a.n1 link set eth0 mtu 1400; wait",
        file.display()
    ));
    let (mut a, mut all) = (0, 0);
    while let Ok(wake) = host.heard.recv_timeout(QUIET) {
        all += 1;
        a += u32::from(wake == Wake::Lab(lab("a")) || wake == Wake::All);
    }
    assert!(a > 0, "the storm hid lab a");
    assert!(all < 20_000, "{all} wakes for one storm");
}

#[test]
fn a_look_right_after_a_change_shows_it() {
    if !inside("a_look_right_after_a_change_shows_it") {
        return;
    }
    let host = Host::new(true);
    let spec = spec("a", 1, true);
    for damage in [
        "ip -n a.n1 link set eth0 mtu 1400",
        "ip -n a.n1 link set br0 address 02:00:00:00:00:07",
        "ip -n a.n1 link set p0 nomaster",
        "ip -n a.n1 address delete 192.0.2.1/24 dev eth0",
        "ip -n a.n1 route delete default",
        "ip -n a.n1 link set eth0 down",
        "ip -n a.n1 link set br0 down",
        "ip -n a.n1 link set br0 name stray",
        "ip netns exec a.n1 sysctl -qw net.ipv4.ip_forward=0",
        "ip netns exec a.n1 sysctl -qw net.ipv6.conf.all.forwarding=0",
        "ip netns exec a.n1 nft flush chain inet netlab postrouting",
        "ip netns exec a.n1 nft flush ruleset",
        "ip -n a.n1 link delete eth0",
        "ip -n a.n1 link set eth0 netns b.n1 name moved",
        "umount /run/netns/a.n2",
        "ip netns delete a.n2",
        "ip link set a0 mtu 1400",
        "ip link delete a0",
    ] {
        run(damage);
        assert!(!host.plan(&spec).is_empty(), "{damage}: not seen");
        host.build(&spec, 1_900_000_000);
    }
}

#[test]
fn an_end_that_went_elsewhere_and_came_back_is_known_at_both_ends() {
    if !inside("an_end_that_went_elsewhere_and_came_back_is_known_at_both_ends") {
        return;
    }
    let host = Host::new(false);
    let spec = spec("a", 1, false);
    // n1 hears of none of it.
    run("ip -n a.n2 link set eth0 netns b.n1 name moved");
    run("ip -n b.n1 link set moved netns a.n2 name eth0");
    let before = host.observe(&spec);
    let fresh = Arc::new(Linux::new(PathBuf::from("/run/netns"), scratch().join("labs")).unwrap());
    let target = Target::new(&convert::lab(&spec).unwrap(), &spec.name);
    let scope = Scope { lab: &lab("a"), first_id: 1, target: &target };
    assert_eq!(before, fresh.observe(scope).unwrap());
}
