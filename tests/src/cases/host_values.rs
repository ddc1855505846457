//! Sysctls of the host that labs share: found before the first, put back after the last, whatever happens
//! between.

use std::time::Duration;

use super::Test;
use crate::{command::wait_until, host::TestHost};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("host_values::several_labs_and_kills", several),
    Test::new("host_values::an_administrator_meanwhile", administrator),
    Test::new("host_values::another_boot", another_boot),
];

const SOON: Duration = Duration::from_secs(20);

/// A lab that wants the host to forward, IPv4 or both.
fn create(host: &TestHost, name: &str, number: u8, ipv6: bool) {
    let ipv6 = if ipv6 { format!(", \"2001:db8:{number}::fe/64\"") } else { String::new() };
    let file = host.file(
        &format!("{name}.yaml"),
        format!(
            "name: {name}
nodes: {{ ns1: {{ interfaces: {{ eth0: {{ addresses: [10.77.{number}.1/24] }} }} }} }}
host:
  interfaces: {{ lab{number}: {{ addresses: [10.77.{number}.254/24{ipv6}] }} }}
  forwarding: true
links:
  - endpoints: [\"ns1:eth0\", \"host:lab{number}\"]
"
        ),
    );
    host.ctl(&["create-lab", &file]).ok();
}

/// `ip_forward`, IPv6 forwarding, and the two of an interface that is no lab's.
fn values(host: &TestHost) -> String {
    host.sh("cd /proc/sys/net
        cat ipv4/ip_forward ipv6/conf/all/forwarding ipv4/conf/own0/forwarding ipv6/conf/own0/forwarding")
        .replace('\n', " ")
}

/// A host with an interface of its own that is an exception from what holds for all.
fn with_exception() -> TestHost {
    let host = TestHost::started();
    host.sh("ip link add own0 type veth peer name own1
        sysctl -qw net.ipv4.conf.own0.forwarding=1 net.ipv6.conf.own0.forwarding=1");
    assert_eq!(values(&host), "0 0 1 1 ", "the test itself");
    host
}

fn restart(host: &mut TestHost) {
    host.kill();
    host.start();
}

fn several() {
    let mut host = with_exception();
    create(&host, "a", 1, false);
    assert_eq!(values(&host), "1 0 1 1 ", "only what was asked for");
    restart(&mut host);
    create(&host, "b", 2, true);
    create(&host, "c", 3, false);
    assert_eq!(values(&host), "1 1 1 1 ");
    host.ctl(&["delete-lab", "b"]).ok();
    assert_eq!(values(&host), "1 0 1 1 ", "nobody wants IPv6 any more");
    restart(&mut host);
    host.ctl(&["delete-lab", "a"]).ok();
    assert_eq!(values(&host), "1 0 1 1 ", "one wants it still");
    restart(&mut host);
    // Killed as soon as the delete is accepted.
    host.ctl(&["delete-lab", "c", "--no-wait"]).ok();
    restart(&mut host);
    wait_until("the lab is gone", SOON, || host.ctl(&["get-lab", "c"]).code == 4);
    assert_eq!(values(&host), "0 0 1 1 ");
    // Another time, with nothing left of the first.
    create(&host, "a", 1, true);
    host.ctl(&["delete-lab", "a"]).ok();
    assert_eq!(values(&host), "0 0 1 1 ");
}

fn administrator() {
    let mut host = with_exception();
    create(&host, "a", 1, false);
    // Turned off by hand: the lab needs it. What was there before stays known.
    host.sh("sysctl -qw net.ipv4.ip_forward=0");
    wait_until("it forwards again", SOON, || values(&host).starts_with('1'));
    // Something that no lab wants is the administrator's.
    host.sh("sysctl -qw net.ipv6.conf.all.forwarding=1");
    create(&host, "b", 2, true);
    restart(&mut host);
    host.ctl(&["delete-lab", "b"]).ok();
    assert!(values(&host).starts_with("1 1 "), "it was on before lab b: {}", values(&host));
    host.ctl(&["delete-lab", "a"]).ok();
    assert!(values(&host).starts_with("0 1 "), "{}", values(&host));
    // Turned off while netlabd is away and on again by it: still what it was before.
    create(&host, "a", 1, false);
    host.stop();
    host.sh("sysctl -qw net.ipv4.ip_forward=0");
    host.start();
    wait_until("it forwards again", SOON, || values(&host).starts_with('1'));
    host.ctl(&["delete-lab", "a"]).ok();
    assert!(values(&host).starts_with("0 1 "), "{}", values(&host));
}

/// What was found in an earlier boot means nothing: the host has begun anew.
fn another_boot() {
    let mut host = TestHost::here();
    let two = host.file("boot-two", "two\n");
    host.start();
    let forwards = |host: &TestHost| host.sh("cat /proc/sys/net/ipv4/ip_forward").trim().to_owned();
    create(&host, "a", 1, false);
    host.stop();
    // The machine boots: its own configuration forwards now, and nothing of the lab is there.
    host.sh(&format!(
        "mount --bind {two} /proc/sys/kernel/random/boot_id
         ip link del lab1; ip netns del a.ns1; sysctl -qw net.ipv4.ip_forward=1"
    ));
    host.start();
    host.wait_ready("a");
    host.ctl(&["delete-lab", "a"]).ok();
    assert_eq!(forwards(&host), "1", "as this boot found it");
    // And the other way round.
    create(&host, "a", 1, false);
    host.stop();
    host.sh("umount /proc/sys/kernel/random/boot_id
        ip link del lab1; ip netns del a.ns1; sysctl -qw net.ipv4.ip_forward=0");
    host.start();
    host.wait_ready("a");
    wait_until("it forwards", SOON, || forwards(&host) == "1");
    host.ctl(&["delete-lab", "a"]).ok();
    assert_eq!(forwards(&host), "0", "as this boot found it");
}
