//! What a lab cannot do to the host and to other labs: teach the host ways, make it a router between what is no lab's,
//! reach other labs. Packets are the yardstick.

use std::time::Duration;

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
    Test::new("host_apart::no_router_advertisement_is_heard", advertisement),
    Test::new("host_apart::no_redirect_is_heard", redirect).needs(&[Feature::Nat]),
    Test::new("host_apart::it_is_kept_so", kept).needs(&[Feature::Nat]),
    Test::new("host_apart::settings_of_the_labs_own_interfaces", settings),
    Test::new("host_apart::the_host_forwards_for_labs_only", forwarding).needs(&[Feature::Nat]),
    Test::new("host_apart::what_the_host_forwards_for_itself", forwards_itself).needs(&[Feature::Nat]),
    Test::new("host_apart::labs_are_apart_unless_joined", joined).needs(&[Feature::Nat]),
    Test::new("host_apart::a_lab_that_does_not_ask", unasked).needs(&[Feature::Nat]),
];

const SOON: Duration = Duration::from_secs(20);

/// A lab with a cable from its node `n` (.2, with a default route) to an interface of the host (.1), and more of the
/// host.
fn lab(name: &str, end: &str, net: &str, more: &str) -> String {
    format!(
        "name: {name}
nodes:
  n:
    interfaces: {{ eth0: {{ addresses: [{net}.2/24, {net}.3/24] }} }}
    routes: [ {{ to: default, via: {net}.1 }} ]
host:
  interfaces: {{ {end}: {{ addresses: [{net}.1/24] }} }}
{more}links:
  - endpoints: [\"n:eth0\", \"host:{end}\"]
"
    )
}

fn create(host: &TestHost, lab: &str) {
    let file = host.file("lab.yaml", lab);
    host.ctl(&["create-lab", &file]).ok();
}

/// A raw message from a node to the host: `ICMPv6` or ICMP, given as a Python expression.
const SEND: &str = "import socket, struct, sys
def ra(dev):
    s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6); i = socket.if_nametoindex(dev)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, i)
    m = struct.pack('!BBHBBHII', 134, 0, 0, 64, 0, 1800, 0, 0)
    m += struct.pack('!BBBBIII', 3, 4, 64, 0xc0, 86400, 14400, 0) + socket.inet_pton(socket.AF_INET6, '2001:db8:bad::')
    s.sendto(m, ('ff02::1', 0, 0, i))
def checksum(b):
    t = sum(struct.unpack('!%dH' % (len(b) // 2), b)); t = (t >> 16) + (t & 0xffff); t += t >> 16
    return ~t & 0xffff
def redirect(me, to, gateway):
    a = socket.inet_aton
    inner = struct.pack('!BBHHHBBH', 0x45, 0, 28, 1, 0, 64, 1, 0) + a(me) + a(to)
    inner = inner[:10] + struct.pack('!H', checksum(inner)) + inner[12:]
    inner += struct.pack('!BBHHH', 0, 0, 0xfffe, 1, 0)
    m = struct.pack('!BBH', 5, 1, 0) + a(gateway) + inner
    m = m[:2] + struct.pack('!H', checksum(m)) + m[4:]
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).sendto(m, (me, 0))
eval(sys.argv[1])
";

fn send(host: &TestHost, namespace: &str, what: &str) {
    let script = host.file("send.py", SEND);
    // An address may still be tentative.
    wait_until(what, SOON, || host.exec(namespace, &format!("python3 {script} \"{what}\"")).code == 0);
}

fn advertisement() {
    let host = TestHost::started();
    // As on most hosts; what this one has may be anything.
    host.sh("sysctl -qw net.ipv6.conf.default.accept_ra=1 net.ipv6.conf.default.autoconf=1");
    create(&host, &lab("up", "lab0", "192.0.2", ""));
    let learned = |dev: &str| {
        host.sh(&format!("ip -6 route show dev {dev}; ip -6 addr show dev {dev}")).contains("bad")
    };
    // A link by hand hears them.
    host.sh("ip netns add r; ip link add own0 type veth peer name eth0 netns r; ip link set own0 up
        ip -n r link set eth0 up");
    wait_until("the control learns", SOON, || {
        send(&host, "r", "ra('eth0')");
        learned("own0")
    });
    for _ in 0..3 {
        send(&host, "up.n", "ra('eth0')");
    }
    // They have come, and were heard by nobody.
    wait_until("the advertisements have come", SOON, || {
        host.sh("cat /proc/net/dev_snmp6/lab0").lines().any(|line| {
            let mut words = line.split_whitespace();
            words.next() == Some("Icmp6InRouterAdvertisements") && words.next().is_some_and(|n| n != "0")
        })
    });
    assert!(!learned("lab0"), "{}", host.sh("ip -6 route; ip -6 addr"));
    let default = host.sh("ip -6 route show default");
    assert!(!default.contains("lab0"), "{default}");
}

fn redirect() {
    let host = TestHost::started();
    host.sh("sysctl -qw net.ipv4.conf.all.accept_redirects=1 net.ipv4.conf.default.accept_redirects=1");
    let way = |host: &TestHost| host.sh("ip route get 198.19.0.1").contains("via 192.0.2.3");
    let redirected = |host: &TestHost| {
        host.sh("ip route add 198.19.0.0/24 via 192.0.2.2; ping -n -q -c 1 -W 5 192.0.2.3");
        for _ in 0..3 {
            send(host, "up.n", "redirect('192.0.2.1', '198.19.0.1', '192.0.2.3')");
        }
        way(host)
    };
    create(&host, &lab("up", "lab0", "192.0.2", ""));
    assert!(!redirected(&host), "{}", host.sh("ip route get 198.19.0.1"));
    host.ctl(&["delete-lab", "up"]).ok();
    // Who wants to be led says so.
    create(
        &host,
        &lab("up", "lab0", "192.0.2", "  sysctls: { net.ipv4.conf.lab0.accept_redirects: \"1\" }\n"),
    );
    assert!(redirected(&host), "the control is not redirected: {}", host.sh("ip route get 198.19.0.1"));
}

/// The settings by which a neighbour could steer the host through `lab0`.
fn deaf(host: &TestHost) -> String {
    host.sh("cd /proc/sys/net; for s in ipv4/conf/lab0/accept_redirects ipv4/conf/lab0/secure_redirects \
        ipv4/conf/lab0/send_redirects ipv4/conf/lab0/accept_source_route ipv6/conf/lab0/accept_ra \
        ipv6/conf/lab0/autoconf ipv6/conf/lab0/accept_redirects ipv6/conf/lab0/accept_source_route \
        ipv6/conf/lab0/seg6_enabled; do cat $s; done")
        .replace('\n', "")
}

fn kept() {
    let host = TestHost::started();
    let before = host.inventory();
    create(&host, &lab("up", "lab0", "192.0.2", "  forwarding: true\n"));
    assert_eq!(deaf(&host), "000000000");
    let rules = || host.sh("nft list table inet netlab 2>&1 || :");
    let wanted = rules();
    assert!(wanted.contains("icmp type redirect") && wanted.contains("chain up-guard-forward"), "{wanted}");
    for damage in [
        "sysctl -qw net.ipv6.conf.lab0.accept_ra=1 net.ipv4.conf.lab0.accept_redirects=1",
        "nft flush chain inet netlab up-guard-forward",
        "nft delete table inet netlab",
        "nft insert rule inet netlab up-guard-input accept",
        "ip link del lab0",
    ] {
        host.sh(damage);
        wait_until(damage, Duration::from_secs(60), || {
            host.run("sh", &["-c", "ip link show lab0"]).code == 0
                && deaf(&host) == "000000000"
                && rules() == wanted
        });
    }
    host.wait_ready("up");
    let file = host.file("lab.yaml", lab("up", "lab0", "192.0.2", "  forwarding: true\n"));
    let _ = host.ctl(&["apply-lab", "--dry-run", &file]).code(0);
    host.ctl(&["delete-lab", "up"]).ok();
    before.assert_unchanged();
}

fn settings() {
    let mut host = TestHost::here();
    users::move_in(&host);
    host.start();
    let with = |key: &str| lab("up", "lab0", "192.0.2", &format!("  sysctls: {{ {key}: \"2\" }}\n"));
    for key in [
        "net.ipv4.ip_forward",
        "net.ipv6.conf.all.accept_ra",
        "net.ipv4.conf.lo.rp_filter",
        "net.core.somaxconn",
    ] {
        let file = host.file("bad.yaml", with(key));
        let _ = host
            .ctl(&["create-lab", &file])
            .code(2)
            .complains("bad.yaml:8:")
            .complains("only those can be set there");
    }
    let file = host.file("lab.yaml", with("net.ipv6.conf.lab0.accept_ra"));
    let refused = ALICE.ctl(&host, &["create-lab", &file]).code(6);
    let _ =
        refused.complains("net.ipv6.conf.lab0.accept_ra on the host needs an administrator, or host_sysctls");
    host.ctl(&["create-lab", &file]).ok();
    assert_eq!(deaf(&host), "000020000");
    let plain = host.file("plain.yaml", lab("up", "lab0", "192.0.2", ""));
    host.ctl(&["apply-lab", &plain]).ok();
    assert_eq!(deaf(&host), "000000000");
}

/// Two networks of the host's own, `lan` and `vpn`.
fn two_networks(host: &TestHost) {
    for (name, net) in [("lan", 16), ("vpn", 32)] {
        host.sh(&format!(
            "ip netns add {name}; ip link add {name}0 type veth peer name e netns {name}
             ip addr add 203.0.113.{host}/28 dev {name}0; ip link set {name}0 up
             ip -n {name} addr add 203.0.113.{peer}/28 dev e; ip -n {name} link set e up
             ip -n {name} route add default via 203.0.113.{host}",
            host = net + 1,
            peer = net + 2,
        ));
    }
}

fn lan_to_vpn(host: &TestHost) -> bool {
    host.pings("lan", "203.0.113.34")
}

fn forwarding() {
    let mut host = TestHost::here();
    let internet = Internet::connect(&host);
    two_networks(&host);
    host.start();
    let before = host.inventory();
    assert!(!lan_to_vpn(&host), "the test itself");
    let more = "  forwarding: true\n  nat: { masquerade: [ { source: 192.0.2.0/24 } ] }\n";
    create(&host, &lab("up", "lab0", "192.0.2", more));
    assert!(host.pings("up.n", Internet::SERVER), "the lab reaches the internet");
    assert_eq!(internet.pinged_by(&host), [Internet::HOST]);
    assert!(host.pings("up.n", "203.0.113.34"), "and what the host reaches");
    assert!(!lan_to_vpn(&host), "{}", host.sh("nft list ruleset"));
    host.kill();
    host.start();
    host.wait_ready("up");
    assert!(!lan_to_vpn(&host), "after a restart");
    assert_eq!(host.lab("up")["status"]["drift_repaired"], "0", "{}", host.log());
    host.ctl(&["delete-lab", "up"]).ok();
    before.assert_unchanged();
}

fn forwards_itself() {
    let mut host = TestHost::here();
    two_networks(&host);
    host.sh("sysctl -qw net.ipv4.conf.lan0.forwarding=1 net.ipv4.conf.vpn0.forwarding=1");
    host.start();
    let more = "  forwarding: true\n";
    create(&host, &lab("up", "lab0", "192.0.2", more));
    assert!(lan_to_vpn(&host), "the exceptions stay: {}", host.sh("nft list ruleset"));
    host.ctl(&["delete-lab", "up"]).ok();
    host.sh("sysctl -qw net.ipv4.ip_forward=1");
    create(&host, &lab("up", "lab0", "192.0.2", more));
    assert!(lan_to_vpn(&host), "it forwards for itself: {}", host.sh("nft list ruleset"));
}

fn joined() {
    let mut host = TestHost::here();
    users::move_in(&host);
    host.start();
    let with = |name: &str, end: &str, net: &str, joins: &str| {
        let more = format!("  forwarding: true\n  joins: [{joins}]\n");
        host.file(&format!("{name}.yaml"), lab(name, end, net, &more))
    };
    let apply = |file: &str| host.ctl(&["apply-lab", file]).ok();
    apply(&with("a", "lab0", "192.0.2", ""));
    apply(&with("b", "lab1", "198.51.100", ""));
    let reach = |from: &str, to: &str| host.pings(from, to);
    assert!(!reach("a.n", "198.51.100.2") && !reach("b.n", "192.0.2.2"), "{}", host.sh("nft list ruleset"));
    apply(&with("a", "lab0", "192.0.2", "lab1"));
    assert!(!reach("a.n", "198.51.100.2") && !reach("b.n", "192.0.2.2"), "one has not agreed");
    apply(&with("b", "lab1", "198.51.100", "lab0"));
    assert!(reach("a.n", "198.51.100.2") && reach("b.n", "192.0.2.2"), "{}", host.sh("nft list ruleset"));
    apply(&with("a", "lab0", "192.0.2", ""));
    assert!(!reach("a.n", "198.51.100.2"), "no longer");
    let file = with("c", "lab3", "203.0.113", "lab0");
    let _ = ALICE
        .ctl(&host, &["create-lab", &file])
        .code(6)
        .complains("or host_joins in netlabd's configuration");
    let own = with("c", "lab3", "203.0.113", "lab3");
    let _ = host.ctl(&["create-lab", &own]).code(2).complains("lab3 is this lab's own");
}

fn unasked() {
    let mut host = TestHost::here();
    Internet::connect(&host);
    host.sh("sysctl -qw net.ipv4.ip_forward=1; ip -n internet route add 192.0.2.0/24 via 198.18.0.1");
    host.start();
    create(&host, &lab("up", "lab0", "192.0.2", ""));
    assert!(host.pings("up.n", "198.18.0.1"), "it reaches the host");
    assert!(!host.pings("up.n", Internet::SERVER), "and nothing else");
    let file = host.file("lab.yaml", lab("up", "lab0", "192.0.2", "  forwarding: true\n"));
    host.ctl(&["apply-lab", &file]).ok();
    assert!(host.pings("up.n", Internet::SERVER), "{}", host.sh("nft list ruleset"));
}
