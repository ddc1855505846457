//! Pings between namespaces: a - router - b.

use std::{
    fs::File,
    future::Future,
    net::IpAddr,
    os::fd::AsFd,
    time::{Duration, Instant},
};

use netlabd::probe::{EchoSocket, Event, Options, Reply, ScopedAddress, SendError, Summary, ping};
use tokio::sync::mpsc;

use super::support::{isolated, sh};

/// The router has no route to 198.18.9.0/24 nor to `2001:db8:9::/64`; a knows the router for all.
const TOPOLOGY: &str = "
    for n in a router b; do
        ip netns add $n
        ip netns exec $n sh -c 'echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad'
        ip -n $n link set lo up
    done
    ip link add eth0 netns a type veth peer name eth0 netns router
    ip link add eth1 netns router type veth peer name eth0 netns b
    for l in 'a eth0 192.0.2.1/24 2001:db8:1::1/64' 'router eth0 192.0.2.254/24 2001:db8:1::fe/64' \
             'router eth1 198.18.0.254/24 2001:db8:2::fe/64' 'b eth0 198.18.0.1/24 2001:db8:2::1/64'; do
        set -- $l
        ip -n $1 link set $2 up; ip -n $1 addr add $3 dev $2; ip -n $1 addr add $4 dev $2
    done
    ip -n a route add default via 192.0.2.254; ip -n a route add default via 2001:db8:1::fe
    ip -n b route add default via 198.18.0.254; ip -n b route add default via 2001:db8:2::fe
    ip netns exec router sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding'
    # An address that nobody has is given up after 100 ms instead of three seconds.
    ip netns exec a sh -c 'cd /proc/sys/net; for v in ipv4 ipv6; do
        echo 1 > $v/neigh/eth0/mcast_solicit; echo 100 > $v/neigh/eth0/retrans_time_ms; done'
";

/// Runs a test in a private host with the topology above, bounded in time.
pub(crate) fn in_topology<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    isolated(|| {
        sh(TOPOLOGY);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let bounded = async { tokio::time::timeout(Duration::from_secs(20), test()).await };
        runtime.block_on(bounded).expect("the test takes too long");
    });
}

pub(crate) fn namespace(name: &str) -> File {
    File::open(format!("/run/netns/{name}")).unwrap()
}

fn quick(count: u32) -> Options {
    let (interval, timeout) = (Duration::from_millis(20), Duration::from_millis(500));
    Options { count, interval, timeout, ..Options::default() }
}

async fn start(from: &str, to: ScopedAddress, options: Options) -> mpsc::Receiver<Event> {
    let socket = EchoSocket::open(namespace(from).as_fd(), to.address.into()).await.unwrap();
    ping(socket, to, options).unwrap()
}

/// All events of a ping, the summary apart.
async fn run(from: &str, to: &str, options: Options) -> (Vec<Event>, Summary) {
    let to: IpAddr = to.parse().unwrap();
    collect(start(from, to.into(), options).await).await
}

async fn collect(mut events: mpsc::Receiver<Event>) -> (Vec<Event>, Summary) {
    let mut all = Vec::new();
    while let Some(event) = events.recv().await {
        if let Event::Summary(summary) = event {
            assert_eq!(events.recv().await, None);
            return (all, summary);
        }
        all.push(event);
    }
    panic!("no summary after {all:?}");
}

fn reply(event: &Event) -> &Reply {
    match event {
        Event::Reply(reply) => reply,
        other => panic!("{other:?}"),
    }
}

fn refusal(sequence: u32, from: &str, message: &str) -> Event {
    let from = (!from.is_empty()).then(|| from.parse().unwrap());
    Event::Error(SendError { sequence, from, message: message.into() })
}

#[test]
fn answers() {
    in_topology(|| async {
        // One hop on the way: 63. To oneself: 64.
        for (to, ttl) in
            [("198.18.0.1", 63), ("2001:db8:2::1", 63), ("192.0.2.1", 64), ("::1", 64), ("127.0.0.9", 64)]
        {
            for size in [0, 1, 56, 9000, 65_000] {
                let (events, summary) = run("a", to, Options { size, ..quick(3) }).await;
                assert_eq!(events.len(), 3, "{to} {size}: {events:?}");
                for (event, sequence) in events.iter().zip(1..) {
                    let reply = reply(event);
                    let seen = (reply.sequence, reply.from.to_string(), reply.ttl, reply.bytes);
                    assert_eq!(seen, (sequence, to.to_owned(), ttl, size + 8));
                    assert!(summary.min <= reply.rtt && reply.rtt <= summary.max);
                }
                assert_eq!((summary.sent, summary.received), (3, 3));
                assert!(
                    Duration::ZERO < summary.min && summary.min <= summary.avg && summary.avg <= summary.max
                );
            }
        }
    });
}

#[test]
fn errors() {
    in_topology(|| async {
        let cases = [
            ("192.0.2.99", "192.0.2.1", "Destination Host Unreachable"),
            ("198.18.9.9", "192.0.2.254", "Destination Net Unreachable"),
            ("2001:db8:1::99", "2001:db8:1::1", "Destination unreachable: Address unreachable"),
            ("2001:db8:9::9", "2001:db8:1::fe", "Destination unreachable: No route"),
        ];
        for (to, from, message) in cases {
            let (events, summary) = run("a", to, quick(2)).await;
            assert_eq!(events, [refusal(1, from, message), refusal(2, from, message)]);
            assert_eq!(summary, Summary { sent: 2, ..Summary::default() });
        }
        sh("ip -n a route del default; ip -n a -6 route del default");
        for to in ["198.18.0.1", "2001:db8:2::1"] {
            let (events, summary) = run("a", to, quick(2)).await;
            assert_eq!(events, [1, 2].map(|sequence| refusal(sequence, "", "Network is unreachable")));
            assert_eq!(summary, Summary { sent: 2, ..Summary::default() });
        }
        assert_eq!(run("a", "198.18.0.1", quick(0)).await.1, Summary::default());
    });
}

#[test]
fn silence_is_waited_for() {
    in_topology(|| async {
        sh("ip netns exec b sh -c 'echo 1 > /proc/sys/net/ipv4/icmp_echo_ignore_all'");
        let start = Instant::now();
        let (events, summary) = run("a", "198.18.0.1", quick(3)).await;
        assert_eq!((events, summary), (vec![], Summary { sent: 3, ..Summary::default() }));
        assert!(start.elapsed().as_millis() >= 500, "{:?}", start.elapsed());
    });
}

#[test]
fn link_local_addresses_take_a_scope() {
    in_topology(|| async {
        let peer = sh("ip -n a -6 -o addr show dev eth0 scope link | sed 's/.*inet6 //; s,/.*,,'");
        let address: IpAddr = peer.trim().parse().unwrap();
        for (interface, received) in [("eth0", 1), ("eth1", 0)] {
            let index = sh(&format!("ip -n router -o link show {interface} | cut -d: -f1"));
            let target = ScopedAddress { address, scope_id: index.trim().parse().unwrap() };
            assert_eq!(collect(start("router", target, quick(1)).await).await.1.received, received);
        }
    });
}

/// A second address of a, the only one whose requests the router lets through.
const SECOND_SOURCE: &str = "ip -n a addr add 192.0.2.7/32 dev eth0; ip netns exec router nft -f - <<'END'
table ip t {
    chain c { type filter hook forward priority 0; ip saddr 192.0.2.1 icmp type echo-request drop; }
}
END
";

#[test]
fn the_source_can_be_chosen() {
    in_topology(|| async {
        sh(SECOND_SOURCE);
        let options = quick(1);
        assert_eq!(run("a", "198.18.0.1", options).await.1.received, 0);
        let options = Options { source: Some("192.0.2.7".parse().unwrap()), ..options };
        assert_eq!(run("a", "198.18.0.1", options).await.1.received, 1);

        let target: IpAddr = "198.18.0.1".parse().unwrap();
        for (source, text) in
            [("192.0.2.8", "Cannot assign requested address"), ("::1", "different IP versions")]
        {
            let socket = EchoSocket::open(namespace("a").as_fd(), target.into()).await.unwrap();
            let options = Options { source: Some(source.parse().unwrap()), ..options };
            let error = ping(socket, target.into(), options).unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
        }
    });
}

#[test]
fn what_may_not_be_fragmented_is_refused() {
    in_topology(|| async {
        sh("ip -n router link set eth1 mtu 1400; ip -n b link set eth0 mtu 1400");
        let whole = |size| Options { size, dont_fragment: true, ..quick(1) };
        for to in ["198.18.0.1", "2001:db8:2::1"] {
            // 28 bytes of headers for IPv4, 48 for IPv6; eth0 takes 1500 and the router 1400.
            assert_eq!(run("a", to, whole(1352)).await.1.received, 1, "{to}");
            // With IPv6 the sender hears from the router first that it must send smaller fragments.
            assert!(run("a", to, Options { size: 2000, ..quick(3) }).await.1.received > 0, "{to}");
            let (events, summary) = run("a", to, whole(1500)).await;
            assert_eq!(summary.received, 0, "{to}");
            let said = format!("{events:?}");
            assert!(said.contains("Message too long: larger than the MTU"), "{to}: {said}");
        }
        let (events, summary) = run("a", "198.18.0.1", whole(1440)).await;
        assert_eq!(summary.received, 0, "the router may not cut it: {events:?}");
    });
}

#[test]
fn pings_at_once_do_not_take_each_other_s_answers() {
    in_topology(|| async {
        let mut pings = Vec::new();
        let to: IpAddr = "198.18.0.1".parse().unwrap();
        for _ in 0..20 {
            let options = Options { interval: Duration::from_millis(5), ..quick(50) };
            pings.push(start("a", to.into(), options).await);
        }
        for events in pings {
            let (events, summary) = collect(events).await;
            assert_eq!((events.len(), summary.sent, summary.received), (50, 50, 50));
        }
    });
}

#[test]
fn an_unanswered_ping_takes_nothing_of_another_s_though_both_are_without_payload() {
    in_topology(|| async {
        sh(SECOND_SOURCE);
        let to: IpAddr = "198.18.0.1".parse().unwrap();
        let options = Options { size: 0, ..quick(10) };
        let unanswered = start("a", to.into(), options).await;
        let options = Options { source: Some("192.0.2.7".parse().unwrap()), ..options };
        let answered = start("a", to.into(), options).await;
        let (unanswered, answered) = tokio::join!(collect(unanswered), collect(answered));
        assert_eq!((unanswered.1.received, answered.1.received), (0, 10));
    });
}

#[test]
fn a_ping_ends_with_its_receiver() {
    in_topology(|| async {
        let sockets = || {
            sh("ip netns exec a sh -c 'tail -n +2 -q /proc/thread-self/net/raw /proc/thread-self/net/raw6'")
        };
        let to: IpAddr = "198.18.0.1".parse().unwrap();
        let mut events =
            start("a", to.into(), Options { interval: Duration::from_secs(60), ..quick(9) }).await;
        reply(&events.recv().await.unwrap());
        assert_eq!(sockets().lines().count(), 1);
        drop(events);
        // The test's own limit bounds this.
        while !sockets().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
}
