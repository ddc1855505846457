//! Cables that are pulled.

use std::time::Duration;

use super::Test;
use crate::{
    command::wait_until,
    host::{TestHost, example},
};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("cables::pulled_and_plugged_in", pulled_and_plugged_in),
    Test::new("cables::made_pulled", made_pulled),
    Test::new("cables::ends", ends),
];

/// How long a repair may take.
const LIMIT: Duration = Duration::from_secs(30);

/// The failover example, its first cable pulled.
fn pulled(host: &TestHost) -> String {
    let text = example("failover");
    let cable = "  - endpoints: [\"r1:a\", \"r2:a\"]\n";
    let pulled = text.replace(cable, &format!("{cable}    up: false\n"));
    assert_ne!(pulled, text);
    host.file("pulled.yaml", pulled)
}

fn is_pulled(host: &TestHost) {
    for node in ["r1", "r2"] {
        let link = host.exec(&format!("failover.{node}"), "ip link show a").ok();
        assert!(!link.contains("LOWER_UP") && link.contains("state DOWN"), "{link}");
        let _ = host.exec(&format!("failover.{node}"), "ip addr show a").says("inet 198.51.100.");
        let routes = host.exec(&format!("failover.{node}"), "ip route").ok();
        assert!(!routes.contains("dev a"), "{routes}");
    }
    let _ = host.exec("failover.r1", "ip route get 192.0.2.2").says("dev b");
    assert!(host.pings("failover.r1", "192.0.2.2"), "by the other cable");
}

/// Traffic takes the other cable while one is pulled; nothing else is touched, and all comes back.
fn pulled_and_plugged_in() {
    let host = TestHost::started();
    let before = host.inventory();
    let index = || host.exec("failover.r1", "cat /sys/class/net/a/ifindex /sys/class/net/b/ifindex").ok();
    host.ctl(&["create-lab", "labs/failover.yaml"]).ok();
    let (was, routes) = (index(), host.exec("failover.r1", "ip route").ok());
    let file = pulled(&host);
    let _ = host.ctl(&["apply-lab", "--dry-run", &file]).code(8).says("set r1:a down").says("set r2:a down");
    host.ctl(&["apply-lab", &file]).ok();
    is_pulled(&host);
    host.ctl(&["check-lab", "failover"]).ok();
    let _ = host.ctl(&["apply-lab", "--dry-run", &file]).code(0);
    // Somebody plugs it in by hand.
    let _ = host.exec("failover.r1", "ip link set dev a up").code(0);
    wait_until("the cable is pulled again", LIMIT, || {
        !host.exec("failover.r1", "ip link show a").stdout.contains("UP")
    });
    host.wait_ready("failover");
    is_pulled(&host);
    host.ctl(&["apply-lab", "labs/failover.yaml"]).ok();
    assert_eq!((index(), host.exec("failover.r1", "ip route").ok()), (was, routes), "as before");
    let _ = host.exec("failover.r1", "ping -n -c 1 -W 5 198.51.100.1").code(0);
    host.ctl(&["delete-lab", "failover"]).ok();
    before.assert_unchanged();
}

/// A lab that begins with the cable pulled ends in the same state.
fn made_pulled() {
    let host = TestHost::started();
    let before = host.inventory();
    host.ctl(&["create-lab", &pulled(&host)]).ok();
    is_pulled(&host);
    let _ = host.ctl(&["graph", "failover", "-f", "mermaid"]).says("a - a<br/>down");
    host.ctl(&["apply-lab", "labs/failover.yaml"]).ok();
    let _ = host.exec("failover.r1", "ip route get 192.0.2.2").says("dev a");
    assert!(host.pings("failover.r2", "192.0.2.1"));
    host.ctl(&["delete-lab", "failover"]).ok();
    before.assert_unchanged();
}

/// A cable with more or fewer than two ends is refused with what to do.
fn ends() {
    let host = TestHost::started();
    for (ends, said) in [
        (
            "\"a:e\", \"b:e\", \"c:e\"",
            "bad.yaml:3:12: a link is a cable with two end points, not 3; join more by networks",
        ),
        ("\"a:e\"", "bad.yaml:3:12: a link has two end points, not 1; name the interface at either end"),
    ] {
        let text = format!(
            "name: k\nnodes: {{ a: {{}}, b: {{}}, c: {{}} }}\nlinks: [ {{ endpoints: [{ends}] }} ]\n"
        );
        let _ = host.ctl(&["create-lab", &host.file("bad.yaml", text)]).code(2).complains(said);
    }
    let _ = host.ctl(&["list-labs", "-o", "json"]).says("[]");
}
