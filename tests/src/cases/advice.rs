//! What is hardly meant is told with its place, and what is known to be refused is refused before anything changes.

use std::{fmt::Write, time::Duration};

use super::Test;
use crate::{command::wait_until, feature::Feature, host::TestHost};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("advice::an_address_on_a_port_of_a_bridge", slip),
    Test::new("advice::ports_that_listen_and_learn", ring),
    Test::new("advice::a_vlan_on_a_parent_that_is_down", unplugged).needs(&[Feature::Kind("vlan")]),
    Test::new("advice::parents_that_cannot_be_used", parents).needs(&[Feature::Kind("macvlan")]),
    Test::new("advice::ready_means_at_work", at_work),
];

/// How long a repair or a change may take.
const SOON: Duration = Duration::from_secs(20);
/// How long ports listen and learn, and a busy machine takes to tell.
const STP: Duration = Duration::from_secs(90);

fn slip() {
    const SLIP: &str = "\
name: slip
nodes:
  r:
    interfaces:
      br0: { bridge: {} }
      p1: { port: { bridge: br0 }, addresses: [192.0.2.254/24] }
  h: { interfaces: { eth0: { addresses: [192.0.2.1/24] } } }
links: [ { endpoints: [\"r:p1\", \"h:eth0\"] } ]
checks: [ { from: h, to: r } ]
";
    let host = TestHost::started();
    let file = host.file("slip.yaml", SLIP);
    let place = format!("warning: {file}:6:48: 192.0.2.254/24 is on p1, a port of br0");
    let _ = host.ctl(&["create-lab", &file]).code(0).complains(&place);
    let _ = host
        .ctl(&["check-lab", "slip"])
        .code(7)
        .says("note: nodes.r.interfaces.p1.addresses[0]: 192.0.2.254/24");
    let _ = host.ctl(&["get-lab", "slip"]).code(0).says("Plausible");
    // A restart tells it too; what is mended is not told.
    let mut host = host;
    host.kill();
    host.start();
    let _ = host.ctl(&["get-lab", "slip"]).code(0).says("a port of br0");
    let right = SLIP.replace("bridge: {} }", "bridge: {}, addresses: [192.0.2.254/24] }");
    let right = host.file("right.yaml", right.replace(", addresses: [192.0.2.254/24] }\n  h:", " }\n  h:"));
    let told = host.ctl(&["apply-lab", &right]).code(0);
    assert!(!told.stderr.contains("warning"), "{told}");
    let _ = host.ctl(&["check-lab", "slip"]).code(0);
    assert!(!host.ctl(&["get-lab", "slip"]).ok().contains("Plausible"));
    host.ctl(&["delete-lab", "slip"]).ok();
}

fn ring() {
    const RING: &str = "\
name: ring
nodes:
  sw1: { interfaces: { br0: { bridge: { stp: true } }, a: { port: { bridge: br0 } }, b: { port: { bridge: br0 } }, h: { port: { bridge: br0 } } } }
  sw2: { interfaces: { br0: { bridge: { stp: true } }, a: { port: { bridge: br0 } }, b: { port: { bridge: br0 } } } }
  h1: { interfaces: { eth0: { addresses: [192.0.2.1/24] } } }
  plain: { interfaces: { br0: { bridge: {} }, h: { port: { bridge: br0 } } } }
links:
  - endpoints: [\"sw1:a\", \"sw2:b\"]
  - endpoints: [\"sw2:a\", \"sw1:b\"]
  - endpoints: [\"sw1:h\", \"h1:eth0\"]
  - endpoints: [\"plain:h\", \"h1:eth1\"]
checks: [ { from: h1, to: 192.0.2.1 } ]
";
    let host = TestHost::started();
    let file = host.file("ring.yaml", RING);
    let _ =
        host.ctl(&["create-lab", &file]).code(0).complains("Spanning Tree Protocol").complains("sw1:br0 (");
    let forwarding = || {
        let lab = host.lab("ring");
        let conditions = lab["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.into_iter().find(|it| it["type"] == "Forwarding").unwrap_or_default()
    };
    assert_eq!(forwarding()["status"], "False");
    assert!(!forwarding().to_string().contains("plain:br0"), "a bridge without STP forwards at once");
    let _ =
        host.ctl(&["check-lab", "ring"]).code(0).says("note: these bridges run the Spanning Tree Protocol");
    assert_eq!(host.lab("ring")["status"]["phase"], "PHASE_READY", "Ready does not wait for them");
    wait_until("the ports forward or block, and that is told", STP, || forwarding()["status"] == "True");
    let told = host.ctl(&["check-lab", "ring"]).code(0).stdout;
    assert!(!told.contains("note:"), "{told}");
    host.ctl(&["delete-lab", "ring"]).ok();
}

fn unplugged() {
    const VLANS: &str = "\
name: v
nodes:
  a: { interfaces: { eth0: { up: false }, eth0.5: { vlan: { parent: eth0, id: 5 }, addresses: [192.0.2.1/24] } } }
  b: { interfaces: { eth0.5: { vlan: { parent: eth0, id: 5 }, addresses: [192.0.2.2/24] } } }
links: [ { endpoints: [\"a:eth0\", \"b:eth0\"] } ]
checks: [ { from: b, to: 192.0.2.1, reachable: false } ]
";
    let host = TestHost::started();
    let down = host.file("down.yaml", VLANS);
    let plugged = VLANS.replace("eth0: { up: false }", "eth0: {}").replace(", reachable: false", "");
    let up = host.file("up.yaml", &plugged);
    host.ctl(&["create-lab", &down]).ok();
    let _ = host.ctl(&["check-lab", "v"]).code(0);
    let quiet = |file: &str| {
        let _ = host.ctl(&["apply-lab", "--dry-run", file]).code(0);
        assert!(host.ctl(&["get-lab", "v"]).ok().contains("Repaired:    0"));
    };
    quiet(&down);
    for _ in 0..2 {
        host.ctl(&["apply-lab", &up]).ok();
        let _ = host.ctl(&["check-lab", "v"]).code(0);
        quiet(&up);
        host.ctl(&["apply-lab", &down]).ok();
        let _ = host.ctl(&["check-lab", "v"]).code(0);
        quiet(&down);
    }
    let via = VLANS.replace("  b: {", "  b: { routes: [ { to: default, via: 192.0.2.1 } ],");
    host.ctl(&["apply-lab", &host.file("via.yaml", via)]).ok();
    let through = VLANS.replace("  a: {", "  a: { routes: [ { to: default, via: 192.0.2.2 } ],");
    let through = host.file("through.yaml", through);
    let _ = host
        .ctl(&["apply-lab", &through])
        .code(2)
        .complains("through.yaml:3")
        .complains("down with eth0 below it");
    host.ctl(&["delete-lab", "v"]).ok();
}

fn parents() {
    let host = TestHost::started();
    host.sh("ip link add eth9 type veth peer name peer9; ip link add br-office type bridge; ip link set eth9 master br-office");
    let lab = |macvlan: &str| {
        let text = format!("name: m\nnodes:\n  n:\n    interfaces:\n      mv0: {{ {macvlan} }}\n");
        host.file("m.yaml", text)
    };
    let before = host.inventory();
    let refused = |file: &str, words: &str| {
        let said = host.ctl(&["create-lab", file]).complains("m.yaml:5:").complains(words);
        assert!(said.code != 0, "{said}");
        assert!(!host.ctl(&["list-labs"]).ok().contains("Failed"), "nothing was tried");
    };
    refused(&lab("macvlan: { parent: eth9 }"), "eth9 is a port of br-office");
    refused(&lab("macvlan: { parent: peer9 }, mtu: 9000"), "9000 does not fit");
    before.assert_unchanged();
    host.sh("ip link set eth9 nomaster mtu 9000");
    host.ctl(&["create-lab", &lab("macvlan: { parent: eth9 }, mtu: 9000")]).ok();
    host.ctl(&["delete-lab", "m"]).ok();
}

/// A switch with many stations: right after create-lab the kernel has acted on all carriers.
fn at_work() {
    let (mut nodes, mut links) =
        (String::from("  sw:\n    interfaces:\n      br0: { bridge: {} }\n"), String::new());
    for number in 0..24 {
        let _ = writeln!(nodes, "      p{number}: {{ port: {{ bridge: br0 }} }}");
        let _ = writeln!(links, "  - endpoints: [\"h{number}:eth0\", \"sw:p{number}\"]");
    }
    for number in 0..24 {
        let address = number + 1;
        let _ = writeln!(
            nodes,
            "  h{number}: {{ interfaces: {{ eth0: {{ addresses: [192.0.2.{address}/24] }} }} }}"
        );
    }
    let host = TestHost::started();
    let file = host.file("many.yaml", format!("name: many\nnodes:\n{nodes}links:\n{links}"));
    let look = "for n in $(ls /run/netns); do ip -n $n -br link | grep -v '^lo'; done";
    host.ctl(&["create-lab", &file]).ok();
    let seen = host.sh(look);
    assert_eq!(seen.lines().count(), 49, "{seen}");
    let idle: Vec<_> = seen.lines().filter(|line| line.split_whitespace().nth(1) != Some("UP")).collect();
    assert!(idle.is_empty(), "{idle:#?}");
    // An end without a carrier is waited for by nobody.
    let unplugged = "\
name: one
nodes: { a: { interfaces: { eth0: {} } }, b: { interfaces: { eth0: { up: false } } } }
links: [ { endpoints: [\"a:eth0\", \"b:eth0\"] } ]
";
    host.ctl(&["create-lab", &host.file("one.yaml", unplugged), "--timeout", "60s"]).ok();
    wait_until("its carrier is not waited for", SOON, || host.lab("one")["status"]["phase"] == "PHASE_READY");
}
