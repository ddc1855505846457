//! Commands and captures in nodes, through netlabctl.

use std::{fs, thread, time::Duration};

use super::{Test, apply::SMALL};
use crate::{feature::Feature, host::TestHost};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("node::exec", exec),
    Test::new("node::exec_has_the_network_and_no_more", confined),
    Test::new("node::capture", capture).needs(&[Feature::Vxlan]),
];

fn with_small() -> TestHost {
    let host = TestHost::started();
    let file = host.file("small.yaml", SMALL);
    host.ctl(&["create-lab", &file]).ok();
    host
}

/// Output, errors and exit codes pass through.
fn exec() {
    let host = with_small();
    let exec = |command: &[&str]| host.ctl(&[&["exec", "small", "ns1", "--"], command].concat());
    let _ = exec(&["ip", "-br", "addr", "show", "eth0"]).code(0).says("192.0.2.1/24");
    let _ = exec(&["sh", "-c", "echo out; echo err >&2; exit 42"]).code(42).says("out").complains("err");
    let _ = exec(&["sh", "-c", "kill -9 $$"]).code(128 + 9);
    let _ = exec(&["no-such-command"]).code(127);
    let _ = exec(&["/etc/passwd"]).code(126);
    let _ = exec(&["ping", "-c", "1", "-W", "5", "203.0.113.1"]).code(0);
    let bytes = exec(&["head", "-c", "3000000", "/dev/zero"]).code(0);
    assert_eq!(bytes.stdout.len(), 3_000_000, "a lot of output arrives whole");
    let _ = host.ctl(&["exec", "small", "ns9", "--", "true"]).code(125).complains("ns9");
    let _ = host.ctl(&["exec", "no-lab", "ns1", "--", "true"]).code(125).complains("no-lab");
}

/// Root in a node rules the node's network, and nothing of the host.
fn confined() {
    let host = with_small();
    let sh = |script: &str| host.ctl(&["exec", "small", "ns1", "--", "sh", "-c", script]);
    let _ = sh(
        "ip link add mine type veth peer name yours && ip addr add 10.9.9.1/24 dev mine && ip link del mine",
    )
    .code(0);
    let before = host.inventory();
    for escape in [
        "echo 1 >/proc/sys/kernel/panic",
        "nsenter --net=/run/netns/small.ns2 true",
        "nsenter --target 1 --net true",
        "ip netns exec small.ns2 true",
        "mount -t tmpfs tmpfs /mnt",
        "unshare --net true",
        "touch /etc/mine",
    ] {
        let output = sh(escape);
        assert_ne!(output.code, 0, "{output}");
    }
    before.assert_unchanged();
}

fn capture() {
    let host = TestHost::started();
    host.ctl(&["create-lab", "labs/vxlan.yaml"]).ok();
    let file = host.scratch("packets.pcapng");
    let path = file.to_str().expect("a path of ours is UTF-8");
    thread::scope(|scope| {
        let filter = "udp port 4789";
        let capture =
            scope.spawn(|| host.ctl(&["capture", "vxlan", "ns2:eth0", "-f", filter, "-c", "4", "-w", path]));
        // The capture begins at some moment; there are packets for as long as it takes.
        while !capture.is_finished() {
            host.pings("vxlan.ns1", "198.51.100.2");
            thread::sleep(Duration::from_millis(50));
        }
        let _ = capture.join().expect("capture ends").code(0);
    });
    assert!(fs::metadata(&file).is_ok_and(|file| file.len() > 400), "packets were written");
    let _ = host.run("tcpdump", &["-nr", path]).code(0).says("203.0.113.1.4789: VXLAN").says("vni 100");
}
