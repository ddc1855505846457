//! The one question of a check.

use std::{
    fs::File,
    net::IpAddr,
    os::fd::AsFd,
    time::{Duration, Instant},
};

use netlabd::probe::probe_once;

use super::{
    ping::{in_topology, namespace},
    support::sh,
};

const SECOND: Duration = Duration::from_secs(1);

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn the_first_answer_wins() {
    in_topology(|| async {
        let a = namespace("a");
        for to in ["198.18.0.1", "2001:db8:2::1"] {
            let start = Instant::now();
            let result = probe_once(a.as_fd(), address(to).into(), 5 * SECOND, 4).await;
            assert!(result.reachable && result.detail.is_empty(), "{result:?}");
            assert!(start.elapsed() < 5 * SECOND, "the first answer ends it");
        }
    });
}

#[test]
fn a_late_start_is_forgiven() {
    in_topology(|| async {
        sh("ip -n b link set eth0 down");
        let a = namespace("a");
        let probe = probe_once(a.as_fd(), address("198.18.0.1").into(), 3 * SECOND, 9);
        let repair = async {
            tokio::time::sleep(SECOND).await;
            sh("ip -n b link set eth0 up; ip -n b route add default via 198.18.0.254");
        };
        let (result, ()) = tokio::join!(probe, repair);
        assert!(result.reachable, "{result:?}");
    });
}

#[test]
fn no_answer_says_why() {
    in_topology(|| async {
        let a = namespace("a");
        let cases = [
            ("192.0.2.99", "Destination Host Unreachable (from 192.0.2.1)"),
            ("198.18.9.9", "Destination Net Unreachable (from 192.0.2.254)"),
            ("192.0.2.255", "Permission denied"),
        ];
        for (to, detail) in cases {
            let result = probe_once(a.as_fd(), address(to).into(), SECOND / 2, 1).await;
            assert_eq!((result.reachable, result.rtt, result.detail.as_str()), (false, None, detail));
        }
        sh("ip netns exec b sh -c 'echo 1 > /proc/sys/net/ipv4/icmp_echo_ignore_all'");
        let start = Instant::now();
        let result = probe_once(a.as_fd(), address("198.18.0.1").into(), SECOND / 2, 1).await;
        assert_eq!(result.detail, "no answer to 2 requests within 500ms");
        assert!(start.elapsed() >= SECOND / 2, "{:?}", start.elapsed());
    });
}

#[test]
fn what_is_no_namespace_is_an_error() {
    in_topology(|| async {
        let file = File::open("/proc/self/status").unwrap();
        let result = probe_once(file.as_fd(), address("198.18.0.1").into(), SECOND, 0).await;
        assert!(!result.reachable);
        assert!(result.detail.starts_with("cannot ping: Invalid argument"), "{result:?}");
    });
}
