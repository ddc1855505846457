//! Delay, loss and rates, by packets.

use std::{thread, time::Duration};

use super::Test;
use crate::{
    command::wait_until,
    feature::Feature,
    host::TestHost,
    wire::{Flight, Wire, number},
};

/// The tests of this subject.
pub(super) const TESTS: &[Test] = &[
    Test::new("impairments::each_direction", each_direction).needs(&[Feature::Netem]),
    Test::new("impairments::distributions", distributions).needs(&[Feature::Netem]),
    Test::new("impairments::losses", losses).needs(&[Feature::Netem]),
    Test::new("impairments::seeds", seeds).needs(&[Feature::Netem]),
    Test::new("impairments::rates", rates).needs(&[Feature::Netem]),
    Test::new("impairments::changed_in_place", changed_in_place).needs(&[Feature::Netem]),
    Test::new("impairments::repaired", repaired).needs(&[Feature::Netem]),
    Test::new("impairments::by_hand_and_left_alone", left_alone).needs(&[Feature::Netem]),
    Test::new("impairments::come_and_go", come_and_go).needs(&[Feature::Netem]),
    Test::new("impairments::missing_kernel_feature", missing_feature).lacks(&[Feature::Netem]),
    Test::new("impairments::bad_input", bad_input),
];

/// How long a repair may take.
const LIMIT: Duration = Duration::from_secs(30);
/// The same where the kernel tells of nothing, and a look has to find it.
const LONG: Duration = Duration::from_secs(100);
const MS: Duration = Duration::from_millis(1);

const THERE: Wire<'_> = Wire { from: "k.a", to: "k.b", address: "192.0.2.2" };
const BACK: Wire<'_> = Wire { from: "k.b", to: "k.a", address: "192.0.2.1" };

/// Two nodes; what becomes of what is sent over the link, and of what `b` sends.
fn lab(link: &str, own: &str) -> String {
    format!(
        "name: k\nnodes:\n  a: {{ interfaces: {{ e: {{ addresses: [192.0.2.1/24] }} }} }}\n\
         \x20 b: {{ interfaces: {{ e: {{ addresses: [192.0.2.2/24]{own} }} }} }}\n\
         links:\n  - endpoints: [\"a:e\", \"b:e\"]\n{link}"
    )
}

fn impaired(by: &str) -> String {
    lab(&format!("    impair: {{ {by} }}\n"), "")
}

fn apply(host: &TestHost, text: &str) {
    host.ctl(&["apply-lab", &host.file("lab.yaml", text)]).ok();
}

/// Both ends know each other's addresses.
fn meet(host: &TestHost) {
    for _ in 0..20 {
        let met = host.exec("k.a", "ping -n -q -c 2 -i 0.2 -W 3 192.0.2.2").code == 0;
        if met && host.exec("k.b", "ping -n -q -c 2 -i 0.2 -W 3 192.0.2.1").code == 0 {
            return;
        }
    }
    panic!("no echo request of forty is answered");
}

fn qdisc(host: &TestHost, node: &str) -> String {
    host.exec(&format!("k.{node}"), "tc qdisc show dev e root").stdout
}

/// Fails unless a value is as near to what was asked for as a busy test kernel allows.
#[track_caller]
fn near(what: &str, seen: f64, asked: f64, error: f64) {
    println!("{what}: asked {asked:.3}, seen {seen:.3}");
    assert!((seen - asked).abs() <= error, "{what}: asked {asked}, seen {seen}, more than {error} apart");
}

/// What a link says holds for both directions, and what an interface says for its own.
fn each_direction() {
    let host = TestHost::started();
    let before = host.inventory();
    let own = ", impair: { delay: 20ms }";
    host.ctl(&["create-lab", &host.file("lab.yaml", lab("    impair: { delay: 50ms }\n", own))]).ok();
    meet(&host);
    // A busy machine delays some packets more.
    near("there, ms", THERE.udp(100, 5 * MS, 100).delay(0.0), 50.0, 1.0);
    near("back, ms", BACK.udp(100, 5 * MS, 100).delay(0.0), 20.0, 1.0);
    near("there by TCP, ms", THERE.tcp(50, 20 * MS).delay(0.0), 50.0, 1.0);
    // A delay alone does not count packets.
    let _ = host.exec("k.a", "ip -d link show e").says("gso_max_segs 65535");
    let _ = host
        .ctl(&["show-commands", "/run/test/lab.yaml"])
        .says("tc -n k.b qdisc replace dev e root netem limit 2652 delay 20ms\n");
    // A TCP socket that waits for the other end's last word keeps its namespace.
    thread::sleep(1000 * MS);
    host.ctl(&["delete-lab", "k"]).ok();
    before.assert_unchanged();
}

/// Delays vary as asked.
fn distributions() {
    let host = TestHost::started();
    // Mean and standard deviation, in times of the jitter, and the quartiles of the delays.
    for (name, mean, deviation, first, third) in [
        ("uniform", 0.0, 0.577, -0.5, 0.5),
        ("normal", 0.0, 1.0, -0.674, 0.674),
        ("pareto", -0.033, 0.82, -0.533, 0.117),
        ("paretonormal", -0.025, 0.834, -0.569, 0.256),
    ] {
        apply(&host, &impaired(&format!("delay: 600ms, jitter: 100ms, distribution: {name}")));
        meet(&host);
        let flight = THERE.udp(1500, 2 * MS, 100);
        let (seen_mean, seen_deviation) = flight.moments();
        near(&format!("{name}: mean"), (seen_mean - 600.0) / 100.0, mean, 0.15);
        near(&format!("{name}: deviation"), seen_deviation / 100.0, deviation, 0.15);
        near(&format!("{name}: first quartile"), (flight.delay(0.25) - 600.0) / 100.0, first, 0.15);
        near(&format!("{name}: third quartile"), (flight.delay(0.75) - 600.0) / 100.0, third, 0.15);
        assert_eq!(flight.lost(), 0);
    }
}

/// Packets of which a share meets a fate: the seen share, and how far rng alone takes it from the asked one.
#[track_caller]
fn share(what: &str, flight: &Flight, met: usize, asked: f64) {
    let sent = number(flight.sent);
    let sigma = (asked * (1.0 - asked) / sent).sqrt();
    near(what, number(met) / sent, asked, 4.0 * sigma);
}

fn losses() {
    let host = TestHost::started();
    let seen = |by: &str| {
        apply(&host, &impaired(by));
        meet(&host);
        THERE.udp(3000, MS, 100)
    };
    let flight = seen("loss: 10%");
    share("lost", &flight, flight.lost(), 0.1);
    assert!(flight.burst() < 1.5, "each by itself: {}", flight.burst());
    let flight = seen("loss: 10%, loss_burst: 5");
    // What hangs together varies more.
    near("lost in bursts", number(flight.lost()) / 3000.0, 0.1, 0.04);
    near("at a time", flight.burst(), 5.0, 1.5);
    let flight = seen("duplicate: 10%");
    share("doubled", &flight, flight.doubled(), 0.1);
    assert_eq!(flight.lost(), 0);
    let flight = seen("delay: 10ms, reorder: 10%");
    // Those that do not wait have overtaken others, which are late.
    let early = flight.arrivals.iter().filter(|arrival| arrival.delay < 5 * MS).count();
    share("not waiting", &flight, early, 0.1);
    assert!(flight.overtaken() > early, "{} of {early}", flight.overtaken());
    let flight = seen("corrupt: 10%");
    // A flipped bit in a header or in the data is a wrong checksum; in the Ethernet header it is somebody else's.
    share("corrupt", &flight, flight.lost(), 0.1);
}

/// The same seed, the same fate of the same packets.
fn seeds() {
    let host = TestHost::started();
    let quiet = |by: &str| {
        let silent = "a: { sysctls: { net.ipv6.conf.all.disable_ipv6: \"1\" }, interfaces:";
        impaired(by).replace("a: { interfaces:", silent)
    };
    apply(&host, &quiet("delay: 1ms"));
    let mac = host.exec("k.b", "cat /sys/class/net/e/address").ok();
    let known = format!("ip neighbour replace 192.0.2.2 dev e lladdr {} nud permanent", mac.trim());
    let _ = host.exec("k.a", &known).code(0);
    let fate = |seed: u32| {
        apply(&host, &quiet("loss: 1%, seed: 1"));
        apply(&host, &quiet(&format!("loss: 20%, seed: {seed}")));
        let flight = THERE.udp(300, MS, 100);
        flight.arrivals.iter().map(|arrival| arrival.number).collect::<Vec<_>>()
    };
    let first = fate(7);
    assert!(first.len() < 300, "some are lost");
    assert_eq!(fate(7), first);
    assert_ne!(fate(8), first);
}

/// TCP, whose large packets are counted one by one, also behind a router, and UDP.
fn rates() {
    let host = TestHost::started();
    let text = "\
name: k
nodes:
  a: { interfaces: { e: { addresses: [192.0.2.1/24] } }, routes: [ { to: default, via: 192.0.2.254 } ] }
  r: { forwarding: true, interfaces: { e: { addresses: [192.0.2.254/24] }, f: { addresses: [198.51.100.254/24] } } }
  c: { interfaces: { e: { addresses: [198.51.100.1/24] } }, routes: [ { to: default, via: 198.51.100.254 } ] }
links:
  - endpoints: [\"a:e\", \"r:e\"]
  - { endpoints: [\"r:f\", \"c:e\"], impair: { rate: 10mbit, delay: 5ms, queue: 50 } }
";
    host.ctl(&["create-lab", &host.file("routed.yaml", text)]).ok();
    let routed = Wire { from: "k.a", to: "k.c", address: "198.51.100.1" };
    near("TCP behind a router, Mbit/s", routed.tcp_rate("e", 4000 * MS) / 1e6, 10.0, 0.5);
    let _ = host.exec("k.a", "ip -d link show e").says("gso_max_segs 1 ");
    host.ctl(&["delete-lab", "k"]).ok();
    apply(&host, &impaired("rate: 5mbit, queue: 50"));
    near("TCP, Mbit/s", THERE.tcp_rate("e", 4000 * MS) / 1e6, 5.0, 0.25);
    near("UDP, Mbit/s", BACK.udp_rate("e", 4000 * MS, 1000, 5e6) / 1e6, 5.0, 0.25);
    // A queue that is full drops the rest: 50 packets of 1,042 bytes at 5 Mbit/s wait 83 ms.
    let flight = THERE.udp(1000, MS, 1000);
    println!("{} of 1000 got through, the last after {:.0} ms", flight.arrivals.len(), flight.delay(1.0));
    assert!(flight.delay(1.0) > 75.0 && flight.lost() > 100);
}

/// From one to the next each changes something else.
pub(super) const CHANGES: [&str; 6] = [
    "delay: 120ms",
    "delay: 30ms, jitter: 5ms",
    "delay: 30ms, jitter: 5ms, distribution: normal",
    "delay: 100ms, rate: 50mbit",
    "rate: 50mbit",
    "delay: 60ms",
];

/// A change keeps what is on its way.
fn changed_in_place() {
    let host = TestHost::started();
    host.ctl(&["create-lab", &host.file("lab.yaml", impaired("delay: 80ms, rate: 100mbit"))]).ok();
    meet(&host);
    let flight = THERE.udp_while(3000, 2 * MS, 500, || {
        for by in CHANGES {
            thread::sleep(700 * MS);
            apply(&host, &impaired(by));
        }
    });
    println!(
        "{} of {} arrived, delays {:.0} to {:.0} ms",
        flight.arrivals.len(),
        flight.sent,
        flight.delay(0.0),
        flight.delay(1.0)
    );
    assert_eq!(flight.lost(), 0);
    assert!(flight.delay(1.0) > 119.0, "some of it was sent at each delay");
    assert!(qdisc(&host, "a").contains("qdisc netem 4e4c: root refcnt"), "{}", qdisc(&host, "a"));
}

fn repairs(host: &TestHost) -> u64 {
    let text = host.lab("k")["status"]["drift_repaired"].to_string();
    text.trim_matches('"').parse().expect("a number of repairs")
}

/// Whatever somebody does to it is undone.
fn repaired() {
    let host = TestHost::started();
    host.ctl(&[
        "create-lab",
        &host.file("lab.yaml", impaired("delay: 40ms, jitter: 4ms, distribution: normal, loss: 1%")),
    ])
    .ok();
    let right = qdisc(&host, "a");
    assert!(right.contains("delay 40ms  4ms loss 1%"), "{right}");
    for by_hand in [
        "tc qdisc delete dev e root",
        "tc qdisc replace dev e root tbf rate 1mbit burst 10kb latency 50ms",
        "tc qdisc replace dev e root handle 9: tbf rate 1mbit burst 10kb latency 50ms",
        "tc qdisc change dev e root netem limit 9 delay 1ms",
        "tc qdisc change dev e root netem limit 5625 delay 40ms 4ms loss 1% slot 20ms",
    ] {
        host.wait_ready("k");
        let before = repairs(&host);
        let _ = host.exec("k.a", by_hand).code(0);
        wait_until(&format!("repaired after: {by_hand}"), LIMIT, || {
            repairs(&host) > before && qdisc(&host, "a") == right
        });
    }
    // Nobody tells of that.
    let _ = host.exec("k.b", "ip link set dev e gso_max_segs 100").code(0);
    wait_until("single packets again", LONG, || {
        host.exec("k.b", "ip -d link show e").stdout.contains("gso_max_segs 1 ")
    });
}

/// What somebody puts on an interface without an impairment is told and stays.
fn left_alone() {
    let host = TestHost::started();
    host.ctl(&["create-lab", &host.file("lab.yaml", lab("", ", impair: { delay: 1ms }"))]).ok();
    let _ = host.exec("k.a", "tc qdisc add dev e root netem delay 7ms").code(0);
    wait_until("it is told", LIMIT, || {
        host.lab("k")["status"]["extras"].to_string().contains("a: queueing discipline netem on e")
    });
    assert_eq!(host.lab("k")["status"]["phase"], "PHASE_READY");
    apply(&host, &lab("", ", impair: { delay: 2ms }"));
    assert!(qdisc(&host, "a").contains("delay 7ms"), "{}", qdisc(&host, "a"));
    apply(&host, &impaired("delay: 3ms"));
    assert!(qdisc(&host, "a").contains("delay 3ms"), "{}", qdisc(&host, "a"));
}

/// Impairments come and go with the file and leave nothing behind.
fn come_and_go() {
    let host = TestHost::started();
    let before = host.inventory();
    apply(&host, &lab("", ""));
    let look = || ["a", "b"].map(|node| host.exec(&format!("k.{node}"), "ip -d -o link show e").ok());
    let plain = look();
    assert!(plain[0].contains("qdisc noqueue") && plain[0].contains("gso_max_segs 65535"), "{plain:?}");
    apply(&host, &impaired("delay: 1ms, loss: 1%"));
    assert!(
        look().iter().all(|link| link.contains("qdisc netem") && link.contains("gso_max_segs 1 ")),
        "{:?}",
        look()
    );
    let file = host.file("plain.yaml", lab("", ""));
    let _ = host.ctl(&["apply-lab", "--dry-run", &file]).code(8).says("impair a:e no longer");
    host.ctl(&["apply-lab", &file]).ok();
    assert_eq!(look(), plain);
    let _ = host.ctl(&["apply-lab", "--dry-run", &file]).code(0);
    host.ctl(&["delete-lab", "k"]).ok();
    before.assert_unchanged();
}

fn missing_feature() {
    let host = TestHost::started();
    let before = host.inventory();
    let file = host.file("lab.yaml", impaired("delay: 1ms"));
    let _ = host.ctl(&["create-lab", &file]).code(1).complains("this kernel lacks CONFIG_NET_SCH_NETEM");
    before.assert_unchanged();
}

/// Refused with line and column, and what to write.
fn bad_input() {
    let host = TestHost::started();
    for (by, said) in [
        ("delay: 20", "bad.yaml:7:22: \"20\" has no unit; write 20ms"),
        ("loss: 0.5", "bad.yaml:7:21: \"0.5\" has no unit; write 0.5%"),
        ("rate: 10Mbps", "bad.yaml:7:21: \"10Mbps\" is not a rate such as 10mbit"),
        ("loss: 101%", "bad.yaml:7:21: \"101%\" is above 100%"),
        ("delay: 2ms, jitter: 3ms", "bad.yaml:7:35: 3ms is above the delay"),
        ("dealy: 2ms", "did you mean \"delay\"?"),
    ] {
        let file = host.file("bad.yaml", impaired(by));
        let _ = host.ctl(&["create-lab", &file]).code(2).complains(said);
    }
    let _ = host.ctl(&["list-labs", "-o", "json"]).says("[]");
}
