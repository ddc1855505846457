//! What of the host a lab may take: address ranges, names, ports. What the host uses is refused to everybody.

use std::{process::Command, time::Duration};

use super::Test;
use crate::{
    command::wait_until,
    feature::Feature,
    host::TestHost,
    internet::Internet,
    users::{self, ALICE},
};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("host_ranges::what_the_host_reaches_by_a_route", routes),
    Test::new("host_ranges::a_route_that_comes_later_is_told", later),
    Test::new("host_ranges::nameservers_and_peers", in_use),
    Test::new("host_ranges::other_labs_are_named", of_labs),
    Test::new("host_ranges::members_have_small_pools_and_own_names", members),
    Test::new("host_ranges::names_that_are_words", names),
    Test::new("host_ranges::published_ports_are_free", ports).needs(&[Feature::Nat]).once(),
];

const SOON: Duration = Duration::from_secs(20);
/// No event tells of sockets: netlabd looks again every 30 seconds.
const RESYNC: Duration = Duration::from_secs(90);

/// A lab `up` with a cable to the host's `lab0`, which has an address.
fn up(address: &str, more: &str) -> String {
    format!(
        "name: up\nnodes:\n  n: {{ interfaces: {{ eth0: {{}} }} }}\nhost:\n  interfaces: \
         {{ lab0: {{ addresses: [\"{address}\"] }} }}\n{more}links:\n  - endpoints: [\"n:eth0\", \"host:lab0\"]\n"
    )
}

/// A host with a way out, and netlabd on it with users.
fn host_with_a_way_out() -> TestHost {
    let mut host = TestHost::here();
    users::move_in(&host);
    Internet::connect(&host);
    host.start();
    host
}

/// Checks that root is refused too, with code 5 and these words, and that nothing changes.
#[track_caller]
fn refused(host: &TestHost, lab: &str, says: &[&str]) {
    let before = host.inventory();
    let file = host.file("refused.yaml", lab);
    let output = host.ctl(&["create-lab", &file]).code(5);
    says.iter().fold(output, |output, words| output.complains(words));
    before.assert_unchanged();
}

fn routes() {
    let host = host_with_a_way_out();
    for (add, listed) in [
        ("10.20.0.0/16 via 198.18.0.254", "`10.20.0.0/16 via 198.18.0.254 dev wan0`"),
        ("10.20.5.0/24 via 198.18.0.254", "`10.20.5.0/24 via 198.18.0.254 dev wan0`"),
        ("10.20.5.128/25 via 198.18.0.254", "`10.20.5.128/25 via 198.18.0.254 dev wan0`"),
        ("10.20.0.0/16 via 198.18.0.254 table 75", "`10.20.0.0/16 via 198.18.0.254 dev wan0 table 75`"),
        ("unreachable 10.0.0.0/8", "`unreachable 10.0.0.0/8`"),
    ] {
        host.sh(&format!("ip route add {add}"));
        refused(&host, &up("10.20.5.1/24", ""), &["10.20.5.1/24 overlaps a route of the host", listed]);
        host.sh(&format!("ip route del {add}"));
    }
    host.sh("ip -6 route add fd00:20::/32 dev wan0");
    refused(&host, &up("fd00:20:5::1/64", ""), &["`fd00:20::/32 dev wan0`"]);
    // The ways to everywhere else are no obstacle, however they are written.
    host.sh("ip route add 0.0.0.0/1 via 198.18.0.254; ip route add 128.0.0.0/1 via 198.18.0.254
        ip route add default via 198.18.0.254 table 75");
    let file = host.file("good.yaml", up("10.20.5.1/24", ""));
    host.ctl(&["create-lab", &file]).ok();
    // What it has it keeps, whatever came later.
    host.sh("ip route add 10.20.0.0/16 via 198.18.0.254");
    let more = host.file(
        "more.yaml",
        up("10.20.5.1/24", "").replace("eth0: {}", "eth0: {}, lo: { addresses: [192.0.2.9/32] }"),
    );
    host.ctl(&["apply-lab", &more]).ok();
    let other = host.file("other.yaml", up("10.20.6.1/24", ""));
    let _ = host.ctl(&["apply-lab", &other]).code(5).complains("10.20.6.1/24 overlaps a route of the host");
    host.ctl(&["delete-lab", "up"]).ok();
}

/// Status, reason and message of a lab's `HostReady`.
fn host_ready(host: &TestHost) -> [String; 3] {
    let lab = host.lab("up");
    let conditions = lab["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let of_host = conditions.iter().find(|condition| condition["type"] == "HostReady");
    ["status", "reason", "message"]
        .map(|field| of_host.and_then(|found| found[field].as_str()).unwrap_or_default().to_owned())
}

fn later() {
    let host = host_with_a_way_out();
    let file = host.file("up.yaml", up("10.20.5.1/24", ""));
    host.ctl(&["create-lab", &file]).ok();
    assert_eq!(host_ready(&host)[..2], ["True", "NothingInTheWay"], "{:?}", host_ready(&host));
    for add in ["10.20.0.0/16 via 198.18.0.254", "10.20.5.0/24 via 198.18.0.254 metric 9 table 75"] {
        host.sh(&format!("ip route add {add}"));
        wait_until("the route is told of", SOON, || host_ready(&host)[0] == "False");
        let [_, reason, message] = host_ready(&host);
        assert_eq!(reason, "RouteOverlaps");
        let range = add.split(' ').next().unwrap_or_default();
        assert!(message.contains(range) && message.contains("10.20.5.1/24 on lab0"), "{message}");
        host.sh(&format!("ip route del {add}"));
        wait_until("it is told that it is gone", SOON, || host_ready(&host)[0] == "True");
    }
}

fn in_use() {
    let host = host_with_a_way_out();
    let resolvers = host.file("resolv.conf", "nameserver 10.9.9.9\n");
    host.sh(&format!("touch /etc/resolv.conf; mount --bind {resolvers} $(readlink -f /etc/resolv.conf)"));
    refused(
        &host,
        &up("10.9.9.1/24", ""),
        &["10.9.9.1/24 holds 10.9.9.9, a nameserver of the host (/etc/resolv.conf)"],
    );
    refused(&host, &up("10.0.0.1/8", ""), &["10.9.9.9"]);
    host.sh("ip -n internet addr add 10.8.8.8/32 dev lo
        ip netns exec internet python3 -c 'import socket; s = socket.create_server((\"10.8.8.8\", 22)); \
           c = [s.accept() for _ in range(2)]' >/dev/null 2>&1 &
        python3 -c 'import socket, time
for _ in range(100):
    try: c = socket.create_connection((\"10.8.8.8\", 22)); break
    except OSError: time.sleep(0.1)
time.sleep(600)' >/dev/null 2>&1 &");
    wait_until("the host talks to its peer", SOON, || {
        host.sh("ss -Htn state established dst 10.8.8.8").contains("10.8.8.8:22")
    });
    refused(
        &host,
        &up("10.8.8.1/24", ""),
        &["10.8.8.1/24 holds 10.8.8.8", "a connection (tcp from 198.18.0.1:"],
    );
    let file = host.file("good.yaml", up("10.7.7.1/24", ""));
    host.ctl(&["create-lab", &file]).ok();
}

fn of_labs() {
    let host = host_with_a_way_out();
    let mine = host.file("mine.yaml", up("192.0.2.254/24", ""));
    ALICE.ctl(&host, &["create-lab", &mine]).ok();
    let other = up("192.0.2.129/25", "").replace("name: up", "name: other").replace("lab0", "lab9");
    let file = host.file("other.yaml", other);
    let words = "on lab0 of lab up (yours): delete it first, or choose another range";
    let _ = ALICE.ctl(&host, &["create-lab", &file]).code(5).complains(words);
    let _ =
        host.ctl(&["create-lab", &file]).code(5).complains("on lab0 of lab up (of alice (uid 4001)): delete");
}

fn members() {
    let host = host_with_a_way_out();
    let file = |lab: &str| host.file("lab.yaml", lab);
    let before = host.inventory();
    for (lab, says) in [
        (up("10.9.0.1/24", ""), "in host_addresses of netlabd's configuration"),
        (up("fd00::1/64", ""), "fd00::1/64 on the host needs an administrator"),
        (up("198.18.128.1/17", ""), "a shorter host_prefix_ipv4"),
        (up("2001:db8::1/48", ""), "a shorter host_prefix_ipv6"),
        (
            up("192.0.2.1/24", "").replace("lab0", "wg0"),
            "wg0 in host_interface_names of netlabd's configuration",
        ),
        (up("192.0.2.1/24", "").replace("lab0", "docker0"), "names that every lab may use there: lab*, nl*"),
    ] {
        let _ = ALICE.ctl(&host, &["create-lab", &file(&lab)]).code(6).complains(says);
        before.assert_unchanged();
    }
    // An administrator may.
    for lab in [up("10.9.0.1/23", "").replace("lab0", "wg0"), up("fd00::1/8", "")] {
        host.ctl(&["create-lab", &file(&lab)]).ok();
        host.ctl(&["delete-lab", "up"]).ok();
    }
    for address in ["192.0.2.1/24", "198.51.100.1/25", "203.0.113.1/32", "198.19.9.1/24", "2001:db8:1::1/64"]
    {
        ALICE.ctl(&host, &["create-lab", &file(&up(address, "").replace("lab0", "nl-up"))]).ok();
        ALICE.ctl(&host, &["delete-lab", "up"]).ok();
    }
    for lab in ["internet", "internet-router", "internet-bridge", "macvlan"] {
        let file = file(&crate::host::example(lab));
        let _ = ALICE.ctl(&host, &["apply-lab", "--dry-run", &file]).code(8);
    }
    before.assert_unchanged();
}

/// On the host, a name is a word in other people's firewalls and scripts: nobody may hide anything in it.
fn names() {
    let host = host_with_a_way_out();
    for name in [";id>&2;", "$(id)", "-j", "a'b", "lab\u{e9}"] {
        let interfaces = format!("interfaces: {{ \"{name}\":");
        let lab = up("192.0.2.1/24", "").replace("interfaces: { lab0:", &interfaces).replace("lab0", name);
        let file = host.file("name.yaml", lab);
        let _ = host.ctl(&["create-lab", &file]).code(2).complains("may hold only A-Z, a-z, 0-9");
    }
    host.sh("ip link property add dev wan0 altname lab-office");
    refused(
        &host,
        &up("192.0.2.1/24", "").replace("lab0", "lab-office"),
        &["lab-office is another name (altname) of the host's interface wan0"],
    );
}

fn ports() {
    let host = host_with_a_way_out();
    let forward = |protocol: &str, port: u16| {
        let nat = format!(
            "  forwarding: true\n  nat: {{ port_forwards: [ {{ protocol: {protocol}, port: {port}, to: \"192.0.2.2:80\" }} ] }}\n"
        );
        up("192.0.2.1/24", &nat)
    };
    host.sh("python3 -c 'import socket, time
a = socket.create_server((\"\", 8080)); b = socket.create_server((\"127.0.0.1\", 8081))
c = socket.socket(type=socket.SOCK_DGRAM); c.bind((\"198.18.0.1\", 5353)); time.sleep(600)' >/dev/null 2>&1 &");
    wait_until("the host listens", SOON, || host.sh("ss -Hlun").contains("198.18.0.1:5353"));
    refused(
        &host,
        &forward("tcp", 8080),
        &["the host itself listens on tcp port 8080 (0.0.0.0:8080)", "ss -lp"],
    );
    refused(&host, &forward("udp", 5353), &["the host itself listens on udp port 5353 (198.18.0.1:5353)"]);
    // Nobody else reaches what listens on the loopback alone.
    let file = host.file("up.yaml", forward("tcp", 8081));
    host.ctl(&["create-lab", &file]).ok();
    let other = forward("tcp", 8081)
        .replace("name: up", "name: other")
        .replace("lab0", "lab9")
        .replace("192.0.2.", "203.0.113.");
    refused(&host, &other, &["lab up (yours) has the host's tcp port 8081 already"]);
    // What it has it keeps.
    host.ctl(&["apply-lab", &file]).ok();
    // What begins to listen there later is told of, by the resync at the latest.
    assert_eq!(host_ready(&host)[0], "True");
    let listen = "import socket, time; a = socket.create_server((\"198.18.0.1\", 8081)); time.sleep(600)";
    let mut late = Command::new("python3").args(["-c", listen]).spawn().expect("starting python3");
    wait_until("it is told of", RESYNC, || host_ready(&host)[0] == "False");
    let [_, reason, message] = host_ready(&host);
    assert_eq!(reason, "PortTaken");
    assert!(message.contains("the host itself listens on tcp port 8081 (198.18.0.1:8081)"), "{message}");
    assert!(message.contains("host.nat.port_forwards[0]") && message.contains("ss -lp"), "{message}");
    let _ = host.ctl(&["list-labs"]).code(0).says("8081");
    late.kill().expect("it runs");
    late.wait().expect("waiting");
    wait_until("it is over", RESYNC, || host_ready(&host)[0] == "True");
}
